"""The rules of the navigation world, on levels laid out by hand."""

import dataclasses
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Level, Nav, NavConfig, RewardConfig

FULL, LEFT, HALT = [1.0, 0.0], [-1.0, 1.0], [-1.0, 0.0]
BASE = NavConfig(num_beams=8, height=7, width=9, max_steps=60)


@functools.cache
def compiled(config):
    env = Nav(config)
    return env, jax.jit(env.reset), jax.jit(env.step)


def level(starts, goals, walls=None, headings=None, sharing=0.0, active=None):
    """An open 7 x 9 room, unless `walls`; `goals` f[A][2] or f[A][G][2]."""
    if walls is None:
        walls = np.pad(np.zeros((5, 7), bool), 1, constant_values=True)
    goals = np.asarray(goals, np.float32)
    count = len(starts)
    return Level(
        walls=jnp.asarray(walls),
        start=jnp.asarray(starts, jnp.float32),
        start_heading=jnp.asarray(headings if headings is not None else [0.0] * count, jnp.float32),
        goals=jnp.asarray(goals if goals.ndim == 3 else goals[:, None]),
        active=jnp.asarray(active if active is not None else [True] * count),
        sharing=jnp.full((count,), sharing, jnp.float32),
    )


def play(config, lev, actions):
    """Time steps of a run with `actions` [T][A]."""
    _, reset, step = compiled(config)
    key = jax.random.key(0)
    state, observation = reset(key, lev)
    steps = []
    for action in actions:
        state, timestep = step(key, state, jnp.asarray(action, jnp.float32))
        steps.append(timestep)
    return state, observation, steps


def test_reaching_the_goal_ends_the_robot_with_the_goal_reward():
    lev = level([[1.5, 1.5]], [[4.5, 1.5]])
    state, _, steps = play(BASE, lev, [[FULL]] * 40)
    arrival = next(t for t, s in enumerate(steps) if s.terminated[0])
    # accelerating over 0.55 m in 10 steps, then 0.1 m a step, until nearer than 0.3 m: 2.75 m after 32 steps
    assert arrival == 31
    moved = 0.1
    assert steps[arrival].reward[0] == pytest.approx(4.0 + 0.25 * moved - 0.01, abs=1e-5)
    assert steps[arrival].info["success"][0] and not steps[arrival].info["collision"][0]
    assert all(bool(s.terminated[0]) and float(s.reward[0]) == 0.0 for s in steps[arrival + 1 :])
    assert float(state.robots.speed[0]) == 0.0
    assert not any(bool(s.truncated[0]) for s in steps)


def test_progress_reward_is_the_distance_gained():
    lev = level([[1.5, 1.5]], [[6.5, 4.5]])
    _, _, steps = play(BASE, lev, [[FULL]] * 12)
    start, end = np.hypot(5, 3), np.hypot(5 - (0.55 + 0.2), 3)
    total = sum(float(s.reward[0]) for s in steps)
    assert total == pytest.approx(0.25 * (start - end) - 0.01 * 12, abs=1e-4)


def test_driving_into_a_wall_is_a_collision_found_in_the_step_it_happens():
    lev = level([[6.5, 3.5]], [[1.5, 3.5]])
    state, _, steps = play(BASE, lev, [[FULL]] * 20)
    hit = next(t for t, s in enumerate(steps) if s.terminated[0])
    # the wall's face is at x = 8, the hull 0.3 wide: 1.2 m to run, 0.55 m in ten steps and 0.1 m a step, strictly more
    assert hit in (16, 17)
    assert 7.7 - 1e-4 <= float(state.robots.position[0, 0]) <= 7.8 + 1e-4
    assert steps[hit].info["collision"][0] and not steps[hit].info["success"][0]
    assert float(steps[hit].reward[0]) == pytest.approx(-4.0 - 0.025 - 0.01 - 0.1, abs=1e-4)
    before = [s.reward[0] for s in steps[:hit]]
    near = [r for r in before if r < -0.1]
    assert len(near) in (1, 2)  # beams shorter than hull + 0.1 m cost 0.1 a step


def test_robots_that_meet_collide_and_the_third_goes_on():
    config = dataclasses.replace(BASE, num_robots=3)
    lev = level([[2.5, 1.5], [5.5, 1.5], [1.5, 4.5]], [[7.5, 1.5], [1.5, 1.5], [6.5, 4.5]], headings=[0, np.pi, 0])
    state, _, steps = play(config, lev, [[FULL] * 3] * 60)
    assert steps[-1].info["collision"].tolist() == [True, True, False]
    assert steps[-1].info["success"].tolist() == [False, False, True]
    apart = float(jnp.linalg.norm(state.robots.position[0] - state.robots.position[1]))
    assert 0.4 - 1e-4 <= apart < 0.6
    both = [s.terminated.tolist() for s in steps]
    assert [True, True, False] in both and not bool(steps[25].done)


