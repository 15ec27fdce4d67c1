"""One or two bodies against the textbook: flight, swing, slope, bounce, rolling, impact, motors, limits, springs."""

import math

import numpy as np
import pytest
from engine_worlds import DT, TICKS, World, roll

from minicosm.envs.physics.engine import EngineConfig
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Thruster, Weld, box

G = 9.81
AMPLITUDES = [0.2, 0.5, 1.0, 1.5, 2.0, 2.5]
FRICTIONS = [0.1, 0.3, 0.5, 0.8, 1.0]
RESTITUTIONS = [0.0, 0.5, 0.8, 1.0]
HEIGHTS = [1.0, 1.37, 2.0, 3.1]
NAIL = box(0.2, 0.2, static=True)


def floor(**fields):
    return {"walls": [box(400, 1, position=(0, -0.5), static=True, **fields)]}


def hung(shape, **pin):
    """A shape pinned at the origin to a nail, which is a wall."""
    return World([shape], {"joints": [Pin(1, 0, at=(0, 0), **pin)], "walls": [NAIL]})


def pendulum(amplitude):
    return hung(Circle(0.1, position=(math.sin(amplitude), -math.cos(amplitude))))


def slope(friction, degrees_off):
    angle = math.atan(friction) + math.radians(degrees_off)
    up = np.array([-math.sin(angle), math.cos(angle)])
    ramp = box(200, 2, position=tuple(-up), rotation=angle, static=True, friction=friction)
    return World([box(1.0, 0.4, position=tuple(0.2 * up), rotation=angle, friction=friction)], {"walls": [ramp]})


def drop(restitution, height, shape):
    fields = {"position": (0, 0.25 + height), "restitution": restitution}
    return World([Circle(0.25, **fields) if shape == "disc" else box(0.5, 0.5, **fields)], floor())


def shot(shape, offset, speed, target):
    """A shape flies at a static plate 0.1 m thick, 3 m away and `offset`."""
    fields = {"velocity": (speed, 0), "angular_velocity": 20.0}
    kinds = {"disc": Circle(0.1, **fields), "box": box(0.2, 0.2, **fields), "small": box(0.05, 0.05, **fields)}
    plate = box(0.1, 4, position=(3 + offset, 0), static=True)
    parts = {"gravity": (0, 0)}
    shapes = [kinds[shape]]
    return World(shapes, parts | {"walls": [plate]}) if target == "wall" else World([*shapes, plate], parts)


SHOTS = [
    (s, o, v, t)
    for s in ("disc", "box", "small")
    for o, v in ((0.0, 100), (0.4, 100), (0.83, 100), (0.2, 61))
    for t in ("wall", "shape")
]
TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 0.6))


def worlds():
    spin = {"velocity": (3.0, 20.0), "angular_velocity": 5.0}
    made = {
        "flight": World([Polygon(TRIANGLE, **spin)]),
        "drift": World([Polygon(TRIANGLE, **spin)], {"gravity": (0, 0)}),
        "slide": World([Circle(0.25, position=(0, 0.25), velocity=(2, 0))], floor()),
        "motor": World(hung(Circle(0.5)).shapes, hung(Circle(0.5)).parts, motor=(4.0, 0.3)),
        "strong motor": World(hung(Circle(0.5)).shapes, hung(Circle(0.5)).parts, motor=(-4.0, 1e4)),
        "limit": hung(box(1.0, 0.1, position=(0.5, 0)), limits=(-0.5, 0.5)),
        "stopped motor": World(
            [box(1.0, 0.1, position=(0.5, 0))],
            {"joints": [Pin(1, 0, at=(0, 0), limits=(-0.25, 0.5))], "walls": [NAIL], "gravity": (0, 0)},
            motor=(6.0, 5.0),
        ),
        "spring": World(
            [box(1.0, 0.1)],
            {
                "joints": [Pin(1, 0, at=(0, 0), rest_angle=-0.4, spring_hertz=1.0, spring_damping=0.0)],
                "walls": [NAIL],
                "gravity": (0, 0),
            },
        ),
        "weld": World([box(1.0, 0.2, position=(0.5, 0))], {"joints": [Weld(1, 0, at=(0, 0))], "walls": [NAIL]}),
        "thruster": World(
            [box(1.0, 0.5, density=2.0, rotation=0.5)],
            {"thrusters": [Thruster(0, angle=math.pi / 2)], "gravity": (0, 0)},
            thrust=3.0,
        ),
        "turning thruster": World(
            [box(1.0, 0.5)], {"thrusters": [Thruster(0, (0.5, 0.0), math.pi / 2)], "gravity": (0, 0)}, thrust=0.01
        ),
    }
    made |= {("pendulum", a): pendulum(a) for a in AMPLITUDES}
    made |= {("slope", f, off): slope(f, off) for f in FRICTIONS for off in (-1, 1)}
    made |= {("bounce", e, h, s): drop(e, h, s) for e in RESTITUTIONS for h in HEIGHTS for s in ("disc", "box")}
    made |= {("shot", *shot_): shot(*shot_) for shot_ in SHOTS}
    return made


