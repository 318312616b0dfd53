# `make run` shows what this is, `make test` checks it, `make benchmark` measures it. Each sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test benchmark clean

run: .venv/ready
	$(BIN)/msam-segment demo

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q

benchmark: .venv/ready
	$(BIN)/python -m Testing.benchmarks.run

# torch by itself and first: without it, another package's open range could bring the builds for graphics cards.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test --editable ".[cli,service]"
	touch $@

clean:
	rm -rf .venv demo-output
