# `make demo` finds the face in a photo and writes pictures with keypoints and sunglasses. `make test` runs all tests.
# `make docs` builds all pages and the reference as a site that needs no network: open build/site/index.html.
# Each sets up a virtual environment in .venv, from Python 3.11 to 3.14, and needs a network to install from.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= demo
SITE ?= build/site

# Some tests use real data. Without it they are skipped, and the report says so.
ifneq ($(wildcard ../shared/data/ytf68),)
export FKP_DATA ?= $(abspath ../shared/data/ytf68)
endif

.PHONY: demo docs test test-oldest kill-test release-check installed lint fuzz mutants pages weights finder clean

demo: $(VENV)/.app
	$(BIN)/fkp demo --out $(DEMO_OUT)

# A warning is an error: a broken link, a formula that cannot be read, a page that no list names.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -E -a -W -n --keep-going -c docs/site -d build/site-cache . $(SITE)
	@echo '$(SITE)/index.html'

# The tests of the layers run twice: with the readable functions, then with the fast kernels. One process per core.
test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto
	NUMPYNET_OPS=fast $(BIN)/python -m pytest -n auto tests/functional tests/layers tests/training tests/parity

# The same with the oldest version of each library that pyproject.toml allows. This needs Python 3.11 or 3.12.
# For another Python: make test PYTHON=python3.14 VENV=.venv-3.14
test-oldest:
	PIP_CONSTRAINT=$(abspath tests/oldest.txt) $(MAKE) test VENV=.venv-oldest

# Kill trainings at random moments, resume them, and compare the bits of their results with those of unkilled runs.
KILLS ?= 100
kill-test: $(VENV)/.test
	$(BIN)/python -m tests.kills --recipe compact --runs $(KILLS)
	$(BIN)/python -m tests.kills --recipe hourglass --runs $(KILLS)

# What a release would be: a source archive, and a wheel made from it, in dist/. Their metadata must be valid, and each must
# work where it is installed alone.
release-check: $(VENV)/.dev
	rm -rf dist $(RELEASE)
	$(BIN)/python -m build --outdir dist . >/dev/null
	$(BIN)/python -m twine check --strict dist/*
	$(MAKE) installed VENV=$(RELEASE)/wheel FILE=$$(ls dist/*.whl)
	$(MAKE) installed VENV=$(RELEASE)/sdist FILE=$$(ls dist/*.tar.gz)

# The tests of a release: they need neither data nor extras, and test what is installed, as no source lies beside them.
RELEASE := build/release
INSTALLED_TESTS := tests/functional tests/layers tests/training tests/gradcheck
installed: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(FILE)
	$(headless_if_needed)
	cd $(VENV) && bin/fkp demo --out demo && bin/python -m numpynet.gradcheck
	$(BIN)/python -m pip install --quiet pytest pytest-timeout pytest-xdist hypothesis
	rm -rf $(VENV)/beside && mkdir $(VENV)/beside && cp -R tests pyproject.toml $(VENV)/beside
	cd $(VENV)/beside && env -u FKP_DATA ../bin/python -m pytest -q -n auto $(INSTALLED_TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Change valid files of each kind at random and read them, for MINUTES in all: make fuzz MINUTES=60 SEED=1. Files that go
# wrong are kept in build/fuzz.
MINUTES ?= 10
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --seed $(SEED)

# Make small mistakes in every function, one at a time; each must make a test fail. Takes long: docs/testing.md says
# how to go on where a run was stopped.
mutants: $(VENV)/.test
	$(BIN)/python -m tests.mutation --out docs/mutants.md

# Renew the source code in the pages of docs/learn, and what their commands print. A test fails if they are not up to date.
pages: $(VENV)/.test
	$(BIN)/python -m tests.learn.pages

# Train the shipped weights from the start: `make weights DATA=faces`, and for the others of `--quality best` with SEED=1
# RUNS=runs1 and SEED=2 RUNS=runs2. Takes an hour and a half on two cores. If it was stopped, the same command continues it.
# The result is $(RUNS)/weights.safetensors, in float16.
RUNS ?= runs
SEED ?= 0
weights: $(VENV)/.app
	@test -n '$(DATA)' || { echo 'make: name the data set: make weights DATA=DIR (fkp data download DIR fetches it)'; exit 2; }
	$(BIN)/fkp train --data $(DATA) --out $(RUNS)/hourglass \
		$$(test -f $(RUNS)/hourglass/config.json && echo --resume || echo --recipe hourglass --seed $(SEED))
	$(BIN)/fkp train --data $(DATA) --out $(RUNS)/finish \
		$$(test -f $(RUNS)/finish/config.json && echo --resume \
		|| echo --recipe hourglass-finish --seed $(SEED) --start $(RUNS)/hourglass/weights.safetensors)
	$(BIN)/fkp export --weights $(RUNS)/finish/weights.safetensors --half $(RUNS)/weights.safetensors

# Train the shipped finder from the start: `make finder DATA=faces`. Takes some ten minutes. Its backgrounds are photos
# that scikit-image, scikit-learn and gradio ship. If it was stopped, the same command continues it.
finder: $(VENV)/.test
	@test -n '$(DATA)' || { echo 'make: name the data set: make finder DATA=DIR (fkp data download DIR fetches it)'; exit 2; }
	$(BIN)/fkp train-finder --data $(DATA) --out $(RUNS)/finder \
		$$(test -f $(RUNS)/finder/config.json && echo --resume)

clean:
	rm -rf $(VENV) .venv-oldest $(DEMO_OUT) build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo 'make: Python 3.11, 3.12, 3.13 or 3.14 is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# OpenCV's window code needs libGL, which a bare Linux lacks. The headless build is the same module without windows. Both
# packages install the same files, so both are removed before the headless one is installed.
define headless_if_needed
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		echo 'make: OpenCV cannot load here (is libGL missing?); using opencv-python-headless instead'; \
		$(BIN)/python -m pip uninstall --quiet --yes opencv-python opencv-python-headless; \
		$(BIN)/python -m pip install --quiet 'opencv-python-headless>=4.13,<5'; \
		$(BIN)/python -c 'import cv2'; }
endef

$(VENV)/.app: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	$(headless_if_needed)
	@touch $@

$(VENV)/.test: $(VENV)/.app
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	$(headless_if_needed)
	@touch $@

$(VENV)/.docs: $(VENV)/.app
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(headless_if_needed)
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(headless_if_needed)
	@touch $@
