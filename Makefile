# Each target does its own set-up in .venv, pinned by constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-example lint bench-speed bench-kodak bench-meshes bench-sounds bench-fields docs picture clean

$(READY): pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	# torch first and by its exact version: an open range would bring gigabytes of CUDA libraries.
	$(BIN)/pip install -q --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# Compress a photograph, decode it again at its own size and a detail at four times the size.
demo: $(READY)
	mkdir -p demo
	$(BIN)/coordcodec compress examples/kodim15.png -o demo/kodim15.ccdc --rate 0.17 --force
	$(BIN)/coordcodec decompress demo/kodim15.ccdc -o demo/kodim15.png --force
	$(BIN)/coordcodec decompress demo/kodim15.ccdc -o demo/detail.png --scale 4 --region 300,80,500,280 --force

test: $(READY)
	$(BIN)/python -m pytest

# Plugins as their users meet them: our wheel, that of the example and a package that new-modality wrote, installed in
# an environment of their own, which borrows the libraries of .venv so that torch need not be fetched again.
EXAMPLE := .venv/example
EXAMPLE_PIP := $(BIN)/pip --disable-pip-version-check --python $(EXAMPLE)/bin/python
test-example: $(READY)
	rm -rf $(EXAMPLE)
	$(BIN)/python -m venv --without-pip $(EXAMPLE)
	$(EXAMPLE)/bin/python -c "import pathlib, sys, sysconfig as s; pathlib.Path(s.get_path('purelib'), 'borrowed.pth').write_text(sys.argv[1])" \
		$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	$(BIN)/pip wheel -q --disable-pip-version-check --no-deps -w $(EXAMPLE)/wheels . ./examples/coordcodec_climate
	$(EXAMPLE_PIP) install -q --no-deps --force-reinstall $(EXAMPLE)/wheels/*.whl
	$(EXAMPLE_PIP) install -q -c constraints.txt xarray "h5netcdf[h5py]" pytest
	$(EXAMPLE)/bin/coordcodec new-modality heightmap -o $(EXAMPLE)/heightmap
	$(EXAMPLE_PIP) install -q --no-deps -e $(EXAMPLE)/heightmap
	$(EXAMPLE)/bin/coordcodec modalities
	$(EXAMPLE)/bin/coordcodec modalities | grep -q "^climate *coordcodec-climate"
	$(EXAMPLE)/bin/coordcodec compress examples/coordcodec_climate/tests/A1B_cutout.nc -o $(EXAMPLE)/a.ccdc --bytes 4000 --effort 1
	$(EXAMPLE)/bin/coordcodec decompress $(EXAMPLE)/a.ccdc
	$(EXAMPLE)/bin/coordcodec evaluate examples/coordcodec_climate/tests/A1B_cutout.nc $(EXAMPLE)/a.ccdc
	# -P: what is tested is what is installed, not what lies in the folder.
	cd examples/coordcodec_climate && ../../$(EXAMPLE)/bin/python -P -m pytest -q -p no:cacheprovider
	cd $(EXAMPLE)/heightmap && ../bin/python -P -m pytest -q -p no:cacheprovider

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Points per second against plain PyTorch, share of the matrix peak, decode rate, start-up time.
bench-speed: $(READY)
	$(BIN)/python -m coordcodec.bench.speed

# The Kodak figures of docs/benchmarks.md; KODAK is a folder with the 24 pictures. About half an hour on two cores.
KODAK ?= kodak
bench-kodak: $(READY)
	$(BIN)/python -m coordcodec.bench.rate_distortion $(KODAK) --rates 0.3 -o docs/results/kodak.jsonl
	$(BIN)/python -m coordcodec.bench.rate_distortion $(KODAK) --only kodim15.png --rates 0.17 -o docs/results/kodak.jsonl

# What the figures of meshes, sounds and fields need besides.
.venv/.bench: $(READY)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[bench]"
	touch $@

# Meshes beside Draco; MESHES is a folder. About 25 minutes for five meshes on two cores.
MESHES ?= meshes
bench-meshes: .venv/.bench
	$(BIN)/python -m coordcodec.bench.rate_distortion $(MESHES) --modality sdf --rates 4096 8192 16384 -o docs/results/meshes.jsonl
	$(BIN)/python -m coordcodec.bench.shapes $(MESHES) -o docs/results/draco.jsonl

# Speech beside MP3 and Opus; SPEECH is a folder of clips, MUSIC one with gt_bach.wav of the SIREN paper.
SPEECH ?= speech
MUSIC ?= music
bench-sounds: .venv/.bench
	$(BIN)/python -m coordcodec.bench.sounds $(SPEECH) --rates 32 -o docs/results/sounds.jsonl
	$(BIN)/python -m coordcodec.bench.sounds $(MUSIC) --only gt_bach.wav --rates 48 --codecs coordcodec siren mp3 opus -o docs/results/sounds.jsonl

# A climate field beside zfp, SZ3 and SPERR; FIELDS is a folder with A1B_north_america.nc.
FIELDS ?= fields
bench-fields: .venv/.bench
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt ./examples/coordcodec_climate
	$(BIN)/python -m coordcodec.bench.fields $(FIELDS)/A1B_north_america.nc --variable air_temperature --bytes 12000 -o docs/results/fields.jsonl

# Tables in README.md and docs/benchmarks.md from docs/results, and the picture at the head of the README.
docs: $(READY)
	$(BIN)/python -m coordcodec.bench.documents

picture: demo
	$(BIN)/python -m coordcodec.bench.figure examples/kodim15.png demo/kodim15.ccdc -o docs/kodim15.png

clean:
	rm -rf .venv demo dist build
