# Two commands: `make demo` and `make test`. Each first makes .venv, which takes no time when nothing changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# What is imported is compiled once and kept: the tests and the lab start hundreds of interpreters.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
REPEAT ?= 1
KILLS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
# A pip that is there already (23 or newer) serves the new environment too: unpacking another takes three seconds.
HAS_PIP = $(shell $(PYTHON) -c 'import pip; print("yes" * (int(pip.__version__.split(".")[0]) >= 23))' 2>/dev/null)
PIP = $(if $(HAS_PIP),$(PYTHON) -m pip --python $(BIN)/python,$(BIN)/python -m pip) --disable-pip-version-check --quiet install
LOCK := --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --quiet

.PHONY: help setup demo test soak fuzz bench lint format catalogue handbook pictures lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/runtime.stamp  ## .venv with what prober needs to run

demo: setup  ## the incident on this machine's own kernel: break, see, heal; Ctrl-C leaves nothing behind
	@exec $(BIN)/prober lab demo

test: $(VENV)/test.stamp  ## lint, types, import contracts, every test; what can't run here is counted in the last lines
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/test.stamp  ## a thousand kills of controllers and agents on each store, two controllers killed in turns, outages; an hour
	@$(BIN)/python -m bench.fleet --kills $(KILLS) --write
	$(BIN)/python -m bench.fleet --controllers 2 --kill-every 20 --minutes 10 --write
	$(BIN)/python -m bench.fleet --cut 3 --away 10 --write

fuzz: $(VENV)/test.stamp  ## packets, reports, chat and targets.yaml spoilt at random, each operation of the API asked by each role; an hour
	@$(BIN)/python -m bench.fuzz --seconds 600
	PROBER_EXAMPLES=1000 $(BIN)/pytest --timeout 0 tests/controller/test_app.py -k no_input

bench: $(VENV)/runtime.stamp  ## beside its peers, in turns: docs/performance.md, bench/figures.json (half an hour; WORKS="sweep start": those alone; QUICK=1: minutes, nothing written)
	@PYTHON=$(PYTHON) .ci/packages bench
	exec $(BIN)/python -m bench $(if $(QUICK),--quick) $(WORKS)

lint: $(VENV)/test.stamp  ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/test.stamp  ## write files the way `make lint` wants them
	@$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogue: setup  ## every incident on the real kernel, with and without agents at the target's side; docs/verdicts.md
	@status=0
	$(BIN)/prober lab run --all --repeat $(REPEAT) --write docs/lab.json || status=$$?
	$(BIN)/prober lab run --all --agentless --write docs/lab-agentless.json || status=$$?
	$(MAKE) --no-print-directory handbook
	exit $$status

handbook: setup  ## docs/verdicts.md, from the words in the code and the last catalogue
	@$(BIN)/python -m prober.cli.handbook docs/lab.json docs/lab-agentless.json > docs/verdicts.md

pictures: $(VENV)/test.stamp  ## the README's pictures, from a demo of their own
	@$(BIN)/python docs/pictures/take.py

lock: $(VENV)/test.stamp  ## both locks, from pyproject.toml, with the newest versions it admits
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile $(LOCK) --upgrade --group build pyproject.toml -o requirements.lock
	uv pip compile $(LOCK) --upgrade --group build --all-extras -c requirements.lock pyproject.toml -o requirements-test.lock

clean:  ## .venv and everything that was built
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@PYTHON=$(PYTHON) .ci/packages runtime
	rm -rf $(VENV)
	$(PYTHON) -m venv $(if $(HAS_PIP),--without-pip) $(VENV)

# Compiling is left to the first import: a demo imports less than half of what is installed.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@PYTHON=$(PYTHON) .ci/packages runtime
	echo "installing prober into $(VENV) …" >&2
	$(PIP) --no-compile --no-deps --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/test.stamp: requirements-test.lock $(VENV)/runtime.stamp
	@echo "installing what the tests need …" >&2
	$(PIP) --no-compile --no-deps --require-hashes -r requirements-test.lock
	touch $@
