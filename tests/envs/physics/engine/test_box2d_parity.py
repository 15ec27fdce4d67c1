import json
import pathlib

import numpy as np
import pytest
from exact_motion import swing
from scripted_scenes import SCENES, joint_gap, play

REFERENCE = json.loads(pathlib.Path(__file__).with_name("box2d_reference.json").read_text())["scenes"]
RESTING = [name for name, make in SCENES.items() if make().comes_to_rest]

# Box2D's boxes sink into each other, by up to 25 mm in all, where ours stay within a millimetre or so: the second test
# of resting poses holds ours to being nearer to the rigid answer.
SOFTER_IN_BOX2D = {"stack_10": 0.03, "heavy_on_light_100x": 0.04}
# These tumble or topple and come to rest where friction leaves them: Box2D itself moves 6 to 7 mm with 8 sub-steps.
TUMBLE = {"box_drop": 0.04, "seesaw": 0.03, "dominoes": 0.03}
# Ours stands, as rigid boxes would; Box2D's leans by 0.24 rad after 10 s and goes on falling.
STANDS_HERE = "heavy_on_stack_30x"


@pytest.fixture(scope="module")
def ours() -> dict[str, np.ndarray]:
    return play(list(SCENES))


def at_samples(poses: np.ndarray, name: str) -> np.ndarray:
    return poses[np.array(REFERENCE[name]["ticks"]) - 1]


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Per sample, m, of the body that is furthest off."""
    return np.linalg.norm(one[..., :2] - np.asarray(other)[..., :2], axis=-1).max(axis=-1)


@pytest.mark.parametrize("name", [name for name in RESTING if name != STANDS_HERE])
def test_comes_to_rest_where_box2d_does(ours: dict[str, np.ndarray], name: str) -> None:
    tolerance = (SOFTER_IN_BOX2D | TUMBLE).get(name, 0.01)
    last, box2d = ours[name][-1], np.array(REFERENCE[name]["poses"][-1])
    assert distances(last, box2d) < tolerance
    assert np.abs(last[:, 2] - box2d[:, 2]).max() < 0.02
    assert np.linalg.norm(last - ours[name][-30], axis=-1).max() < 0.002  # and has been there for half a second


@pytest.mark.parametrize("name", ["stack_5", "stack_10", "pyramid_15", "heavy_on_light_100x", STANDS_HERE])
def test_what_is_stacked_stays_nearer_to_where_rigid_boxes_would(ours: dict[str, np.ndarray], name: str) -> None:
    rigid = np.array([body.position for body in SCENES[name]().bodies])
    assert distances(ours[name][-1], rigid) < distances(np.array(REFERENCE[name]["poses"][-1]), rigid)


@pytest.mark.parametrize("name", [name for name in SCENES if REFERENCE[name]["outcome"] and name != STANDS_HERE])
def test_comes_to_the_same_end(ours: dict[str, np.ndarray], name: str) -> None:
    scene = SCENES[name]()
    assert scene.outcome(scene, ours[name][-1]) == REFERENCE[name]["outcome"]


def test_a_heavy_box_on_a_light_stack_stands(ours: dict[str, np.ndarray]) -> None:
    scene = SCENES[STANDS_HERE]()
    assert scene.outcome(scene, ours[STANDS_HERE][-1]) == "stands"


@pytest.mark.parametrize(("name", "samples"), [("incline_slips", 8), ("car", 8), ("sliding_disc", 8), ("cradle", 4)])
def test_moves_as_in_box2d(ours: dict[str, np.ndarray], name: str, samples: int) -> None:
    # The cradle up to its first clash: how a blow through touching discs is shared depends on the solver's order.
    off = distances(at_samples(ours[name], name), REFERENCE[name]["poses"])
    assert off[:samples].max() < 0.01


@pytest.mark.parametrize(
    ("name", "seconds", "tolerance"),
    [("pendulum", 4.0, 0.01), ("double_pendulum", 4.0, 0.015), ("chain_8", 1.5, 0.03), ("chain_100x_load", 1.0, 0.25)],
)
def test_swings_as_exactly_as_box2d(ours: dict[str, np.ndarray], name: str, seconds: float, tolerance: float) -> None:
    scene, ticks = SCENES[name](), round(60 * seconds)
    exact = swing(scene, seconds)
    sampled = [tick for tick in REFERENCE[name]["ticks"] if tick <= ticks]
    box2d = distances(exact[np.array(sampled) - 1], REFERENCE[name]["poses"][: len(sampled)])
    off = distances(exact, ours[name][:ticks])
    assert off.max() < tolerance
    assert off[np.array(sampled) - 1].max() < box2d.max() + 0.002


@pytest.mark.parametrize("name", [name for name, make in SCENES.items() if make().joints])
def test_joints_hold_no_worse_than_box2ds(ours: dict[str, np.ndarray], name: str) -> None:
    gap = max(joint_gap(SCENES[name](), poses) for poses in ours[name].tolist())
    # Half as much again: after 2 s the free chain cracks like a whip, and no two engines' whips crack alike.
    assert gap < 1.5 * REFERENCE[name]["worst_joint_gap"] + 0.002
