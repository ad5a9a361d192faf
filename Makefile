# TSCM. `make run` and `make test` set up what they need first; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup run gateway cloud test check bench requirements clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile

setup: ## Install what is missing to run: system packages, .venv, Python packages
	@deploy/setup.sh run

# exec: a TERM to make reaches the runner itself, which then stops everything.
run: setup ## Start the whole appliance in the foreground
	@exec .venv/bin/python -m deploy.run

gateway: ## As root: set up a machine that enforces, and units that start it with the machine
	@deploy/setup.sh gateway
	@exec .venv/bin/python -m deploy.units install

cloud: gateway ## As root: as gateway, and a unit that registers it with a portal
	@exec .venv/bin/python -m deploy.units first-boot

test: ## Set up what the tests need, then run the checks and every test
	@deploy/setup.sh test
	@exec deploy/test.sh

check: ## Format, lint, types, layers, migrations, API schema, spelling, scripts
	@deploy/setup.sh check
	@exec deploy/check.sh

bench: ## Measure against peers; ROWS="P1 P3" chooses
	@deploy/setup.sh bench
	@exec .venv/bin/python -m bench $(ROWS)

requirements: ## For maintainers: pin requirements*.in anew, with hashes (needs uv)
	@exec deploy/requirements.sh

clean: ## Remove .venv and caches; data in var/ stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
