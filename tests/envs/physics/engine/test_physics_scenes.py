"""Many bodies: what must stand stands, what must hold holds, what is kept is kept, and Box2D agrees."""

import json
import math
import pathlib

import numpy as np
import pytest
import scripted_scenes
from engine_worlds import TICKS, World, roll

from minicosm.envs.physics.engine.definitions import Circle, Pin, box

SIZE = scripted_scenes.SIZE
G = 9.81
FLOOR = {"walls": [box(100, 1, position=(0, -0.5), static=True)]}
NAIL = {"walls": [box(0.1, 0.1, static=True)]}


def stack(count, density_on_top=1.0):
    """Boxes of 1 m on each other."""
    shapes = [box(1, 1, position=(0, 0.5 + i)) for i in range(count - 1)]
    return World([*shapes, box(1, 1, position=(0, count - 0.5), density=density_on_top)], FLOOR, size=SIZE)


def pyramid(rows):
    shapes = [
        box(1, 1, position=(1.05 * (i - (rows - row - 1) / 2), 0.5 + row))
        for row in range(rows)
        for i in range(rows - row)
    ]
    return World(shapes, FLOOR, size=SIZE)


def chain(across, down):
    """Eight links of 0.3 m from a nail at the origin along (across, down), and a ball of 100 times a link's mass."""
    angle = math.atan2(-down, across)
    along = np.array([math.cos(angle), math.sin(angle)])
    links = [box(0.3, 0.06, position=tuple(along * 0.3 * (i + 0.5)), rotation=angle) for i in range(8)]
    radius = 0.25
    ball = Circle(radius, position=tuple(along * (2.4 + radius)), density=100 * 0.3 * 0.06 / (math.pi * radius**2))
    joints = [Pin(9, 0, at=(0, 0)), *(Pin(i, i + 1, at=tuple(along * 0.3 * (i + 1))) for i in range(8))]
    return World([*links, ball], {"joints": joints, **NAIL}, size=SIZE)


def cradle():
    """Five discs on threads of 1 m; the first swings in."""
    radius, swing = 0.1, -0.8
    places = [(2 * radius * i, -1.0) for i in range(5)]
    places[0] = (math.sin(swing), -math.cos(swing))
    shapes = [Circle(radius, position=place, restitution=1.0, friction=0.0) for place in places]
    joints = [Pin(5, i, at=(2 * radius * i, 0)) for i in range(5)]
    return World(shapes, {"joints": joints, "walls": [box(2, 0.1, position=(0, 0.5), static=True)]}, size=SIZE)


def row():
    """A disc at 2 m/s against a row of four that touch."""
    fields = {"restitution": 1.0, "friction": 0.0}
    shapes = [Circle(0.1, position=(0.2 * i, 0), **fields) for i in range(4)]
    return World([Circle(0.1, position=(-1, 0), velocity=(2, 0), **fields), *shapes], {"gravity": (0, 0)}, size=SIZE)


def billiards(friction):
    """A rack of six discs and the cue ball."""
    fields = {"restitution": 1.0, "friction": friction}
    pitch = 0.201
    rack = [(pitch * math.sqrt(3) / 2 * row, pitch * (i - row / 2)) for row in range(3) for i in range(row + 1)]
    balls = [Circle(0.1, position=place, **fields) for place in rack]
    cue = Circle(0.1, position=(-1.0, 0.02), velocity=(5.0, 0.0), **fields)
    return World([cue, *balls], {"gravity": (0, 0)}, size=SIZE)


def worlds():
    return {
        "stack of 10": stack(10),
        "pyramid of 15": pyramid(5),
        "1:100": stack(2, 100.0),
        "30x on four": stack(5, 30.0),
        "chain released": chain(1.0, 0.0),
        "chain at rest": chain(0.0, 1.0),
        "cradle": cradle(),
        "row": row(),
        "billiards": billiards(friction=0.0),
        "rough billiards": billiards(friction=0.5),
    }


class Scripted:
    """A scene of `scripted_scenes` in the place of a `World`."""

    def __init__(self, scene):
        *self.arrays, self.slots = scripted_scenes.built(scene)

    def made(self):
        return self.arrays


SCRIPTS = {name: make() for name, make in scripted_scenes.SCENES.items()}
BOX2D = json.loads((pathlib.Path(__file__).parent / "box2d_reference.json").read_text())


@pytest.fixture(scope="module", params=TICKS)
def paths(request):
    """Every scene of this module and every scripted one for ten seconds, in one batch."""
    return roll(worlds() | {("script", name): Scripted(scene) for name, scene in SCRIPTS.items()}, 600, request.param)


