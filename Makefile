# What there is to do here. Each target says what it is for: make help
.DEFAULT_GOAL := help
SHELL := /bin/sh

# Any Python from 3.6 on can start the set-up; it finds the one for the environment itself.
PYTHONS := $(PYTHON) .venv/bin/python python3 /usr/bin/python3 python3.13 python3.12 python3.11 python
DEV := .venv/bin/python dev.py
PYTEST := .venv/bin/python -m pytest
ARGS ?=
# Tests wait more than they compute, so one worker more than the cores of a small machine.
WORKERS ?= 3
PARALLEL := --numprocesses $(WORKERS) --dist worksteal

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS=... is handed on: make test ARGS='-k filter', make up ARGS='--engine host'"
	@echo "  WORKERS=1 runs tests one after the other (default: $(WORKERS) at once)"
	@echo "  STREAMDEV_PYTHON=3.11 (or a path) chooses the Python that .venv is made from"

.PHONY: venv
venv: ## Set up .venv with locked dependencies (every target does it when something changed)
	@for python in $(PYTHONS); do \
	  if $$python -S -c 'import sys; sys.exit(sys.version_info < (3, 6))' >/dev/null 2>&1; then \
	    exec $$python -m scripts.bootstrap; \
	  fi; \
	done; \
	echo "There is no Python 3.6 or newer on PATH (Debian: apt-get install python3 python3-venv)." >&2; \
	exit 1

.PHONY: up
up: venv ## Start the engine and deploy all pipelines
	@$(DEV) up $(ARGS)

.PHONY: down
down: venv ## Stop the engine and all it started
	@$(DEV) down $(ARGS)

.PHONY: logs
logs: venv ## Follow the processed records
	@$(DEV) logs --follow $(ARGS)

.PHONY: test
test: venv ## Run the tests: unit, integration on the host engine and, where Docker answers, compose
	@if docker version >/dev/null 2>&1; then \
	  $(PYTEST) $(PARALLEL) --engine host tests/unit tests/integration tests/compose $(ARGS); \
	else \
	  echo "No Docker daemon answers: the compose tests are skipped." >&2; \
	  $(PYTEST) $(PARALLEL) --engine host tests/unit tests/integration $(ARGS); \
	fi

.PHONY: unit
unit: venv ## Run the tests that need neither network nor engine
	@$(PYTEST) tests/unit $(ARGS)

.PHONY: integration
integration: venv ## Run the integration tests on both engines (or ARGS='--engine compose')
	@$(PYTEST) $(PARALLEL) tests/integration $(ARGS)

.PHONY: check
check: venv ## Check format, lint, types and who imports whom
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PYTEST) --quiet tests/unit/test_architecture.py

.PHONY: format
format: venv ## Format the code, and fix what the linter can
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

.PHONY: bench
bench: venv ## Measure: start, redeploy, write to handler, throughput
	@.venv/bin/python -m scripts.bench $(ARGS)

.PHONY: growth
growth: venv ## Measure how cost grows with batches, functions, pipelines and records
	@.venv/bin/python -m scripts.bench.growth $(ARGS)

.PHONY: profile
profile: venv ## Sample a put and a start with py-spy: what bounds the figures of bench
	@.venv/bin/python -m scripts.bench.profile $(ARGS)

.PHONY: conformance
conformance: venv ## Run the mapping's conformance tests against other emulators as well
	@.venv/bin/python -m scripts.conformance $(ARGS)

.PHONY: soak
soak: venv ## Write, fail, kill and update for a while, and check that no record is lost
	@.venv/bin/python -m scripts.soak $(ARGS)

.PHONY: image
image: ## Build the container image of LocalStack with streamdev's plugins
	@scripts/build-image $(ARGS)

.PHONY: lock
lock: venv ## Resolve all locked dependencies anew (ARGS=--upgrade takes the newest)
	@.venv/bin/python -m scripts.lock $(ARGS)

.PHONY: clean
clean: ## Stop the engine, remove .venv, .streamdev and caches of tools
	@if [ -f .venv/streamdev-stamp ]; then $(DEV) down; fi
	rm -rf .venv .streamdev .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "What all checkouts share (LocalStack, DynamoDB Local) stays in the user's cache."
