"""Shared set-up: programs are compiled in little time, and kept between test runs."""

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
