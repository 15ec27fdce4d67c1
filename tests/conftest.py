"""Shared set-up: programs are compiled in little time, and kept between test runs."""

import os
import pathlib

from xla_options import HARDLY_OPTIMISED

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parent.parent / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ["XLA_FLAGS"] = f"{HARDLY_OPTIMISED} {os.environ.get('XLA_FLAGS', '')}"
