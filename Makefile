PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test slow check coverage again browser pgbouncer bench docs pictures faults package audit fuzz mutants clean

demo: $(VENV)/.demo
	$(BIN)/loghub demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

# Storms, kills, real servers, many examples of hostile input: what takes tens of seconds each. `.ci/run` does both.
slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

# Which lines and branches of loghub the quick tests run in their own process; what they start is not looked into.
coverage: $(VENV)/.dev
	$(BIN)/python -m coverage run -m pytest -m "not slow"
	$(BIN)/python -m coverage report

# What failed last, once more and alone.
again: $(VENV)/.dev
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# For tests/browser and tests/web/js, on Debian; elsewhere install Chromium or Chrome, and Node, as usual there.
browser: .axe/axe.min.js
	command -v node || { apt-get update -qq && apt-get install -qq -y --no-install-recommends nodejs; }
	command -v chromium || command -v chromium-browser || command -v google-chrome || \
	  { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; }

# For the tests of a ledger behind a pooler, on Debian; without it they are skipped, and say so.
pgbouncer:
	command -v pgbouncer || test -x /usr/sbin/pgbouncer || \
	  { apt-get update -qq && apt-get install -qq -y --no-install-recommends pgbouncer; }

# axe-core (MPL-2.0), which looks for what keeps people out; the package is only what carries the file.
.axe/axe.min.js: $(VENV)/bin/python
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps -d .axe axe-playwright-python==0.1.8
	$(BIN)/python -c 'import glob, zipfile; print(zipfile.ZipFile(*glob.glob(".axe/*.whl")).read("axe_playwright_python/axe.min.js").decode())' > $@.new
	mv $@.new $@

# See benchmarks/README.md; `make bench BENCH=--markdown` prints tables to paste.
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/import_time.py $(BENCH)
	$(BIN)/python benchmarks/hotpath.py $(BENCH)
	$(BIN)/python benchmarks/storm.py $(BENCH)
	$(BIN)/python benchmarks/rotating.py $(BENCH)
	$(BIN)/python benchmarks/fold.py
	$(BIN)/python benchmarks/breadcrumbs.py $(BENCH)
	$(BIN)/python benchmarks/run.py $(BENCH)
	$(BIN)/python benchmarks/grouping.py $(BENCH)

# The pages as a site, in .site; what they link to stands beside them as in the repository.
docs: $(VENV)/.dev
	rm -rf .site-source && mkdir .site-source
	cp -r README.md CHANGELOG.md CONTRIBUTING.md LICENSE logging.yaml docs examples benchmarks .site-source
	$(BIN)/python -m mkdocs build --strict --config-file .ci/mkdocs.yml

# docs/pictures, from what the demo does now; needs Chromium and Node with npm.
pictures: $(VENV)/.pictures
	PYTHONPATH=. $(BIN)/python .ci/pictures/make.py

# Goes on for FUZZ_SECONDS with each target; `python -m tests.fuzz.run --help` tells more.
FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.fuzz
	for target in capture fingerprint scrub traceback; do \
	  $(BIN)/python -m tests.fuzz.run $$target --seconds $(FUZZ_SECONDS) || exit 1; done

# Which small changes of a module its tests do not notice: make mutants MUTANTS="journal --sample 150 --seed 2"; without
# --sample all of them. What is known of those is in .ci/mutants.md.
MUTANTS ?= backoff
mutants: $(VENV)/.mutants
	$(BIN)/python .ci/mutants.py $(MUTANTS)

# docs/faults.md, from what the tests that it names show now.
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults

# The wheel and the sdist, as they would be uploaded.
package: $(VENV)/.release
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python -m twine check --strict dist/*

# Known vulnerabilities of what is installed; says so where nobody can tell.
audit: $(VENV)/.release
	$(BIN)/python .ci/audit.py

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

$(VENV)/.fuzz: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,fuzz]'
	touch $@ $(VENV)/.demo $(VENV)/.dev

$(VENV)/.pictures: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,pictures]'
	touch $@ $(VENV)/.demo $(VENV)/.dev

$(VENV)/.mutants: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,mutants]'
	touch $@ $(VENV)/.demo $(VENV)/.dev

$(VENV)/.release: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,release]'
	touch $@ $(VENV)/.demo $(VENV)/.dev

clean:
	rm -rf $(VENV) .coverage .fuzz .sdist .site .site-source dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
