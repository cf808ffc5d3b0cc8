# make demo          plays the main job on a local stack
# make up            keeps a local stack serving until Ctrl-C
# make test          checks and tests everything, but for what takes long
# make test-long     the tests that take long: other scenarios of the same kinds, bugs planted, every entry of the catalogue met
# make check         lint, types and the tests that need no stack and no Azurite: for the loop of a developer
# make test-busy     the same with two busy loops beside it: nothing may depend on a quiet machine
# make test-pythons  runs the fast tests on the other versions of Python that are found
# make scenarios     runs all scenarios; with ENGINE=extension on Microsoft's Durable extension, with KILLS=1 killing it
# make extension-sample      a few operations on Microsoft's Durable extension
# make roles         runs all scenarios and shows what of the custom role they used
# make lock          makes requirements.txt and requirements-dev.txt, with hashes, from the .in files; needs the network
# make sbom          writes what is deployed as a CycloneDX file, .run/sbom.cdx.json
# make lint, pytest, conformance, check-app, faults, oracle, month, prove-restart, bench, bench-watch      one thing each
# Needs Python 3.11, 3.12 or 3.13 and Node 20+; everything else is installed into .venv and node_modules.

# Tests start hosts and workers by the hundred: they compile nothing twice, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

PY := .venv/bin/python
FACTOR ?= 60
ENGINE ?= own

.PHONY: demo up test check test-long test-busy test-pythons lint pytest scenarios extension-sample roles conformance check-app faults oracle month prove-restart bench bench-watch lock sbom setup tools clean
.DEFAULT_GOAL := demo

demo: setup
	@$(PY) -m local demo

# FACTOR is how many simulated seconds pass in a second.
up: setup
	@$(PY) -m local up --factor $(FACTOR)

test: lint pytest

# tests/no_stack.txt leaves out what starts stacks, tests/no_host.txt what starts hosts and processes by the dozen. TESTS picks some.
# No test that is left uses schemathesis, whose plugin takes seconds to load. The types are checked beside them.
check: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@$(PY) -m mypy . & types=$$!; \
	$(PY) -m pytest -q -p no:schemathesis -n 3 --dist worksteal -m "not long and not azurite" @tests/no_stack.txt @tests/no_host.txt $(TESTS); tests=$$?; \
	wait $$types && [ $$tests -eq 0 ]

# The versions that are not on this machine are lines of the summary. TESTS picks some.
test-pythons: setup
	@scripts/test_pythons.sh $(TESTS)

# TESTS picks some.
test-long: setup
	$(PY) -m pytest -m long -n 3 --dist loadfile --no-loadscope-reorder $(or $(TESTS),tests)

test-busy: setup
	scripts/under_load.sh 2 $(MAKE) test

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .

# TESTS picks some, for example: make pytest TESTS="tests/scenarios -k attach"
pytest: setup
	$(if $(TESTS),$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(TESTS),scripts/all_tests.sh)

# ENGINE is own or extension (durable-host, on the PATH or in ../shared/tools). KILLS=1 adds ten kills of the extension
# and ten of the worker, which take half an hour. TESTS picks some, for example: TESTS="-k drain"
scenarios: setup
	STACK_ENGINE=$(ENGINE) $(PY) -m pytest -m "" -n 2 --dist loadfile --no-loadscope-reorder tests/scenarios $(TESTS)
	$(if $(KILLS),$(PY) -m pytest tests/extension/kills.py)

# Where durable-host is not, the summary says so. ARGS go to pytest.
extension-sample: setup
	$(PY) -m pytest tests/extension/sample.py $(ARGS)

# Every scenario, and at their end what of the custom role (infra/roles) they used.
roles: setup
	JUDGE_UNUSED_ACTIONS=1 $(PY) -m pytest -m "" -n 3 --dist loadfile --no-loadscope-reorder tests/scenarios

# The local host held against recorded exchanges: agreeing, differing and left out, per file. ARGS picks files.
conformance: setup
	@$(PY) -m packages.functions_host.tests.conformance.report $(ARGS)

# Microsoft's worker library indexes the app, and runs a function of each kind.
check-app: setup
	@$(PY) -m packages.functions_host.check . $(ARGS)

# Each fault at every distinct call of every operation, in 100 minutes at most; another start continues, and
# ARGS=--fresh begins again. ARGS go to the program.
faults: setup
	@$(PY) -m tests.faults $(ARGS)

# Detaches in 200 random worlds, judged by rules that share no code with the app. ARGS go to the program.
oracle: setup
	@$(PY) -m tests.oracle $(ARGS)

# Thirty days of everything in worlds side by side, on a clock that jumps to what is due next. ARGS go to the program.
month: setup
	@$(PY) -m tests.month $(ARGS)

# The host killed at random moments, and storage gone for a while.
prove-restart: setup
	@$(PY) -m tests.faults.prove_restart $(ARGS)

# Calls and time of an attach and a detach; ARGS=--small shows only that it works.
bench: setup
	@$(PY) -m benchmarks.operations $(ARGS)

# How long the watch takes over 10,000 live operations; ARGS=--small shows only that it works.
bench-watch: setup
	@$(PY) -m benchmarks.watch $(ARGS)

# ARGS go to uv, for example: make lock ARGS="--upgrade-package cryptography"
lock:
	@scripts/lock.sh $(ARGS)

sbom: .venv/.installed
	@$(PY) scripts/sbom.py .run/sbom.cdx.json

setup: .venv/.installed node_modules/.installed

tools:
	@scripts/setup.sh check

.venv/.installed: requirements.txt requirements-dev.txt scripts/setup.sh | tools
	@scripts/setup.sh python
	@touch $@

node_modules/.installed: package.json package-lock.json | tools
	@scripts/setup.sh node
	@touch $@

clean:
	rm -rf .venv .venvs node_modules .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
