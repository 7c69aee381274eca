# SPDX-License-Identifier: Apache-2.0
# Every target makes its own .venv first. PYTHON=... chooses the interpreter it is made with.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/ready
PYTEST := $(BIN)/python -m pytest -n 2
PEERS := .venv-peers

.PHONY: help demo test test-all test-peers lint lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo      train a small network, build its accelerator and prove both equal in simulation'
	@echo 'make test      every test that is not slow'
	@echo 'make test-all  every test'
	@echo 'make test-peers  side by side with larq, in an environment of its own (.venv-peers)'
	@echo 'make lint      ruff, mypy, verilator -Wall and verible'
	@echo 'make lock      choose the newest fitting versions anew (requirements.lock)'
	@echo 'make clean     remove .venv and everything that was generated here'

$(STAMP): pyproject.toml requirements.lock scripts/setup_venv.sh
	@bash scripts/setup_venv.sh $(VENV) $(PYTHON)

demo: $(STAMP)
	@$(BIN)/qnn-hw demo

test: $(STAMP)
	@$(PYTEST)

test-all: $(STAMP)
	@$(PYTEST) -m 'slow or not slow'

$(PEERS)/ready: requirements-peers.txt
	@$(if $(PYTHON),$(PYTHON),python3) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-peers.txt
	@touch $@

test-peers: $(PEERS)/ready
	@$(PEERS)/bin/python -m pytest tests/peers tests/test_jax_backend.py

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=boards:. $(BIN)/mypy --strict boards/driver.py
	@$(BIN)/python scripts/lint_rtl.py

lock: $(STAMP)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --universal --fork-strategy fewest --python-version 3.11 --extra dev --strip-extras --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --upgrade pyproject.toml -o requirements.lock
	@sed -i '1i # Exact versions for Python 3.11 to 3.13, made from pyproject.toml by `make lock`.' requirements.lock

clean:
	rm -rf $(VENV) $(PEERS) $(VENV).log build dist sim_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
