# Everything that is done with this checkout. `make` alone says what there is.
#
#   make setup    .venv with the `purveyor` command, at the versions of requirements.lock
#   make run      the main job, shown step by step; ends with Ctrl-C   (make run ONCE=1: ends by itself)
#   make test     all tests; WORKERS=: how many at a time, 3 on two cores, since many wait for servers and programs
#   make nightly  ten thousand stories from seeds, each with its faults (docs/stories.md); COUNT=, FIRST=, JOBS=
#   make fuzz     hostile bytes and requests by the thousand, for half an hour   (make fuzz ARGS="-k deb": of one kind)
#   make check    form, house rules, types, imports
#   make bench    the measurements of docs/performance.md
#   make docs     the pages that are written from the code
#   make lock     requirements.lock, anew from pyproject.toml
#   make clean    takes away whatever the others made

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run test nightly fuzz check bench docs lock clean

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
JOBS ?= 2
WORKERS ?= 3
COUNT ?= 10000
FIRST ?= 0
TEST_PACKAGES := nginx=nginx-light smbd=samba smbclient=smbclient tshark=tshark /usr/lib/postgresql/15/bin/initdb=postgresql-15 dpkg-deb=dpkg rpmbuild=rpm wixl=wixl msiinfo=msitools
BROWSER_PACKAGES := chromium=chromium /usr/share/fonts/truetype/dejavu=fonts-dejavu-core
BENCHES ?= agent programs points polls publish intake receive restore smb bandwidth lab sizes
BENCH_PACKAGES := $(TEST_PACKAGES) wrk=wrk

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (make setup PYTHON=...)" >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: setup
	$(VENV)/bin/purveyor demo $(if $(ONCE),--once)

test: setup
	tools/install-debian-packages.sh $(TEST_PACKAGES) $(BROWSER_PACKAGES)
	$(VENV)/bin/python -m pytest -n $(WORKERS) $(ARGS)

nightly: setup
	$(VENV)/bin/purveyor lab stories --count $(COUNT) --first $(FIRST) --jobs $(JOBS)

fuzz: setup
	ulimit -v 4000000; HYPOTHESIS_PROFILE=long $(VENV)/bin/python -m pytest -n $(JOBS) tests/fuzz $(ARGS)

check: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: setup
	tools/install-debian-packages.sh $(BENCH_PACKAGES)
	for bench in $(BENCHES); do echo "== $$bench"; $(VENV)/bin/python -m "bench.$$bench" $(ARGS); done

docs: setup
	$(VENV)/bin/python tools/write_status_messages.py > docs/status-messages.md.new
	mv docs/status-messages.md.new docs/status-messages.md
	$(VENV)/bin/python tools/write_settings.py > docs/settings.md.new
	mv docs/settings.md.new docs/settings.md

lock:
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
