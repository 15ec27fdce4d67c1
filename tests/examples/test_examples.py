"""Every example runs for a moment, prints figures, and is short; longer runs are in docs/libraries/index.md."""

import importlib.util
import math
import os
import pathlib
import re
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent.parent.parent / "examples"
NEEDS = {
    "cleanrl_ppo": ["torch"],
    "pettingzoo_ippo": ["torch"],
    "purejaxrl_ppo": ["flax", "optax"],
    "rllib_ppo": ["ray", "torch"],
    "sb3_ppo": ["stable_baselines3"],
    "skrl_ppo": ["skrl"],
    "torchrl_ppo": ["torchrl"],
}
LINE = re.compile(r"^ *([\d,]+) steps: return +(-?[\d.]+|nan)", flags=re.M)


def test_every_example_is_known_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_is_at_most_80_lines_and_says_what_to_install(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert text.count("\n") <= 80
    assert "pip install" in text.split('"""')[1] and f"python examples/{name}.py --steps" in text.split('"""')[1]


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name, tmp_path):
    missing = [package for package in NEEDS[name] if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--steps", "16384"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [(int(steps.replace(",", "")), float(value)) for steps, value in LINE.findall(done.stdout)]
    assert lines[0][0] == 0 and lines[-1][0] >= 16384, done.stdout
    assert all(math.isfinite(value) and -30 < value < 10 for _, value in lines)
