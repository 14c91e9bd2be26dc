# make install    everything that work on lok needs, into .venv
# make demo       watch a workflow find a bug, offline; without .venv it installs what a user would, into .demo
# make test       every check but those of compat: the four below
# make lint       ruff: mistakes and format
# make types      mypy --strict
# make layers     import-linter: which module may import which
# make suite      the tests but for those marked slow
# make fix        mend what ruff can mend, and format
# make coverage   the whole suite, and which branches it does not reach
# make compat     the plugin with pytest's older versions, with the plugins it meets elsewhere, in a large suite of others
# make fuzz       new examples for the generators of tests/fuzz, for 20 minutes; seconds=300 for five
# make clis       the real tools, for tests with them
# make browser    the HTML report in a Chromium of this machine
# make faults     the matrix fault x surface, by real runs; its last line says how many false greens there are
# make soak       runs with 5 % faults for 3 minutes: does anything leak; seconds=600 for ten minutes, seed=N for others
# make fleet      a Dask cluster of this machine while its workers are killed under a workflow of 200 steps
# make bench      the ratios of benchmarks/
# make measure    the size and the order of the code, beside their targets; before=DIRECTORY adds an older state
# make rooms      write the tables of docs/architecture.md anew from the docstrings
# make docs       the site in build/docs; a warning or a dead link is an error
# make picture    draw docs/demo.svg anew from the demo's output
# make page-picture  draw docs/report.png anew: the demo's page in a Chromium of this machine
# make changelog  what the fragments in changelog.d/ will say
# make wheel      the wheel, in dist/
# make release-check  build the package, and run the demo from it in a clean environment
# make clean      remove everything that make has made
# make help       this text
# A machine with python3 (3.11 or later), make and git is enough; everything else goes into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Without bytecode every subprocess of the suite would compile the package again. (What pip installs is compiled when
# it is imported, and most of it never is.)
unexport PYTHONDONTWRITEBYTECODE
# Interpreters of another environment must not leak into this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install test lint types layers suite compat coverage demo browser picture page-picture rooms bench measure faults soak fleet fuzz clis fix docs wheel release-check changelog clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(READY)

CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This needs Python 3.11 or later and $(PYTHON) is $$($(PYTHON) -V 2>&1 || true): try  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
NO_VENV = $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu:  apt-get install python3-venv

$(READY): pyproject.toml
	@$(CHECK_PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(NO_VENV)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --no-compile --editable . --group dev
	@touch $@

# mypy keeps one core busy; the suite starts beside it.
test: lint layers
	@$(MAKE) --no-print-directory -j2 types suite

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

# Many tests wait for a process or a clock, so as many workers as cores leave the cores idle a quarter of the time.
WORKERS = $(shell $(BIN)/python -c "import os; print((os.cpu_count() or 1) + 1)")

suite: $(READY)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -q --durations=20 --durations-min=1 -m "not slow"

# Environments over .venv: in each stands only what is another version there, or is not there at all.
pytest-9.0 := pytest==9.0.*
pytest-9.1 := pytest==9.1.*
companions := --group companions
docs       := --group docs
release    := --group release
browser    := --group browser
OVERLAYS   := pytest-9.0 pytest-9.1 companions

# What rests most on pytest's insides; CI runs everything with each version.
INSIDES := collection fixtures hooks junit subtests reporting step_errors threads exclusive record

compat: $(OVERLAYS:%=.compat/%/.ready)
	for version in 9.0 9.1; do .compat/pytest-$$version/bin/python -m pytest -n $(WORKERS) --dist worksteal -q \
	  -p no:cacheprovider $(INSIDES:%=tests/plugin/test_%.py) || exit; done
	.compat/companions/bin/python -m pytest -n $(WORKERS) --dist worksteal -q -p no:cacheprovider -p no:sugar -p no:tldr \
	  -o asyncio_default_fixture_loop_scope=function -W ignore::DeprecationWarning tests/plugin/test_companions.py
	$(BIN)/pytest -q -m slow tests/plugin

.compat/%/.ready: $(READY)
	$(BIN)/python -m venv --clear --without-pip $(@D)
	@here=$$($(BIN)/python -c '$(PURELIB)') && there=$$($(@D)/bin/python -c '$(PURELIB)') && \
	  echo "import site; site.addsitedir('$$here')" >"$$there/venv.pth"
	$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --no-compile $($*)
	@touch $@

PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))

coverage: $(READY)
	$(BIN)/coverage erase
	COVERAGE_PROCESS_START=pyproject.toml $(BIN)/coverage run -m pytest -q
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Whoever has not set up .venv gets what a user would, and not the tools of developers.
PLAYER := $(if $(wildcard $(READY)),$(VENV),.demo/venv)

demo: $(PLAYER)/.ready
	@$(PLAYER)/bin/python -m demo

.demo/venv/.ready: pyproject.toml
	@$(CHECK_PYTHON)
	@echo "Installing pytest-lok and what it needs into .demo/venv, once: about half a minute ..."
	@$(PYTHON) -m venv --clear .demo/venv || { echo "$(NO_VENV)" >&2; exit 1; }
	@.demo/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable .
	@touch $@

picture: $(READY)
	$(BIN)/python -m tools.picture

page-picture: .compat/browser/.ready
	.compat/browser/bin/python -m tools.page_picture

# A browser of its own is not fetched: the tests are skipped where the machine has none.
browser: .compat/browser/.ready
	.compat/browser/bin/python -m pytest -q -rs -p no:cacheprovider tests/reports/test_browser.py

bench: $(READY)
	$(BIN)/python -m benchmarks

faults: $(READY)
	@$(BIN)/python -m tools.faults

soak: $(READY)
	@$(BIN)/python -m tools.faults.soak $(or $(seconds),180) $(or $(seed),1)

fleet: $(READY)
	$(BIN)/pytest -q -s -m slow tests/fleet tests/cli/test_fleet.py

rooms: $(READY)
	$(BIN)/python -m tools.rooms

# Beside an older state of the package:  make measure before=DIRECTORY
measure: $(READY)
	@$(BIN)/python -m tools.measure $(before:%=--before %)

# A failing example is printed; hypothesis tries it first the next time.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(or $(seconds),1200)

# The real tools, for `pytest -m real_cli`: into a directory of their own, as their authors publish them.
clis: .clis/.ready

.clis/.ready: tests/clis.json
	npm install --prefix .clis --no-audit --no-fund --loglevel=error \
	  $$($(PYTHON) -c 'import json; print(*(f"{n}@{v}" for n, v in json.load(open("tests/clis.json")).items()))')
	@touch $@

fix: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .compat/docs/.ready
	.compat/docs/bin/python -m sphinx -W --keep-going -n -q -d build/doctrees -b html docs build/docs
	@echo "file://$(CURDIR)/build/docs/index.html"

wheel: $(READY)
	$(BIN)/python -m build --wheel

release-check: .compat/release/.ready
	$(BIN)/python -m tools.release .compat/release/bin/twine

changelog: $(READY)
	$(BIN)/towncrier build --draft

clean:
	rm -rf $(VENV) .compat .clis .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
