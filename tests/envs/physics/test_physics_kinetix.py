"""Levels of Kinetix arrive as they were: poses, roles, bindings, joints, collision rules."""

import json

import numpy as np
import pytest

from minicosm import cli
from minicosm.envs.physics import PhysicsConfig, kinetix, level_text
from minicosm.envs.physics.engine.size import pair_index
from minicosm.envs.physics.level import BLUE, GREEN

CONFIG = PhysicsConfig(size="m")


def point(x, y):
    return {"0": float(x), "1": float(y)}


def body(x, y, role=0, mode=1, static=False, **fields):
    usual = {
        "position": point(x, y), "rotation": 0.0, "velocity": point(0, 0), "angular_velocity": 0.0,
        "inverse_mass": 0.0 if static else 1.0, "inverse_inertia": 0.0 if static else 1.0, "friction": 1.0,
        "restitution": 0.0, "collision_mode": mode, "active": True, "n_vertices": 4, "radius": 0.0, "role": role,
        "density": 1.0, "highlighted": False, "vertices": clockwise(0.2, 0.2),
    }  # fmt: skip
    return usual | fields


def clockwise(half_width, half_height):
    corners = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    return {str(i): point(half_width * x, half_height * y) for i, (x, y) in enumerate(corners)}


def kinetix_level():
    """A driven arm and a ball in Kinetix's form, with an empty slot of every kind."""
    walls = [
        body(2.5, -4.8, mode=2, static=True, vertices=clockwise(2.5, 5.2)),
        body(-2.5, 2.5, mode=2, static=True, vertices=clockwise(2.5, 2.5)),
        body(7.5, 2.5, mode=2, static=True, vertices=clockwise(2.5, 2.5), role=3),
        body(2.5, 10.2, mode=2, static=True, vertices=clockwise(2.5, 5.2)),
    ]
    triangle = {"0": point(0, 0.4), "1": point(0.3, -0.2), "2": point(-0.3, -0.2), "3": point(0, 0)}
    polygons = [
        *walls,
        body(1.0, 1.0, role=1, rotation=0.5, density=2.0),
        body(1.5, 1.2, n_vertices=3, vertices=triangle, velocity=point(1, 2)),
    ]
    circles = [body(4, 3, role=2, radius=0.3, static=True), body(3, 2, radius=0.25), body(0, 0, active=False)]
    joint = {
        "a_index": 4, "b_index": 5, "a_relative_pos": point(0.1, 0.2), "b_relative_pos": point(-0.1, 0),
        "global_position": point(0, 0), "active": True, "motor_speed": -1.5, "motor_power": 0.5, "motor_on": True,
        "motor_has_joint_limits": True, "min_rotation": -0.7, "max_rotation": 0.9, "is_fixed_joint": False,
        "rotation": -0.5, "motor_binding": 2,
    }  # fmt: skip
    thruster = {
        "object_index": 7, "relative_position": point(0, 0.1), "rotation": 1.25, "power": 0.5, "active": True,
        "global_position": point(0, 0), "thruster_binding": 1,
    }  # fmt: skip
    matrix = {str(a): {str(b): a != b for b in range(9)} for a in range(9)}
    matrix["4"]["7"] = matrix["7"]["4"] = False  # out of date, as Kinetix never looks at it
    return {
        "env_state": {
            "polygon": polygons, "circle": circles, "joint": [joint, joint | {"active": False}],
            "thruster": [thruster, thruster | {"active": False}], "collision_matrix": matrix, "gravity": point(0, -5),
        },
        "env_params": {"base_motor_speed": 6.0}, "static_env_params": {"num_static_fixated_polys": 4},
    }  # fmt: skip


def test_everything_arrives():
    file = kinetix.parse(json.dumps(kinetix_level()), "k.json", "arm")
    level = file.to_level(CONFIG)
    assert file.name == "arm" and level_text.parse(level_text.text(file), "again") == file
    assert level.present.tolist() == [True] * 8 + [False] and level.scene.gravity.tolist() == [0, -5]
    assert level.role.tolist() == [0, 0, 3, 0, GREEN, 0, BLUE, 0, 0]
    np.testing.assert_allclose(level.position[4], [1, 1])
    np.testing.assert_allclose(level.position[5], [1.5, 1.2], atol=1e-6)  # this triangle's origin is its centroid
    assert float(level.rotation[4]) == 0.5 and level.velocity[5].tolist() == [1, 2]
    assert float(level.scene.inverse_mass[4]) == pytest.approx(1 / (2 * 0.16))
    assert level.scene.radius.tolist()[:2] == pytest.approx([0.3, 0.25])
    joints = level.scene.joints
    assert joints.active.tolist() == [True, False] and (int(joints.shape_a[0]), int(joints.shape_b[0])) == (4, 5)
    np.testing.assert_allclose(joints.anchor_a[0], [0.1, 0.2], atol=1e-6)
    assert [float(x[0]) for x in (joints.lower, joints.upper, joints.rest_angle)] == pytest.approx([-0.7, 0.9, -0.5])
    assert int(level.motor_binding[0]) == 2 and float(level.motor_speed[0]) == -9.0
    reduced = 1 / float(level.scene.inverse_inertia[4] + level.scene.inverse_inertia[5])
    assert float(level.motor_torque[0]) == pytest.approx(900 * 0.5 * np.tanh(0.9) * reduced, rel=1e-5)
    assert level.thruster_force.tolist() == [5, 0] and level.thruster_binding.tolist()[0] == 1
    assert int(level.scene.thrusters.shape[0]) == 7
    index, collides = pair_index(CONFIG.slots), np.append(np.asarray(level.scene.collides), False)
    assert not collides[index[4, 5]] and collides[index[4, 7]] and collides[index[5, 7]] and collides[index[0, 4]]
    assert not collides[index[4, 8]]


