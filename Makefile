# Every target that needs the environment makes it first: .venv holds exactly what requirements.lock says,
# and is made anew when that file changes. Where packages come from is for the machine's pip settings to say.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Passed on, as in: make test ARGS="-k lineage", make lock ARGS=--upgrade
ARGS ?=

# No library reports home.
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help refresh test quick test-room soak dev lint format lock clean

ROOM ?= fm_platform_tests/unit
QUICK := statistics instruments warehouse privacy

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

refresh: $(VENV)/.project ## set up, then bring the bundled study up to date (what is stale, nothing else)
	$(BIN)/fm refresh $(ARGS)

dev: $(VENV)/.project ## the Dagster UI on 127.0.0.1
	$(BIN)/fm dev $(ARGS)

test: $(VENV)/.project ## all tests, a process a core
	@env -u PYTHONHASHSEED $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(VENV)/.project ## style, and the tests of the rooms that everything stands on (under a minute)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@env -u PYTHONHASHSEED $(BIN)/python -m pytest --quiet --numprocesses 2 $(QUICK:%=fm_platform_tests/unit/%) $(ARGS)

test-room: $(VENV)/.project ## the tests of one room or folder: make test-room ROOM=sources, ROOM=e2e, ROOM=unit/test_study.py
	@room=$$(ls -d fm_platform_tests/unit/$(ROOM) fm_platform_tests/$(ROOM) $(ROOM) 2>/dev/null | head -n 1); \
		[ -n "$$room" ] || { echo "no tests of $(ROOM); rooms: $$(ls fm_platform_tests/unit | grep -v '^_' | xargs)" >&2; exit 2; }; \
		env -u PYTHONHASHSEED $(BIN)/python -m pytest --quiet --numprocesses auto --maxprocesses 4 --dist loadfile "$$room" $(ARGS)

soak: $(VENV)/.project ## the tests of many trials, whole (an hour and more)
	@env -u PYTHONHASHSEED SOAK=1 $(BIN)/python -m pytest -m soak --timeout=0 --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/.project ## ruff, formatting, floor order of the rooms, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(VENV)/.locked ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.locked ## resolve requirements.lock from pyproject.toml (ARGS=--upgrade for newer releases)
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --fork-strategy fewest \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock --quiet $(ARGS)

clean: ## remove the environment and caches; homes (var/) are kept, they hold the ledger
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "$(PYTHON) must be Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "Setting up $(VENV) (about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.locked
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
