"""The loader: what a person writes becomes the right arrays, and what cannot be simulated is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.physics.engine import reference_tick, tick
from minicosm.envs.physics.engine.build import build, idle, slots, stack, start
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Thruster, Weld, box, box_walls
from minicosm.envs.physics.engine.size import SMALL, Size, pair_index

SIZE = Size(num_polygons=6, num_circles=3, num_joints=2, num_thrusters=2, num_walls=2, max_vertices=5)
TRIANGLE = ((0.0, 0.0), (3.0, 0.0), (0.0, 1.5))


def on_its_own(shape, **parts):
    return build(SIZE, [shape], **parts)


def collides(scene, a, b):
    return bool(scene.collides[pair_index(scene.size)[a, b]])


def test_every_shape_goes_where_slots_says():
    shapes = [Circle(0.5, position=(1, 2)), box(1, 1, position=(3, 4)), Circle(0.25), box(2, 1, position=(5, 6))]
    walls = box_walls(10, 10)[:1]
    assert slots(SIZE, shapes, walls) == (6, 2, 7, 3, 0)
    scene, state = build(SIZE, shapes, walls=walls)
    np.testing.assert_allclose(state.position[jnp.array([6, 2, 3])], [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_allclose(scene.radius, [0.5, 0.25, 1.0])
    np.testing.assert_allclose(scene.inverse_mass[jnp.array([0, 2, 3])], [0, 1, 0.5])


def test_a_shape_is_recentred_on_its_centroid():
    scene, state = on_its_own(Polygon(TRIANGLE, position=(10.0, 20.0), rotation=np.pi / 2, density=2.0))
    np.testing.assert_allclose(state.position[2], [10 - 0.5, 20 + 1.0], atol=1e-5)  # centroid (1, 0.5), turned
    np.testing.assert_allclose(scene.vertices[2, :3], np.array(TRIANGLE) - [1.0, 0.5], atol=1e-6)
    np.testing.assert_allclose(scene.vertices[2, 3:], [scene.vertices[2, 2]] * 2)  # padding repeats the last
    np.testing.assert_allclose(scene.inverse_mass[2], 1 / 4.5, rtol=1e-6)
    np.testing.assert_allclose(scene.inverse_inertia[2], 1 / (4.5 * 22.5 / 36), rtol=1e-6)


def test_vertices_may_run_either_way_round():
    one, _ = on_its_own(Polygon(TRIANGLE))
    other, _ = on_its_own(Polygon(TRIANGLE[::-1]))
    np.testing.assert_allclose(np.sort(one.vertices[2], 0), np.sort(other.vertices[2, :], 0), atol=1e-6)
    corners = np.asarray(other.vertices[2, :3], float)
    following = np.roll(corners, -1, 0)
    assert (corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum() > 0  # anticlockwise


def test_an_empty_scene_holds_harmless_shapes():
    scene, state = build(SIZE, [])
    assert not scene.inverse_mass.any() and not scene.inverse_inertia.any() and not scene.collides.any()
    assert not scene.joints.active.any() and not state.position.any()
    edges = scene.vertices[:, :3] - jnp.roll(scene.vertices[:, :3], 1, axis=1)
    assert (jnp.linalg.norm(edges, axis=-1) > 0.5).all() and (scene.radius == 1).all()


def test_dtypes_and_shapes_are_those_of_the_size():
    scene, state = build(SIZE, [box(1, 1)])
    assert {leaf.dtype.name for leaf in jax.tree.leaves((scene, state))} == {"float32", "int32", "bool"}
    assert scene.vertices.shape == (6, 5, 2) and scene.collides.shape == (SIZE.num_pairs,)
    assert state.contacts.shape == (SIZE.num_pairs, 2, 4) and state.joint_impulses.shape == (2, 6)


def test_a_start_made_on_the_device_is_the_loaders():
    scene, state = build(SIZE, [Circle(0.3, position=(1, 2), velocity=(3, 4), angular_velocity=5)])
    made = jax.jit(start)(scene, state.position, state.rotation, state.velocity, state.angular_velocity)
    assert jax.tree.all(jax.tree.map(lambda a, b: a.dtype == b.dtype and (a == b).all(), made, state))


def test_idle_controls_fit_one_scene_and_a_batch():
    scene, state = build(SIZE, [Circle(0.3)])
    assert idle(scene).motor_torque.shape == (2,) and not idle(scene).thrust.any()
    scenes, states = stack([(scene, state)] * 3)
    assert idle(scenes).motor_speed.shape == (3, 2) and states.position.shape == (3, 9, 2)


def test_worlds_of_two_sizes_do_not_stack():
    with pytest.raises(ValueError, match="worlds of 2 sizes do not stack"):
        stack([build(SIZE, []), build(SMALL, [])])
    with pytest.raises(ValueError, match="no worlds"):
        stack([])


@pytest.mark.parametrize("step", [tick, reference_tick])
def test_a_tick_of_many_scenes_without_vmap_is_refused(step):
    scene, state = build(SMALL, [box(1, 1)])
    scenes, states = stack([(scene, state)] * 2)
    with pytest.raises(ValueError, match=r"shape \(2, 7\).*use jax.vmap"):
        step(scenes, states, idle(scenes))
    with pytest.raises(ValueError, match=r"state.rotation has the shape \(2, 7\).*use jax.vmap"):
        step(scene, states, idle(scene))


@pytest.mark.parametrize("step", [tick, reference_tick])
def test_a_tick_of_parts_of_two_sizes_is_refused(step):
    scene, state = build(SMALL, [])
    other, _ = build(dataclasses.replace(SMALL, num_joints=3), [])
    with pytest.raises(ValueError, match=r"controls.motor_speed has the shape \(3,\).*has \(1,\): build all three"):
        step(scene, state, idle(other))


def test_walls_surround_the_room_without_gaps():
    walls = box_walls(5.0, 4.0, thickness=0.5)
    spans = []
    for wall in walls:
        corners = np.array(wall.vertices) + wall.position
        spans.append((corners.min(0), corners.max(0)))
    np.testing.assert_allclose(spans[0], [[-0.5, -0.5], [5.5, 0.0]])
    np.testing.assert_allclose(spans[1], [[-0.5, 4.0], [5.5, 4.5]])
    np.testing.assert_allclose(spans[2], [[-0.5, 0.0], [0.0, 4.0]])
    np.testing.assert_allclose(spans[3], [[5.0, 0.0], [5.5, 4.0]])


def test_who_collides_with_whom():
    shapes = [box(1, 1), box(1, 1), Circle(0.5), Circle(0.5, static=True), box(1, 1, density=0.0)]
    scene, _ = build(
        SIZE, shapes, [Pin(0, 2, at=(0, 0))], walls=[box(9, 1, static=True)], no_collision=[(1, 2), (0, 5)]
    )
    first, second, ball, fixed, slab, wall = slots(SIZE, shapes, [shapes[4]])
    assert collides(scene, first, second) and collides(scene, first, fixed) and collides(scene, ball, wall)
    assert not collides(scene, first, ball)  # jointed
    assert not collides(scene, second, ball) and not collides(scene, first, wall)  # filtered
    assert not collides(scene, fixed, slab) and not collides(scene, fixed, wall)  # static
    assert not collides(scene, first, 8) and not collides(scene, first, 1)  # empty slots


def test_a_filter_may_be_a_symmetric_matrix():
    apart = np.zeros((3, 3), bool)
    apart[0, 2] = apart[2, 0] = True
    scene, _ = build(SIZE, [box(1, 1), box(1, 1), Circle(1)], no_collision=apart)
    assert not collides(scene, 2, 6) and collides(scene, 2, 3) and collides(scene, 3, 6)


def test_anchors_are_in_body_frames():
    shapes = [Polygon(TRIANGLE, position=(1, 1)), box(2, 1, position=(4, 1), rotation=np.pi / 2)]
    by_point, _ = build(SIZE, shapes, [Pin(0, 1, at=(3, 1))])
    by_anchors, _ = build(SIZE, shapes, [Pin(0, 1, anchor_a=(2, 0), anchor_b=(0, 1))])
    for scene in (by_point, by_anchors):
        np.testing.assert_allclose(scene.joints.anchor_a[0], [2 - 1, -0.5], atol=1e-6)
        np.testing.assert_allclose(scene.joints.anchor_b[0], [0, 1], atol=1e-6)
        np.testing.assert_allclose(scene.joints.rest_angle[0], np.pi / 2, rtol=1e-6)
    assert scene.joints.active.tolist() == [True, False]
    assert (int(scene.joints.shape_a[0]), int(scene.joints.shape_b[0])) == (2, 3)


def test_limits_springs_and_welds():
    shapes = [box(1, 1), box(1, 1)]
    joints = [
        Pin(0, 1, at=(0, 0), limits=(-1, 2), rest_angle=0.5, spring_hertz=3, spring_damping=0.2),
        Weld(1, 0, at=(0, 0)),
    ]
    joint = build(SIZE, shapes, joints)[0].joints
    np.testing.assert_allclose(joint.has_limit, [True, True])
    np.testing.assert_allclose(joint.lower, [-1, 0])
    np.testing.assert_allclose(joint.upper, [2, 0])
    np.testing.assert_allclose(joint.rest_angle, [0.5, 0])
    np.testing.assert_allclose(joint.spring_hertz, [3, 0])
    np.testing.assert_allclose(joint.spring_damping[0], 0.2)


def test_thrusters_are_in_body_frames():
    scene, _ = build(SIZE, [Circle(1), Polygon(TRIANGLE)], thrusters=[Thruster(1, (0, 0), 0.3), Thruster(0, (1, 0))])
    np.testing.assert_allclose(scene.thrusters.point, [[-1, -0.5], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(scene.thrusters.angle, [0.3, 0])
    assert scene.thrusters.shape.tolist() == [2, 6]


NAN = float("nan")
PAIR = [box(1, 1), box(1, 1, static=True), box(1, 1, static=True), Circle(1)]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Polygon(((0, 0), (1, 0))), "shape 0 has 2 vertices: this size holds polygons of 3 to 5"),
        (Polygon([(np.cos(k), np.sin(k)) for k in range(6)]), "shape 0 has 6 vertices"),
        (Polygon(((0, 0), (1, 0), (2, 0))), "shape 0 has area 0 m"),
        (Polygon(((0, 0), (1, 0), (2, 1e-5))), "must not lie on a line"),
        (Polygon(((0, 0), (1, 0), (1, 0), (0, 1))), "vertices 1 and 2 of shape 0 coincide"),
        (Polygon(((0, 0), (1, 0), (0, 1), (0, 0))), "vertices 0 and 3 of shape 0 coincide"),
        (Polygon(((0, 0), (2, 0), (0.5, 0.5), (0, 2))), "shape 0 is not convex"),
        (Polygon(((0, 0), (2, 0), (1, 0), (1, 1))), "shape 0 is not convex"),  # a spike
        (Polygon(((0, 0), (1, 1), (1, 0), (0, 1))), "edges of shape 0 cross"),
        (Polygon([(np.cos(4 * np.pi * k / 5), np.sin(4 * np.pi * k / 5)) for k in range(5)]), "edges of shape 0 cross"),
        (Polygon(((0, 0), (1, NAN), (0, 1))), "must be finite"),
        (Polygon(((0, 0), (1, 0), (0, float("inf")))), "must be finite"),
        (Polygon(((0, 0), (1e-4, 0), (0, 1e-4))), "m across: it must be at least 0.001 m"),
        (Polygon((1, 2, 3)), "must be a list of points"),
        (Polygon("square"), "must be a list of points"),
        (Circle(0.0), "radius of shape 0 is 0.0"),
        (Circle(-1.0), "radius of shape 0 is -1.0"),
        (Circle(NAN), "radius of shape 0 is nan"),
        (Circle("big"), "radius of shape 0 is 'big'"),
        (Circle(1.0, density=-1.0), "density of shape 0 is -1.0"),
        (Circle(1.0, density=NAN), "density of shape 0 is nan"),
        (Circle(1.0, density=1e-20), "shape 0 has mass 3.14159e-20 kg"),
        (Circle(1.0, friction=-0.1), "friction of shape 0 is -0.1"),
        (Circle(1.0, restitution=1.1), "restitution of shape 0 is 1.1"),
        (Circle(1.0, restitution=-0.1), "restitution of shape 0 is -0.1"),
        (Circle(1.0, position=(0, NAN)), "position of shape 0"),
        (Circle(1.0, position=(0, 0, 0)), "position of shape 0"),
        (Circle(1.0, position=(0, 1e9)), "position of shape 0"),
        (Circle(1.0, rotation=NAN), "rotation of shape 0 is nan"),
        (Circle(1.0, velocity=(NAN, 0)), "velocity of shape 0"),
        (Circle(1.0, angular_velocity=float("inf")), "angular_velocity of shape 0 is inf"),
        (Circle(1.0, static=True, velocity=(1, 0)), "shape 0 is static but has velocity"),
    ],
)
def test_shapes_that_cannot_be_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        on_its_own(shape)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (Pin(0, 0, at=(0, 0)), "joint 0 joins shape 0 to itself"),
        (Pin(0, 4, at=(0, 0)), "joint 0 names shape 4: there are 4 shapes and walls, so 0 to 3"),
        (Weld(-1, 0, at=(0, 0)), "joint 0 names shape -1"),
        (Pin(0.0, 3, at=(0, 0)), "joint 0 names shape 0.0"),
        (Pin(1, 2, at=(0, 0)), "shapes 1 and 2, which are both static"),
        (Pin(0, 3, at=(0, 0), limits=(1, -1)), "limits of joint 0 are 1 and -1"),
        (Pin(0, 3, at=(0, 0), limits=(0, NAN)), "limits of joint 0"),
        (Pin(0, 3, at=(0, NAN)), "at of joint 0"),
        (Pin(0, 3, anchor_a=(NAN, 0), anchor_b=(0, 0)), "anchor_a of joint 0"),
        (Pin(0, 3, at=(0, 0), rest_angle=NAN), "rest_angle of joint 0 is nan"),
        (Pin(0, 3, at=(0, 0), spring_hertz=-1), "spring_hertz of joint 0 is -1"),
        (Pin(0, 3, at=(0, 0), spring_damping=-1), "spring_damping of joint 0 is -1"),
        (Pin(0, 3), "give either `at` alone or both anchors"),
        (Pin(0, 3, anchor_a=(0, 0)), "give either `at` alone or both anchors"),
        (Weld(0, 3, at=(0, 0), anchor_b=(0, 0)), "give either `at` alone or both anchors"),
    ],
)
def test_joints_that_cannot_be_are_refused(joint, message):
    with pytest.raises(ValueError, match=message):
        build(SIZE, PAIR, [joint])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"shapes": [box(1, 1)] * 5}, "5 polygons beside the walls do not fit this size, which has room for 4"),
        ({"shapes": [Circle(1)] * 4}, "4 circles do not fit this size, which has room for 3: raise its num_circles"),
        ({"walls": box_walls(5, 5)}, "4 walls do not fit this size, which has room for 2"),
        ({"joints": [Pin(0, 3, at=(0, 0))] * 3}, "3 joints do not fit this size, which has room for 2"),
        ({"thrusters": [Thruster(0)] * 3}, "3 thrusters do not fit"),
        ({"thrusters": [Thruster(9)]}, "thruster 0 names shape 9"),
        ({"thrusters": [Thruster(0, (0, NAN))]}, "point of thruster 0"),
        ({"thrusters": [Thruster(0, angle=NAN)]}, "angle of thruster 0"),
        ({"walls": [box(1, 1)]}, "wall 0 is not a static polygon"),
        ({"gravity": (0, NAN)}, "gravity is"),
        ({"gravity": 9.81}, "gravity is 9.81"),
        ({"no_collision": np.eye(3, dtype=bool)}, r"no_collision is a matrix \(3, 3\): it must be \(4, 4\)"),
        ({"no_collision": np.triu(np.ones((4, 4), bool))}, r"no_collision\[0, 1\] is True and \[1, 0\] is not"),
        ({"no_collision": [(0, 7)]}, "no_collision names shape 7"),
        ({"no_collision": [(0, 1), (2,)]}, r"no_collision holds \(2,\)"),
        ({"no_collision": [0, 1]}, "no_collision holds 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        build(SIZE, **({"shapes": PAIR} | parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"shapes": [dataclasses.replace, box(1, 1)]}, "it must be a Polygon or a Circle"),
        ({"joints": [(0, 3)]}, "it must be a Pin or a Weld"),
        ({"thrusters": [0]}, "it must be a Thruster"),
    ],
)
def test_parts_of_a_wrong_type_are_refused(parts, message):
    with pytest.raises(TypeError, match=message):
        build(SIZE, **({"shapes": PAIR} | parts))


@pytest.mark.parametrize("width", [0.0, -1.0, NAN])
def test_a_box_needs_extent(width):
    with pytest.raises(ValueError, match="width"):
        box(width, 1.0)
