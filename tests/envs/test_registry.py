import subprocess
import sys

import pytest

import minicosm
from minicosm.envs import registry


def test_settings_override_the_entry_and_equal_worlds_are_equal():
    env = minicosm.make("nav-multi", num_robots=2, num_beams=16)
    assert (env.num_agents, env.config.num_beams) == (2, 16)
    assert env == minicosm.make("nav", num_robots=2, num_beams=16)
    assert hash(env) == hash(minicosm.make("nav", num_robots=2, num_beams=16))
    assert env != minicosm.make("nav")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nva", {}, "no world is named 'nva'; did you mean 'nav'"),
        ("", {}, "no world is named ''"),
        ("nav", {"num_robot": 2}, "no setting 'num_robot'; did you mean 'num_robots'"),
        ("nav", {"num_robots": 0}, "num_robots is 0; expected 1 to 32"),
    ],
)
def test_mistakes_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        minicosm.make(name, **settings)


def test_a_taken_name_is_refused_and_the_same_entry_is_not():
    entry = registry.entries()[0]
    registry.register(entry)
    with pytest.raises(ValueError, match="registered already"):
        registry.register(registry.Entry("nav", "x:Y", "x:Z", {}, "another"))


HEAVY = (
    "jax",
    "torch",
    "flax",
    "optax",
    "orbax",
    "scipy",
    "matplotlib",
    "pydantic",
    "tyro",
    "dm_env",
    "stable_baselines3",
)


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, minicosm; minicosm.names(); print([m for m in {HEAVY} if m in sys.modules])"
    assert python(code) == "[]"


def test_making_a_world_takes_no_device():
    code = "import minicosm, minicosm.wrappers; minicosm.make('nav').observation_space; minicosm.make('maze')\n"
    code += "from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    assert python(code) == "False"
