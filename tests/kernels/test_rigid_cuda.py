"""The rigid-body kernel for GPUs, as far as it can be tried without one.

The same sources, the same launcher, and threads laid out as on a GPU; but the driver and NVRTC are `fake_cuda.cc`,
which compiles for the CPU. The real compiler is asked too, whose wheel the extra `test` brings.
"""

import ctypes
import functools
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import kernels
from minicosm.envs.physics.engine import EngineConfig
from minicosm.envs.physics.engine import tick as engine_tick
from minicosm.envs.physics.engine import ticks as engine_ticks
from minicosm.envs.physics.engine.build import build, idle
from minicosm.envs.physics.engine.size import LARGE, MEDIUM, SMALL, Size, sides
from minicosm.kernels import cuda, library, rigid

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
SOURCES = ROOT / "minicosm" / "kernels" / "src"
SIZES = {"s": SMALL, "m": MEDIUM, "l": LARGE}
ENGINE = sys.modules["minicosm.envs.physics.engine.tick"]
CXX = next((name for name in ("g++", "clang++") if shutil.which(name)), None)
EXACT = ["-std=c++17", "-O1", "-fPIC", "-ffp-contract=off", "-fwrapv"]

pytestmark = [
    pytest.mark.skipif(CXX is None, reason="no C++ compiler"),
    pytest.mark.skipif(not kernels.available(), reason="no native kernels"),
]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def module(path):
    """A module that is not of the package, by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, found)
    spec.loader.exec_module(found)
    return found


@functools.cache
def benchmark_scenes(size):
    """The benchmark's random levels of Kinetix: scenes, states and controls."""
    worker = module(ROOT / "benchmarks" / "engine_worker.py")
    return worker.minicosm_scenes(worker.load_scenes(size), size)


def random_scenes(size, count):
    """Random worlds, shapes on top of each other."""
    random_worlds = module(ROOT / "tests" / "envs" / "physics" / "engine" / "random_worlds.py")
    draw = jax.jit(jax.vmap(lambda key: random_worlds.draw(key, size, random_worlds.Kind())))
    return draw(jax.random.split(jax.random.key(7), count))


def worlds(size, first, count):
    return jax.tree.map(lambda x: x[first : first + count], benchmark_scenes(size))


def rollout(arguments, steps, num_ticks=1):
    """States and touches after each step of some ticks, stacked: by the kernel that `rigid.ticks` calls now."""

    def step(scene, state, controls):
        after, touch = jax.vmap(lambda *world: engine_ticks(*world, num_ticks))(scene, state, controls)
        return after, (after, touch)

    scene, start, controls = arguments
    ENGINE._accelerated.cache_clear()
    path = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(scene, s, controls), s, length=steps)[1])(start)
    ENGINE._accelerated.cache_clear()
    return jax.block_until_ready(path)


class Grid:
    """The fake GPU and the handler that launches on it."""

    def __init__(self, folder):
        self.driver, handler = folder / "fake_cuda.so", folder / "rigid_grid.so"
        xla = ["-isystem", jax.ffi.include_dir(), "-I", str(SOURCES)]
        shared = [CXX, *EXACT, "-shared"]
        fake = subprocess.Popen([*shared, "-o", str(self.driver), str(HERE / "fake_cuda.cc"), "-ldl"])
        launcher = [str(HERE / "rigid_grid.cc"), str(SOURCES / "cuda_program.cc")]
        run([*shared, "-O0", *xla, "-pthread", "-o", str(handler), *launcher, "-ldl"])
        assert fake.wait() == 0
        shim = f"-include {HERE / 'cuda_on_cpu.h'}"
        os.environ["MINICOSM_FAKE_CXX"] = f"{CXX} {' '.join(EXACT)} {shim}"
        os.environ["MINICOSM_FAKE_FOLDER"] = str(folder)
        self.fake, self.launcher = ctypes.CDLL(str(self.driver)), ctypes.CDLL(str(handler))
        self.fake.fake_stream.restype = ctypes.c_void_p
        self.launcher.last_scratch_bytes.restype = ctypes.c_int64
        self.launcher.rigid_source.restype = self.launcher.compile.restype = ctypes.c_char_p
        self.launcher.use_stream.argtypes = [ctypes.c_void_p]
        self.launcher.use_stream(self.fake.fake_stream())
        self.point_at(self.driver)
        jax.ffi.register_ffi_target("rigid_grid_tick", jax.ffi.pycapsule(self.launcher.rigid_grid_tick), "cpu")

    def source(self, size):
        """What the launcher has compiled for a size."""
        left, right = (np.ascontiguousarray(side, np.int32) for side in sides(size))
        numbers = (size.num_walls, size.num_polygons, size.num_circles, size.num_joints, size.num_thrusters)
        counts = np.array([*numbers, size.max_vertices, len(left)], np.int64)
        return self.launcher.rigid_source(*(ctypes.c_void_p(x.ctypes.data) for x in (counts, left, right))).decode()

    def compile(self, compiler, source, arch):
        """What the launcher says of compiling: "ok", the machine code's size and the compiler's log, or a failure."""
        self.point_at(compiler)
        try:
            return self.launcher.compile(source.encode(), ctypes.c_int64(arch)).decode()
        finally:
            self.point_at(self.driver)

    def point_at(self, compiler, headers=SOURCES):
        self.launcher.minicosm_cuda_paths(os.fsencode(compiler), os.fsencode(headers), os.fsencode(self.driver))


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return Grid(tmp_path_factory.mktemp("grid"))


