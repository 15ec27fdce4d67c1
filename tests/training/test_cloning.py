"""Behaviour cloning: agents that come to do what was demonstrated, and their runs."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import cli
from minicosm.envs.spaces import Box
from minicosm.training import (
    NetworkConfig,
    Policy,
    PPOConfig,
    as_policy,
    cloning,
    demonstrations,
    demonstrators,
    evaluate,
    load_config,
    load_env,
    load_params,
    read_points,
    shipped,
    train,
)
from minicosm.training.cloning import CloneConfig

PPO = PPOConfig(network=NetworkConfig(hidden=(16,)), num_envs=4, num_steps=8, minibatches=2, total_steps=64)
QUICK = CloneConfig(updates=60, batch=32, learning_rate=2e-2, updates_per_point=30)


@pytest.fixture(scope="module")
def clocked(leavers):
    """Agents that do one thing in their first two ticks, another in the next two, and a third after that."""
    clock = Policy(lambda key, seen, carry: (jnp.clip(10 * seen[..., 0] + 0.5, 0, 5).astype(jnp.int32) // 2, carry))
    levels = jnp.array([[2, 5], [9, 1], [3, 3], [7, 6]] * 5, jnp.int32)
    return demonstrators.record(leavers, lambda lanes: clock, levels, ["ticks"] * 20)


@pytest.fixture(scope="module")
def remembered(recall):
    """A player that remembers the side it was shown."""

    def act(key, seen, side):
        side = jnp.where(seen[..., 0] != 0, seen[..., 0] > 0, side)
        return side.astype(jnp.int32), side

    levels = jnp.array([[0], [1]] * 8, jnp.int32)
    return demonstrators.record(recall, lambda lanes: Policy(act, jnp.zeros((lanes, 1), bool)), levels, [""] * 16)


def test_a_clone_does_what_was_demonstrated(clocked, tmp_path):
    told = []
    config = dataclasses.replace(QUICK, updates=600, updates_per_point=200)
    made = cloning.clone(clocked, dataclasses.replace(PPO, num_seeds=2), config, tmp_path / "run", told.append)
    first, last = made.curve[0], made.curve[-1]
    assert last.mean("loss") < 0.3 * first.mean("loss") and last.mean("agreement") > 0.95
    assert last.mean("held_out_agreement") > 0.95 and len(last.values["held_out_loss"]) == 2
    assert made.is_held_out.tolist() == [False] * 18 + [True] * 2  # a tenth of the level's, the last
    assert [point.update for point in told] == [200, 400, 600] and read_points(tmp_path / "run/curve.jsonl") == told
    one, other = made.params_of(0), made.params_of(1)
    assert any(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))
    policy = as_policy(one, PPO, clocked.world, 6, greedy=True)
    seen = jnp.array([[[t / 10, 0.9, 0.0]] * 2 for t in range(6)], jnp.float32)
    action, _ = policy.act(jax.random.key(0), seen, policy.initial_carry)
    assert action.tolist() == [[t // 2] * 2 for t in range(6)]


def test_a_clones_folder_is_a_run_to_go_on_from(clocked, tmp_path):
    run = tmp_path / "run"
    made = cloning.clone(clocked, PPO, QUICK, run)
    assert load_env(run) == clocked.world and load_config(run) == PPO
    for a, b in zip(jax.tree.leaves(load_params(run)), jax.tree.leaves(made.params), strict=True):
        np.testing.assert_array_equal(a, b)
    for again in (lambda: cloning.clone(clocked, PPO, QUICK, run), lambda: train(clocked.world, PPO, run)):
        with pytest.raises(ValueError, match="holds a run already"):
            again()
    (run / shipped.PARAMS).write_bytes(b"no zip")
    with pytest.raises(ValueError, match="params.npz' is damaged"):
        load_params(run)


def test_the_same_seed_gives_the_same_clone(clocked):
    one, again = (cloning.clone(clocked, PPO, QUICK) for _ in range(2))
    assert [point.values for point in one.curve] == [point.values for point in again.curve]


def test_a_net_with_a_memory_learns_from_whole_episodes(remembered):
    rates = {}
    for recurrent in (False, True):
        ppo = dataclasses.replace(
            PPO, network=NetworkConfig(hidden=(8,), recurrent=recurrent, memory=8, activation="relu")
        )
        config = CloneConfig(updates=300, batch=32, learning_rate=2e-2, updates_per_point=150)
        made = cloning.clone(remembered, ppo, config)
        levels = jnp.array([[0], [1]] * 8, jnp.int32)
        policy = as_policy(made.params_of(), ppo, remembered.world, 16, greedy=True)
        rates[recurrent] = evaluate(remembered.world, policy, levels, jax.random.key(0)).solve_rate
    assert rates == {False: 0.5, True: 1.0}  # the side is shown in the first observation only


def test_continuous_actions_are_imitated(leavers):
    class Steered(type(leavers)):
        action_space = property(lambda self: Box(8.0, 16.0, (1,)))

    steer = Policy(lambda key, seen, carry: (10.0 + 4.0 * seen[..., :1], carry))
    levels = jnp.array([[9, 9]] * 10, jnp.int32)
    found = demonstrators.record(Steered(), lambda lanes: steer, levels, [""] * 10)
    made = cloning.clone(found, PPO, dataclasses.replace(QUICK, updates=600, updates_per_point=600))
    assert made.curve[-1].mean("held_out_agreement") > 0.95
    policy = as_policy(made.params_of(), PPO, found.world, 7, greedy=True)
    seen = jnp.array([[[t / 10, 0.9, 0.0]] * 2 for t in range(7)], jnp.float32)
    action, _ = policy.act(jax.random.key(0), seen, policy.initial_carry)
    np.testing.assert_allclose(action[..., 0], 10.0 + 4.0 * seen[..., 0], atol=0.4)


def test_masked_options_neither_cost_nor_count(clocked):
    mask = np.zeros((*clocked.actions.shape, 3), bool)
    np.put_along_axis(mask, clocked.actions[..., None], True, axis=-1)  # nothing else can be done
    made = cloning.clone(dataclasses.replace(clocked, action_mask=mask), PPO, dataclasses.replace(QUICK, updates=1))
    assert made.curve[0].mean("loss") == pytest.approx(0.0, abs=1e-6) and made.curve[0].mean("agreement") == 1.0
    assert cloning.clone(clocked, PPO, dataclasses.replace(QUICK, updates=1)).curve[0].mean("loss") > 1.0  # of log 3


def test_what_cannot_work_is_told(clocked):
    for field, value in (
        ("updates", 0), ("batch", 1.5), ("learning_rate", 0.0), ("weight_decay", -1.0), ("held_out", 1.0)
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"CloneConfig.{field} is {value}; expected"):
            CloneConfig(**{field: value})
    with pytest.raises(ValueError, match="kind"):
        cloning.clone(clocked, dataclasses.replace(PPO, network=NetworkConfig(kind="set")))
    wild = dataclasses.replace(QUICK, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(ValueError, match=r"the loss is \[nan\]: lower learning_rate"):
        cloning.clone(clocked, PPO, wild)


def test_from_replays_to_a_clone_by_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    small = ["--set", "max_steps=40"]
    levels = ["--level", "lift_off", "flappy"]
    assert cli.main(["demos", "library", *levels, *small, "--out", "set.npz"]) == 0
    out, err = capsys.readouterr()
    assert "scripts: 1 of 2 win" in out and "written: set.npz, 1 episodes" in out
    assert "left out: flappy (it takes" in err
    assert cli.main(["clone", "set.npz", "--run", "run", "--updates", "150", "--held-out", "0"]) == 0
    out = capsys.readouterr().out
    assert "learnt from 1 episodes" in out and "wins 100% of 1 demonstrated episodes with the likeliest actions" in out
    assert "held out: none" in out and load_env("run").config.levels == "lift_off"
    assert load_config("run").network.kind == "set" and json.loads((tmp_path / "run/run.json").read_text())
    flags = ["--level", "lift_off", "--episodes", "2", "--greedy"]
    assert cli.main(["demos", "run", *flags, "--out", "more.npz"]) == 0
    assert "run: 2 of 2 episodes succeed" in capsys.readouterr().out
    more = demonstrations.read(tmp_path / "more.npz")
    assert more.sources == ("run", "run") and more.names == ("lift_off",) * 2
    both = demonstrations.joined([demonstrations.read(tmp_path / "set.npz"), more])
    assert both.num_episodes == 3 and both.is_success.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demos", "none", "--out", "a.npz"], "'none' holds no run"),
        (["demos", "none.npz", "--out", "a.npz"], "there is no file 'none.npz'"),
        (["demos", "library", "--level", "cue_bal", "--out", "a.npz"], "did you mean 'cue_ball'"),
        (["demos", "library", "--set", "max_step=3", "--out", "a.npz"], "the world has no setting 'max_step'"),
        (["demos", "library", "--level", "flappy", "--set", "max_steps=3", "--out", "a.npz"], "nothing succeeded"),
        (["demos", "library", "--episodes", "0", "--out", "a.npz"], "--episodes is 0"),
        (["clone", "none.npz", "--run", "a"], "there is no file 'none.npz'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and message in error[0]
    assert not (tmp_path / "a.npz").exists()
