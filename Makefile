# Everything a newcomer needs. It asks for make and Python 3.11 or newer with venv, and for nothing else.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
# The first of these that runs and is new enough; PYTHON=... names another one.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.13 python3.14; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
DATA := instance/demo
PACKAGING := setup.cfg pyproject.toml
# A third of what a test takes it waits for processes of its own: three at a time keep two cores busy.
JOBS := 3
GATEWAY := sandbox
VARIANT := default
CHAOS = GATEWAY=$(GATEWAY) VARIANT=$(VARIANT) $(BIN)/python -m tests.chaos.run

.PHONY: help
help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: install ## Start the whole product with a fake shop, a sandbox gateway and a mailbox; Ctrl-C stops it
	@$(BIN)/reprise demo --data $(DATA)

.PHONY: demo-reset
demo-reset: install ## Wipe what the demo has kept
	@$(BIN)/reprise demo --data $(DATA) --reset

.PHONY: demo-smoke
demo-smoke: install ## Live the whole story without a person and print what was seen
	@$(BIN)/reprise demo --smoke --json

.PHONY: install
install: $(VENV)/.installed ## Make .venv with reprise in it

.PHONY: test
test: $(VENV)/.developed ## Pass all tests against a real PostgreSQL and a real Redis, which the tests start
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

.PHONY: oracles
oracles: ## Install the platforms' own libraries for Node, against which the tests hold our signatures
	@cd tests/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: shop-side
shop-side: install ## Pack what is installed in shops (WooCommerce plugin, Shopify theme and pixel) into build/shop-side
	@$(BIN)/reprise shop-side --into build/shop-side

.PHONY: php74
php74: tests/php/node_modules ## Install PHP 7.4 in WebAssembly (53 MB, for Node), by which the tests run the WooCommerce plugin

tests/php/node_modules: tests/php/package-lock.json
	@cd tests/php && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: check
check: $(VENV)/.developed ## Lint, types, format, and which floor may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: chaos
chaos: $(VENV)/.developed ## Kill, stop and lie while 10,000 payments fall due; GATEWAY=stripe or payxpert, VARIANT=lagging, SEED=N
	@COLLECTIONS=10000 $(CHAOS)

.PHONY: chaos-quick
chaos-quick: $(VENV)/.developed ## The same with 1,000 payments
	@COLLECTIONS=1000 $(CHAOS)

.PHONY: chaos-naive
chaos-naive: $(VENV)/.developed ## What a retrying queue without keys does under the same faults
	@$(BIN)/python -m tests.chaos.naive

.PHONY: kill-points
kill-points: $(VENV)/.developed ## Let a worker die at every point of its work with money
	@KILL_POINTS=all $(BIN)/python -m pytest -n $(JOBS) tests/chaos/test_kill_points.py

.PHONY: mutants
mutants: $(VENV)/.developed ## Plant bugs in copies of the project, each of which a test must notice
	@$(BIN)/python -m tests.planted

.PHONY: prove-long
prove-long: $(VENV)/.developed ## Search the life of a plan for a double charge all night
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 0 tests/domain/test_life.py

.PHONY: bench-ingest
bench-ingest: $(VENV)/.developed ## Measure webhooks per second against a bare view
	@$(BIN)/python -m tests.bench.ingest

.PHONY: bench-due
bench-due: $(VENV)/.developed ## Measure claiming due rows among many; FULL=1 goes to ten million
	@FULL=$(FULL) $(BIN)/python -m tests.bench.due

.PHONY: bench-charge
bench-charge: $(VENV)/.developed ## Measure charges per second against a loop that only asks the gateway
	@$(BIN)/python -m tests.bench.charge

.PHONY: bench-vault
bench-vault: $(VENV)/.developed ## Measure sealing beside a bare call, and wrapping keys anew; FULL=1 goes to a million
	@FULL=$(FULL) $(BIN)/python -m tests.bench.vault

.PHONY: bench-storefront
bench-storefront: $(VENV)/.developed ## Measure what a shop's page waits for, against 50 ms and a bare view
	@$(BIN)/python -m tests.bench.storefront

.PHONY: clean
clean: ## Remove .venv and what tools have cached; what the demo has kept stays
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv was not found; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

# Order-only: a newer interpreter file alone is no reason to install again.
$(VENV)/.installed: $(PACKAGING) | $(BIN)/python
	@echo "Installing reprise into $(VENV)"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.developed: $(VENV)/.installed
	@echo "Installing what tests and checks need"
	@$(PIP) --editable '.[demo,pkcs11,test,dev]'
	@touch $@
