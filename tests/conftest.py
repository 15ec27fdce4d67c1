"""Shared set-up: programs are compiled in little time, and kept between test runs; and what may be skipped where."""

import os
import pathlib

import pytest
from xla_options import HARDLY_OPTIMISED

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parent.parent / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ["XLA_FLAGS"] = f"{HARDLY_OPTIMISED} {os.environ.get('XLA_FLAGS', '')}"

MEMORY_MAPS = pathlib.Path("/proc/self/maps")
MOST_MAPS = 20_000  # of the 65,530 that Linux grants a process; past those, loading a program ends it with a fault


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs():
    """Lets go of compiled programs before they are too many for one process: each takes some ten memory maps."""
    yield
    if MEMORY_MAPS.exists() and MEMORY_MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        import jax  # here: the variables above must be set first

        jax.clear_caches()


REQUIRED = "MINICOSM_REQUIRE_ALL"  # set where a skipped test is a failure, as in continuous integration
MAY_BE_MISSING = ("this processor has no", "ray is not installed")  # ray pins an older Gymnasium: `make rllib` has it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a test that is skipped as it runs."""
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Of a module that is skipped as a whole."""
    return _required((yield))


def _required(report):
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(REQUIRED):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(known in reason for known in MAY_BE_MISSING):
            report.outcome, report.longrepr = "failed", f"{reason}: with {REQUIRED} set, this may not be skipped"
    return report
