# Each target does its own set-up in .venv, pinned by constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo inits test test-example check-all fuzz browser lint bench bench-speed check-speed check-gpu bench-kodak bench-ablation bench-meshes bench-sounds bench-fields \
	bench-promises bench-lossless bench-fine bench-long bench-grid \
	report docs picture clean

$(READY): pyproject.toml benchmarks/pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	# torch first and by its exact version: an open range would bring gigabytes of CUDA libraries.
	$(BIN)/pip install -q --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]" -e ./benchmarks
	touch $@

# Compress a photograph, decode it again at its own size and a detail at four times the size.
demo: $(READY)
	mkdir -p demo
	$(BIN)/coordcodec compress examples/kodim15.png -o demo/kodim15.ccdc --rate 0.17 --force
	$(BIN)/coordcodec decompress demo/kodim15.ccdc -o demo/kodim15.png --force
	$(BIN)/coordcodec decompress demo/kodim15.ccdc -o demo/detail.png --scale 4 --region 300,80,500,280 --force

test: $(READY)
	# On all cores, the tests of a file in one process.
	$(BIN)/python -m pytest -n auto --dist loadfile

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
	$(EXAMPLE)/bin/coordcodec compress examples/coordcodec_climate/tests/A1B_cutout.nc --modality climate -o $(EXAMPLE)/a.ccdc --bytes 4000 --effort 1
	$(EXAMPLE)/bin/coordcodec decompress $(EXAMPLE)/a.ccdc
	$(EXAMPLE)/bin/coordcodec evaluate examples/coordcodec_climate/tests/A1B_cutout.nc $(EXAMPLE)/a.ccdc
	$(EXAMPLE)/bin/coordcodec verify $(EXAMPLE)/a.ccdc
	# From the wheels alone: neither this folder nor its conftest is in sight.
	cp tests/wheel/test_end_to_end.py $(EXAMPLE)/
	cd $(EXAMPLE) && COORDCODEC_WHEEL=required bin/python -P -m pytest -q -p no:cacheprovider -c /dev/null --rootdir=. --confcutdir=. test_end_to_end.py
	# -P: what is tested is what is installed, not what lies in the folder.
	cd examples/coordcodec_climate && ../../$(EXAMPLE)/bin/python -P -m pytest -q -p no:cacheprovider
	cd $(EXAMPLE)/heightmap && ../bin/python -P -m pytest -q -p no:cacheprovider

# All that can be checked without a GPU; takes longer than what runs before a change lands.
check-all: lint browser
	COORDCODEC_BROWSER=required COORDCODEC_KILLS=50 $(MAKE) test test-example
	$(MAKE) fuzz FUZZ_SECONDS=30
	$(MAKE) check-gpu DEVICE=cpu

# Damage and forge files for a while; what breaks is kept in fuzz-findings. See docs/security.md.
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 1
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The initialisations that come with the package, learned again into INITS; what was interrupted goes on where it was.
# PHOTOS, SPEECH and MUSIC are folders; MESHES is one of the closed meshes that docs/initialisations.md names.
INITS ?= inits
PHOTOS ?= photos
PHOTOS_ARE := --modality image --tasks-per-step 4 --fits 32 --licence "CC BY-SA 4.0 (CID22), CC0 1.0 (gb82)"
MESHES_ARE := --modality sdf --samples 150000 --outer-steps 500 --tasks-per-step 4 --fits 18 --fit-steps 800 \
	--most-unreadable 0.9 --licence "MIT (trimesh; opening-and-closing-surfaces)"
SOUNDS_ARE := --modality audio --rate 24 --limit 60 --outer-steps 8000 --outer-lr 0.02 --fits 64 --fit-steps 800 \
	--licence "CC BY 4.0 (LibriSpeech), CC0 1.0 (Sonic Pi)"
learn = test -e $(INITS)/$(1)-w$(2).safetensors || $(BIN)/coordcodec learn-init $(3) --width $(2) \
	-o $(INITS)/$(1)-w$(2).safetensors $$(test ! -e $(INITS)/$(1)-w$(2).checkpoint.safetensors || echo --resume)
