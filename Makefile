# Each target does its own set-up in .venv, pinned by constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint bench-speed bench-kodak docs picture clean

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

# Tables in README.md and docs/benchmarks.md from docs/results, and the picture at the head of the README.
docs: $(READY)
	$(BIN)/python -m coordcodec.bench.documents

picture: demo
	$(BIN)/python -m coordcodec.bench.figure examples/kodim15.png demo/kodim15.ccdc -o docs/kodim15.png

clean:
	rm -rf .venv demo dist build
