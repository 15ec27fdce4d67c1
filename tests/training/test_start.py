"""Training that begins from other parameters, and policies kept without their checkpoints."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.curricula import OneLevel
from minicosm.training import NetworkConfig, PPOConfig, Start, load_config, load_params, pretraining, shipped, train
from minicosm.training.networks import Agent
from minicosm.training.start import fitted

TINY = PPOConfig(
    num_envs=4, num_steps=8, minibatches=2, epochs=1, total_steps=4 * 8 * 2, network=NetworkConfig(hidden=(4,)),
    learning_rate=1e-6, updates_per_chunk=2, num_seeds=2,
)  # fmt: skip


def one_of(params, index):
    return jax.tree.map(lambda leaf: leaf[index], params)


def distance(a, b):
    return max(
        float(np.abs(np.asarray(x) - np.asarray(y)).max()) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True)
    )


@pytest.fixture(scope="module")
def first(leavers, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("start") / "run"
    return run_dir, train(leavers, dataclasses.replace(TINY, seed=7), run_dir)


def test_a_run_begins_with_the_parameters_it_is_given(leavers, first):
    _, before = first
    given = before.params_of(1)
    after = train(leavers, TINY, start=Start(given))
    for seed in (0, 1):  # both seeds begin with the one given; so low a learning rate leaves them there
        assert 0 < distance(given, after.params_of(seed)) < 1e-4
    each = train(leavers, TINY, start=Start(before.params))
    assert distance(before.params, each.params) < 1e-4 < distance(before.params_of(0), before.params_of(1))
    fresh = train(leavers, TINY)
    assert distance(given, fresh.params_of(0)) > 1e-2
    assert np.isfinite(np.asarray(jax.tree.leaves(given)[0])).all()  # the caller's arrays are still there


def test_what_does_not_fit_is_told(leavers, first):
    _, before = first
    wide = dataclasses.replace(TINY, network=NetworkConfig(hidden=(5,)))
    with pytest.raises(ValueError, match=r"actor_0.*has the shape \(4,\); expected \(5,\)"):
        train(leavers, wide, start=Start(before.params_of()))
    deep = dataclasses.replace(TINY, network=NetworkConfig(hidden=(4, 4)))
    with pytest.raises(ValueError, match="actor_1.* is missing"):
        train(leavers, deep, start=Start(before.params_of()))
    with pytest.raises(ValueError, match="are of 2 seeds and the run has 3"):
        train(leavers, dataclasses.replace(TINY, num_seeds=3), start=Start(before.params))
    with pytest.raises(ValueError, match="but the run has none"):
        train(leavers, TINY, start=Start(curriculum=jnp.zeros((2,), jnp.int32)))


def test_worlds_play_the_one_level_that_they_are_given(leavers):
    """Leavers that leave after 3 ticks: every episode is as long, which random levels' are not."""
    teacher = OneLevel(leavers, TINY.num_envs)
    level = jnp.array([3, 2], jnp.int32)
    result = train(leavers, TINY, curriculum=teacher, start=Start(curriculum=level))
    assert result.curve[-1].values["length"] == [3.0, 3.0]
    other = train(leavers, TINY, curriculum=teacher, start=Start(curriculum=level + 2))
    assert other.curve[-1].values["length"] == [5.0, 5.0]


def test_parameters_of_size_s_fit_size_m_and_others_do_not():
    envs = [pretraining.world(size) for size in "sm"]
    small, medium = (
        jax.eval_shape(Agent.of(env, pretraining.settings(env).network).init, jax.random.key(0)) for env in envs
    )
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape), small)
    led = jax.tree.map(lambda x: jnp.ones((1, *x.shape)), medium)
    assert float(sum(jnp.sum(leaf) for leaf in jax.tree.leaves(fitted(zeros, led)))) == 0.0
    flat = [minicosm.make(f"physics-{size}") for size in "sm"]
    shapes = [jax.eval_shape(Agent.of(env, NetworkConfig()).init, jax.random.key(0)) for env in flat]
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape), shapes[0])
    led = jax.tree.map(lambda x: jnp.ones((1, *x.shape)), shapes[1])
    with pytest.raises(ValueError, match="need observation_kind 'entities'"):
        fitted(zeros, led)


def test_a_run_without_its_checkpoints_is_still_one(first, tmp_path, leavers):
    run_dir, result = first
    folder = shipped.write(run_dir, result.params, tmp_path / "kept")
    assert sorted(path.name for path in folder.iterdir()) == ["curve.jsonl", "params.npz", "run.json"]
    assert distance(load_params(folder), result.params) == 0.0
    assert load_config(folder) == load_config(run_dir)
    (folder / "params.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"params.npz' is damaged"):
        load_params(folder)


def test_names_stand_for_runs_that_come_along(first, tmp_path, monkeypatch, leavers):
    run_dir, result = first
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    shipped.write(run_dir, result.params, tmp_path / "handy_one")
    assert shipped.names() == ("handy-one",)
    assert distance(load_params("handy-one"), result.params) == 0.0
    with pytest.raises(ValueError, match="holds no run.* comes with minicosm: handy-one"):
        load_config("hanyd-one")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run_dir, tmp_path / "handy-one")  # a folder of the user's goes first
    assert not shipped.is_name("handy-one")


def test_pre_training_must_not_see_the_library():
    with pytest.raises(ValueError, match="holds hand-made levels .cue_ball.: pre-training must not see"):
        pretraining.world("s", "random:0.9,cue_ball:0.1")
    with pytest.raises(ValueError, match="network is 'mlp'; expected 'set' or 'transformer'"):
        pretraining.settings(pretraining.world("s"), "mlp")


def test_a_task_takes_the_size_that_its_level_needs():
    small, large = (pretraining.world(size) for size in "sl")
    assert pretraining.task(small, "cue_ball").config.size == "s"
    assert pretraining.task(small, "lunar_lander").config.size == "m"
    assert pretraining.task(large, "cue_ball").config.size == "l"
    with pytest.raises(ValueError, match="there is no library level 'cue_bal'; did you mean 'cue_ball'"):
        pretraining.task(small, "cue_bal")
    with pytest.raises(ValueError, match="a run of Nav cannot be fine-tuned"):
        pretraining.task(minicosm.make("nav"), "cue_ball")
