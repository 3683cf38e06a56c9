# Everything one can do here. `make help` prints it.
PYTHON ?= python3
BIN := .venv/bin
UNSET := env -u PYTHONDONTWRITEBYTECODE -u VIRTUAL_ENV

.DEFAULT_GOAL := help

.PHONY: run
run: setup ## the demo: drawn images in, trained and promoted models out (a few minutes on two cores)
	$(BIN)/dermacare run --profile demo

.PHONY: setup
setup: .venv/.installed $(wildcard .venv/.gpu) ## the environment in .venv, from the hashed lock

# The file's name stands for the whole installation: it is written last, so an interrupted one starts again.
.venv/.installed: requirements.lock requirements-uv.lock mlflow/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); DermaCare needs Python 3.11 to 3.13: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(UNSET) $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(UNSET) $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r mlflow/requirements.lock
	$(UNSET) $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup-gpu
setup-gpu: .venv/.gpu ## TensorFlow for NVIDIA's GPUs in place of the processor's, until `make clean` (Linux on x86-64; 8 GB)

# Once there, `setup` keeps it up to date. Both TensorFlows have the same files, so that the one's go with the other's, and it is put in
# anew after every installation of the lock, whatever pip's list says is there.
.venv/.gpu: .venv/.installed infra/images/train-gpu.lock
	$(BIN)/uv pip uninstall --quiet --python $(BIN)/python tensorflow-cpu
	$(UNSET) $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --reinstall-package tensorflow -r infra/images/train-gpu.lock
	@touch $@

# Tests of a file stay in one process, since they share what takes long to make; who is done first takes over the other's last ones.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: test
test: setup ## the fast tests
	$(PYTEST)

.PHONY: test-slow
test-slow: setup ## the tests that take minutes: kills, whole runs, big models
	$(PYTEST) -m slow --durations=40 --durations-min=5

.PHONY: lint
lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The front end. Node and npm come from the environment, its packages from the registry that npm is set to.
WEB := dermacare/web
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(WEB)

.PHONY: web
web: setup $(WEB)/dist/index.html ## the pages that `dermacare serve` shows, built where a source is newer

$(WEB)/dist/index.html: $(WEB)/node_modules/.installed $(wildcard $(WEB)/*.*) $(shell find $(WEB)/src $(WEB)/vite $(WEB)/public -type f)
	$(NPM) run --silent build

# Written last, as .venv/.installed is.
$(WEB)/node_modules/.installed: $(WEB)/package-lock.json $(WEB)/package.json $(WEB)/.npmrc
	$(NPM) ci --loglevel=error
	@touch $@

.PHONY: web-test
web-test: setup $(WEB)/node_modules/.installed ## the pages' own checks: contract, lint, types, unit tests
	$(NPM) run --silent test

.PHONY: audit
audit: setup $(WEB)/node_modules/.installed ## known holes in the dependencies; asks PyPI and npm's registry
	$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict
	$(NPM) audit

# Images of containers. What they are built with, and their names: infra/images/build.
.PHONY: images
images: web ## the container images, their sizes and, in dist/images, their SBOMs
	infra/images/build

.PHONY: images-test
images-test: setup ## the images that were built, as containers
	$(BIN)/python -m pytest -m images

.PHONY: bench
bench: setup ## measurements, side by side, into $DERMACARE_HOME/bench.json
	$(BIN)/python -m tests.bench

.PHONY: ui
ui: setup ## the MLflow UI on http://127.0.0.1:5000
	$(BIN)/dermacare ui

# The images have Debian 12's Python; what they share with the environment has its versions.
IMAGE_LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --constraints requirements.lock

.PHONY: lock
lock: setup ## requirements.lock anew, from pyproject.toml; those of the tracking server and of the images after it
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev pyproject.toml -o requirements.lock
	grep '^uv==' requirements.lock | cut -d' ' -f1 | $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-uv.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --constraints requirements.lock mlflow/requirements.in -o mlflow/requirements.lock
	echo cyclonedx-bom | $(IMAGE_LOCK) - -o infra/images/build.lock
	$(IMAGE_LOCK) --extra serve pyproject.toml -o infra/images/serve.lock
	$(IMAGE_LOCK) --extra steps --extra orchestrate pyproject.toml -o infra/images/steps.lock
	$(IMAGE_LOCK) --extra steps --extra orchestrate --extra train pyproject.toml -o infra/images/train.lock
	$(IMAGE_LOCK) --extra steps --extra orchestrate --extra train-gpu pyproject.toml -o infra/images/train-gpu.lock

.PHONY: clean
clean: ## remove the environment and caches; state in .dermacare stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache *.egg-info dist $(WEB)/node_modules $(WEB)/dist

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
