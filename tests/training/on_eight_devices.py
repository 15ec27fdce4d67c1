"""Checks for eight devices of one process: `test_spread.py` runs this file in a process that has them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from test_train import assert_same_bits, small, values_of

from minicosm import curricula
from minicosm.envs.nav import Nav, NavConfig
from minicosm.training import NetworkConfig, PPOConfig, load_params, train
from minicosm.training.networks import Agent
from minicosm.training.ppo import Learner, advantages
from minicosm.training.rollout import play
from minicosm.training.spread import WORLDS, spread_over
from minicosm.training.train import _seeds, _several_updates, _start
from minicosm.wrappers import AutoReset, EpisodeStats

NUM_ENVS = 16


def config(**changes):
    return small(num_envs=NUM_ENVS, total_steps=NUM_ENVS * 8 * 10, **changes)


def learner_for(env, config, devices=1):
    spread = spread_over(devices)
    worlds = EpisodeStats(AutoReset(env, config.num_envs // devices))
    return Learner(worlds, Agent.of(env, config.network), config, None, spread)


@pytest.fixture(scope="module")
def eight(leavers, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("eight") / "run"
    return run_dir, train(leavers, config(), run_dir, callback=lambda point: point.update == 4, devices=8)


def test_the_gradient_of_a_minibatch_is_that_of_one_device(leavers):
    """Episodes end at different times, so that devices differ in how many samples count."""
    alone, apart = (learner_for(leavers, config(), devices) for devices in (1, 8))
    state = alone.init(jax.random.key(3))
    playing, samples, _ = jax.jit(lambda s: play(alone.worlds, alone.agent, s.params, s.play, 24))(state)
    _, _, next_value, _ = alone.agent.think(state.params, playing.features, playing.reset, playing.memory)
    advantage = advantages(samples, next_value, 0.9, 0.8)
    counts = np.asarray(samples.valid).reshape(24, 8, -1).sum(axis=(0, 2))
    assert counts.min() < 0.9 * counts.max()
    batch = (samples, advantage, advantage + samples.value, state.play.memory[None])
    params = jax.tree.map(lambda x: x + 0.02, state.params)  # as after a few steps: ratios are not 1

    def of_devices(params, batch):
        return apart.spread.sum(jax.grad(apart.loss, has_aux=True)(params, batch))

    lanes, whole = PartitionSpec(None, WORLDS), PartitionSpec()
    expected = jax.jit(jax.grad(alone.loss, has_aux=True))(params, batch)
    found = jax.jit(apart.spread.over(of_devices, (whole, lanes), whole))(params, batch)
    assert max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(expected[0])) > 0.01
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, expected)


def test_worlds_and_nets_begin_as_on_one_device_bit_for_bit(leavers):
    on_one, on_eight = (_start(learner_for(leavers, config(), devices), _seeds(config())) for devices in (1, 8))
    assert_same_bits(on_one, on_eight)


def test_each_world_plays_the_levels_that_it_plays_on_one_device(leavers, eight):
    """What these agents get does not depend on what they do."""
    one = train(leavers, config(), callback=lambda point: point.update == 4)
    for name in ("episodes", "return", "length", "success"):
        found, expected = ([p.values[name][0] for p in result.curve] for result in (eight[1], one))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    inner = [result.state.play.worlds.inner for result in (eight[1], one)]
    np.testing.assert_array_equal(inner[0].episode, inner[1].episode)


def test_the_same_run_twice_gives_the_same_bits_and_devices_agree_on_the_net(leavers, eight):
    again = train(leavers, config(), callback=lambda point: point.update == 4, devices=8)
    assert_same_bits(again.state, eight[1].state)
    for leaf in jax.tree.leaves((again.state.params, again.state.optimizer)):
        parts = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(parts) == 8 and all((part == parts[0]).all() for part in parts)
    assert again.state.play.features.sharding.shard_shape((1, 2 * NUM_ENVS, 3)) == (1, 4, 3)


def test_a_checkpoint_of_eight_devices_goes_on_on_one_and_then_on_two(leavers, eight):
    run_dir, first = eight
    assert_same_bits(load_params(run_dir), first.params)
    seen = []
    second = train(leavers, config(), run_dir, lambda p: seen.append(p.update) or p.update == 6, True, devices=1)
    third = train(leavers, config(), run_dir, resume=True, devices=2)
    assert seen == [6]
    assert [p.update for p in third.curve] == [2, 4, 6, 8, 10]
    assert values_of(third.curve[:3]) == values_of(second.curve)
    # the worlds went on: they have played as much as without any change
    whole = train(leavers, config())
    np.testing.assert_array_equal(third.state.play.worlds.inner.episode, whole.state.play.worlds.inner.episode)
    np.testing.assert_allclose(*([p.mean("return") for p in r.curve] for r in (third, whole)), rtol=1e-6)


def test_resuming_on_as_many_devices_changes_no_bit(leavers, tmp_path):
    both = config(num_seeds=2)
    whole = train(leavers, both, devices=2)
    train(leavers, both, tmp_path / "run", callback=lambda point: point.update == 4, devices=2)
    resumed = train(leavers, both, tmp_path / "run", resume=True, devices=2)
    assert_same_bits(resumed.state, whole.state)
    first = train(leavers, config(), devices=2)
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(first.params), strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-3, atol=1e-4)  # seeds side by side are those of runs alone


@pytest.mark.parametrize("name", ["plr", "sfl"])
def test_a_curriculum_proposes_the_levels_that_it_proposes_on_one_device(leavers, name):
    """Where what happens on a level does not depend on the policy. SFL's 20 levels do not divide among 8 devices."""
    settings = {
        "plr": {"capacity": 16, "score": "learnability"},
        "sfl": {"num_batches": 2, "batch_size": 20, "num_steps": 16, "num_kept": 4, "refresh": 2},
    }
    brief = dataclasses.replace(config(recurrent=False), epochs=1)
    taught = curricula.make(name, leavers, NUM_ENVS, **settings[name])
    one, eight = (train(leavers, brief, curriculum=taught, devices=devices) for devices in (1, 8))
    parts = [(result.state.teaching.state, result.state.teaching.proposal) for result in (one, eight)]
    assert_same_bits(*parts)
    for a, b in zip(one.curve, eight.curve, strict=True):
        reports = [key for key in a.values if key.startswith("curriculum/")]
        assert reports
        np.testing.assert_allclose(*([point.mean(key) for key in reports] for point in (a, b)), rtol=1e-6)