@pytest.fixture
def on_grid(grid, monkeypatch):
    monkeypatch.setattr(rigid, "ticks", functools.partial(rigid.ticks, target="rigid_grid_tick"))
    return grid


CROWD = Size(num_polygons=14, num_circles=20, num_joints=3, num_thrusters=2)  # too many shapes for shared memory


@pytest.mark.parametrize(("size", "count"), [("s", 167), ("l", 70), (CROWD, 35)], ids=["s", "l", "crowd"])
def test_a_grid_of_threads_gives_what_the_cpu_gives_bit_for_bit(size, count, grid, monkeypatch):
    # blocks of 32, two at a time, the last one not full
    arguments = worlds(size, 11, count) if isinstance(size, str) else random_scenes(size, count)
    expected = rollout(arguments, 4, 2)
    launches = grid.fake.fake_launches()
    monkeypatch.setattr(rigid, "ticks", functools.partial(rigid.ticks, target="rigid_grid_tick"))
    found = rollout(arguments, 4, 2)
    assert grid.fake.fake_launches() - launches == 4
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(mine).view(np.int32), np.asarray(theirs).view(np.int32))
    states, touches = expected
    assert float(np.abs(np.asarray(states.contacts)).max()) > 0 and set(np.unique(touches)) == {0, 1, 2}


def test_scratch_memory_does_not_grow_with_the_worlds(on_grid):
    sizes = []
    for count in (5, 64, 167):
        rollout(worlds("s", 0, count), 1)
        sizes.append(on_grid.launcher.last_scratch_bytes())
    assert 2 * sizes[0] == sizes[1] == sizes[2]  # the fake GPU holds two blocks at once


def test_what_fails_on_the_gpu_is_an_error_that_says_what_to_do(on_grid):
    room = Size(num_polygons=2, num_circles=1, num_joints=0, num_thrusters=0, num_walls=1)
    scene, state = build(room, [])
    arguments = jax.tree.map(lambda x: jnp.stack([x] * 3), (scene, state, idle(scene)))
    ENGINE._accelerated.cache_clear()
    step = jax.jit(jax.vmap(engine_tick))
    libc = ctypes.CDLL(None)  # os.environ does not reach a library that was loaded already
    for function in ("cuStreamGetCtx", "nvrtcCompileProgram", "cuModuleLoadData", "cuLaunchKernel"):
        on_grid.point_at(on_grid.driver)  # forgets what was compiled
        libc.setenv(b"MINICOSM_FAKE_FAIL", function.encode(), 1)
        try:
            with pytest.raises(Exception, match="MINICOSM_KERNELS=off"):
                jax.block_until_ready(step(*arguments))
        finally:
            libc.unsetenv(b"MINICOSM_FAKE_FAIL")
    after = step(*arguments)  # and a later call tries again
    ENGINE._accelerated.cache_clear()
    assert np.isfinite(after.position).all()


def resources(log):
    """Registers a thread, bytes of shared memory a block and of spills, from what ptxas says."""
    found = [
        re.search(pattern, log) for pattern in (r"Used (\d+) registers", r"(\d+) bytes smem", r"(\d+) bytes spill st")
    ]
    assert all(found), log
    return tuple(int(match[1]) for match in found)


def fits(registers, shared, spilled):
    """Whether 16 warps of a multiprocessor find room for their registers, and 10 for their shared memory."""
    return registers <= 128 and shared <= 16 * 1024 and spilled == 0


