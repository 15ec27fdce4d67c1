"""What anyone does first with an installed minicosm, in any supported Python and with any supported dependencies.

    python .ci/smoke.py          # half a minute; ends with status 1 at a failure

Needs the extras `train` and `studio`, and no test runner: it imports every module, steps a world of each family, a
VectorEnv and a PettingZoo world, learns for two updates of PPO, and runs the command line and the studio's server.
"""

import dataclasses
import importlib
import os
import pathlib
import pkgutil
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable
from importlib.metadata import version

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from xla_options import HARDLY_OPTIMISED  # noqa: E402

os.environ["XLA_FLAGS"] = f"{HARDLY_OPTIMISED} {os.environ.get('XLA_FLAGS', '')}"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

MOST_IMPORT_S = 1.0
SHOWN = ("jax", "jaxlib", "numpy", "gymnasium", "pettingzoo", "pydantic", "flax", "optax", "tyro")
OPTIONAL = {"pygame", "stable_baselines3", "tensorboardX", "tensordict", "tianshou", "torch", "torchrl"}  # other extras
SMALL = {"nav": {"num_beams": 8, "height": 7, "width": 7, "max_steps": 20}, "maze": {"height": 5, "width": 5}}


def in_a_new_process(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def check_import() -> None:
    """Quick, silent, without JAX; and not the checkout, which is not what was installed."""
    import minicosm

    assert ROOT not in pathlib.Path(minicosm.__file__).parents or ".venv" in minicosm.__file__, minicosm.__file__
    timed = "import time; t = time.process_time(); import minicosm, sys; print(time.process_time() - t)"
    seconds = min(float(in_a_new_process(timed)) for _ in range(3))
    assert seconds < MOST_IMPORT_S, f"importing takes {seconds:.2f} s of CPU, expected less than {MOST_IMPORT_S} s"
    print(f"    import minicosm: {seconds:.2f} s")
    loaded = in_a_new_process("import minicosm, sys; print('jax' in sys.modules)")
    assert loaded == "False", "import minicosm imports jax"
    started = in_a_new_process(
        "import minicosm.wrappers; [minicosm.make(name) for name in ('nav', 'maze', 'cart_pole')]\n"
        "from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    )
    assert started == "False", "making a world starts JAX's devices, which takes their memory"


def check_every_module() -> None:
    """Each can be imported, but for those that ask for a package of another extra."""
    import minicosm

    left_out = []
    for found in pkgutil.walk_packages(minicosm.__path__, "minicosm.", onerror=lambda name: None):
        if found.name == "minicosm.kernels._native":  # a plain shared library, and no module
            continue
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            missing = {(error.name or "").partition(".")[0]} & OPTIONAL
            assert missing or "minicosm[" in str(error), f"{found.name}: {error!r}"
            left_out.append(found.name)
    print(f"    left out, for want of an extra: {', '.join(left_out) or 'none'}")


def check_kernels() -> None:
    """Where there is a compiler they were built, and this release of jaxlib takes them."""
    from minicosm import kernels

    why = kernels.why_not()
    print(f"    {why or f'kernels run: {kernels.instruction_set()}'}")
    assert not why or os.environ.get("MINICOSM_KERNELS") == "off", why


def check_families() -> None:
    """A world of each family, in a batch that resets itself."""
    import jax
    import jax.numpy as jnp

    import minicosm
    from minicosm.envs.check import sample_actions
    from minicosm.wrappers import AutoReset

    for name in ("nav", "maze", "physics-s"):
        env = minicosm.make(name, **SMALL.get(name, {}))
        worlds = AutoReset(env, num_envs=3)
        state, _ = jax.jit(worlds.reset)(jax.random.key(0))
        actions = jax.vmap(lambda key, env=env: sample_actions(env, key))(jax.random.split(jax.random.key(1), 3))
        _, timestep = jax.jit(worlds.step)(state, actions)
        assert jnp.isfinite(timestep.reward).all(), f"{name}: {timestep.reward}"


def check_gymnasium() -> None:
    """One world and a batch of them, by their ids."""
    import gymnasium
    import numpy as np

    import minicosm  # noqa: F401 - registers them

    env = gymnasium.make("minicosm/Maze-v0", **SMALL["maze"])
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    envs = gymnasium.make_vec("minicosm/Nav-v0", num_envs=4, **SMALL["nav"])
    envs.reset(seed=0)
    for _ in range(25):  # past the time limit
        observations, rewards, *_ = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space and np.isfinite(rewards).all()


def check_pettingzoo() -> None:
    """A world of several agents, until none is left."""
    import pettingzoo

    env = pettingzoo.make("parallel", "minicosm/Nav-v0", num_robots=2, **SMALL["nav"])
    env.reset(seed=0)
    steps = 0
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        steps += 1
    assert 1 <= steps <= SMALL["nav"]["max_steps"]


def check_learning() -> None:
    """Two updates of PPO."""
    import minicosm
    from minicosm.training import NetworkConfig, default_config, train

    env = minicosm.make("nav", **SMALL["nav"])
    small = {"total_steps": 64, "num_envs": 4, "num_steps": 8, "minibatches": 2, "epochs": 1, "updates_per_chunk": 2}
    config = dataclasses.replace(default_config(env), **small, network=NetworkConfig(hidden=(8,)))
    point = train(env, config).curve[-1]
    assert (point.update, point.steps) == (2, 64), point


def check_command_line() -> None:
    """The installed command lists the worlds, and says in one line what is wrong."""
    command = pathlib.Path(sys.executable).parent / "minicosm"
    listed = subprocess.run([command, "list"], capture_output=True, text=True, check=True)
    assert "minicosm/Nav-v0" in listed.stdout, listed.stdout
    wrong = subprocess.run([command, "trian"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "did you mean 'train'" in wrong.stderr, wrong.stderr


def check_studio() -> None:
    """The server answers with the page, and its socket greets."""
    from websockets.sync.client import connect

    command = [pathlib.Path(sys.executable).parent / "minicosm", "play", "cart_pole", "--no-browser", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            address = server.stdout.readline().split()[-1]
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert b"<html" in answer.read(), "the studio's page is not HTML"
            with connect(address.replace("http", "ws") + "socket/play", origin=address.rstrip("/")) as link:
                assert link.recv(timeout=30)
        finally:
            server.terminate()


CHECKS: tuple[Callable[[], None], ...] = (
    check_import,
    check_every_module,
    check_kernels,
    check_families,
    check_gymnasium,
    check_pettingzoo,
    check_learning,
    check_command_line,
    check_studio,
)


def main() -> None:
    """Each check in turn; the first that fails ends it with its traceback."""
    warnings.simplefilter("default")
    versions = ", ".join(f"{name} {version(name)}" for name in SHOWN)
    print(f"Python {sys.version.split()[0]}; minicosm {version('minicosm')}, {versions}")
    for check in CHECKS:
        start = time.perf_counter()
        check()
        print(f"  {check.__name__.removeprefix('check_').replace('_', ' ')}: {time.perf_counter() - start:.1f} s")
    print(f"{len(CHECKS)} passed, 0 failed")


if __name__ == "__main__":
    main()
