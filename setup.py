"""The optional native library: `minicosm/kernels/_native.so`, a plain shared library that JAX calls (docs/kernels.md).

Everything else about the package is in pyproject.toml and setup.cfg. Without a C++ compiler, or where the build fails,
the installation goes on without the library, and the pure JAX code runs. In a checkout, `python setup.py build_ext
--inplace` builds again what has changed.
"""

import concurrent.futures
import hashlib
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).parent
SOURCES = HERE / "minicosm" / "kernels" / "src"
PER_SET = ("kernels.cc",)  # compiled once per instruction set; every other source once
FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wno-psabi", "-pthread"]
# Results must not depend on the width of the vectors: no fast-math, no contraction to fused multiply-adds. GCC 12's
# vectorisation of straight-line code makes such (vfmaddsub) all the same.
KERNEL_FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fno-tree-slp-vectorize"]
GCC_FLAGS = ["-fno-tree-vrp", "-Wno-uninitialized"]  # the second: its own header of intrinsics
X86_SETS = {
    "baseline": [],
    "avx2": ["-mavx2"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mprefer-vector-width=512"],
}


def compiler() -> str | None:
    """The C++ compiler: $CXX, g++ or clang++, whichever is there."""
    names = [os.environ.get("CXX", ""), "g++", "clang++"]
    return next((name for name in names if name and shutil.which(name)), None)


def xla_headers() -> str | None:
    """The folder of XLA's headers: jaxlib's in the environment that is installed into, else in the one that builds."""
    folders = [pathlib.Path(sysconfig.get_path("platlib")) / "jaxlib"]
    found = importlib.util.find_spec("jaxlib")  # does not import it
    folders += [pathlib.Path(folder) for folder in (found.submodule_search_locations or [] if found else [])]
    return next(
        (str(f / "include") for f in folders if (f / "include" / "xla" / "ffi" / "api" / "ffi.h").exists()), None
    )


class BuildNative(build_ext):
    """Compiles the sources, two at a time, and links them; an object is kept while nothing it is made of changes."""

    def get_ext_filename(self, fullname: str) -> str:
        """A plain shared library: no CPython version in its name."""
        return os.path.join(*fullname.split(".")) + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Make the library, or say in one line why there is none."""
        target = pathlib.Path(self.get_ext_fullpath(ext.name))
        try:
            self.make(target)
        except (OSError, RuntimeError) as error:
            target.unlink(missing_ok=True)
            sys.stderr.write(f"minicosm: no native kernels, the pure JAX code will run: {error}\n")

    def copy_extensions_to_source(self) -> None:
        """For an editable installation; a library of an earlier build that this one could not make goes."""
        (HERE / "minicosm" / "kernels" / "_native.so").unlink(missing_ok=True)
        super().copy_extensions_to_source()

    def make(self, target: pathlib.Path) -> None:
        """Compile and link to `target`. Raises RuntimeError or OSError with what went wrong."""
        if os.name != "posix":
            raise RuntimeError(f"they are built on Linux and macOS, this is {platform.system()}")
        cxx, headers = compiler(), xla_headers()
        if cxx is None:
            raise RuntimeError("no C++ compiler was found; install g++ or clang++, or set CXX")
        if headers is None:
            raise RuntimeError("the headers of XLA were not found; install jaxlib first, or build with build isolation")
        version = run([cxx, "--version"])
        flags = [*FLAGS, *KERNEL_FLAGS, *([] if "clang" in version else GCC_FLAGS), "-isystem", headers]
        sets = X86_SETS if platform.machine().lower() in ("x86_64", "amd64") else {"baseline": []}
        objects = pathlib.Path(self.build_temp) / "native"
        objects.mkdir(parents=True, exist_ok=True)
        names = " ".join(f"X({name})" for name in sets)
        jobs = []
        for source in sorted(SOURCES.glob("*.cc")):
            if source.name in PER_SET:
                for name, extra in sets.items():
                    made = objects / f"{source.stem}.{name}.o"
                    jobs.append((made, [cxx, *flags, *extra, f"-DMINICOSM_ISA={name}", "-c", str(source)]))
            else:
                jobs.append(
                    (objects / f"{source.stem}.o", [cxx, *flags, f"-DMINICOSM_ISAS={names}", "-c", str(source)])
                )
        headers_hash = hashlib.sha256(version.encode())
        for header in sorted(SOURCES.glob("*.h")):
            headers_hash.update(header.read_bytes())
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: compile_one(*job, headers_hash.hexdigest()), jobs))
        target.parent.mkdir(parents=True, exist_ok=True)
        run([cxx, "-shared", "-pthread", "-o", str(target), *(str(made) for made, _ in jobs)])


def compile_one(made: pathlib.Path, command: list[str], headers_hash: str) -> None:
    """Run `command` to make the object, unless it was made by the same command of the same sources."""
    source = pathlib.Path(command[-1]).read_bytes()
    stamp = hashlib.sha256(repr((command, headers_hash, source)).encode()).hexdigest()
    note = made.with_suffix(".stamp")
    if made.exists() and note.exists() and note.read_text() == stamp:
        return
    run([*command, "-o", str(made)])
    note.write_text(stamp)


def run(command: list[str]) -> str:
    """What a command prints. Raises RuntimeError with its first complaint."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).splitlines()
        first = next((line for line in lines if "error" in line), lines[0] if lines else "no message")
        raise RuntimeError(f"{command[0]} failed: {first}")
    return done.stdout


class Wheel(bdist_wheel):
    """Tags the wheel for this platform and any Python 3: the library does not know of CPython."""

    def get_tag(self) -> tuple[str, str, str]:
        """py3-none-<platform>, or py3-none-any where no library was built."""
        platform_tag = super().get_tag()[2]
        native = list(pathlib.Path(self.bdist_dir).glob("**/kernels/_native.so")) if self.bdist_dir else []
        return ("py3", "none", platform_tag if native else "any")


setup(
    ext_modules=[Extension("minicosm.kernels._native", sources=[], optional=True)],
    cmdclass={"build_ext": BuildNative, "bdist_wheel": Wheel},
    # Asked of the front end as a requirement of the build alone, and only where the headers are of use and missing.
    setup_requires=["jaxlib>=0.6.2"] if compiler() and not xla_headers() else [],
)
