"""Finding, checking and loading the native library, once per process."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import pathlib
import re
import warnings
from typing import Any

import jax

from minicosm.kernels import cuda

_LIBRARY = pathlib.Path(__file__).parent / "_native.so"
# the library's functions that XLA may call
_HANDLERS = ("minicosm_lidar_scan", "minicosm_picture", "minicosm_rigid_tick")
_UNKNOWN_SET, _UNSUPPORTED_SET = 1, 2  # what minicosm_select answers


def available(platform: str = "cpu") -> bool:
    """Whether kernels run: the library is there, fits the installed jaxlib, and is not switched off.

    On the `platform` "cuda", NVRTC must be there too; a GPU need not. Raises ValueError for another platform, and for a
    value of MINICOSM_KERNELS, MINICOSM_KERNEL_ISA or MINICOSM_NVRTC that means nothing here.
    """
    return why_not(platform) is None


def why_not(platform: str = "cpu") -> str | None:
    """Why kernels do not run, in one sentence; None where they do. Raises as `available` does."""
    if platform not in ("cpu", "cuda"):
        raise ValueError(f"platform is {platform!r}; kernels exist for 'cpu' and 'cuda'")
    if switched_off():
        return "MINICOSM_KERNELS=off"
    why = _load()[1]
    return _load_cuda() if why is None and platform == "cuda" else why


def switched_off() -> bool:
    """Whether MINICOSM_KERNELS says so. Raises ValueError unless it is 'on', 'off', empty or not there."""
    value = os.environ.get("MINICOSM_KERNELS", "")
    if value not in ("", "on", "off"):
        raise ValueError(f"MINICOSM_KERNELS is {value!r}; expected 'on' or 'off'")
    return value == "off"


def instruction_set() -> str | None:
    """The instruction set that the kernels use, such as 'avx2'; None without the library."""
    library = _load()[0]
    return None if library is None else library.minicosm_selected().decode()


def instruction_sets() -> tuple[str, ...]:
    """Those that `select` takes here: in the library, and the processor has them; slowest first."""
    library = _load()[0]
    return () if library is None else tuple(n for n in _compiled(library) if library.minicosm_supported(n.encode()))


def select(name: str) -> None:
    """Use the instruction set `name` from now on, '' for the best one. Results are the same, bit for bit.

    Raises ValueError for one that the library or the processor does not have, RuntimeError without the library.
    """
    library, why = _load()
    if library is None:
        raise RuntimeError(f"there are no native kernels to select an instruction set for: {why}")
    _select(library, name)


def warn_once(platform: str = "cpu") -> None:
    """A RuntimeWarning, once per process, that a kernel would have run here; none where it was switched off."""
    if not switched_off():
        _warn(why_not(platform))


@functools.cache
def _warn(why: str | None) -> None:
    warnings.warn(f"minicosm runs without its native kernels, and slower: {why}", RuntimeWarning, stacklevel=2)


@functools.cache
def _load() -> tuple[Any, str | None]:
    """The library and None, or None and why there is none."""
    if not _LIBRARY.exists():
        return None, (
            "this installation has no compiled library; install a C++ compiler (g++ or clang++) and reinstall minicosm "
            "from source, or set MINICOSM_KERNELS=off to do without"
        )
    try:
        library = ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        return None, f"the compiled library does not load ({error}); reinstall minicosm on this machine"
    library.minicosm_selected.restype = library.minicosm_set.restype = ctypes.c_char_p
    library.minicosm_select.argtypes = library.minicosm_supported.argtypes = [ctypes.c_char_p]
    rebuild = (
        f"reinstall minicosm where jaxlib {_jaxlib_version()} is installed already: "
        "pip install --force-reinstall --no-deps --no-cache-dir --no-binary minicosm minicosm"
    )
    spoken, offered = library.minicosm_ffi_version(), _offered_version()
    if offered is not None and spoken > offered:
        return None, f"the library was compiled for a newer jaxlib; {rebuild}"
    _select(library, os.environ.get("MINICOSM_KERNEL_ISA", ""))
    try:
        for handler in _HANDLERS:
            capsule = jax.ffi.pycapsule(getattr(library, handler))  # type: ignore[no-untyped-call]
            jax.ffi.register_ffi_target(handler, capsule, platform="cpu")
    except Exception as error:  # of XLA, whose kinds are not documented
        return None, f"jaxlib refuses the library ({error}); {rebuild}"
    return library, None


@functools.cache
def _load_cuda() -> str | None:
    """Why the library's kernels cannot run on GPUs; None once they can."""
    library = _load()[0]
    try:
        return None if library is None else cuda.enable(library)
    except ValueError:
        raise
    except Exception as error:  # of XLA, whose kinds are not documented
        return f"jaxlib refuses the library's kernels for GPUs ({error})"


def _select(library: Any, name: str) -> None:
    answer = library.minicosm_select(name.encode())
    if answer == _UNKNOWN_SET:
        raise ValueError(
            f"the instruction set is {name!r}; this build of the kernels has {', '.join(_compiled(library))}"
        )
    if answer == _UNSUPPORTED_SET:
        raise ValueError(
            f"the instruction set is {name!r}, which this processor does not have; leave it to the default"
        )


def _compiled(library: Any) -> list[str]:
    names: list[str] = []
    while found := library.minicosm_set(len(names)):
        names.append(found.decode())
    return names


def _offered_version() -> int | None:
    """1000 major + minor of the interface of the installed jaxlib, from its headers; None where it has none."""
    found = importlib.util.find_spec("jaxlib")
    for folder in (found.submodule_search_locations or []) if found else []:
        header = pathlib.Path(folder) / "include" / "xla" / "ffi" / "api" / "c_api.h"
        if header.exists():
            text = header.read_text()
            major, minor = (re.search(rf"#define XLA_FFI_API_{part} (\d+)", text) for part in ("MAJOR", "MINOR"))
            return 1000 * int(major[1]) + int(minor[1]) if major and minor else None
    return None


def _jaxlib_version() -> str:
    import jaxlib.version

    return str(jaxlib.version.__version__)
