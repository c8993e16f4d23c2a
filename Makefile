# SPDX-License-Identifier: GPL-3.0-or-later
# tradepost: two commands are enough on a fresh Debian 12, `make demo` and `make test`.

PYTHON ?= /usr/bin/python3
# A folder with collections of mail to measure on; what it holds is no part of the project.
CORPUS ?= $(wildcard ../shared/corpus)
SHELL := /bin/bash
BIN := .venv/bin
# A stamp is younger than what tools/setup.sh depends on when all is there: then it costs nothing.
NEEDS := setup.cfg pyproject.toml constraints.txt tools/setup.sh $(BIN)/python
MADE = .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info \
	bench/results $$(find . -name __pycache__ -type d -prune)

.DEFAULT_GOAL := help
.PHONY: help demo test check soak bench bench-classifiers simulate model clean

help:  ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-17s %s\n' "$$name" "$$text"; done

.cache/demo.stamp: $(NEEDS)
	@PYTHON='$(PYTHON)' tools/setup.sh demo
	@mkdir -p $(@D) && touch $@

.cache/test.stamp: $(NEEDS)
	@PYTHON='$(PYTHON)' tools/setup.sh test
	@mkdir -p $(@D) && touch $@ .cache/demo.stamp

.cache/bench.stamp: $(NEEDS)
	@PYTHON='$(PYTHON)' tools/setup.sh bench
	@mkdir -p $(@D) && touch $@ .cache/test.stamp .cache/demo.stamp

# Exists to notice that .venv was removed; tools/setup.sh makes it.
$(BIN)/python: ;

demo: .cache/demo.stamp  ## Send the samples through a private Postfix and show what became of them
	@tools/as_root.sh $(BIN)/tradepost demo $(DEMO)

test: .cache/test.stamp  ## Run every test (TESTS="tests/pure -k word" for some)
	@tools/as_root.sh env REPORTS='$(REPORTS)' tools/run_tests.sh $(TESTS)

soak: .cache/test.stamp  ## Run the same tests at larger N
	@tools/as_root.sh env TRADEPOST_SOAK=1 tools/run_tests.sh $(TESTS)

check: .cache/test.stamp  ## Check style, types and imports, then test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@for ring in tests tests/pure tests/servers tests/postfix; do $(BIN)/mypy $$ring/*.py || exit 1; done
	$(BIN)/mypy -p bench
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: .cache/bench.stamp  ## Measure everything into bench/results (QUICK=1 in ten minutes, BENCH="eom worker" for some)
	@tools/as_root.sh env QUICK='$(QUICK)' CORPUS='$(CORPUS)' $(BIN)/python -m bench $(BENCH)

bench-classifiers: .cache/test.stamp  ## Measure how right and how fast the classifiers are (CORPUS=FOLDER: on collections of mail too)
	@CORPUS='$(CORPUS)' $(BIN)/python -m bench classifiers $(if $(CARD),--card '$(CARD)')

simulate: .cache/test.stamp  ## Record two years of an export company and judge the links (SEED=n SIZE=small|full)
	@$(BIN)/python -m bench simulate --seed '$(or $(SEED),1)' --size '$(or $(SIZE),small)' $(if $(DATABASE),--database '$(DATABASE)')

model: .cache/test.stamp  ## Train the models and the second opinion from classifiers/training
	$(BIN)/python -m classifiers.training.train
	$(BIN)/python -m classifiers.training.facts
	$(BIN)/python -m classifiers.training.second_opinion

clean:  ## Remove what was made here; Debian packages stay
	@rm -rf $(MADE) 2>/dev/null || tools/as_root.sh rm -rf $(MADE)
