# `make run` opens it in a browser, `make demo` runs it without one, `make test` checks it, `make benchmark` measures it.
# Each sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run demo test benchmark pictures clean

run: .venv/ready
	$(BIN)/msam-segment app --demo

demo: .venv/ready
	$(BIN)/msam-segment demo

# A process for each part: one can have one Qt application and one scene of Slicer's libraries.
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q Testing/engine
	$(BIN)/pytest -q Testing/scene
	$(BIN)/pytest -q Testing/widget
	$(BIN)/pytest -q Testing/web

benchmark: .venv/ready
	$(BIN)/python -m Testing.benchmarks.run

# The pictures in README.md: the demo's, and those that the tests of the page and of the panel make.
pictures: .venv/ready
	MSAM_TEST_PICTURES=$(CURDIR)/pictures-output $(BIN)/pytest -q Testing/web/test_start.py Testing/widget/test_panel_pictures.py
	$(BIN)/msam-segment demo --phantom --output-folder pictures-output
	cp pictures-output/preview.png Resources/demo.png
	cp pictures-output/page-demo.png Resources/web.png
	cp pictures-output/panel-light-3-clicked.png Resources/panel.png

# torch by itself and first, so that another package's open range does not choose its version.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test --editable ".[cli,service,train,web]"
	touch $@

clean:
	rm -rf .venv demo-output benchmark-output pictures-output
