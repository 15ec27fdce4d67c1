import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.training import checkpoint, load_config, load_params, read_points, train
from minicosm.training.config import NetworkConfig, PPOConfig
from minicosm.training.ppo import TrainState

CONFIG = PPOConfig(
    num_envs=4, num_steps=4, minibatches=2, epochs=1, total_steps=4 * 4 * 6, updates_per_chunk=1,
    chunks_per_checkpoint=1, network=NetworkConfig(hidden=(4, 3)), num_seeds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(leavers, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    return run_dir, train(leavers, CONFIG, run_dir)


@pytest.fixture
def run(trained, tmp_path):
    """A copy to spoil."""
    run_dir, result = trained
    return shutil.copytree(run_dir, tmp_path / "run"), result


def newest(run_dir):
    return sorted((run_dir / "checkpoints").iterdir())[-1]


def test_parameters_and_config_come_back(run):
    run_dir, result = run
    assert load_config(run_dir) == CONFIG
    jax.tree.map(np.testing.assert_array_equal, load_params(run_dir), result.params)
    assert load_params(run_dir)["params"]["policy"]["bias"].shape == (2, 3)


def test_a_run_from_before_a_setting_was_there_goes_on_with_its_default(leavers, run):
    run_dir, result = run
    described = json.loads((run_dir / "run.json").read_text())
    for name in ("kind", "channels", "cell", "critic", "queries"):
        del described["config"]["network"][name]
    (run_dir / "run.json").write_text(json.dumps(described))
    assert load_config(run_dir) == CONFIG
    resumed = train(leavers, CONFIG, run_dir, resume=True)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, result.params)


def test_a_set_encoder_from_before_there_were_queries_has_none(run):
    run_dir, _ = run
    described = json.loads((run_dir / "run.json").read_text())
    described["config"]["network"]["kind"] = "set"
    (run_dir / "run.json").write_text(json.dumps(described))
    assert load_config(run_dir).network.queries == CONFIG.network.queries > 0
    del described["config"]["network"]["queries"]
    (run_dir / "run.json").write_text(json.dumps(described))
    assert load_config(run_dir).network.queries == 0


def test_two_checkpoints_stay_and_nothing_half_written(run):
    run_dir, _ = run
    assert sorted(p.name for p in (run_dir / "checkpoints").iterdir()) == ["00000005", "00000006"]
    assert sorted(p.name for p in run_dir.iterdir()) == ["checkpoints", "curve.jsonl", "run.json"]


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "add", "unlist"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_serves(leavers, run, harm):
    run_dir, result = run
    broken = newest(run_dir)
    victim = max((p for p in (broken / "rest").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    if harm == "flip":
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    elif harm == "cut":
        victim.write_bytes(victim.read_bytes()[:-7])
    elif harm == "remove":
        victim.unlink()
    elif harm == "add":
        (broken / "rest" / "stray").write_text("")
    else:
        (broken / "files.json").unlink()
    with pytest.warns(UserWarning, match=r"00000006' is damaged \(.*\): the checkpoint before it is used"):
        load_params(run_dir)
    with pytest.warns(UserWarning, match=r"00000006' is damaged"):
        resumed = train(leavers, CONFIG, run_dir, resume=True)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, result.params)
    jax.tree.map(np.testing.assert_array_equal, load_params(run_dir), result.params)


def test_where_every_checkpoint_is_damaged_it_is_told(leavers, run):
    run_dir, _ = run
    for folder in (run_dir / "checkpoints").iterdir():
        (folder / "files.json").unlink()
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"00000005' is damaged \(no list of its files\)"):
        train(leavers, CONFIG, run_dir, resume=True)


def test_a_damaged_description_or_curve_is_told(leavers, run):
    run_dir, _ = run
    described = (run_dir / "run.json").read_text()
    for text, said in (("{", "cannot be read"), ("[]", "lacks the world"), ('{"world": "a", "config": {}}', "damaged")):
        (run_dir / "run.json").write_text(text)
        with pytest.raises(ValueError, match=said):
            load_config(run_dir)
    (run_dir / "run.json").write_text(described)
    (run_dir / "curve.jsonl").write_text("nonsense\n{}\n")
    with pytest.raises(ValueError, match=r"line 1 of .*curve.jsonl.* is not a point"):
        train(leavers, CONFIG, run_dir, resume=True)
    (run_dir / "curve.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"does not reach the checkpoint, 6 updates"):
        train(leavers, CONFIG, run_dir, resume=True)


def test_a_checkpoint_of_another_shape_is_told(run):
    run_dir, result = run
    smaller = dataclasses.replace(result.state, update=jnp.zeros((3,), jnp.int32))
    with pytest.raises(ValueError, match=r"does not fit this world and net"):
        checkpoint.load_state(run_dir, smaller)


def test_folders_without_runs_are_told(tmp_path):
    for load in (load_config, load_params):
        with pytest.raises(ValueError, match=r"holds no (run|checkpoint): expected the folder of a training run"):
            load(tmp_path)


def test_a_run_that_ended_before_its_first_checkpoint_gives_way(leavers, tmp_path):
    def end(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(leavers, CONFIG, tmp_path / "run", callback=end)
    with pytest.raises(ValueError, match=r"holds no checkpoint: .*start a new run there, without resuming"):
        train(leavers, CONFIG, tmp_path / "run", resume=True)
    train(leavers, CONFIG, tmp_path / "run")
    assert [p.update for p in read_points(tmp_path / "run" / "curve.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_a_folder_that_cannot_be_made_is_told(leavers, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write to .*file/run' \(Not a directory\)"):
        train(leavers, CONFIG, tmp_path / "file" / "run")


def test_a_failed_write_leaves_the_checkpoint_before_it(leavers, run, monkeypatch):
    run_dir, result = run

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "_hashes", full)
    with pytest.raises(OSError, match=r"cannot write checkpoint .*00000007' \(No space left on device\); make room"):
        checkpoint.save_state(run_dir, result.state, 7)
    monkeypatch.undo()
    assert newest(run_dir).name == "00000006"
    jax.tree.map(np.testing.assert_array_equal, load_params(run_dir), result.params)


def test_a_really_full_disk_is_told(tmp_path):
    """Files may not grow beyond 2 kB in this process: the storage library's own write fails."""
    program = """
        import resource, signal, sys
        import jax.numpy as jnp
        from pathlib import Path
        from minicosm.training import checkpoint
        from minicosm.training.ppo import TrainState
        state = TrainState({"w": jnp.arange(50000.0) ** 0.5}, (), (), jnp.int32(1))
        checkpoint.save_state(Path(sys.argv[1]), state, 1)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            checkpoint.save_state(Path(sys.argv[1]), state, 2)
        except OSError as error:
            sys.stdout.write(f"told: {error}")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert "told: cannot write checkpoint" in done.stdout, done.stderr[-2000:]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["00000001"]
    assert load_params(tmp_path)["w"].shape == (50000,)


def test_keys_survive(tmp_path):
    state = TrainState(
        {"w": jnp.ones(3)}, {"key": jax.random.key(4)}, jax.random.split(jax.random.key(5), 2), jnp.int32(1)
    )
    checkpoint.save_state(tmp_path, state, 1)
    loaded = checkpoint.load_state(tmp_path, state)
    np.testing.assert_array_equal(jax.random.normal(loaded.optimizer["key"]), jax.random.normal(jax.random.key(4)))
    assert loaded.play.dtype == state.play.dtype and loaded.play.shape == (2,)
