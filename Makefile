# Every target is one line; what needs more is a script in scripts/.
# All of them use .venv, which scripts/install makes from the project's own files.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test quick test-all ecosystem check lint format types mypy pyright imports sync conform docs \
	build bench clean

BIN := .venv/bin
# -P: the folders of the members must not be importable from the working directory.
RUN := $(BIN)/python -P
# With PYTHON=python3.13 the stamps have its name: another interpreter, another .venv.
DEMO := .venv/.stamp-demo$(addprefix -,$(subst /,-,$(PYTHON)))
DEV := .venv/.stamp-dev$(addprefix -,$(subst /,-,$(PYTHON)))
# What `make quick` runs: the other folders start servers or many processes.
SERVERLESS := $(addprefix tests/,azure cli contract core local memory sync transfer)
INSTALL_FROM := scripts/install constraints.txt pyproject.toml $(wildcard */pyproject.toml)

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO) ## Copy thousands of real files local -> memory, verify each; under 30 s once installed.
	@$(RUN) scripts/demo.py

test: $(DEV) ## Run check, then the tests that are not long; minutes, installation included.
	@$(MAKE) --no-print-directory -j2 check .azurite/.stamp
	@scripts/test -m "not long and not clients"

quick: $(DEV) ## Run those that are not slow and need no server; no check, under a minute.
	@scripts/test -m "not slow and not long and not server" $(SERVERLESS)

test-all: check .azurite/.stamp ## Run everything, as CI does: on built wheels, with coverage, and clients from the index.
	@scripts/wheels && VENV=.wheels scripts/test --cov --cov-report= && scripts/coverage
	@$(RUN) -m pytest -q -m clients tests/emulator
	@$(MAKE) --no-print-directory ecosystem

ecosystem: .ecosystem/.stamp .azurite/.stamp ## Try our stores with pandas, Arrow, polars, DuckDB, zarr, FastAPI, and on a Dask cluster.
	@.ecosystem/bin/python -P -m pytest -q -m clients tests/ecosystem tests/transfer

check: lint types imports sync ## Everything but the tests.

lint: $(DEV) ## Lint, and check the formatting.
	@$(BIN)/ruff check && $(BIN)/ruff format --check

format: $(DEV) ## Repair what ruff can repair.
	@$(BIN)/ruff check --fix && $(BIN)/ruff format

types: mypy pyright ## mypy (strict) over everything, pyright over the packages.

mypy: $(DEV)
	@$(BIN)/mypy

pyright: $(DEV)
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@out=$$(PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright --verifytypes remote_store --ignoreexternal) || { echo "$$out"; exit 1; }

imports: $(DEV) ## An import goes down, never up.
	@$(BIN)/lint-imports

sync: $(DEV) ## Whether what is generated is up to date: the core's sync side, the page of commands.
	@$(RUN) scripts/unasync.py --check && $(RUN) scripts/cli_reference.py --check

conform: .azurite/.stamp ## Check our plugins against the contract; reports go to docs/conformance/.
	@$(RUN) scripts/contract.py && $(RUN) scripts/conform.py

docs: $(DEV) ## Build the site into site/, strictly and offline.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

build: $(DEV) ## Build wheel and sdist of every member into dist/.
	@scripts/build dist

bench: $(DEV) .ecosystem/.stamp .azurite/.stamp ## Run the benchmarks; numbers are ratios measured side by side.
	@for file in benchmarks/*.py; do echo "== $$file"; $(RUN) "$$file" || exit 1; done

clean: ## Remove everything that was generated, .venv included.
	rm -rf .venv .wheels .ecosystem .azurite build dist site demo-data .coverage .coverage.* .*_cache .hypothesis
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

.venv/.stamp-%: $(INSTALL_FROM)
	@scripts/install $(firstword $(subst -, ,$*)) && touch $@

.azurite/.stamp: scripts/azurite | $(DEV)
	@scripts/azurite

.ecosystem/.stamp: scripts/ecosystem tests/ecosystem/requirements.txt constraints.txt | $(DEV)
	@scripts/ecosystem
