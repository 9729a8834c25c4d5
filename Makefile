# Each target does its own set-up in .venv; `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
PEERS := .venv-peers

.PHONY: run test coverage campaign fuzz peers release storyteller check format lint types imports wheel clean

# Two stamps: what running needs, and what developing needs besides.
$(RUNS): pyproject.toml
	@echo "Setting mgpt-tui up in $(VENV), once: torch and what else running needs."
	@echo "That takes a minute or two, and more where torch comes with CUDA (gigabytes)."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable .
	@touch $(RUNS)

$(READY): $(RUNS)
	@echo "Adding to $(VENV), once, what tests and checks need. That takes about a minute."
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable ".[dev]"
	@touch $(READY)

run: $(RUNS)
	$(BIN)/mgpt-tui

test: $(READY)
	$(BIN)/pytest -n auto --dist loadfile

# Processes that tests begin are counted, too. .coverage holds it: `coverage html` makes pages.
coverage: $(READY)
	$(BIN)/pytest -n auto --dist loadfile --cov --cov-report=term-missing:skip-covered

# `make campaign SEED=7` draws the same moments and keys again; without it others each time.
campaign: $(READY)
	$(BIN)/python campaigns/resume.py $(SEED:%=--seed %)
	$(BIN)/python campaigns/processes.py $(SEED:%=--seed %)
	$(BIN)/python campaigns/writing.py $(SEED:%=--seed %)
	$(BIN)/python campaigns/keystrokes.py $(SEED:%=--seed %)
	$(BIN)/python campaigns/closing.py $(SEED:%=--seed %)
	$(BIN)/python campaigns/races.py $(SEED:%=--seed %)

# FUZZ_INPUTS=1000000 for so many of each kind, FUZZ_SEED=7 for others, or the same again.
fuzz: $(READY)
	$(BIN)/python campaigns/fuzz.py

# What looking inside tells, against TransformerLens, which brings much along: apart from the rest.
peers:
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --disable-pip-version-check --quiet --editable ".[lens]"
	$(PEERS)/bin/python -W ignore::DeprecationWarning tools/against_transformer_lens.py

# The wheel that is published. The clang that it needs takes 100 MB, and the first time some minutes.
release: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable ".[release]"
	$(BIN)/python tools/release.py

# Teachers, then a student of all of them: `make storyteller DATA=my-data TEACHERS=4`. What is
# stopped or killed goes on by the same words; STUDENT and TEACHER name recipes, NAME the student.
storyteller: $(RUNS)
	$(if $(DATA),,$(error Say DATA=FOLDER, one that prepare wrote))
	$(BIN)/python tools/storyteller.py --data $(DATA) $(NAME:%=--name %) \
	  $(TEACHERS:%=--teachers %) $(TEACHER:%=--teacher %) $(STUDENT:%=--student %) $(if $(SETTINGS),-- $(SETTINGS))

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
	rm -rf $(VENV) $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
