# make repro | test | bench | report | clean; each sets everything up from a bare clone.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PROFILE ?= cpu
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
STAMP := .venv/.made-from-lock

.PHONY: setup repro test bench report clean peers lint

setup: $(STAMP)

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 is needed; name it with: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Trains what is out of date, judges, writes the report. -k: one failed run does not stop the others.
repro: $(STAMP)
	@python -m benchmarks.cli profile $(PROFILE)
	@dvc repro -k || { status=$$?; python -m benchmarks.cli collect --partial $(PROFILE); exit $$status; }
	@python -m benchmarks.cli readme
	@python -m benchmarks.cli report --summary

# Two workers, a thread each: most tests start processes that use one core. Files stay whole, since their tests share
# clones, and in their order, so that the long ones of tests/pipeline do not come last.
test: $(STAMP)
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

peers: $(STAMP)
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -r requirements-peers.lock

bench: $(STAMP)
	python -m bench

report: $(STAMP)
	dvc repro report
	@python -m benchmarks.cli readme

lint: $(STAMP)
	ruff check .
	ruff format --check .
	mypy

clean:
	rm -rf .venv .checkpoints .failures data features sources runs evals .dvc/cache .dvc/tmp .pytest_cache .mypy_cache .ruff_cache
