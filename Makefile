# make demo    plays the main job on a local stack        make test    checks and tests everything
# make up      keeps a local stack serving until Ctrl-C   make lint    ruff and mypy only
# Needs Python 3.11+ and Node 20+; everything else is installed into .venv and node_modules.

PY := .venv/bin/python
FACTOR ?= 60

.PHONY: demo up test lint pytest conformance setup tools clean
.DEFAULT_GOAL := demo

demo: setup
	@$(PY) -m local.stack demo

# FACTOR is how many simulated seconds pass in a second.
up: setup
	@$(PY) -m local.stack up --factor $(FACTOR)

test: lint pytest

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .

# TESTS picks some, for example: make pytest TESTS="tests/scenarios -k attach"
pytest: setup
	$(PY) -m pytest $(TESTS)

# The local host held against recorded exchanges: agreeing, differing and left out, per file.
conformance: setup
	@$(PY) -m tests.conformance.report

setup: .venv/.installed node_modules/.installed

tools:
	@scripts/setup.sh check

.venv/.installed: requirements.txt requirements-dev.txt constraints.txt | tools
	@scripts/setup.sh python
	@touch $@

node_modules/.installed: package.json package-lock.json | tools
	@scripts/setup.sh node
	@touch $@

clean:
	rm -rf .venv node_modules .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
