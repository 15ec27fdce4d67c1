import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicosm.training.config import NetworkConfig, PPOConfig
from minicosm.training.networks import Agent
from minicosm.training.ppo import Learner, advantages
from minicosm.training.rollout import Samples, play
from minicosm.wrappers import AutoReset, EpisodeStats

NUM_ENVS, NUM_STEPS = 6, 40
GAMMA, LAMBDA = 0.9, 0.8


def learner_for(env, **changes):
    network = NetworkConfig(hidden=(8,), memory=5, recurrent=changes.pop("recurrent", False))
    config = PPOConfig(
        num_envs=NUM_ENVS, num_steps=NUM_STEPS, minibatches=3, epochs=2, total_steps=NUM_ENVS * NUM_STEPS * 4,
        network=network, gamma=GAMMA, gae_lambda=LAMBDA, **changes,
    )  # fmt: skip
    return Learner(EpisodeStats(AutoReset(env, NUM_ENVS)), Agent.of(env, network), config)


@pytest.fixture(scope="module", params=[False, True], ids=["feed-forward", "recurrent"])
def played(request, leavers):
    """A learner, its opening, and 40 ticks in 6 worlds of 2 agents."""
    learner = learner_for(leavers, recurrent=request.param)
    state = learner.init(jax.random.key(3))
    after, samples, sums = jax.jit(lambda s: play(learner.worlds, learner.agent, s.params, s.play, NUM_STEPS))(state)
    return learner, state, after, samples, sums


def largest_difference(tree, other):
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: np.max(np.abs(a - b), initial=0.0), tree, other)))


def reference_advantages(samples, next_value):
    """Each valid sample's advantage as a sum over the rest of its own episode, in float64."""
    reward, value, bootstrap = (np.asarray(x, np.float64) for x in (samples.reward, samples.value, samples.bootstrap))
    last = np.asarray(samples.last)
    ticks, lanes = reward.shape
    result = np.zeros((ticks, lanes))
    for lane in range(lanes):
        for begin in range(ticks):
            weight = 1.0
            for t in range(begin, ticks):
                if last[t, lane]:
                    after = bootstrap[t, lane]
                else:
                    after = value[t + 1, lane] if t + 1 < ticks else float(next_value[lane])
                result[begin, lane] += weight * (reward[t, lane] + GAMMA * after - value[t, lane])
                weight *= GAMMA * LAMBDA
                if last[t, lane]:
                    break
    return result


def test_advantages_of_a_played_rollout_match_a_sum_over_each_episode(played):
    _, _, _, samples, _ = played
    next_value = np.linspace(-1, 1, samples.reward.shape[1])
    found = advantages(samples, jnp.asarray(next_value, jnp.float32), GAMMA, LAMBDA)
    valid = np.asarray(samples.valid)
    assert 0.3 < valid.mean() < 1.0 and np.asarray(samples.last & samples.valid).sum() > 20
    np.testing.assert_allclose(found[valid], reference_advantages(samples, next_value)[valid], rtol=2e-5, atol=2e-5)


@given(seed=st.integers(0, 10_000), share_of_ends=st.floats(0, 1))
@settings(deadline=None, max_examples=20)
def test_advantages_match_the_reference_wherever_episodes_end(seed, share_of_ends):
    random = np.random.default_rng(seed)
    shape = (9, 4)
    last = random.random(shape) < share_of_ends
    cut_short = last & (random.random(shape) < 0.5)
    normal = [jnp.asarray(random.normal(size=shape), jnp.float32) for _ in range(3)]
    samples = Samples(
        features=jnp.zeros((*shape, 1)), reset=jnp.zeros(shape, bool), draw=jnp.zeros((*shape, 1)),
        log_prob=jnp.zeros(shape), value=normal[0], reward=normal[1], last=jnp.asarray(last),
        bootstrap=normal[2] * cut_short, valid=jnp.ones(shape, bool), success=jnp.zeros(shape, bool),
    )  # fmt: skip
    next_value = random.normal(size=shape[1])
    found = advantages(samples, jnp.asarray(next_value, jnp.float32), GAMMA, LAMBDA)
    np.testing.assert_allclose(found, reference_advantages(samples, next_value), rtol=2e-5, atol=2e-5)