@pytest.fixture(scope="module", params=TICKS)
def paths(request):
    """Every world of this module for a minute, in one batch."""
    return roll(worlds(), 3600, request.param)


def seconds(path):
    return np.arange(len(path.position)) * DT


def test_nothing_is_lost_in_flight(paths):
    path = paths["drift"]
    momentum = path.momentum()
    np.testing.assert_array_equal(momentum, np.broadcast_to(momentum[0], momentum.shape))
    np.testing.assert_array_equal(path.angular_velocity, np.full_like(path.angular_velocity, 5.0))
    np.testing.assert_allclose(path.rotation[600, 0], 50.0, rtol=1e-4)


def test_flight_is_a_parabola_to_the_integrators_order(paths):
    path, at = paths["flight"], slice(0, 601)
    time = seconds(path)[at]
    start = path.position[0, 0]
    np.testing.assert_allclose(path.position[at, 0, 0], start[0] + 3 * time, atol=1e-3)
    exact = start[1] + 20 * time - G * time**2 / 2
    # Semi-implicit Euler takes each sub-step at its last velocity: g h t / 2 low, h the sub-step, and nothing else.
    low = G * EngineConfig().substep * time / 2
    np.testing.assert_allclose(path.position[at, 0, 1], exact - low, atol=2e-3)
    np.testing.assert_allclose(path.velocity[at, 0], np.stack([np.full(601, 3), 20 - G * time], -1), atol=2e-3)
    np.testing.assert_array_equal(path.angular_velocity[at], np.full((601, 1), 5.0))


def crossings(angle, time):
    """When `angle` rises through zero, between ticks by a straight line."""
    k = np.flatnonzero((angle[:-1] < 0) & (angle[1:] >= 0))
    return time[k] + (time[k + 1] - time[k]) * -angle[k] / (angle[k + 1] - angle[k])


def elliptic_period(amplitude, length):
    """4 sqrt(l/g) K(sin(a/2)), by the arithmetic-geometric mean."""
    a, b = 1.0, math.cos(amplitude / 2)
    for _ in range(8):
        a, b = (a + b) / 2, math.sqrt(a * b)
    return 2 * math.pi * math.sqrt(length / G) / a


@pytest.mark.parametrize("amplitude", AMPLITUDES)
def test_pendulum(paths, amplitude):
    path = paths["pendulum", amplitude]
    angle = np.arctan2(path.position[:, 0, 0], -path.position[:, 0, 1])
    times = crossings(angle, seconds(path))
    period = (times[-1] - times[0]) / (len(times) - 1)
    expected = elliptic_period(amplitude, 1.0 + 0.5 * 0.1**2)  # (I + m l²) / (m l)
    height = path.energy() + path.mass[0] * G * 1.0  # above the lowest point
    assert len(times) > 15
    assert abs(period / expected - 1) < 0.01
    assert 0.95 < height[-1] / height[0] < 1.05
    assert path.gaps().max() < 1e-3


@pytest.mark.parametrize("friction", FRICTIONS)
def test_slope_holds_a_degree_below_its_friction(paths, friction):
    path = paths["slope", friction, -1]
    settled, end = path.position[60, 0], path.position[-1, 0]
    assert np.linalg.norm(end - settled) < 1e-4  # over 59 s
    assert np.linalg.norm(settled - path.position[0, 0]) < 5e-3


@pytest.mark.parametrize("friction", FRICTIONS)
def test_slope_slips_a_degree_above_its_friction(paths, friction):
    path = paths["slope", friction, 1]
    angle = math.atan(friction) + math.radians(1)
    pull = G * (math.sin(angle) - friction * math.cos(angle))
    speed = np.linalg.norm(path.velocity[180, 0])
    assert speed == pytest.approx(3 * pull, rel=0.03)


