"""The kernels' headers under the address and undefined-behaviour sanitizers, and at every instruction set."""

import functools
import pathlib
import platform
import subprocess

import pytest

from minicosm import kernels

HERE = pathlib.Path(__file__).parent
HEADERS = HERE.parent.parent / "minicosm" / "kernels" / "src"
PROGRAMS = sorted(path.stem for path in HERE.glob("fuzz_*.cc"))
KERNEL_FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv"]  # those of setup.py
KERNEL_FLAGS += ["-fno-tree-slp-vectorize", "-Wno-psabi"]
SANITIZERS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SETS = {
    "avx2": ["-mavx2"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mprefer-vector-width=512"],
}


@functools.cache
def compiler() -> str:
    for name in ("g++", "clang++"):
        try:
            subprocess.run([name, "--version"], check=True, capture_output=True)
        except OSError:
            continue
        return name
    pytest.skip("no C++ compiler")


def compile_and_run(program: str, flags: list[str], folder: pathlib.Path) -> None:
    cxx, made = compiler(), folder / program
    gcc = ["-fno-tree-vrp", "-Wno-uninitialized"] if cxx == "g++" else []
    sources = ["-I", str(HEADERS), str(HERE / f"{program}.cc"), "-o", str(made)]
    build = subprocess.run([cxx, "-std=c++17", *KERNEL_FLAGS, *gcc, *flags, *sources], capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    ran = subprocess.run([str(made)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_kernels_run_clean_under_sanitizers(program, tmp_path):
    compile_and_run(program, SANITIZERS, tmp_path)


@pytest.mark.parametrize("program", ["fuzz_simd", "fuzz_rigid"])
@pytest.mark.parametrize("name", SETS)
def test_vectors_are_right_at_every_instruction_set(name, program, tmp_path):
    if platform.machine() != "x86_64" or not kernels.available():
        pytest.skip("no native kernels to ask what this processor has")
    if name not in kernels.instruction_sets():
        pytest.skip(f"this processor has no {name}")
    compile_and_run(program, ["-O2", *SETS[name]], tmp_path)
