# make smoke | repro | test | test-all | bench | report | docs | clean; each sets everything up from a bare clone.
SHELL := /bin/bash
# The first that runs. 3.11 is the reference: the committed bytes are its own; later ones agree within tolerances.
FITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do $$p $(FITS) && { echo $$p; break; }; done)
PIP := -m pip install --quiet --disable-pip-version-check
PROFILE ?= cpu
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
STAMP := .venv/.made-from-lock

.PHONY: setup smoke repro test test-all coverage test-python bench report docs clean peers lint

setup: $(STAMP)

$(STAMP): requirements.lock
	@$(or $(PYTHON),false) $(FITS) || \
		{ echo "Python 3.11 to 3.14 is needed; name it with: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) -r requirements.lock
	.venv/bin/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# Every method for a few steps, to first verdicts; in a temporary folder, a minute of CPU.
smoke: $(STAMP)
	@python -m benchmarks.cli smoke

# Trains what is out of date, judges, writes the report. -k: one failed run does not stop the others.
repro: $(STAMP)
	@python -m benchmarks.cli profile $(PROFILE)
	@dvc repro -k || { status=$$?; python -m benchmarks.cli status $(PROFILE); exit $$status; }
	@python -m benchmarks.cli readme
	@python -m benchmarks.cli report --summary

# Two workers, a thread each: most tests start processes that use one core. Each begins with half of the tests in their
# order, so that files stay together; who is done first takes from the end of the other's.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n $(WORKERS) --dist worksteal

# Everything but what needs the large libraries of others.
test: $(STAMP)
	$(PYTEST) -m "not peers"

# Everything; a peer that is absent is a failure.
test-all: peers
	CLAIMBENCH_REQUIRE_PEERS=1 $(PYTEST)

# The same with the share of lines that the tests run, by file.
coverage: $(STAMP)
	$(PYTEST) -m "not peers" --cov=benchmarks --cov=implementations --cov-report=term:skip-covered

# Unit and conformance tests on another interpreter, in a virtual environment of its own:
# make test-python PYTHON=python3.13
test-python:
	@$(or $(PYTHON),false) $(FITS) || { echo "PYTHON must name a Python 3.11 to 3.14 that is installed" >&2; exit 2; }
	@set -e; venv=.venv-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	if [ ! $$venv/.made-from-lock -nt requirements.lock ]; then \
		$(PYTHON) -m venv $$venv; \
		$$venv/bin/python $(PIP) -r requirements.lock; \
		$$venv/bin/python $(PIP) --no-deps --no-build-isolation -e .; \
		touch $$venv/.made-from-lock; \
	fi; \
	PATH="$$PWD/$$venv/bin:$$PATH" $(PYTEST) -m "not peers" tests/unit tests/conformance

peers: $(STAMP)
	python $(PIP) --no-deps --no-build-isolation -r requirements-peers.lock

bench: $(STAMP)
	python -m bench

# Pages with every number and figure, from results/ alone, into reports/site/.
report: $(STAMP)
	@python -m benchmarks.cli report --site

# The site of docs/, in build/docs; nothing in it is fetched from elsewhere.
docs: $(STAMP)
	python $(PIP) -r requirements-docs.lock
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

lint: $(STAMP)
	ruff check .
	ruff format --check .
	mypy

clean:
	rm -rf .venv .venv-3.* build .checkpoints .failures data features sources runs reports/site .dvc/cache .dvc/tmp .pytest_cache .mypy_cache .ruff_cache
