"""Kernels on NVIDIA GPUs: finding what compiles them at first use (docs/kernels.md)."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import jax

_HANDLERS = {"minicosm_rigid_tick": "minicosm_rigid_tick_cuda"}  # what programs call, and the library's function
_SYSTEM = ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib")  # of a toolkit


def is_default() -> bool:
    """Whether JAX computes on an NVIDIA GPU where it is not told otherwise."""
    return jax.default_backend() == "gpu" and "cuda" in jax.devices()[0].client.platform_version.lower()


def enable(library: Any) -> str | None:
    """Let XLA call the `library`'s kernels on GPUs. Returns why it cannot, in one sentence, or None."""
    compiler = find_compiler()
    if compiler is None:
        return (
            "NVRTC, which compiles kernels for the GPU, was not found; install it with minicosm[cuda], "
            "or set MINICOSM_NVRTC to the path of libnvrtc.so"
        )
    headers = pathlib.Path(__file__).parent / "src"
    library.minicosm_cuda_paths(os.fsencode(compiler), os.fsencode(headers), b"")
    for target, handler in _HANDLERS.items():
        capsule = jax.ffi.pycapsule(getattr(library, handler))  # type: ignore[no-untyped-call]
        jax.ffi.register_ffi_target(target, capsule, platform="CUDA")
    return None


def find_compiler() -> str | None:
    """The path of libnvrtc.so: $MINICOSM_NVRTC, else in NVIDIA's wheels, in a toolkit, or wherever the loader finds it.

    Raises ValueError where $MINICOSM_NVRTC names no file.
    """
    given = os.environ.get("MINICOSM_NVRTC", "")
    if given:
        if not pathlib.Path(given).is_file():
            raise ValueError(f"MINICOSM_NVRTC is {given!r}; expected the path of libnvrtc.so, and no such file exists")
        return given
    for folder in _folders():
        found = sorted(p for p in folder.glob("libnvrtc.so*") if ".alt." not in p.name)
        if found:
            return str(found[-1])
    return _from_loader()


def _folders() -> Iterator[pathlib.Path]:
    """Where libnvrtc may lie: the wheels that jax[cuda12] and jax[cuda13] bring first, since they fit jaxlib."""
    wheels = importlib.util.find_spec("nvidia")
    for root in (wheels.submodule_search_locations or []) if wheels else []:
        yield from sorted(pathlib.Path(root).glob("*/lib"))
    roots = [os.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")]
    for root in [*filter(None, roots), "/usr/local/cuda"]:
        yield from (pathlib.Path(root) / part for part in _SYSTEM)


@functools.cache
def _from_loader() -> str | None:
    for name in ("libnvrtc.so.13", "libnvrtc.so.12"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None
