"""What agents see: documented columns, masks, whose controls are whose, and no trace of slots."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_levels import BLUE, CART, GREEN, MEDIUM, SCENERY, Circle, Pin, Polygon, Thruster, box, cart, level_of

from minicosm.envs.physics import Physics
from minicosm.envs.physics.engine.size import pairs
from minicosm.envs.physics.observe import INDICES
from minicosm.training.networks.entities import entity_layout

ENTITIES = dataclasses.replace(CART, observation_kind="entities")


@functools.partial(jax.jit, static_argnums=0)
def _seen(env, level, actions):
    state, first = env.reset(jax.random.key(0), level)

    def step(state, action):
        state, timestep = env.step(jax.random.key(0), state, action)
        return state, timestep.observation

    return first, jax.lax.scan(step, state, actions)[1]


def seen(config, level, actions=None):
    """The first observation, and that after the last action."""
    env = Physics(config)
    actions = np.zeros((1, config.num_agents, *env.action_space.shape), np.float32) if actions is None else actions
    first, later = _seen(env, level, jnp.asarray(actions))
    return jax.tree.map(np.asarray, (first, jax.tree.map(lambda x: x[-1], later)))


@pytest.mark.parametrize("num_agents", [1, 3])
@pytest.mark.parametrize("kind", ["flat", "entities"])
@pytest.mark.parametrize("actions", ["continuous", "multi_discrete"])
def test_observations_lie_in_their_space(num_agents, kind, actions):
    config = dataclasses.replace(CART, observation_kind=kind, num_agents=num_agents, action_kind=actions)
    space = Physics(config).observation_space
    for observation in seen(config, cart()):
        for agent in range(num_agents):
            assert space.contains(jax.tree.map(lambda x: x[agent], observation))  # noqa: B023


def test_columns_mean_what_the_documentation_says():
    actions = np.zeros((1, 1, 6), np.float32)
    actions[0, 0, [0, 5]] = 0.5
    first, later = seen(ENTITIES, cart(), actions)
    chassis, ball, slots = 4, 6 + 2, CART.slots
    body = first["shapes"][0, chassis]
    np.testing.assert_allclose(body[:2], [1.5 / 2.5 - 1, 0.35 / 2.5 - 1], atol=1e-6)
    np.testing.assert_allclose(body[2:7], [0, 0, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(body[7:11], [0, 1, 0, 0])
    mass, inertia = 0.16, 0.16 * (0.8**2 + 0.2**2) / 12
    np.testing.assert_allclose(body[11:13], [1 / (1 + mass), 1 / (1 + inertia)], rtol=1e-5)
    np.testing.assert_allclose(body[13:17], [0.6, 0, 0, 0], atol=1e-6)
    assert {tuple(v) for v in np.round(body[17:].astype(float).reshape(-1, 2), 5).tolist()} == {
        (-0.4, -0.1),
        (0.4, -0.1),
        (0.4, 0.1),
        (-0.4, 0.1),
    }
    target = first["shapes"][0, ball]
    np.testing.assert_allclose(target[7:17], [0, 0, 1, 0, 0, 0, 0.6, 0, 1, 0.2], atol=1e-6)
    assert (target[17:] == 0).all()
    assert first["shape_mask"][0].tolist() == [1, 1, 1, 1, 1, 0, 1, 1, 1, 0] and slots.num_shapes == 10
    pin = first["joints"][0, 1]
    np.testing.assert_allclose(pin[:6], [0.25, -0.2, 0, 0, 1.75 / 2.5 - 1, 0.15 / 2.5 - 1], atol=1e-6)
    np.testing.assert_allclose(pin[6:14], [1, 0, 0, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(pin[14:19], [1, -0.8, 0.5, 0, 0], atol=1e-6)
    assert pin[19:23].tolist() == [0, 0, 0, 1] and pin[23] == 1
    assert first["joint_ends"][0].tolist() == [[4, 6], [4, 7]]
    jet = first["thrusters"][0, 0]
    np.testing.assert_allclose(jet[:6], [0, 0.1, 1.5 / 2.5 - 1, 0.45 / 2.5 - 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(jet[6:10], [6 / 7, 6 / mass / 10, 0, 0], rtol=1e-5)
    assert jet[10:12].tolist() == [0, 1] and jet[12] == 1
    assert first["thruster_mask"][0].tolist() == [1, 0] and first["thruster_shape"][0, 0] == 4
    np.testing.assert_allclose(first["gravity"][0], [0, -0.981], atol=1e-6)
    assert later["joints"][0, 0, 17] == 0.5 and later["joints"][0, 1, 17] == 0.0
    assert later["thrusters"][0, 0, 8] == 0.5


def test_options_that_do_nothing_are_masked():
    """Motors 0 and 3 drive the wheels and thruster 1 the roof."""
    used = [1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1]
    for kind, num_agents, expected in (
        ("multi_discrete", 1, [used]),
        ("discrete", 1, [[1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1]]),
        ("multi_discrete", 2, [[1, 1, 1, 1, 0, 0, 1, 1], [1, 0, 0, 1, 1, 1, 1, 0]]),
    ):
        config = dataclasses.replace(ENTITIES, action_kind=kind, num_agents=num_agents)
        env = Physics(config)
        for mask in (
            x["action_mask"] for x in seen(config, cart(), np.zeros((1, num_agents, *env.action_space.shape), np.int32))
        ):
            assert mask.astype(int).tolist() == expected
        assert env.observation_space["action_mask"].shape == (len(expected[0]),)
    assert "action_mask" not in seen(ENTITIES, cart())[0]


def test_links_name_the_element_of_the_action_that_drives_them():
    first, _ = seen(ENTITIES, cart())
    assert first["joint_control"][0].tolist() == [0, 3] and first["thruster_control"][0].tolist() == [5, 6]
    first, _ = seen(dataclasses.replace(ENTITIES, num_agents=2), cart())
    assert first["joint_control"].tolist() == [[0, 3], [3, 1]]  # 3: none of its own
    assert first["thruster_control"].tolist() == [[2, 3], [3, 3]]


def test_rows_of_what_is_absent_are_zero():
    first, _ = seen(ENTITIES, cart())
    for entity in ("shape", "joint", "thruster"):
        rows = first["shapes" if entity == "shape" else f"{entity}s"][0]
        assert (rows[first[f"{entity}_mask"][0] == 0] == 0).all()


def test_the_flat_form_holds_the_same_numbers():
    flat, _ = seen(dataclasses.replace(CART, observation_kind="flat"), cart())
    first, _ = seen(ENTITIES, cart())
    parts = Physics(ENTITIES).observation_space
    expected = np.concatenate([first[name].ravel() for name, _ in parts.items if name not in INDICES])
    np.testing.assert_array_equal(np.sort(flat.ravel()), np.sort(expected))


def test_each_agent_sees_which_controls_are_its_own():
    config = dataclasses.replace(ENTITIES, num_agents=2)
    first, _ = seen(config, cart())
    # motors 0 and 3 drive the wheels, thruster 1 the roof: the first agent has motors 0 and 1 and thruster 1
    assert first["joints"][:, :, -1].tolist() == [[1, 0], [0, 1]]
    assert first["thrusters"][:, :, -1].tolist() == [[1, 0], [0, 0]]
    assert first["agent"].tolist() == [[1, 0], [0, 1]]
    for name in ("shapes", "gravity", "joint_ends"):
        assert (first[name][0] == first[name][1]).all()


def _contraption(order, joint_order, size):
    """The same contraption, its parts listed in another order."""
    shapes = [
        box(0.8, 0.2, position=(1.5, 1.2)),
        Polygon(((-0.3, -0.2), (0.3, -0.2), (0.0, 0.4)), position=(3.5, 0.2)),
        box(0.3, 0.5, position=(2.5, 3.0), rotation=0.3),
        Circle(0.15, position=(1.25, 1.0)),
        Circle(0.2, position=(4.2, 3.0)),
    ]
    roles = [GREEN, BLUE, SCENERY, SCENERY, SCENERY]
    number = {old: new for new, old in enumerate(order)}
    joints = [Pin(number[0], number[3], at=(1.25, 1.0)), Pin(number[0], number[2], at=(2.0, 2.0))]
    motors = [(-8.0, 1.0, 0), (3.0, 0.5, 2)]
    thruster = Thruster(number[2], point=(0.0, 0.2), angle=1.0)
    return level_of(
        [shapes[i] for i in order],
        [roles[i] for i in order],
        [joints[j] for j in joint_order],
        [thruster],
        [motors[j] for j in joint_order],
        [(2.0, 0)],
        size,
    )


@pytest.mark.parametrize(("order", "joint_order"), [([2, 0, 1, 4, 3], [1, 0]), ([1, 2, 0, 3, 4], [0, 1])])
def test_permuting_slots_permutes_what_is_seen_and_changes_nothing_else(order, joint_order):
    size = dataclasses.replace(MEDIUM.slots, num_polygons=7)
    config = dataclasses.replace(ENTITIES, size=size, observe_filter=True)
    actions = np.zeros((10, 1, 6), np.float32)
    actions[:, 0, [0, 2, 4]] = 1.0
    plain = seen(config, _contraption([0, 1, 2, 3, 4], [0, 1], size), actions)
    moved = seen(config, _contraption(order, joint_order, size), actions)
    polygons, circles = [i for i in order if i < 3], [i for i in order if i >= 3]
    rows = [*range(4), *(4 + i for i in polygons), *(7 + i - 3 for i in circles), 9]
    for one, other, tolerance in zip(plain, moved, (0.0, 0.01), strict=True):
        np.testing.assert_allclose(other["shapes"][0], one["shapes"][0, rows], atol=tolerance)
        np.testing.assert_allclose(other["joints"][0], one["joints"][0, joint_order], atol=tolerance)
        np.testing.assert_allclose(other["thrusters"], one["thrusters"], atol=tolerance)
        assert (np.array(rows)[other["joint_ends"][0]] == one["joint_ends"][0, joint_order]).all()
        assert np.array(rows)[other["thruster_shape"][0, 0]] == one["thruster_shape"][0, 0]
        assert (other["shape_mask"] == one["shape_mask"][:, rows]).all()
        assert (_collisions(other, size) == _collisions(one, size)[np.ix_(rows, rows)]).all()


def _collisions(observation, size):
    """i[S, S]: 1 where an observation says that two shapes collide, -1 that they pass through each other, else 0."""
    matrix = np.zeros((size.num_shapes, size.num_shapes), int)
    shown, (first, second) = observation["pair_mask"][0] == 1, observation["pair_ends"][0].T
    value = np.where(observation["pairs"][0, :, 0] == 1, 1, -1) * shown
    matrix[first, second] = matrix[second, first] = value
    return matrix


def test_the_filter_is_seen_where_it_is_asked_for():
    config = dataclasses.replace(ENTITIES, observe_filter=True)
    level = cart()
    first, second = pairs(level.size).T
    wheels = (first == 6) & (second == 7)
    apart = dataclasses.replace(level.scene, collides=level.scene.collides & ~wheels)
    plain, _ = seen(config, level)
    other, _ = seen(config, dataclasses.replace(level, scene=apart))
    collides, passes = (_collisions(one, config.slots) for one in (plain, other))
    assert (collides == collides.T).all() and collides[6, 7] == 1 and passes[6, 7] == -1
    assert collides[4, 6] == collides[4, 7] == -1  # jointed to the chassis
    assert collides[4, :4].tolist() == [1] * 4  # walls
    assert not collides[5].any() and not collides[9].any()  # nobody there
    assert (collides != passes).sum() == 2
    assert not {"pairs", "pair_mask", "pair_ends"} & seen(ENTITIES, level)[0].keys()
    flat = dataclasses.replace(config, observation_kind="flat")
    longer, shorter = (
        Physics(c).observation_space.shape[0] for c in (flat, dataclasses.replace(flat, observe_filter=False))
    )
    assert longer - shorter == 2 * level.size.num_pairs == 2 * len(first)
    assert seen(flat, level)[0].shape[-1] == longer


def test_the_nets_for_entities_read_the_filter():
    space = Physics(dataclasses.replace(ENTITIES, observe_filter=True)).observation_space
    assert [link.rows.name for link in entity_layout(space).links] == ["joints", "pairs", "thrusters"]


def test_pixels_cannot_show_the_filter():
    with pytest.raises(ValueError, match="observe_filter is True; expected False with observation_kind 'pixels'"):
        dataclasses.replace(CART, observation_kind="pixels", observe_filter=True)