def test_an_ended_robot_stays_in_the_way_unless_robots_vanish():
    for vanish, collided in ((False, True), (True, False)):
        config = dataclasses.replace(BASE, num_robots=2, robots_vanish=vanish)
        # the first arrives at (3.5, 1.5); the second comes along the same line, bound for the far side
        lev = level([[3.0, 1.5], [1.5, 1.5]], [[3.5, 1.5], [5.5, 1.5]])
        _, _, steps = play(config, lev, [[HALT, HALT], *[[FULL, HALT]] * 10, *[[FULL, FULL]] * 49])
        assert steps[-1].info["success"][0] and not steps[-1].info["collision"][0]
        assert bool(steps[-1].info["collision"][1]) == collided
        assert bool(steps[-1].info["success"][1]) == (not collided)


def test_a_lidar_sees_other_robots_but_not_vanished_or_inactive_ones():
    lev = level([[2.5, 2.5], [5.5, 2.5]], [[7.5, 5.5], [7.5, 1.5]])
    env, reset, _ = compiled(dataclasses.replace(BASE, num_robots=2))
    state, _ = reset(jax.random.key(0), lev)
    assert float(env.ranges(state)[0, 0]) == pytest.approx(2.7, abs=1e-5)
    assert float(env.ranges(state)[1, 4]) == pytest.approx(2.7, abs=1e-5)
    hidden, _ = reset(jax.random.key(0), dataclasses.replace(lev, active=jnp.array([True, False])))
    assert float(env.ranges(hidden)[0, 0]) == pytest.approx(5.5, abs=1e-5)


def test_the_time_limit_truncates_and_does_not_terminate():
    lev = level([[1.5, 1.5]], [[6.5, 4.5]])
    _, _, steps = play(BASE, lev, [[LEFT]] * 60)
    assert [bool(s.truncated[0]) for s in steps] == [False] * 59 + [True]
    assert not any(bool(s.terminated[0]) for s in steps)
    assert bool(steps[-1].done)


def test_sharing_mixes_own_and_team_reward():
    config = dataclasses.replace(BASE, num_robots=2)
    starts, goals = [[1.5, 1.5], [1.5, 4.5]], [[6.5, 1.5], [6.5, 4.5]]
    rewards = {}
    for sharing in (0.0, 0.3, 1.0):
        _, _, steps = play(config, level(starts, goals, sharing=sharing), [[FULL, HALT]] * 3)
        rewards[sharing] = np.asarray(steps[-1].reward)
    own, mean = rewards[0.0], rewards[0.0].mean()
    np.testing.assert_allclose(rewards[1.0], [mean, mean], atol=1e-6)
    np.testing.assert_allclose(rewards[0.3], 0.7 * own + 0.3 * mean, atol=1e-6)
    assert own[0] > own[1]


def test_inactive_robots_are_ended_from_the_start_and_do_not_count():
    config = dataclasses.replace(BASE, num_robots=3)
    lev = level([[1.5, 1.5]] * 3, [[4.5, 1.5]] * 3, active=[True, False, False], sharing=1.0)
    _, _, steps = play(config, lev, [[FULL] * 3] * 40)
    assert steps[0].terminated.tolist() == [False, True, True]
    assert float(steps[0].reward[1]) == 0.0
    assert steps[-1].info["success"].tolist() == [True, False, False]
    assert bool(steps[-1].done)
    best = max(float(s.reward[0]) for s in steps)
    assert best > 4.0  # the mean is over active robots


def test_lifelong_robots_are_given_goal_after_goal_and_count_them():
    config = dataclasses.replace(BASE, lifelong=True, num_goals=2, max_steps=400)
    lev = level([[1.5, 1.5]], [[[3.5, 1.5], [5.5, 1.5]]])
    _, _, steps = play(config, lev, [[FULL]] * 45)
    assert steps[-1].info["deliveries"].tolist() == [2]
    arrivals = [t for t, s in enumerate(steps) if float(s.reward[0]) > 3]
    assert len(arrivals) == 2 and not steps[arrivals[1]].terminated[0]
    # the new goal shows in the observation of the step of arrival: 2 m minus what is left of the goal radius
    distance = float(steps[arrivals[0]].observation[0, 10]) * 2 * config.lidar_range
    assert 2.0 < distance < 2.3


def test_random_sharing_is_observed():
    env = Nav(dataclasses.replace(BASE, random_sharing=True, num_robots=2))
    lev = env.sample_level(jax.random.key(1))
    _, observation = env.reset(jax.random.key(0), lev)
    np.testing.assert_array_equal(observation[:, -1], lev.sharing)
    assert 0 < float(lev.sharing[0]) < 1 and float(lev.sharing[0]) != float(lev.sharing[1])


