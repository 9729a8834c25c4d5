# Each target does its own set-up in .venv; `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test campaign check format lint types imports wheel clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(READY)

run: $(READY)
	$(BIN)/mgpt-tui

test: $(READY)
	$(BIN)/pytest

campaign: $(READY)
	$(BIN)/python campaigns/resume.py
	$(BIN)/python campaigns/processes.py
	$(BIN)/python campaigns/writing.py

check: lint types imports wheel

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

wheel: $(READY)
	.ci/wheel-smoke-test $(BIN)/python

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