def test_samples_follow_each_agents_own_episode(played, leavers):
    """Against the ends that the observations themselves tell of: time and own end."""
    _, _, _, samples, _ = played
    time = np.rint(np.asarray(samples.features[..., 0]) * 10).astype(int)
    ends = np.rint(np.asarray(samples.features[..., 1]) * 10).astype(int)
    np.testing.assert_array_equal(samples.reset, time == 0)
    np.testing.assert_array_equal(samples.valid, time < ends)
    final = np.minimum(ends, leavers.limit) - 1  # the tick in which the agent's episode ends
    valid = np.asarray(samples.valid)
    np.testing.assert_array_equal(np.asarray(samples.last)[valid], (time == final)[valid])
    index = np.arange(time.shape[1]) % 2
    np.testing.assert_array_equal(np.asarray(samples.reward), (time + 1 + index) * valid)


def test_only_the_time_limit_bootstraps_and_from_the_last_observation(played, leavers):
    learner, state, _, samples, _ = played
    time = np.rint(np.asarray(samples.features[..., 0]) * 10).astype(int)
    ends = np.rint(np.asarray(samples.features[..., 1]) * 10).astype(int)
    cut_short = (time == leavers.limit - 1) & (ends > leavers.limit)
    assert cut_short.sum() > 5
    np.testing.assert_array_equal(np.asarray(samples.bootstrap)[~cut_short], 0.0)
    # play each episode again up to and including its last observation, through the net from the episode's start
    for t, lane in np.argwhere(cut_short)[:6]:
        first = t - leavers.limit + 1
        if first < 0:
            continue
        seen = np.stack([[k / 10, ends[t, lane] / 10, 0.0] for k in range(leavers.limit + 1)])[:, None]
        memory = learner.agent.initial_memory(1)
        _, _, values, _ = learner.agent.unroll(
            state.params, jnp.asarray(seen, jnp.float32), jnp.zeros((len(seen), 1), bool), memory
        )
        np.testing.assert_allclose(samples.bootstrap[t, lane], values[-1, 0], rtol=1e-5, atol=1e-6)


def test_learning_sees_the_policy_that_played(played):
    """The loss recomputes every log-probability and value from stored memory and resets: same net, ratio 1."""
    learner, state, _, samples, _ = played
    shape = samples.reward.shape
    batch = (samples, jnp.ones(shape), samples.value, state.play.memory[None])
    _, parts = learner.loss(state.params, batch)
    assert abs(float(parts["kl"])) < 1e-7
    assert float(parts["value_loss"]) < 1e-10
    assert float(parts["clipped"]) == 0.0


def reference_loss(learner, params, batch, done):
    """PPO's loss sample by sample in float64, from what the net puts out."""
    config = learner.config
    samples, advantage, target, memory = batch
    logits, _, value, _ = learner.agent.unroll(params, samples.features, samples.reset, memory[0])
    logits, value = np.asarray(logits, np.float64), np.asarray(value, np.float64)
    valid = np.argwhere(np.asarray(samples.valid))
    taught = np.array([advantage[t, n] for t, n in valid], np.float64)
    taught = (taught - taught.mean()) / taught.std()
    weight = config.entropy
    if config.final_entropy is not None:
        weight = (1 - done) * config.entropy + done * config.final_entropy
    total = 0.0
    for (t, n), good in zip(valid, taught, strict=True):
        log = logits[t, n] - np.log(np.sum(np.exp(logits[t, n])))
        ratio = np.exp(log[samples.draw[t, n, 0]] - float(samples.log_prob[t, n]))
        total -= min(ratio * good, min(max(ratio, 1 - config.clip), 1 + config.clip) * good)
        error = (value[t, n] - float(target[t, n])) ** 2
        if config.value_clip is not None:
            old = float(samples.value[t, n])
            near = min(max(value[t, n], old - config.value_clip), old + config.value_clip)
            error = max(error, (near - float(target[t, n])) ** 2)
        total += config.value * error + weight * np.sum(np.exp(log) * log)
    return total / len(valid)