@pytest.mark.parametrize("name", ["stack of 10", "1:100", "30x on four"])
def test_a_stack_stands(paths, name):
    path = paths[name]
    x, y = np.moveaxis(path.position[:, :-1], -1, 0)  # the last shape is the floor
    drift, overlap = np.abs(x - x[0]).max(), 1 - np.diff(y, axis=1, prepend=-0.5).min()
    assert np.abs(path.rotation).max() < math.radians(1)
    if name == "stack of 10":
        assert drift < 0.01 and overlap < 0.01
    else:
        assert drift < 0.02 and (y[0] - y[-1]).max() < 0.044  # what a box of 1:100 sinks in Box2D v3
    np.testing.assert_allclose(path.velocity[-1], 0, atol=5e-3)


def test_a_pyramid_stands(paths):
    path = paths["pyramid of 15"]
    moved = np.abs(path.position - path.position[0])
    assert moved[..., 0].max() < 0.01 and moved[..., 1].max() < 0.01
    np.testing.assert_allclose(path.velocity[-1], 0, atol=1e-3)


def test_a_chain_holds_a_hundred_times_its_links(paths):
    assert paths["chain released"].gaps().max() < 0.05
    assert paths["chain at rest"].gaps()[-60:].max() < 0.01


@pytest.mark.parametrize("name", ["row", "billiards"])
def test_elastic_impacts_keep_momentum_and_energy(paths, name):
    path = paths[name]
    momentum, energy = path.momentum(), path.kinetic()
    np.testing.assert_allclose(momentum, np.broadcast_to(momentum[0], momentum.shape), atol=1e-5 * momentum[0, 0])
    assert energy[-1] == pytest.approx(energy[0], rel=0.02)


def test_a_cradle_keeps_its_energy(paths):
    path = paths["cradle"]
    height = path.energy() + path.mass.sum() * G * 1.0  # above all discs hanging
    np.testing.assert_allclose(height[60:300], height[0], rtol=0.02)  # after the first blow, and six more


def test_friction_between_balls_takes_energy_and_no_momentum(paths):
    path = paths["rough billiards"]
    energy, momentum = path.kinetic(), path.momentum()
    assert 0.8 * energy[0] < energy[-1] < energy[0]
    np.testing.assert_allclose(momentum, np.broadcast_to(momentum[0], momentum.shape), atol=1e-5 * momentum[0, 0])


# Where Box2D and we part, and why. (A finer step: dt = 1/960 s, in our engine.)
DIFFERS = {
    "box_drop": "friction while it tumbles: 2.9 cm, and a finer step moves ours 2.9 cm further from Box2D's",
    "stack_10": "Box2D's boxes sink 3.2 cm into each other in all, ours 0.8 cm",
    "heavy_on_light_100x": "Box2D's heavy box sinks 4.3 cm, ours 1.1 cm",
    "heavy_on_stack_30x": "Box2D's stack leans and falls within 10 s, ours stands",
    "seesaw": "the light box tumbles off the rising end: 1.8 cm further on",
    "dominoes": "each falls on the next: 1.5 cm at most, in the eighth",
    "chain_100x_load": "Box2D's joints stretch by 4.7 cm, ours by 2.8 cm; a finer step parts from Box2D's more yet",
    "cradle": "which of the discs take how much of a blow that is passed on within a tick",
    "billiards": "the same",
    "bullet": "Box2D's box is thrown back at 4 m/s though nothing bounces; ours stays at the wall",
}


def distances(path, name):
    """m: how far the body furthest from Box2D's is, at each tick noted; at the end alone where all comes to rest."""
    noted = BOX2D["scenes"][name]
    rows = list(zip(noted["ticks"], noted["poses"], strict=True))
    rows = rows[-1:] if SCRIPTS[name].comes_to_rest else rows
    return np.array([np.linalg.norm(path.position[t] - np.array(p)[:, :2], axis=-1).max() for t, p in rows])


def allowed(name):
    """m: 1 cm at rest; under way 3 cm, or thrice what Box2D's own path changes by with eight sub-steps for four."""
    if SCRIPTS[name].comes_to_rest:
        return np.array([0.01])
    return np.maximum(0.03, 3 * np.array(BOX2D["scenes"][name]["spread_8_sub_steps"]))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripted_scenes_end_as_in_box2d(paths, name):
    path, noted = paths["script", name], BOX2D["scenes"][name]
    end = noted["ticks"][-1]
    poses = np.concatenate([path.position[end], path.rotation[end, :, None]], axis=-1).tolist()
    outcome = SCRIPTS[name].outcome(SCRIPTS[name], poses)
    is_near = (distances(path, name) <= allowed(name)).all()
    assert is_near == (name not in DIFFERS), distances(path, name)
    assert outcome == noted["outcome"] or (name, outcome) == ("heavy_on_stack_30x", "stands")


@pytest.mark.parametrize(
    "name",
    [name for name, scene in SCRIPTS.items() if scene.joints],
)
def test_joints_gape_no_more_than_in_box2d(paths, name):
    assert paths["script", name].gaps()[: BOX2D["scenes"][name]["ticks"][-1] + 1].max() < max(
        0.005, 1.5 * BOX2D["scenes"][name]["worst_joint_gap"]
    )
