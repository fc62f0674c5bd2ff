# make run, test, lint, bench or gpu: each builds what it needs from the lock by itself, once:
# the stamps .venv/ready-SUM, .venv/metaworld-SUM, .venv/warp-SUM and .venv/procgen-SUM are named
# after their lists' checksums.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready-$(shell cksum < requirements.lock | cut -d ' ' -f 1)
METAWORLD := .venv/metaworld-$(shell cksum < requirements-metaworld.txt | cut -d ' ' -f 1)
WARP := .venv/warp-$(shell cksum < requirements-warp.txt | cut -d ' ' -f 1)
PROCGEN := .venv/procgen-$(shell cksum < requirements-procgen.txt | cut -d ' ' -f 1)
GPU_BIN := .venv-gpu/bin
GPU_READY := .venv-gpu/ready-$(shell cksum < requirements-gpu.txt | cut -d ' ' -f 1)

NEEDS_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, $(1)))' 2>/dev/null \
	|| { echo "This needs Python 3.$(1) or later: name one with PYTHON=/path/to/python3.12."; exit 2; }
NEEDS_VENV = $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	|| { echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: apt install python3-venv)."; exit 2; }

.DEFAULT_GOAL := help
.PHONY: help run test lint bench docs metaworld warp procgen gpu

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

run: $(READY) ## the main experiment: babble with objects, learn, report (ten minutes on a laptop)
	$(BIN)/python -m experiments.babble --config=configs/babble.py:laptop --workdir=runs/babble

test: $(METAWORLD) $(WARP) ## the tests, without the slow ones
	$(BIN)/python -m pytest

lint: $(METAWORLD) ## ruff, pyright and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(READY) ## ratios against peers, written to benchmarks/results/
	$(BIN)/python -m benchmarks.run

docs: $(READY) ## the documents' measured figures, from docs/results/
	$(BIN)/python -m experiments.document

metaworld: $(METAWORLD) ## what experiments.metaworld needs besides: Meta-World's own package

warp: $(WARP) ## what --config.backend=warp needs besides, to try it on a CPU

procgen: $(PROCGEN) ## what experiments.procgen needs besides, on Linux: its games, and Debian's libqt5gui5
	@$(BIN)/python -c 'from envpool.procgen import ProcgenEnvSpec' 2>/dev/null \
		|| { echo "Procgen's games need a system library: on Debian, apt install libqt5gui5."; exit 2; }

gpu: $(GPU_READY) ## the main experiment on an NVIDIA GPU, in an environment of its own
	@$(GPU_BIN)/python -c 'import jax; jax.devices("gpu")' 2>/dev/null \
		|| { echo "JAX sees no NVIDIA GPU here: 'make run' works without one."; exit 2; }
	$(GPU_BIN)/python -m experiments.babble --config=configs/babble.py:gpu --workdir=runs/babble-gpu

$(READY):
	@$(call NEEDS_PYTHON,11)
	@$(NEEDS_VENV)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@rm -f .venv/ready-* && touch $@

$(METAWORLD): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-metaworld.txt
	@rm -f .venv/metaworld-* && touch $@

$(WARP): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-warp.txt
	@rm -f .venv/warp-* && touch $@

$(PROCGEN): $(READY)
	@[ "$$(uname -s)" = Linux ] || { echo "Procgen's games come for Linux alone."; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-procgen.txt
	@rm -f .venv/procgen-* && touch $@

$(GPU_READY):
	@$(call NEEDS_PYTHON,12)
	@$(NEEDS_VENV)
	$(PYTHON) -m venv .venv-gpu
	$(GPU_BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-gpu.txt
	@rm -f .venv-gpu/ready-* && touch $@
