# Each target makes the virtual environment that it needs; only python3 (3.10 or newer), make and a package index are assumed.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
# The oldest dependencies on the oldest Python, where it is found.
OLDEST_PYTHON ?= $(or $(shell .ci/find_python 3.10),$(PYTHON))
PYTHON_VENV = .venv-$(notdir $(PYTHON))
PIP_INSTALL = install --quiet --disable-pip-version-check -c constraints.txt
INSTALL_OLDEST = install --quiet --disable-pip-version-check -c constraints-oldest.txt
OLDEST_TESTS = tests/envs/test_spaces.py tests/envs/test_registry.py tests/envs/test_check.py tests/kernels/test_lidar_kernel.py \
	tests/wrappers/test_auto_reset.py tests/wrappers/test_to_gymnasium.py tests/wrappers/test_to_gymnasium_vector.py \
	tests/wrappers/test_to_pettingzoo.py tests/wrappers/test_to_dm_env.py tests/training/test_train.py
# A test that hangs, or ends its process, ends the run and says where.
STOP_IF_STUCK = --timeout 900 --timeout-method thread --max-worker-restart 0
CODE = minicosm tests benchmarks examples .ci
MODULES = $(shell find minicosm -name "*.py")
BUILT_FROM = pyproject.toml setup.cfg setup.py constraints.txt $(wildcard minicosm/kernels/src/*)

.PHONY: help demo test test-oldest smoke-oldest test-python lint format docs report bench release-check rllib clean

help:
	@echo "make demo    train a robot to navigate, compare speeds, write a GIF and a curve (under 5 minutes)"
	@echo "make test    run the tests"
	@echo "make lint    ruff, mypy --strict, import-linter, and that the wheel holds every module"
	@echo "make format  let ruff format the code"
	@echo "make docs    build the documentation site into site/, with warnings as errors"
	@echo "make report  write docs/benchmarks.md and its figures from benchmarks/results"
	@echo "make bench   throughput side by side with JaxMARL's JaxNav (installs it in an environment of its own)"
	@echo "make rllib   train through RLlib for a moment (in an environment of its own: Ray pins an older Gymnasium)"
	@echo "make test-oldest    run some tests with the oldest dependencies that pyproject.toml admits"
	@echo "make smoke-oldest   what anyone does first, with these (about a minute; part of CI)"
	@echo "make test-python PYTHON=python3.13   the same with that Python and the newest dependencies"
	@echo "make release-check  build sdist and wheel, install the wheel elsewhere, and run the demo from it"
	@echo "make clean   remove environments and caches"

demo: $(DEMO_VENV)/.installed
	$(DEMO_VENV)/bin/minicosm demo

test: $(VENV)/.installed
	$(VENV)/bin/python -m pytest -n auto --dist loadfile $(STOP_IF_STUCK) $(PYTEST_ARGS)

lint: $(VENV)/.installed build/wheel/.checked
	$(VENV)/bin/ruff check $(CODE)
	$(VENV)/bin/ruff format --check $(CODE)
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix $(CODE)
	$(VENV)/bin/ruff format $(CODE)

docs: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

report: $(VENV)/.installed
	$(VENV)/bin/python benchmarks/report.py

# pytest's own command, and not `python -m pytest`: the installed package is what is tested, not the checkout.
test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/pytest -q -n 2 --dist loadfile $(OLDEST_TESTS)

smoke-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python .ci/smoke.py

test-python: $(PYTHON_VENV)/.installed
	$(PYTHON_VENV)/bin/python .ci/smoke.py

release-check:
	$(PYTHON) .ci/check_release.py

bench: $(VENV)/.installed .venv-jaxmarl/.installed
	$(VENV)/bin/python benchmarks/nav_throughput.py --peer-python .venv-jaxmarl/bin/python

rllib: .venv-rllib/.installed
	.venv-rllib/bin/python examples/rllib_ppo.py --steps 16384

clean:
	rm -rf $(VENV) $(DEMO_VENV) .venv-docs .venv-oldest .venv-python* .venv-jaxmarl .venv-rllib site .jax_cache .mypy_cache .ruff_cache .pytest_cache build *.egg-info minicosm/kernels/_native.so

$(VENV)/.installed: $(BUILT_FROM)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip $(PIP_INSTALL) -e ".[all]"
	touch $@

$(DEMO_VENV)/.installed: $(BUILT_FROM)
	@echo "Installing into $(DEMO_VENV) (about a minute) ..."
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip $(PIP_INSTALL) -e ".[demo]"
	touch $@

.venv-docs/.installed: pyproject.toml constraints.txt .ci/docs_packages.py
	$(PYTHON) -m venv .venv-docs
	$(PYTHON) .ci/docs_packages.py | xargs .venv-docs/bin/python -m pip $(PIP_INSTALL)
	touch $@

# A new pip first: old ones look for versions that fit together for minutes. Then jaxlib: the kernels are compiled for
# the release that they find.
.venv-oldest/.installed: $(BUILT_FROM) constraints-oldest.txt $(MODULES)
	$(OLDEST_PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	.venv-oldest/bin/python -m pip $(INSTALL_OLDEST) --no-compile jaxlib
	.venv-oldest/bin/python -m pip $(INSTALL_OLDEST) --no-compile ".[train,studio]" pytest pytest-xdist hypothesis array-api-compat
	touch $@

$(PYTHON_VENV)/.installed: build/wheel/.checked
	$(PYTHON) -m venv --clear $(PYTHON_VENV)
	$(PYTHON_VENV)/bin/python -m pip $(PIP_INSTALL) --no-compile "$$(echo build/wheel/*.whl)[train,studio]"
	touch $@

build/wheel/.checked: $(BUILT_FROM) $(MODULES)
	$(firstword $(wildcard $(VENV)/bin/python) $(PYTHON)) .ci/check_wheel.py build/wheel
	touch $@

.venv-jaxmarl/.installed:
	$(PYTHON) -m venv .venv-jaxmarl
	.venv-jaxmarl/bin/python -m pip $(PIP_INSTALL) "jaxmarl==0.2.0"
	touch $@

.venv-rllib/.installed: $(BUILT_FROM)
	$(PYTHON) -m venv .venv-rllib
	.venv-rllib/bin/python -m pip $(PIP_INSTALL) -e ".[torch]" "ray[rllib]==2.60.0"
	touch $@