inits: $(READY)
	mkdir -p $(INITS)
	$(call learn,image,32,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1500 --fit-steps 800)
	$(call learn,image,48,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 12000 --outer-lr 0.02 --fit-steps 1000)
	$(call learn,image,56,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1500 --fit-steps 800)
	$(call learn,image,64,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1500 --fit-steps 800)
	$(call learn,image,80,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1 --fit-steps 800)
	$(call learn,image,96,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1 --fit-steps 800)
	$(call learn,image,112,$(PHOTOS) $(PHOTOS_ARE) --outer-steps 1 --fit-steps 800)
	$(call learn,sdf,32,$(MESHES) $(MESHES_ARE))
	$(call learn,sdf,40,$(MESHES) $(MESHES_ARE))
	$(call learn,sdf,48,$(MESHES) $(MESHES_ARE))
	$(call learn,sdf,56,$(MESHES) $(MESHES_ARE))
	$(call learn,sdf,64,$(MESHES) $(MESHES_ARE))
	$(call learn,sdf,80,$(MESHES) $(MESHES_ARE))
	$(call learn,audio,32,$(SPEECH) $(MUSIC) $(SOUNDS_ARE))
	$(call learn,audio,40,$(SPEECH) $(MUSIC) $(SOUNDS_ARE))

# A browser for the tests that look at reports; COORDCODEC_BROWSER=required makes its absence a failure.
browser:
	command -v chromium chromium-browser google-chrome chrome >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null

# Points per second against plain PyTorch, share of the matrix peak, decode rate, start-up time, and the race with
# COIN's procedure to its published quality.
bench-speed: $(READY)
	$(BIN)/python -m coordcodec_bench.speed --race examples/kodim15.png -o benchmarks/results/speed.jsonl

# Exits with an error if a ratio has fallen far below the committed one of the same kind of device.
check-speed: $(READY)
	$(BIN)/python -m coordcodec_bench.speed --check benchmarks/results/speed.jsonl

# Compare an accelerator with the CPU, in four minutes at most. Installs nothing and needs no network: PYTHON is
# used where there is no .venv, and what is missing skips a row by name. DATA: folder with kodim15.png. PACKAGES: a
# folder of unpacked wheels, if there is one. DEVICE=cpu rehearses it.
DEVICE ?= cuda
DATA ?= examples
OUT ?= $(if $(filter cpu,$(DEVICE)),.venv/check-gpu,docs)
check-gpu:
	PYTHONPATH=.:plugins:benchmarks$(addprefix :,$(PACKAGES)) $(if $(wildcard $(READY)),$(BIN)/python,$(PYTHON)) \
		-m coordcodec_bench.gpu --device $(DEVICE) --data $(DATA) -o $(OUT) $(if $(filter cpu,$(DEVICE)),--quick)

# The figures of docs/benchmarks.md. Each goes on where it was interrupted; rows that are there are not measured again,
# so begin with an empty folder of results to measure all anew: make bench RESULTS=results. Some eight hours on two cores.
RESULTS ?= benchmarks/results
BENCH := $(BIN)/coordcodec bench
JOBS ?= 1
bench: bench-kodak bench-ablation bench-meshes bench-sounds bench-fields bench-promises bench-lossless bench-fine bench-long bench-grid

