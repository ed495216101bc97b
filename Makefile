# make demo   set up and run the main job on the embedded database
# make test   set up and pass everything, on SQLite and on PostgreSQL
# make many   kill and resume an import of 50,000 pull requests (some minutes)
# make bench  measure it beside its floors (about ten minutes; FULL=1 for the large sizes)
# make screenshots   take the pictures of the documentation anew, of the demo in Chromium
# make setup  only make .venv/bin/shipmark

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup demo test lint suite many bench screenshots requirements clean
.DELETE_ON_ERROR:

setup: $(VENV)/.runtime

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shipmark needs Python 3.11 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/runtime.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: requirements/development.txt $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements/development.txt
	@touch $@

demo: setup
	$(BIN)/shipmark demo $(DEMO_ARGS)

test: lint suite

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

suite: $(VENV)/.development
	@command -v chromium chromium-browser google-chrome > /dev/null || \
		echo 'NO CHROMIUM HERE: pages are not tested in a browser. (Debian: apt-get install chromium)' >&2
	$(BIN)/python -m pytest -n 2 $(TEST_ARGS)

many: $(VENV)/.development
	SHIPMARK_TEST_MANY_PULLS=$(or $(MANY),50000) \
		$(BIN)/python -m pytest tests/forges/test_many_pulls.py $(TEST_ARGS)

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks $(if $(FULL),--full) $(BENCH_ARGS)

screenshots: $(VENV)/.development
	$(BIN)/python -m screenshots

# Pins every dependency, with hashes and without the name of any index.
requirements: $(VENV)/.development
	cd requirements && for set in runtime development; do \
		../$(BIN)/uv pip compile $$set.in --output-file $$set.txt --universal --generate-hashes \
			--no-emit-index-url --python-version 3.11 --custom-compile-command 'make requirements' --quiet; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