@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("size", SIZES)
def test_nvrtc_compiles_the_kernel_without_spills(size, arch, grid):
    path = cuda.find_compiler()
    if path is None:
        pytest.skip("no NVRTC")
    log = grid.compile(path, grid.source(SIZES[size]), arch)
    assert log.startswith("ok"), log
    assert fits(*resources(log)), log


def test_a_gpu_that_nvrtc_does_not_know_is_an_error_that_says_so(grid):
    said = grid.compile(grid.driver, grid.source(SMALL), 999)
    assert "sm_999" in said
    assert "newer NVRTC" in said


def test_a_missing_compiler_is_an_error_that_says_what_to_install(grid):
    assert "minicosm[cuda]" in grid.compile("/nowhere/libnvrtc.so", grid.source(SMALL), 90)


@pytest.fixture
def compiler_there(tmp_path, monkeypatch):
    """What lowering asks for: a file called NVRTC."""
    (tmp_path / "libnvrtc.so").touch()
    monkeypatch.setenv("MINICOSM_NVRTC", str(tmp_path / "libnvrtc.so"))
    library._load_cuda.cache_clear()
    ENGINE._accelerated.cache_clear()
    yield
    library._load_cuda.cache_clear()
    ENGINE._accelerated.cache_clear()


def lowered_for_cuda(size, batch, steps):
    scene, state, controls = worlds(size, 0, batch)

    def ticks(scene, state, controls):
        def step(state, _):
            return jax.vmap(engine_tick, (0, 0, 0, None))(scene, state, controls, EngineConfig()), None

        return jax.lax.scan(step, state, length=steps)[0]

    return jax.jit(ticks).trace(scene, state, controls).lower(lowering_platforms=("cuda",)).as_text()


def operations(text):
    """StableHLO operations by name."""
    counts = {}
    for name in re.findall(r"stablehlo\.([a-z_]+)", text):
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize("size", ["s", "l"])
def test_a_scan_of_ticks_on_a_gpu_is_one_launch_a_tick(size, compiler_there):
    text = lowered_for_cuda(size, 64, 16)
    counts = operations(text)
    assert len(re.findall(r"custom_call @minicosm_rigid_tick", text)) == counts["custom_call"] == 1
    assert counts.pop("output_operand_alias") == 6  # an attribute: the state is stepped in its place, and not copied
    # the loop's own counter and constants; nothing of it moves the worlds' data
    assert sum(count for name, count in counts.items() if name != "constant") <= 12, counts
    assert not set(counts) & {
        "transpose",
        "gather",
        "scatter",
        "dot_general",
        "concatenate",
        "dynamic_slice",
        "sine",
    }, counts


def test_without_nvrtc_the_reference_is_lowered(monkeypatch):
    monkeypatch.setattr(cuda, "find_compiler", lambda: None)
    library._load_cuda.cache_clear()
    ENGINE._accelerated.cache_clear()
    try:
        assert "MINICOSM_NVRTC" in kernels.why_not("cuda")
        text = lowered_for_cuda("s", 2, 2)
    finally:
        library._load_cuda.cache_clear()
        ENGINE._accelerated.cache_clear()
    assert "minicosm_rigid_tick" not in text
    assert operations(text)["multiply"] > 50


def test_it_warns_once_where_the_gpu_lacks_nvrtc(monkeypatch):
    monkeypatch.setattr(cuda, "find_compiler", lambda: None)
    monkeypatch.setattr(cuda, "is_default", lambda: True)
    library._load_cuda.cache_clear()
    library._warn.cache_clear()
    double = kernels.accelerate(lambda x: 2.0 * x, lambda x: 3.0 * x, platforms=("cuda",))
    try:
        with pytest.warns(RuntimeWarning, match="NVRTC"):
            assert double(1.0 * np.ones(1, np.float32))[0] == 2.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            double(np.ones(1, np.float32))
    finally:
        library._load_cuda.cache_clear()
        library._warn.cache_clear()


def test_a_path_of_nvrtc_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("MINICOSM_NVRTC", "/nowhere/libnvrtc.so")
    with pytest.raises(ValueError, match="/nowhere/libnvrtc.so"):
        cuda.find_compiler()


def test_nvrtc_is_found_in_a_toolkit(monkeypatch, tmp_path):
    (tmp_path / "lib64").mkdir()
    (tmp_path / "lib64" / "libnvrtc.so.12").touch()
    monkeypatch.delenv("MINICOSM_NVRTC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert cuda.find_compiler() == str(tmp_path / "lib64" / "libnvrtc.so.12")


def test_an_unknown_platform_is_refused():
    with pytest.raises(ValueError, match="'tpu'"):
        kernels.available("tpu")
