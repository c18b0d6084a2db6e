# Every target sets up what it needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# make splits paths at spaces, so nothing here is a path: recipes run in the checkout and quote what they use.
BIN := .venv/bin

.PHONY: help alerts audit licences setup demo accuracy test test-browser screenshots commands test-hosts test-compose test-all lint types contracts check up down bench bench-alignment bench-retrain retrain-demo faults clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sort | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: ## create .venv and install everything (does nothing when that is done)
	@PYTHON="$(PYTHON)" sh ops/setup/setup.sh

demo: setup ## analyse the bundled sample archive and show what it holds
	@$(BIN)/python -m ops.samples.demo

test: setup ## pass the tests
	@$(BIN)/python -m pytest

test-hosts: setup ## two hosts in network namespaces share one broker, database and S3 (needs root)
	@$(BIN)/python -m pytest tests/hosts/two_hosts.py

test-compose: setup ## docker-compose.yml for real, in containers: as root on Debian, 20 GB, half an hour the first time
	@$(BIN)/python -m pytest -v --capture=sys --durations=0 tests/compose

test-all: test test-browser test-hosts test-compose ## every test there is

test-browser: setup ## test Flower and reports in a real browser
	@sh ops/setup/chromium.sh
	@$(BIN)/python -m pytest tests/browser

commands: setup ## write the list of options in ops/docs/commands.md
	@$(BIN)/python -m ops.cli.reference

screenshots: setup ## draw the documentation's pictures of Flower and of the demo anew
	@sh ops/setup/chromium.sh
	@$(BIN)/python -m ops.samples.screenshots

lint: setup ## lint and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## static types
	@$(BIN)/mypy

contracts: setup ## layers: who may import whom
	@$(BIN)/lint-imports

check: lint types contracts ## lint, types and contracts

up: setup ## start Postgres, Redis, workers and Flower
	@$(BIN)/tenor up

down: setup ## stop them
	@$(BIN)/tenor down

bench: setup ## COPY-and-upsert against row-by-row writing of scores
	@$(BIN)/python -m ops.bench.score_writer

bench-alignment: setup ## word and phone boundaries, diarization, speed, memory: DATA=folder ONLY=part,part
	@$(BIN)/python -m ops.bench.alignment "$(or $(DATA),../shared/data)" --only "$(ONLY)"

bench-retrain: setup ## how much a retraining run slows analysis down
	@$(BIN)/python -m ops.bench.retraining

accuracy: setup ## write README's accuracy section from the reports in ops/accuracy and beside the bundles
	@$(BIN)/python -m ops.accuracy

retrain-demo: setup ## labels in, a better model out, a poisoned set refused, rollback: CORPORA=folder
	@$(BIN)/python -m ops.samples.retrain_demo $(if $(CORPORA),--corpora "$(CORPORA)")

faults: setup ## break everything, then count: SEED=number FAULTS=100 CORPORA=folder ONLY=part of a name
	@SEED="$(SEED)" FAULTS="$(FAULTS)" CORPORA="$(CORPORA)" ONLY="$(ONLY)" $(BIN)/python -m tests.faults

alerts: ## check Prometheus' configuration and try its alerts (needs promtool, in Debian's package prometheus)
	@command -v promtool >/dev/null || { echo "promtool is not installed: apt-get install prometheus" >&2; exit 1; }
	@promtool check config ops/prometheus/prometheus.yml
	@promtool test rules ops/prometheus/rules_test.yml

audit: setup ## known vulnerabilities of what is installed; says so when PyPI cannot be asked
	@$(BIN)/python -m ops.dependencies.audit

licences: setup ## write ops/docs/licences.md from what is installed
	@$(BIN)/python -m ops.dependencies.licences

clean: ## remove the virtual environment and caches (data in TENOR_HOME stays)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