# KODAK is a folder with the 24 pictures. Ours as it is, with what it chooses, and as networks (layers=siren, preset=basic).
# On four of them COIN's networks of 0.16 and 0.305 bpp and other efforts, 9 on two; on eight the preset basic from
# learned initialisations.
KODAK ?= kodak
FOUR := kodim02.png kodim05.png kodim15.png kodim23.png
EIGHT := kodim01.png kodim05.png kodim08.png kodim11.png kodim15.png kodim19.png kodim20.png kodim23.png
bench-kodak: $(READY)
	$(BENCH) $(KODAK) -o $(RESULTS) --rates 0.15,0.3,0.6 --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS) --rates 0.15,0.3,0.6 --codecs ours:layers=siren,ours:preset=basic --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS) --rates 0.16,0.31 --codecs coin:siren.steps=10000 --only $(FOUR) --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS) --rates 0.15,0.3 --codecs ours:layers=siren:effort=1,ours:layers=siren:effort=3 --only $(FOUR) --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS) --rates 0.3 --codecs ours:layers=siren:effort=9 --only kodim05.png kodim15.png --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS)/learned --rates 0.15,0.3,0.6 --codecs ours:siren.quantizer=qat:init=auto --only $(EIGHT) --jobs $(JOBS)
	$(BENCH) $(KODAK) -o $(RESULTS)/learned --rates 0.3 --codecs ours:init=image-w48:siren.steps=0 --jobs $(JOBS)

# Our networks with one choice changed.
CHANGED := ours:layers=siren,ours:siren.extra_depth=0:init=none,ours:siren.rate_penalty=0,ours:siren.extra_depth=0:init=auto,ours:siren.optimizer=adam:siren.lr=0.006,ours:preset=basic,ours:siren.quantizer=qat:init=auto
bench-ablation: $(READY)
	$(BENCH) $(KODAK) -o $(RESULTS)/ablation --rates 0.15,0.3 --effort 2 --codecs $(CHANGED) --only $(EIGHT) --jobs $(JOBS)
	$(BIN)/python -m coordcodec_bench.recoded $(RESULTS)/ablation

# MESHES is a folder of meshes, here the five classic ones of the Stanford 3D Scanning Repository.
MESHES ?= meshes
bench-meshes: $(READY)
	$(BENCH) $(MESHES) -o $(RESULTS) --modality sdf --rates 4096,8192,16384 --jobs $(JOBS)
	$(BENCH) $(MESHES) -o $(RESULTS) --modality sdf --rates 4096,8192,16384 --codecs ours:preset=basic --jobs $(JOBS)
	$(BENCH) $(MESHES) -o $(RESULTS)/learned --modality sdf --rates 4096 --codecs ours:effort=2:siren.quantizer=qat,ours:effort=2:preset=basic --jobs $(JOBS)

# SPEECH is a folder of clips, MUSIC one with gt_bach.wav of the SIREN paper.
SPEECH ?= speech
MUSIC ?= music
bench-sounds: $(READY)
	$(BENCH) $(SPEECH) -o $(RESULTS) --modality audio --rates 32 --jobs $(JOBS)
	$(BENCH) $(SPEECH) -o $(RESULTS) --modality audio --rates 24 --codecs ours --jobs $(JOBS)
	$(BENCH) $(SPEECH) -o $(RESULTS) --modality audio --rates 32 --codecs ours:layers=siren,ours:preset=basic --jobs $(JOBS)
	$(BENCH) $(SPEECH) -o $(RESULTS)/learned --modality audio --rates 24 --codecs ours:effort=1:siren.quantizer=qat,ours:effort=1:preset=basic --jobs $(JOBS)
	$(BENCH) $(SPEECH) -o $(RESULTS)/learned --modality audio --rates 24 --codecs ours:layers=siren:effort=2,ours:effort=2:siren.quantizer=qat,ours:effort=2:preset=basic --jobs $(JOBS)
	$(BENCH) $(MUSIC) -o $(RESULTS) --modality audio --rates 48 --only gt_bach.wav --codecs ours,ours:layers=siren,ours:preset=basic,siren,mp3,aac,opus --jobs $(JOBS)

# FIELDS is a folder with A1B_north_america.nc and, for bench-promises, more.
FIELDS ?= fields
bench-fields: $(READY)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt ./examples/coordcodec_climate
	$(BENCH) $(FIELDS) -o $(RESULTS) --modality climate --variable air_temperature --only A1B_north_america.nc --rates 12000
	$(BENCH) $(FIELDS) -o $(RESULTS) --modality climate --variable air_temperature --only A1B_north_america.nc --rates 12000 --codecs ours:layers=siren
	$(BENCH) $(FIELDS) -o $(RESULTS) --modality climate --variable air_temperature --only A1B_north_america.nc --rates 24000,48000,96000 --codecs zfp,sz3,sperr

