# Everything a newcomer types is here; `make` alone lists it.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# One worker a core on the machines that CI has; `make test WORKERS=8` on a larger one.
WORKERS ?= 2

# A stamp is newer than what it was installed from, so nothing is installed twice and a pulled lock is installed at once.
# A vanished interpreter (python upgraded or removed) counts as a change too: make sees through the link.
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev

BIN := .venv/bin
COMMANDS := clinch membrane
PLACES := $(wildcard src tests bench)
MIGRATIONS := $(wildcard src/clinch/db/migrations/*.sql)

# The build backend is locked with the rest, so that installing Clinch itself fetches nothing.
BUILD_REQUIRES = $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
# Locks for every platform and any registry: hashes, no addresses, and no header, which would hold the paths of one machine.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

# The runner of migrations opens the transaction and sets the time-outs.
SQUAWK := $(BIN)/squawk --pg-version 15 --assume-in-transaction \
	--exclude=require-lock-timeout,require-statement-timeout
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist=worksteal

.NOTPARALLEL:
.PHONY: help setup run test soak check format bench migration compatibility promises install lock clean

help: ## list what make can do
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: $(DEV) ## install Clinch and all its tools into .venv
	@echo "Ready: make run"

run: $(RUNTIME) ## start everything, with a sample organization
	@$(BIN)/clinch up --sample

test: check ## all that CI runs: make check, then every test
	@$(PYTEST)

soak: $(DEV) ## the same tests with their campaigns (kills, races, fuzz, simulated year) at full size
	@CLINCH_SOAK=1 $(PYTEST) --timeout=7200

check: $(DEV) ## lint, format, types, the contracts of the floors, dependencies, migrations
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "not formatted: run make format" >&2; exit 1; }
	@$(BIN)/mypy $(PLACES)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry src
ifneq ($(MIGRATIONS),)
	@$(SQUAWK) $(MIGRATIONS)
endif

format: $(DEV) ## put the code into its format and mend what can be mended by rule
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format

bench: $(DEV) ## one table of ratios in 5 minutes; FULL=1 for the large profile
	@$(BIN)/python -m bench

migration: $(RUNTIME) ## name=what_changes: write the next migration from the declarations
	@test -n '$(name)' || { echo 'say what changes: make migration name=add_lead_url' >&2; exit 1; }
	@$(BIN)/python scripts/migration.py '$(name)'

compatibility: $(DEV) ## write docs/compatibility.md from what the tests of all operations find
	@CLINCH_WRITE_COMPATIBILITY=1 $(BIN)/python -m pytest --quiet tests/compat/test_operations.py

promises: $(DEV) ## write docs/promises.md from the tests that hold the program to them
	@CLINCH_WRITE_PROMISES=1 $(BIN)/python -m pytest --quiet tests/mission/test_promises.py

install: $(RUNTIME) ## link the commands into /usr/local/bin (root) or ~/.local/bin
	@scripts/link $(COMMANDS)

lock: $(BIN)/uv ## renew the lock files after pyproject.toml changed; UPGRADE=1 also takes newer versions
	@$(BUILD_REQUIRES) | $(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml -
	@$(BUILD_REQUIRES) | $(COMPILE) --no-annotate --constraints requirements-dev.lock --output-file requirements.lock pyproject.toml -

clean: ## remove what make made: .venv and the caches
	@rm -rf .venv .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache
	@find $(PLACES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Not through the stamp: a lock that cannot be installed is a reason to renew it.
$(BIN)/uv:
	@$(MAKE) setup

# No recipe: where the interpreter is missing, this makes both stamps stale.
$(BIN)/python: ;

$(RUNTIME): $(BIN)/python requirements.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap requirements.lock
	@touch $@

# It holds the runtime lock as well, at the same versions.
$(DEV): $(BIN)/python requirements-dev.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap requirements-dev.lock
	@touch $@ $(RUNTIME)
