# One command each. PROFILE is sandbox (default), samples or production.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PROFILE ?= sandbox
PYTHON ?= python3.11
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell sha256sum requirements.lock 2>/dev/null | cut -c1-16)
DAYS ?=
BENCH ?= daily
PEERS := build/peers/installed
CLI := $(BIN)/python -m orchestration.cli

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export OMP_NUM_THREADS := 1
export PYTHONPATH := $(CURDIR)

.PHONY: help run test test-pipeline test-dbt test-rest dev doctor bench soak lock lint clean install

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

install: $(STAMP) ## the virtual environment, from the lock

$(STAMP): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found. Install Python 3.11, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else f"error: {sys.executable} is Python {v[0]}.{v[1]}; this project needs 3.11")'
	@echo "installing the locked packages into $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@rm -f $(VENV)/.installed-*
	@touch $@

run: $(STAMP) ## everything, from the sources to a published snapshot (PROFILE=samples for the real bills)
	@$(CLI) run --profile $(PROFILE) $(if $(DAYS),--days $(DAYS))

dev: $(STAMP) ## Dagster's pages and daemon with the daily schedule, sandbox included
	@$(CLI) dev --profile $(PROFILE) --port $(PORT) $(if $(DAYS),--days $(DAYS))

doctor: $(STAMP) ## one cheap read-only question to each configured source
	@$(CLI) doctor --profile $(PROFILE) $(if $(DAYS),--days $(DAYS))

# Parts beside one another: on two cores one works while another waits, for the disk or a vendor's Retry-After. Whole runs
# of the pipeline are the longest part, so the others give way to them.
PYTEST := $(BIN)/python -m pytest -m "not soak"
test: $(STAMP) ## lint and every test but the long campaigns
	@$(MAKE) --no-print-directory --keep-going --jobs=4 lint test-pipeline test-dbt test-rest

test-pipeline: $(STAMP)
	@$(PYTEST) tests/pipeline | sed -u 's/^/pipeline  /'

test-dbt: $(STAMP)
	@nice $(PYTEST) tests/dbt | sed -u 's/^/dbt       /'

test-rest: $(STAMP)
	@nice $(PYTEST) --ignore tests/pipeline --ignore tests/dbt | sed -u 's/^/rest      /'

soak: $(STAMP) ## the long campaigns: thirty kills, 2,000 wrong payloads of every source
	@$(BIN)/python -m pytest -m soak --hypothesis-profile soak --timeout 7200 -s

bench: $(STAMP) $(if $(filter forecasts,$(BENCH)),$(PEERS)) ## daily against full run; BENCH=ledger: 5 million requests, sources: rows per second, forecasts: error beside automatic models, commitments: captured hindsight
	@$(BIN)/python -m benchmarks.$(BENCH) $(if $(filter forecasts,$(BENCH)),--peers $(dir $(PEERS))bin/python)

# What forecasts are compared with has dependencies of its own and is no part of the product.
$(PEERS): benchmarks/requirements.lock
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r benchmarks/requirements.lock
	@touch $@

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

lock: ## resolve requirements.in into requirements.lock (needs uv)
	@uv pip compile --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-header --quiet requirements.in -o requirements.lock

clean: ## everything the sandbox and samples profiles made; never production
	@rm -rf lake warehouse published dagster_home logs dbt_target data_docs sandbox_state profiles/samples dbt_project/target* build
	@find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
