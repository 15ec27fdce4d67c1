"""Loading, switching and the lack of the native library. What is read once per process runs in one of its own."""

import os
import subprocess
import sys

import pytest

from minicosm import kernels

SCAN = """
import warnings
import jax
import numpy as np
import minicosm
from minicosm import kernels
from minicosm.kernels import library

def scan():
    env = minicosm.make("nav", num_beams=8, height=7, width=7)
    _, observation = env.reset(jax.random.key(0), env.sample_level(jax.random.key(0)))
    return np.asarray(observation)
"""


def run(code, **environment):
    command = [sys.executable, "-c", SCAN + code]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def needs_kernels():
    if not kernels.available():
        pytest.skip(f"no kernels here: {kernels.why_not()}")


def test_reasons_and_availability_go_together():
    assert kernels.available() == (kernels.why_not() is None)


def test_an_installation_where_a_compiler_is_has_kernels(needs_kernels):
    assert kernels.instruction_set() in kernels.instruction_sets()
    assert kernels.instruction_sets()[0] == "baseline"


def test_every_supported_set_can_be_selected_and_others_are_refused(needs_kernels):
    best = kernels.instruction_set()
    try:
        for name in kernels.instruction_sets():
            kernels.select(name)
            assert kernels.instruction_set() == name
        kernels.select("")
        assert kernels.instruction_set() == best
        with pytest.raises(ValueError, match="'mmx'.*baseline"):
            kernels.select("mmx")
    finally:
        kernels.select("")


def test_off_means_off_without_a_warning():
    code = """
warnings.simplefilter("error")
scan()
print(kernels.available(), kernels.why_not())
"""
    assert run(code, MINICOSM_KERNELS="off") == "False MINICOSM_KERNELS=off"


def test_one_warning_where_the_library_is_missing(tmp_path):
    code = f"""
import pathlib
library._LIBRARY = pathlib.Path({str(tmp_path / "none.so")!r})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scan()
    scan()
found = [w for w in caught if issubclass(w.category, RuntimeWarning)]
print(len(found), kernels.available(), "compiler" in str(found[0].message))
"""
    assert run(code, MINICOSM_KERNELS="on") == "1 False True"


def test_a_library_that_does_not_load_is_said_so(tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    code = f"""
import pathlib
library._LIBRARY = pathlib.Path({str(broken)!r})
print(kernels.why_not())
"""
    assert "does not load" in run(code, MINICOSM_KERNELS="on")


def test_a_library_compiled_for_a_newer_jaxlib_is_not_used(needs_kernels):
    code = """
library._offered_version = lambda: -1
print(kernels.why_not())
"""
    assert "newer jaxlib" in run(code, MINICOSM_KERNELS="on")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("MINICOSM_KERNELS", "maybe", "expected 'on' or 'off'"), ("MINICOSM_KERNEL_ISA", "mmx", "this build of the kern")],
)
def test_environment_variables_that_mean_nothing_are_refused(needs_kernels, name, value, expected):
    code = """
try:
    scan()
except ValueError as error:
    print(error)
"""
    said = run(code, **{"MINICOSM_KERNELS": "on", name: value})
    assert value in said and expected in said


def test_the_instruction_set_can_be_forced(needs_kernels):
    forced = {"MINICOSM_KERNELS": "on", "MINICOSM_KERNEL_ISA": "baseline"}
    assert run("scan(); print(kernels.instruction_set())", **forced) == "baseline"
