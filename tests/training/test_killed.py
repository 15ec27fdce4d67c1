"""A training run that is killed, with no chance to tidy up, and resumed."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np

from minicosm import cli
from minicosm.training import load_params, updates_done

WORLD = ["maze", "--set", "height=5", "width=5", "num_walls=4", "max_steps=16"]
TAUGHT = ["--curriculum", "plr", "--teach", "capacity=16"]
SIZES = ["--num-envs", "8", "--num-steps", "16", "--total-steps", str(8 * 16 * 40)]
BRIEF = ["--epochs", "1", "--minibatches", "2"]
NET = ["--hidden", "8", "--memory", "8"]
OFTEN = ["--updates-per-chunk", "1", "--chunks-per-checkpoint", "1", "--levels", "0"]
TRAIN = ["train", *WORLD, *TAUGHT, *SIZES, *BRIEF, *NET, *OFTEN]


def curve(run):
    """What was learnt, without the times."""
    points = [json.loads(line) for line in (run / "curve.jsonl").read_text().splitlines()]
    return [(point["update"], point["values"]) for point in points]


def test_after_kill_9_a_run_goes_on_bit_for_bit_as_if_nothing_had_happened(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-m", "minicosm.cli", *TRAIN, "--run", str(killed)], env=os.environ)
    deadline = time.monotonic() + 300
    while updates_done(killed) < 3:
        assert process.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 3 <= updates_done(killed) < 40

    assert cli.main([*TRAIN, "--run", str(killed), "--resume"]) == 0
    assert cli.main([*TRAIN, "--run", str(whole)]) == 0
    assert updates_done(killed) == updates_done(whole) == 40
    assert curve(killed) == curve(whole)
    jax.tree.map(np.testing.assert_array_equal, load_params(killed), load_params(whole))
