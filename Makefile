PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check fast bench clean

demo: $(VENV)/.demo
	$(BIN)/loghub demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

fast: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# See benchmarks/README.md; `make bench BENCH=--markdown` prints tables to paste.
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/import_time.py $(BENCH)
	$(BIN)/python benchmarks/hotpath.py $(BENCH)
	$(BIN)/python benchmarks/storm.py $(BENCH)
	$(BIN)/python benchmarks/fold.py
	$(BIN)/python benchmarks/grouping.py $(BENCH)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "loghub needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,bench]'
	touch $@ $(VENV)/.demo $(VENV)/.dev

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
