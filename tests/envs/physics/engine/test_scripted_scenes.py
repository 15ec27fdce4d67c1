import json
import pathlib

import numpy as np
import pytest
from scripted_scenes import SCENES, built

REFERENCE = json.loads(pathlib.Path(__file__).with_name("box2d_reference.json").read_text())["scenes"]


@pytest.mark.parametrize("name", SCENES)
def test_our_engine_holds_the_scene_as_it_was_written(name: str) -> None:
    scene = SCENES[name]()
    made, state, controls, places = built(scene)
    at = np.array(places)
    assert len(set(at)) == len(scene.bodies)
    for field in ("position", "rotation", "velocity", "angular_velocity"):
        written = [getattr(body, field) for body in scene.bodies]
        np.testing.assert_allclose(getattr(state, field)[at], written, atol=1e-6)  # so each centroid is the origin
    np.testing.assert_array_equal(made.inverse_mass[at] == 0.0, [body.is_static for body in scene.bodies])
    joints = [[places[joint.body_a], places[joint.body_b]] for joint in scene.joints]
    count = len(joints)
    ends = np.stack([made.joints.shape_a, made.joints.shape_b], axis=-1)[:count]
    np.testing.assert_array_equal(ends, np.reshape(joints, (-1, 2)))
    assert not made.joints.active[count:].any()
    motors = [joint.motor or (0.0, 0.0) for joint in scene.joints] + [(0.0, 0.0)] * (len(made.joints.active) - count)
    np.testing.assert_array_equal(np.stack([controls.motor_speed, controls.motor_torque], axis=-1), motors)


def test_box2d_was_asked_about_these_scenes() -> None:
    assert list(REFERENCE) == list(SCENES)
    for name, make in SCENES.items():
        scene, found = make(), REFERENCE[name]
        assert np.shape(found["poses"]) == (8, len(scene.bodies), 3)
        assert found["ticks"][-1] == round(60 * scene.duration)
        assert found["outcome"] == scene.outcome(scene, found["poses"][-1])
        assert not scene.comes_to_rest or found["final_speed"] < 0.01 or found["outcome"] == "falls", name
        for k, body in enumerate(scene.bodies):
            if body.is_static:
                np.testing.assert_allclose(np.array(found["poses"])[:, k, :2], [body.position] * 8, atol=1e-5)
