"""Training spread over devices: on eight that the CPU acts as, in a process of its own, and over two processes."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from xla_options import HARDLY_OPTIMISED

from minicosm import cli
from minicosm.training import load_params, updates_done
from minicosm.training.distributed import LOST, Processes

HERE = pathlib.Path(__file__).parent
WORLD = ["maze", "--set", "height=5", "width=5", "num_walls=4", "max_steps=16"]
SIZES = ["--num-envs", "8", "--num-steps", "16", "--epochs", "1", "--minibatches", "2", "--hidden", "8"]
NET = ["--no-recurrent"]
OFTEN = ["--updates-per-chunk", "1", "--chunks-per-checkpoint", "1", "--levels", "5"]
UPDATES = 24
STEPS = ["--total-steps", str(8 * 16 * UPDATES)]
TRAIN = ["train", *WORLD, *SIZES, *NET, *OFTEN, *STEPS]


def with_devices(count):
    """The environment of a process whose CPU acts as `count` devices."""
    return {**os.environ, "XLA_FLAGS": f"{HARDLY_OPTIMISED} --xla_force_host_platform_device_count={count}"}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def two_processes(run, folder, *more):
    """Both processes of a run on this host, joined by the loopback; what they print goes to files in `folder`."""
    flags = ["--run", str(run), "--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2"]
    started = []
    for index in range(2):
        command = [sys.executable, "-m", "minicosm.cli", *TRAIN, *flags, "--process-id", str(index), *more]
        with (folder / f"{index}.txt").open("w") as out:
            started.append(subprocess.Popen(command, env=with_devices(1), stdout=out, stderr=subprocess.STDOUT))
    return started


def printed(folder, index):
    return (folder / f"{index}.txt").read_text()


def values(run):
    return [json.loads(line)["values"] for line in (run / "curve.jsonl").read_text().splitlines()]


def test_on_eight_devices():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "on_eight_devices.py")]
    done = subprocess.run(command, env=with_devices(8), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "11 passed" in done.stdout


def test_a_lost_process_ends_the_other_and_the_run_resumes_as_if_nothing_had_happened(tmp_path):
    """The first one is lost: of that JAX itself makes an end from outside of Python, if Python is not quicker."""
    run = tmp_path / "run"
    both = two_processes(run, tmp_path)
    deadline = time.monotonic() + 200
    while updates_done(run) < 3:
        assert both[0].poll() is None and both[1].poll() is None and time.monotonic() < deadline, printed(tmp_path, 0)
        time.sleep(0.005)
    both[0].send_signal(signal.SIGKILL)
    since = time.monotonic()
    status = both[1].wait(timeout=60)
    assert time.monotonic() - since < 60 and both[0].wait() == -signal.SIGKILL
    assert status in (LOST, -signal.SIGABRT), status
    said = printed(tmp_path, 1)
    assert "error: process 1 of 2 " in said
    assert "another one is lost" in said and "start all processes again with --resume" in said
    assert 3 <= updates_done(run) < UPDATES

    both = two_processes(run, tmp_path, "--resume")
    assert [process.wait(timeout=200) for process in both] == [0, 0], printed(tmp_path, 0)
    assert "of 5 fresh levels" in printed(tmp_path, 0) and "fresh levels" not in printed(tmp_path, 1)
    assert updates_done(run) == UPDATES

    # two devices of one process learn the same, bit for bit: each sum has two terms
    one = tmp_path / "one"
    command = [sys.executable, "-m", "minicosm.cli", *TRAIN, "--run", str(one), "--devices", "2"]
    subprocess.run(command, env=with_devices(2), check=True, timeout=200, capture_output=True)
    assert values(run) == values(one)
    jax.tree.map(np.testing.assert_array_equal, load_params(run), load_params(one))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--num-processes", "2"], "None, 2 and None: give all three, or none"),
        (["--coordinator", "here", "--num-processes", "2", "--process-id", "0"], "is 'here'; expected HOST:PORT"),
        (["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"], "process_id is 2; expected 0 to 1"),
        (["--devices", "3"], "devices is 3; expected 1 to"),
    ],
)
def test_wrong_flags_are_told(flags, told, capsys):
    assert cli.main([*TRAIN, *flags]) == 2
    assert told in capsys.readouterr().err


def test_a_process_count_from_1_is_expected():
    with pytest.raises(ValueError, match="num_processes is 0; expected a whole number from 1"):
        Processes("a:1", 0, 0)