@pytest.mark.parametrize("settings", [{}, {"value_clip": 0.1}, {"final_entropy": 0.5}])
@pytest.mark.parametrize("done", [0.0, 0.25])
def test_the_loss_matches_a_sum_over_samples(played, settings, done):
    learner, state, _, samples, _ = played
    plain, learner = learner, dataclasses.replace(learner, config=dataclasses.replace(learner.config, **settings))
    shape = samples.reward.shape
    keys = jax.random.split(jax.random.key(1), 4)
    samples = dataclasses.replace(
        samples,  # played by another net than the one that learns
        log_prob=samples.log_prob + 0.3 * jax.random.normal(keys[0], shape),
        value=samples.value + 0.2 * jax.random.normal(keys[1], shape),
    )
    batch = (samples, jax.random.normal(keys[2], shape), jax.random.normal(keys[3], shape), state.play.memory[None])
    loss, _ = jax.jit(learner.loss)(state.params, batch, done)
    np.testing.assert_allclose(loss, reference_loss(learner, state.params, batch, done), rtol=1e-4, atol=1e-5)
    if settings and ("value_clip" in settings or done > 0):
        assert abs(loss - plain.loss(state.params, batch, done)[0]) > 1e-3


def test_a_value_beyond_the_clip_is_no_longer_taught(leavers):
    learner = learner_for(leavers, value_clip=0.5)
    played, target = jnp.zeros((1, 4)), jnp.array([[2.0, 2.0, -2.0, 0.2]])
    value = jnp.array([[0.4, 0.6, 0.6, 0.6]])
    error, slope = jax.vmap(jax.vmap(jax.value_and_grad(learner._value_error)))(value, played, target)
    np.testing.assert_allclose(error, [[2.56, 2.25, 6.76, 0.16]], rtol=1e-5)
    np.testing.assert_allclose(slope, [[-3.2, 0.0, 5.2, 0.8]], rtol=1e-5)


def test_the_entropy_bonus_follows_its_schedule_over_the_run(leavers):
    """With no other term in the loss, the gradient is the bonus's weight times the entropy's."""
    learner = learner_for(leavers, value=0.0, final_entropy=0.0, entropy=0.8)
    state = learner.init(jax.random.key(0))
    _, samples, _ = play(learner.worlds, learner.agent, state.params, state.play, NUM_STEPS)
    shape = samples.reward.shape
    batch = (samples, jnp.zeros(shape), jnp.zeros(shape), state.play.memory[None])
    steps = learner.config.num_optimizer_steps
    assert steps == 4 * 2 * 3

    def moved_after(count):
        optimizer = jax.tree.map(
            lambda x: jnp.full_like(x, count) if x.dtype == jnp.int32 else x, learner._optimizer.init(state.params)
        )
        optimizer = optax.tree_utils.tree_set(optimizer, mu=optax.tree_utils.tree_zeros_like(state.params))
        (_, after), _ = learner._learn((state.params, optimizer), batch)
        mu = optax.tree_utils.tree_get(after, "mu")
        return max(np.max(np.abs(x)) for x in jax.tree.leaves(mu))

    slopes = [moved_after(count) for count in (0, steps // 2, steps * 3 // 4, steps, steps + 5)]
    assert slopes[0] > 1e-5
    np.testing.assert_allclose(np.array(slopes) / slopes[0], [1, 0.5, 0.25, 0, 0], rtol=1e-4, atol=1e-6)


def test_agents_that_have_left_do_not_teach(played):
    learner, state, _, samples, _ = played
    shape = samples.reward.shape
    key = jax.random.key(0)
    advantage, target = jax.random.normal(key, shape), jnp.ones(shape)
    gradient = jax.jit(jax.grad(lambda p, b: learner.loss(p, b)[0]))

    def spoilt(x, valid):
        return jnp.where(valid.reshape(*shape, *[1] * (x.ndim - 2)), x, x + 3)

    def spoil(where_kept):
        changed = dataclasses.replace(
            samples, draw=(samples.draw + ~where_kept[..., None]) % 3, log_prob=spoilt(samples.log_prob, where_kept)
        )
        if not learner.config.network.recurrent:  # a net with memory may well use what it saw after it left
            changed = dataclasses.replace(changed, features=spoilt(samples.features, where_kept))
        return changed, spoilt(advantage, where_kept), spoilt(target, where_kept), state.play.memory[None]

    true = gradient(state.params, (samples, advantage, target, state.play.memory[None]))
    with_spoilt_invalid = gradient(state.params, spoil(samples.valid))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), true, with_spoilt_invalid)
    with_spoilt_valid = gradient(state.params, spoil(~samples.valid))
    assert largest_difference(true, with_spoilt_valid) > 0.01