# Largest errors beside SPERR, SZ3 and zfp: FIELDS also with the two NEMO fields, OSTIA and ERA-Interim that
# docs/benchmarks.md names. Half an hour on one core.
PERCENT := 1%,0.5%,0.25%,0.1%,0.05%
PROMISES = $(BENCH) $(FIELDS) -o $(RESULTS) --modality field --jobs $(JOBS)
bench-promises: $(READY)
	$(PROMISES) --variable air_temperature --only A1B_north_america.nc --max-errors 1K,0.5K,0.25K,0.1K,0.05K
	$(PROMISES) --variable tos --only nemo_1m_20150101-20150201_grid-T.nc --max-errors $(PERCENT)
	$(PROMISES) --variable surface_temperature --only iris_ostia_monthly.nc --max-errors $(PERCENT)
	$(PROMISES) --variable votemper --only iris_orca2_votemper.nc --max-errors $(PERCENT)
	$(PROMISES) --variable z --only eraint_uvz.nc --max-errors $(PERCENT)
	$(PROMISES) --variable u --only eraint_uvz.nc --max-errors $(PERCENT)
	$(PROMISES) --variable v --only eraint_uvz.nc --max-errors $(PERCENT)

# Without loss, beside PNG, JPEG 2000, JPEG XL, WebP and FLAC. CLIPS is a folder of 29 samples of Sonic Pi.
CLIPS ?= clips
bench-lossless: $(READY)
	$(BENCH) $(KODAK) -o $(RESULTS) --lossless --jobs $(JOBS)
	$(BENCH) $(CLIPS) -o $(RESULTS) --modality audio --lossless --jobs $(JOBS)
	$(BENCH) $(SPEECH) -o $(RESULTS) --modality audio --lossless --jobs $(JOBS)

# Rates at which little is lost: photographs, and those of the clips that have two channels.
STEREO := \
	ambi_choir.flac ambi_glass_hum.flac ambi_lunar_land.flac ambi_swoosh.flac arovane_beat_c.flac \
	bass_drop_c.flac bass_trance_c.flac bd_boom.flac glitch_bass_g.flac glitch_robot1.flac guit_em9.flac \
	loop_amen.flac loop_compus.flac loop_garzul.flac loop_mika.flac loop_safari.flac \
	mehackit_phone1.flac mehackit_phone4.flac mehackit_robot4.flac misc_cineboom.flac perc_door.flac \
	vinyl_hiss.flac
bench-fine: $(READY)
	$(BENCH) $(KODAK) -o $(RESULTS)/fine --rates 1,2 --codecs ours,jpeg2000,jpeg,webp --jobs $(JOBS)
	$(BENCH) $(CLIPS) -o $(RESULTS)/fine --modality audio --rates 48 --codecs ours,mp3,aac,opus --only $(STEREO) --jobs $(JOBS)

# Minutes of stereo as multiples of real time; on a quiet machine, with nothing else at work.
MINUTES ?= 10
bench-long: $(READY)
	$(BIN)/python -m coordcodec_bench.long_sound $(CLIPS) --minutes $(MINUTES) -o $(RESULTS)/long_sound.jsonl

# The grid coder alone: coefficients and binary decisions a second, both ways.
bench-grid: $(READY)
	$(BIN)/python -m coordcodec_bench.grid_speed $(SPEECH) $(KODAK) -o $(RESULTS)/grid.jsonl

# One page with all that RESULTS holds.
report: $(READY)
	$(BENCH) report $(RESULTS) -o docs/report.html --force

# Tables in README.md and docs/benchmarks.md from benchmarks/results, and the picture at the head of the README.
docs: $(READY)
	$(BIN)/python -m coordcodec_bench.documents

picture: demo
	$(BIN)/python -m coordcodec_bench.figure examples/kodim15.png demo/kodim15.ccdc -o docs/kodim15.png

clean:
	rm -rf .venv demo dist build
