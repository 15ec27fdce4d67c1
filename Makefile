# Each target makes the virtual environment that it needs; only python3 (3.10 or newer), make and a package index are assumed.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
PIP_INSTALL = install --quiet --disable-pip-version-check -c constraints.txt
CODE = minicosm tests benchmarks examples .ci
BUILT_FROM = pyproject.toml setup.cfg setup.py constraints.txt $(wildcard minicosm/kernels/src/*)

.PHONY: help demo test lint format bench rllib clean

help:
	@echo "make demo    train a robot to navigate, compare speeds, write a GIF and a curve (under 5 minutes)"
	@echo "make test    run the tests"
	@echo "make lint    ruff, mypy --strict, import-linter, and that the wheel holds every module"
	@echo "make format  let ruff format the code"
	@echo "make bench   throughput side by side with JaxMARL's JaxNav (installs it in an environment of its own)"
	@echo "make rllib   train through RLlib for a moment (in an environment of its own: Ray pins an older Gymnasium)"
	@echo "make clean   remove environments and caches"

demo: $(DEMO_VENV)/.installed
	$(DEMO_VENV)/bin/minicosm demo

test: $(VENV)/.installed
	$(VENV)/bin/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python .ci/check_wheel.py

format: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix $(CODE)
	$(VENV)/bin/ruff format $(CODE)

bench: $(VENV)/.installed .venv-jaxmarl/.installed
	$(VENV)/bin/python benchmarks/nav_throughput.py --peer-python .venv-jaxmarl/bin/python

rllib: .venv-rllib/.installed
	.venv-rllib/bin/python examples/rllib_ppo.py --steps 16384

clean:
	rm -rf $(VENV) $(DEMO_VENV) .venv-jaxmarl .venv-rllib .jax_cache .mypy_cache .ruff_cache .pytest_cache build *.egg-info minicosm/kernels/_native.so

$(VENV)/.installed: $(BUILT_FROM)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip $(PIP_INSTALL) -e ".[all]"
	touch $@

$(DEMO_VENV)/.installed: $(BUILT_FROM)
	@echo "Installing into $(DEMO_VENV) (about a minute) ..."
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip $(PIP_INSTALL) -e ".[demo]"
	touch $@

.venv-jaxmarl/.installed:
	$(PYTHON) -m venv .venv-jaxmarl
	.venv-jaxmarl/bin/python -m pip $(PIP_INSTALL) "jaxmarl==0.2.0"
	touch $@

.venv-rllib/.installed: $(BUILT_FROM)
	$(PYTHON) -m venv .venv-rllib
	.venv-rllib/bin/python -m pip $(PIP_INSTALL) -e ".[torch]" "ray[rllib]==2.60.0"
	touch $@