def test_observation_fields():
    lev = level([[2.5, 2.5]], [[2.5, 5.5]], headings=[np.pi / 2], sharing=0.5)
    _, observation, steps = play(BASE, lev, [[[0.5, 0.5]]] * 4)
    expected = [2.5 + 1.0 - 0.0, 0, 1.5, 0, 1.5, 0, 5.5, 0]  # ahead 3.5, left 1.5, back 1.5, right 5.5
    np.testing.assert_allclose((observation[0, :8:2] + 0.5) * 6, expected[::2], atol=1e-5)
    np.testing.assert_allclose(observation[0, 8:], [0, 0, 3 / 12, 1, 0, 0.5], atol=1e-6)
    np.testing.assert_allclose(steps[0].observation[0, 8:10], [0.1, 0.1 / 0.6], atol=1e-6)


def test_discrete_actions_are_three_speeds_by_five_turn_rates():
    config = dataclasses.replace(BASE, action_kind="discrete", max_acceleration=np.inf, max_turn_acceleration=np.inf)
    env, reset, step = compiled(config)
    lev = level([[3.5, 3.5]], [[7.5, 5.5]])
    state, _ = reset(jax.random.key(0), lev)
    rates = []
    for action in range(env.action_space.n):
        after, _ = step(jax.random.key(0), state, jnp.array([action]))
        rates.append((float(after.robots.speed[0]), float(after.robots.turn_rate[0])))
    expected = [(v, w) for v in (0, 0.5, 1.0) for w in (-0.6, -0.3, 0, 0.3, 0.6)]
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_lidar_noise_is_drawn_from_the_key():
    config = dataclasses.replace(BASE, lidar_noise=0.1)
    env = Nav(config)
    lev = level([[3.5, 3.5]], [[7.5, 5.5]])
    clean = compiled(BASE)[1](jax.random.key(0), lev)[1]
    noisy = np.asarray(jax.jit(jax.vmap(lambda k: env.reset(k, lev)[1]))(jax.random.split(jax.random.key(0), 300)))
    error = (noisy - np.asarray(clean))[:, 0, :8] * 6
    assert abs(error.mean()) < 0.01 and 0.09 < error.std() < 0.11


SOAK_STEPS = int(os.environ.get("MINICOSM_SOAK_STEPS", "20000"))  # 1000000 for the full soak


def test_no_robot_ends_a_step_overlapping_a_wall_or_another_undetected():
    config = NavConfig(num_robots=4, num_beams=4, max_steps=100, height=9, width=9)
    env = Nav(config)
    worlds, steps = 100, 100

    def run(key):
        level_key, play_key = jax.random.split(key)
        state, _ = env.reset(key, env.sample_level(level_key))

        def tick(state, key):
            action = jax.random.uniform(key, (4, 2), minval=jnp.array([0.0, -1.0]), maxval=1.0)
            state, _ = env.step(key, state, action)
            return state, (state.robots.position, state.collided)

        return state.level.walls, jax.lax.scan(tick, state, jax.random.split(play_key, steps))[1]

    run = jax.jit(jax.vmap(run))
    rows, columns = np.mgrid[0:9, 0:9]
    corner = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    overlaps = contacts = 0
    for part in range(max(1, SOAK_STEPS // (worlds * steps))):
        walls, (position, collided) = run(jax.random.split(jax.random.key(part), worlds))
        walls, position, collided = np.asarray(walls), np.asarray(position, np.float64), np.asarray(collided)
        nearest = np.clip(position[:, :, :, None], corner, corner + 1)
        gap = np.linalg.norm(nearest - position[:, :, :, None], axis=-1)
        gap = np.where(walls.reshape(worlds, 1, 1, -1), gap, np.inf).min(axis=-1)
        overlapping = gap < config.radius - 1e-5
        assert collided[overlapping].all()
        between = np.linalg.norm(position[:, :, :, None] - position[:, :, None], axis=-1) + 10 * np.eye(4)
        touching = between < 2 * config.radius - 1e-5
        # of two that overlap, at least the one that moved has collided
        assert (collided[:, :, :, None] | collided[:, :, None, :])[touching].all()
        overlaps, contacts = overlaps + overlapping.sum(), contacts + touching.sum()
    assert overlaps > 1000 and contacts > 50


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_robots": 0}, "num_robots is 0; expected 1 to 32"),
        ({"num_robots": 33}, "num_robots is 33"),
        ({"height": 4}, "height is 4"),
        ({"dt": 0.5}, "dt is 0.5; expected less than radius / max_speed"),
        ({"lidar_range": float("nan")}, "lidar_range is nan"),
        ({"level_kind": "forest"}, "level_kind is 'forest'; expected one of clutter"),
        ({"action_kind": "both"}, "action_kind is 'both'"),
        ({"lifelong": True}, "num_goals is 1; expected at least 2"),
        ({"sharing": 1.5}, "sharing is 1.5"),
        ({"lidar_range": 200.0}, "at most 128 cells"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_the_field_and_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        NavConfig(**settings)


def test_reward_coefficients_are_settable():
    config = dataclasses.replace(BASE, reward=RewardConfig(goal=10.0, progress=0.0, time=0.0))
    _, _, steps = play(config, level([[1.5, 1.5]], [[2.0, 1.5]]), [[FULL]] * 8)
    assert max(float(s.reward[0]) for s in steps) == 10.0
