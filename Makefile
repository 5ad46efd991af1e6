# Everything a newcomer needs; `make help` lists it. All set-up is automatic, and quick when nothing has changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# How many tests run side by side; each process has a database of its own.
WORKERS ?= 2
export SEED ROUNDS REPEATS MINUTES

# The type checker reads Django's settings, which want values; these mean nothing.
PLACEHOLDERS := AMPOUT_TEST=1 SECRET_KEY=lint DIGEST_KEY=lint FIELD_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	DATABASE_URL=postgres:///lint CELERY_BROKER_URL=redis://localhost

.PHONY: help run test lint format bench faults fuzz lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/core.stamp ## Set up and start everything: web, worker, beat, sandbox; Ctrl-C stops it
	@exec $(BIN)/python -m ampout.supervisor --with-parent

test: $(VENV)/dev.stamp ## Run every test; PYTEST_ARGS="-k gap" runs some
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp ## Check style, types and the arrows between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(PLACEHOLDERS) $(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## Format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp ## Measure speed; what `make test` leaves out
	@$(BIN)/python -m pytest -m bench -p no:randomly -s tests/benchmarks $(PYTEST_ARGS)

faults: $(VENV)/dev.stamp ## Try to break every law, for long; SEED=… MINUTES=10 ROUNDS=… REPEATS=… choose
	@$(BIN)/python -m pytest -m faults_long -p no:randomly -s tests $(PYTEST_ARGS)

fuzz: $(VENV)/dev.stamp ## Call the API with made-up requests; MINUTES=10 SEED=… choose
	@$(BIN)/python -m pytest -m fuzz -p no:randomly -s tests/fuzz $(PYTEST_ARGS)

lock: ## Write the lock files anew from the requirement files (needs uv)
	uv pip compile -q $(LOCK_OPTIONS) requirements.txt -o requirements.lock
	uv pip compile -q $(LOCK_OPTIONS) requirements-dev.txt -o requirements-dev.lock

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

clean: ## Remove the virtual environment and caches; the data folder stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -not -path './.data/*' -prune -exec rm -rf {} +

# A stamp is made last, so it stands for a complete installation of its lock file.
$(VENV)/core.stamp: requirements.lock
	@sh scripts/install $(VENV) requirements.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock
	@sh scripts/install $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/core.stamp