def test_sums_count_the_episodes_that_ended(played, leavers):
    _, _, _, samples, sums = played
    time = np.rint(np.asarray(samples.features[..., 0]) * 10).astype(int)[:, ::2]  # of each world
    ends = np.rint(np.asarray(samples.features[..., 1]) * 10).astype(int).reshape(NUM_STEPS, NUM_ENVS, 2)
    length = np.minimum(ends.max(-1), leavers.limit)
    over = time == length - 1
    assert float(sums["episodes"]) == over.sum() > 20
    assert float(sums["length"]) == length[over].sum()
    np.testing.assert_allclose(sums["success"], (ends <= leavers.limit).mean(-1)[over].sum())
    ticks = np.minimum(ends, leavers.limit)
    returns = ticks * (ticks + 1) / 2 + ticks * np.arange(2)  # the sum of 1 … ticks, and the agent's index each tick
    np.testing.assert_allclose(sums["return"], returns.mean(-1)[over].sum(), rtol=1e-6)


def test_minibatches_hold_each_lane_once(leavers):
    learner = learner_for(leavers)
    lanes = NUM_ENVS * 2
    numbered = jnp.broadcast_to(jnp.arange(lanes), (NUM_STEPS, lanes))
    dealt, times = learner._shuffled(jax.random.key(0), (numbered, jnp.arange(NUM_STEPS)[:, None] + 0 * numbered))
    assert dealt.shape == (3, NUM_STEPS, lanes // 3)
    np.testing.assert_array_equal(np.sort(dealt[:, 0].ravel()), np.arange(lanes))
    assert not np.array_equal(dealt[:, 0].ravel(), np.arange(lanes))
    np.testing.assert_array_equal(dealt, dealt[:, :1].repeat(NUM_STEPS, 1))
    np.testing.assert_array_equal(times[:, :, 0], np.arange(NUM_STEPS)[None].repeat(3, 0))


def test_minibatches_for_a_central_critic_hold_whole_worlds(leavers):
    learner = learner_for(leavers)
    config = dataclasses.replace(learner.config, network=NetworkConfig(critic="central"))
    learner = Learner(learner.worlds, Agent.of(leavers, config.network), config)
    numbered = jnp.broadcast_to(jnp.arange(NUM_ENVS * 2), (NUM_STEPS, NUM_ENVS * 2))
    dealt, _ = learner._shuffled(jax.random.key(0), (numbered, numbered))
    lanes = np.asarray(dealt[:, 0]).reshape(-1, 2)
    np.testing.assert_array_equal(lanes[:, 1], lanes[:, 0] + 1)
    np.testing.assert_array_equal(np.sort(lanes[:, 0]), np.arange(0, NUM_ENVS * 2, 2))
    assert not np.array_equal(lanes[:, 0], np.arange(0, NUM_ENVS * 2, 2))


def test_an_update_moves_the_parameters_and_anneals(leavers):
    learner = learner_for(leavers)
    update = jax.jit(learner.update)
    state = learner.init(jax.random.key(0))
    moved = []
    for _ in range(learner.config.num_updates + 1):
        before = state.params
        state, sums = update(state, state.update)
        moved.append(largest_difference(before, state.params))
    assert int(state.update) == learner.config.num_updates + 1
    assert float(sums["minibatches"]) == 6
    assert moved[0] > moved[-2] > 0
    assert moved[-1] < 1e-6 * moved[0]  # past the end of the schedule
