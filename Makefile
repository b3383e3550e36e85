# textlrp: two commands for everybody (make demo, make test), the rest for those who work on it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
WORKERS := --numprocesses auto --maxprocesses 4

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format report wheel clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "textlrp needs Python 3.10 or newer; name one: make PYTHON=python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	@echo "setting up $(VENV) (pinned versions, once)…"
	$(INSTALL) torch
	$(INSTALL) hatchling editables setuptools
	$(INSTALL) --no-build-isolation --editable .
	touch $@

# zennit asks for torchvision, which the tests replace by a stand-in: so it comes without what it asks for.
$(VENV)/.dev: $(VENV)/.run
	$(INSTALL) --no-build-isolation --editable '.[test]'
	$(INSTALL) --no-deps zennit
	touch $@

demo: $(VENV)/.run  ## set up, then explain, score and rank the bundled reviews: coloured text and one HTML page
	$(BIN)/textlrp demo --html demo.html

test: $(VENV)/.dev  ## set up, then run the tests (offline; the slow ones stay out)
	$(BIN)/python -m pytest $(WORKERS)

test-slow: $(VENV)/.dev  ## run the slow tests too
	$(BIN)/python -m pytest $(WORKERS) -m "slow or not slow"

check: $(VENV)/.dev  ## format, lint and types, without changing anything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

report: $(VENV)/.run  ## write reports/bundled.html: the bundled LSTM on the bundled reviews
	$(BIN)/textlrp report --model imdb-lstm --data bundled --examples 0 --out reports/bundled.html

wheel: $(VENV)/.dev  ## build a wheel that holds the bundled reviews and models, into dist/
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove the environment and everything built
	rm -rf $(VENV) build dist demo.html .pytest_cache .mypy_cache .ruff_cache .hypothesis