def test_modes_keep_shapes_apart():
    data = kinetix_level()
    for slot in (4, 5):
        data["env_state"]["polygon"][slot]["collision_mode"] = 0
    level = kinetix.parse(json.dumps(data), "k.json").to_level(CONFIG)
    index, collides = pair_index(CONFIG.slots), np.append(np.asarray(level.scene.collides), False)
    assert not collides[index[5, 7]] and collides[index[0, 4]]


def test_what_joints_hold_together_passes_through_itself_as_kinetix_works_it_out():
    data = kinetix_level()
    state = data["env_state"]
    loose = {"motor_on": False, "motor_has_joint_limits": False}
    state["joint"] = [
        state["joint"][0],
        state["joint"][0] | loose | {"a_index": 5, "b_index": 7},  # an arm of three links, the last one a disc
        state["joint"][0] | loose | {"a_index": 0, "b_index": 4, "active": False},
    ]
    file = kinetix.parse(json.dumps(data), "k.json")
    assert file.no_collision == [["polygon_0", "circle_1"]]
    state["joint"][2]["active"] = True  # held by the floor: it passes through the floor
    file = kinetix.parse(json.dumps(data), "k.json")
    apart = {frozenset(pair) for pair in file.no_collision}
    assert apart == {
        frozenset(pair) for pair in (("polygon_0", "circle_1"), ("wall_0", "polygon_1"), ("wall_0", "circle_1"))
    }


def test_outlines_that_are_convex_but_for_a_rounding_and_either_way_round_load():
    data = kinetix_level()
    dented = [(-0.2, -0.2), (-0.2, 0.2), (0.2, 0.2), (-1e-4, 1e-4)]  # clockwise, the last one a little inside
    data["env_state"]["polygon"][4]["vertices"] = {str(i): point(x, y) for i, (x, y) in enumerate(dented)}
    anticlockwise = dict(enumerate(reversed(clockwise(0.2, 0.3).values())))
    data["env_state"]["polygon"][5] |= {"n_vertices": 4, "vertices": {str(i): p for i, p in anticlockwise.items()}}
    file = kinetix.parse(json.dumps(data), "k.json")
    assert [len(shape.polygon) for shape in file.shapes[:2]] == [3, 4]
    level = file.to_level(CONFIG)
    assert float(level.scene.inverse_mass[4]) == pytest.approx(1 / (2 * 0.08))
    assert float(level.scene.inverse_mass[5]) == pytest.approx(1 / 0.24)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: d.pop("env_state"), 'no "env_state"'),
        (lambda d: d["env_state"].pop("joint"), "'joint' is missing"),
        (lambda d: d["env_state"]["polygon"][4].update(role=7), "role of polygon_0 is 7"),
        (lambda d: d["env_state"]["circle"][0].update(radius=-1.0), "as a level of ours, shapes[2].circle is -1"),
        (lambda d: d["env_state"]["polygon"][4].update(position=3), "not built as levels of Kinetix are"),
        (lambda d: d["env_state"].update(polygon=None), "not built as levels of Kinetix are"),
    ],
)
def test_damaged_files_are_told_of(damage, says):
    data = kinetix_level()
    damage(data)
    with pytest.raises(ValueError, match="^k.json: ") as error:
        kinetix.parse(json.dumps(data), "k.json")
    assert says in str(error.value)


def test_the_command_imports_what_it_can_and_overwrites_nothing(tmp_path, capsys):
    good, bad, out = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "ours"
    good.write_text(json.dumps(kinetix_level()))
    bad.write_text("{}")
    assert cli.main(["import", "kinetix", str(bad), str(good), "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "good.json" in said.out and "bad.json" in said.err and "1 of 2 files were not imported" in said.err
    assert level_text.read(out / "good.json").name == "good"
    flat = kinetix_level()
    flat["env_state"]["polygon"][4]["vertices"] = clockwise(0.2, 1e-7)
    bad.write_text(json.dumps(flat))
    assert cli.main(["import", "kinetix", str(bad), "--out", str(out)]) == 2
    assert "bad.json: " in capsys.readouterr().err and not (out / "bad.json").exists()
    (out / "good.json").write_text("mine")
    assert cli.main(["import", "kinetix", str(good), "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err and (out / "good.json").read_text() == "mine"
    assert cli.main(["import", "kinetix", str(good), "--out", str(out), "--force"]) == 0