def test_only_sums_go_between_devices_and_kernels_run_on_a_devices_own_worlds():
    nav = Nav(NavConfig(num_beams=16, height=7, width=7, max_fill=0.2, max_steps=100))
    net = NetworkConfig(hidden=(8,))
    learner = learner_for(nav, PPOConfig(num_envs=NUM_ENVS, num_steps=8, minibatches=2, epochs=1, network=net), 8)
    state = jax.eval_shape(functools.partial(_start, learner), _seeds(learner.config))
    text = _several_updates.lower(learner, state, 1).compile().as_text()
    assert "all-reduce" in text
    assert not [name for name in ("all-gather", "all-to-all", "collective-permute") if name in text]
    scans = [line for line in text.splitlines() if 'custom_call_target="minicosm_lidar_scan"' in line]
    assert scans and all("f32[2," in line and f"f32[{NUM_ENVS}," not in line for line in scans)


def test_eight_devices_learn_what_one_learns(recall):
    settings = PPOConfig(
        num_envs=32, num_steps=16, minibatches=4, total_steps=32 * 16 * 150, learning_rate=5e-3, gamma=0.99,
        network=NetworkConfig(hidden=(16,), recurrent=True, memory=16), updates_per_chunk=50,
    )  # fmt: skip
    assert train(recall, settings, devices=8).curve[-1].mean("success") > 0.95  # as of one device, in test_train.py


def test_what_cannot_be_spread_is_told(leavers):
    with pytest.raises(ValueError, match=r"num_envs is 12; expected a multiple of the 8 devices"):
        train(leavers, small(num_envs=12), devices=8)
    with pytest.raises(
        ValueError, match=r"minibatches is 3; expected a divisor of num_envs / devices x agents = 2 x 2"
    ):
        train(leavers, config(minibatches=3), devices=8)
    for wrong in (0, 9, True):
        with pytest.raises(ValueError, match=rf"devices is {wrong}; expected 1 to 8, those of cpu; a CPU acts as sev"):
            train(leavers, config(), devices=wrong)