def rebound(path, height):
    """How high the shape of a `drop` came after its first landing, over how high it was dropped from."""
    y = path.position[:, 0, 1] - 0.25
    if not (np.diff(y) > 1e-3).any():
        return 0.0
    rising = int(np.argmax(np.diff(y) > 1e-3))
    return y[rising : rising + int(np.argmax(np.diff(y[rising:]) < 0)) + 1].max() / height


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("restitution", RESTITUTIONS[1:])
def test_bounce(paths, restitution, height):
    assert rebound(paths["bounce", restitution, height, "disc"], height) == pytest.approx(restitution**2, rel=0.03)


@pytest.mark.parametrize("shape", ["disc", "box"])
@pytest.mark.parametrize("height", HEIGHTS)
def test_no_bounce(paths, height, shape):
    y = paths["bounce", 0.0, height, shape].position[:600, 0, 1] - 0.25
    assert y[int(np.argmax(y < 0.02)) + 2 :].max() < 0.01


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("restitution", RESTITUTIONS)
def test_a_box_bounces_no_higher_than_its_restitution(paths, restitution, height):
    """Both corners of a face bounce one after the other, so that it may spin; but it must not gain."""
    path = paths["bounce", restitution, height, "box"]
    energy = path.energy()[:120]  # two seconds: the first bounces
    assert energy.max() < 1.01 * energy[0]
    assert rebound(path, height) < restitution**2 + 0.03


def test_sliding_disc_comes_to_roll_at_two_thirds(paths):
    path = paths["slide"]
    assert path.velocity[300, 0, 0] == pytest.approx(4 / 3, rel=0.005)
    assert path.angular_velocity[300, 0] == pytest.approx(-4 / 3 / 0.25, rel=0.005)


@pytest.mark.parametrize("case", SHOTS, ids=lambda case: "-".join(map(str, case)))
def test_nothing_passes_a_plate_at_top_speed(paths, case):
    x = paths[("shot", *case)].position[:, 0, 0]
    assert x.max() < 3 + case[1] - 0.05, "its centre went into the plate"


def test_a_motor_turns_at_its_speed_with_its_torque(paths):
    path = paths["motor"]
    inertia = path.inertia[0]
    np.testing.assert_allclose(path.angular_velocity[12, 0], 0.3 / inertia * 12 * DT, rtol=0.01)
    np.testing.assert_allclose(path.angular_velocity[-1, 0], 4.0, rtol=1e-3)
    np.testing.assert_allclose(paths["strong motor"].angular_velocity[1:, 0], -4.0, rtol=1e-2)


def test_limits_hold_within_a_degree(paths):
    falls, driven = paths["limit"].rotation[:, 0], paths["stopped motor"].rotation[:, 0]
    assert falls.min() > -0.5 - math.radians(1)
    assert falls[600:] == pytest.approx(-0.5, abs=math.radians(0.2))
    assert driven.max() < 0.5 + math.radians(1)
    assert driven[600:] == pytest.approx(0.5, abs=math.radians(0.2))


def test_a_spring_swings_at_its_frequency(paths):
    angle = paths["spring"].rotation[:600, 0] + 0.4
    times = crossings(angle, np.arange(600) * DT)
    assert np.diff(times).mean() == pytest.approx(1.0, rel=0.05)


def test_a_weld_holds_a_beam_level(paths):
    path = paths["weld"]
    assert np.abs(path.rotation[:, 0]).max() < math.radians(1)
    assert path.gaps().max() < 1e-3


def test_a_thruster_pushes_along_its_body(paths):
    path = paths["thruster"]
    direction = np.array([-math.sin(0.5), math.cos(0.5)])
    np.testing.assert_allclose(path.velocity[60, 0], 3.0 / 1.0 * direction, rtol=1e-4)
    np.testing.assert_array_equal(path.angular_velocity, 0)


def test_a_thruster_off_centre_turns_its_body(paths):
    path = paths["turning thruster"]
    inertia = 0.5 * (1 + 0.25) / 12
    np.testing.assert_allclose(path.angular_velocity[60, 0], 0.01 * 0.5 / inertia, rtol=1e-4)
