"""The rules of the 2D universe: what ends an episode, what is rewarded, what drives what."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_levels import AUTOMATIC, BLUE, CART, GREEN, MEDIUM, RED, Circle, Pin, Thruster, box, cart, drop, level_of

from minicosm.envs.physics import Physics, PhysicsConfig, RewardConfig
from minicosm.envs.physics.control import action_space, split


@functools.partial(jax.jit, static_argnums=0)
def _rollout(env, level, actions):
    def step(state, action):
        state, timestep = env.step(jax.random.key(0), state, action)
        return state, (state, timestep)

    return jax.lax.scan(step, env.reset(jax.random.key(0), level)[0], actions)[1]


def rollout(config, level, actions):
    """States and time steps after each of `actions` [T, A, ...]."""
    steps = len(actions)
    padded = np.zeros((max(80, steps), *actions.shape[1:]), actions.dtype)  # one length, compiled once
    padded[:steps] = actions
    return jax.tree.map(lambda x: x[:steps], _rollout(Physics(config), level, jnp.asarray(padded)))


def still(steps, config=MEDIUM):
    return np.zeros((steps, config.num_agents, *action_space(config).shape), np.float32)


def test_green_on_blue_wins_once_and_for_all():
    _, timestep = rollout(MEDIUM, drop(BLUE), still(60))
    reward, ended = np.asarray(timestep.reward)[:, 0], np.asarray(timestep.terminated)[:, 0]
    first = int(np.argmax(ended))
    assert abs((first + 1) / 30 - np.sqrt(2 * 1.0 / 9.81)) < 1 / 30 + 0.01  # a fall of 1 m
    assert ended[first:].all() and not ended[:first].any()
    assert reward[first] == 1.0 and reward.sum() == 1.0
    assert not np.asarray(timestep.truncated).any()
    assert (np.asarray(timestep.info["success"])[:, 0] == ended).all()
    assert not np.asarray(timestep.info["failure"]).any()


def test_green_on_red_fails():
    _, timestep = rollout(MEDIUM, drop(RED), still(60))
    reward = np.asarray(timestep.reward)[:, 0]
    assert reward.sum() == -1.0 and (reward == -1.0).sum() == 1
    assert np.asarray(timestep.terminated)[-1, 0] and not np.asarray(timestep.info["success"]).any()
    assert np.asarray(timestep.info["failure"])[-1, 0]


def test_blue_and_red_at_once_is_a_failure():
    pads = [box(0.5, 0.5, position=(x, 0.25), static=True) for x in (2.2, 2.8)]
    size = dataclasses.replace(MEDIUM.slots, num_polygons=7)
    level = level_of([box(1.0, 0.2, position=(2.5, 1.6)), *pads], [GREEN, BLUE, RED], size=size)
    _, timestep = rollout(dataclasses.replace(MEDIUM, size=size), level, still(30))
    assert np.asarray(timestep.info["failure"])[-1, 0] and not np.asarray(timestep.info["success"])[-1, 0]
    assert np.asarray(timestep.reward).sum() == -1.0


def test_what_is_touched_first_decides_within_a_step():
    # with a frame-skip of 64 the whole fall is one step: blue is hit on the way, red 0.2 s later
    shapes = [
        Circle(0.2, position=(2.5, 1.2), velocity=(0.0, -3.0), restitution=1.0),
        box(0.4, 0.2, position=(2.5, 0.1), static=True),
        box(0.4, 0.2, position=(2.5, 1.7), static=True),
    ]
    for roles, sign in (((GREEN, BLUE, RED), 1.0), ((GREEN, RED, BLUE), -1.0)):
        level = level_of(shapes, roles)
        _, timestep = rollout(dataclasses.replace(MEDIUM, frame_skip=64), level, still(1))
        assert np.asarray(timestep.reward).tolist() == [[sign]]
        state, _ = rollout(dataclasses.replace(MEDIUM, frame_skip=1), level, still(64))
        touched = np.asarray(state.success)[-1], np.asarray(state.failure)[-1]
        assert touched == (sign > 0, sign < 0)


def test_scenery_and_blue_on_red_decide_nothing():
    shapes = [Circle(0.2, position=(1.0, 0.5)), Circle(0.2, position=(2.5, 0.8)), box(1.0, 0.5, position=(2.5, 0.25))]
    _, timestep = rollout(MEDIUM, level_of(shapes, [GREEN, BLUE, RED]), still(20))
    assert not np.asarray(timestep.terminated).any() and np.asarray(timestep.reward).sum() == 0.0


def test_time_runs_out_as_a_truncation():
    config = dataclasses.replace(MEDIUM, max_steps=5)
    _, timestep = rollout(config, drop(BLUE), still(6))
    assert np.asarray(timestep.truncated)[:, 0].tolist() == [False] * 4 + [True] * 2
    assert not np.asarray(timestep.terminated).any()


def test_shaping_sums_to_what_the_distance_shrank():
    config = dataclasses.replace(MEDIUM, reward=RewardConfig(success=0.0, shaping=0.5))
    state, timestep = rollout(config, drop(BLUE), still(40))
    distance = np.asarray(state.distance)
    end = int(np.argmax(np.asarray(state.success)))
    assert np.asarray(timestep.reward).sum() == pytest.approx(
        0.5 * (1.65 - 0.2 - 0.05 - distance[end] + 0.05), abs=0.03
    )
    assert np.asarray(timestep.reward)[end + 1 :].sum() == 0.0


def test_a_motor_turns_what_it_holds_and_is_free_when_off():
    wheel = [box(0.5, 0.5, position=(1.0, 2.5), static=True), Circle(0.3, position=(2.5, 2.5), angular_velocity=1.0)]
    level = level_of(wheel, [GREEN, BLUE], [Pin(0, 1, at=(2.5, 2.5))], motors=[(6.0, 5.0, 2)])
    actions = still(40)
    actions[:20, 0, 2] = 1.0
    actions[20:30, 0, 2] = -0.5
    spin = np.asarray(rollout(MEDIUM, level, actions)[0].bodies.angular_velocity)[:, MEDIUM.slots.num_polygons]
    assert spin[19] == pytest.approx(6.0, abs=1e-3) and spin[29] == pytest.approx(-3.0, abs=1e-3)
    assert spin[39] == pytest.approx(spin[29], abs=1e-4)  # off: it goes on turning
    coasting = np.asarray(rollout(MEDIUM, level, still(10))[0].bodies.angular_velocity)[:, MEDIUM.slots.num_polygons]
    assert coasting[-1] == pytest.approx(1.0, abs=1e-4)


def test_a_motor_uses_no_more_than_its_torque():
    wheel = [box(0.5, 0.5, position=(1.0, 2.5), static=True), Circle(0.3, position=(2.5, 2.5), density=2.0)]
    level = level_of(wheel, [GREEN, BLUE], [Pin(0, 1, at=(2.5, 2.5))], motors=[(40.0, 0.05, 0)])
    actions = still(15)
    actions[:, 0, 0] = 1.0
    spin = np.asarray(rollout(MEDIUM, level, actions)[0].bodies.angular_velocity)[-1, MEDIUM.slots.num_polygons]
    inertia = 0.5 * 2.0 * np.pi * 0.3**4
    assert spin == pytest.approx(0.05 / inertia * 15 / 30, rel=1e-3)


def test_a_thruster_pushes_with_its_force_times_the_action():
    ball = [Circle(0.3, position=(2.5, 2.5)), box(0.2, 0.2, position=(0.5, 0.5), static=True)]
    level = level_of(ball, [GREEN, BLUE], thrusters=[Thruster(0, angle=np.pi / 3)], forces=[(2.0, 1)], gravity=(0, 0))
    mass, mid = np.pi * 0.3**2, MEDIUM.slots.num_polygons
    for action, share in ((1.0, 1.0), (0.25, 0.25), (-1.0, 0.0), (7.0, 1.0)):
        actions = still(6)
        actions[:, 0, 5] = action
        velocity = np.asarray(rollout(MEDIUM, level, actions)[0].bodies.velocity)[-1, mid]
        expected = share * 2.0 / mass * 0.2 * np.array([np.cos(np.pi / 3), np.sin(np.pi / 3)])
        np.testing.assert_allclose(velocity, expected, atol=2e-4)


def test_what_is_automatic_is_always_on():
    ball = [Circle(0.3, position=(2.5, 2.5)), box(0.2, 0.2, position=(0.5, 0.5), static=True)]
    level = level_of(ball, [GREEN, BLUE], thrusters=[Thruster(0)], forces=[(2.0, AUTOMATIC)], gravity=(0, 0))
    velocity = np.asarray(rollout(MEDIUM, level, still(6))[0].bodies.velocity)[-1, MEDIUM.slots.num_polygons]
    assert velocity[0] == pytest.approx(2.0 / (np.pi * 0.09) * 0.2, rel=1e-3)


def test_the_kinds_of_action_say_the_same_things():
    ways = {
        "continuous": [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, -1, 0, 0], [0, 0, 0, 0, 0, 1]],
        "multi_discrete": [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 2, 0, 0], [0, 0, 0, 0, 0, 1]],
        "discrete": [0, 1, 8, 10],
    }
    ends = {}
    for kind, actions in ways.items():
        config = dataclasses.replace(CART, action_kind=kind)
        dtype = np.float32 if kind == "continuous" else np.int32
        taken = np.repeat(np.array(actions, dtype), 4, axis=0)[:, None]
        assert all(action_space(config).contains(a[0]) for a in taken)
        ends[kind] = np.asarray(rollout(config, cart(), taken)[0].bodies.position)[-1]
    np.testing.assert_array_equal(ends["continuous"], ends["multi_discrete"])
    np.testing.assert_array_equal(ends["continuous"], ends["discrete"])


def test_the_cart_drives_to_the_ball():
    actions = still(80, CART)
    actions[:, 0, [0, 3]] = 1.0
    _, timestep = rollout(CART, cart(), actions)
    assert np.asarray(timestep.info["success"])[-1, 0]


@pytest.mark.parametrize("num_agents", [2, 3, 4])
def test_agents_share_the_bindings_and_the_reward(num_agents):
    shared = dataclasses.replace(CART, num_agents=num_agents)
    dealt = split(shared)
    assert sorted(dealt.source.tolist()) == sorted(set(dealt.source.tolist()))  # no column drives two bindings
    assert set(dealt.owner.tolist()) == set(range(num_agents))
    alone = np.random.default_rng(0).uniform(-1, 1, (30, 6)).astype(np.float32)
    width = dealt.num_motors + dealt.num_thrusters
    together = np.zeros((30, num_agents * width), np.float32)
    together[:, dealt.source] = alone
    one, _ = rollout(CART, cart(), alone[:, None])
    state, timestep = rollout(shared, cart(), together.reshape(30, num_agents, width))
    np.testing.assert_array_equal(np.asarray(state.bodies.position), np.asarray(one.bodies.position))
    reward = np.asarray(timestep.reward)
    assert reward.shape == (30, num_agents) and (reward == reward[:, :1]).all()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": "xl"}, "size is 'xl'; expected 's', 'm', 'l' or a Size"),
        ({"num_agents": 5}, "num_agents is 5; expected a whole number from 1 to 4"),
        ({"num_agents": 4, "num_motor_bindings": 2, "num_thruster_bindings": 0}, "at most the 2 bindings"),
        ({"action_kind": "box"}, "action_kind is 'box'; expected one of"),
        ({"observation_kind": "image"}, "observation_kind is 'image'; expected one of"),
        ({"frame_skip": 0}, "frame_skip is 0; expected a whole number from 1 to 64"),
        ({"max_steps": 2.5}, "max_steps is 2.5"),
        ({"reward": RewardConfig(shaping=float("nan"))}, "shaping is nan; expected a finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        PhysicsConfig(**settings)
