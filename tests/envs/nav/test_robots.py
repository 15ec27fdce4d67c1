import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis.strategies import floats

from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.robots import Robots, drive, hulls_touch, wrap_angle

CONFIG = NavConfig()


def robot(x=0.0, y=0.0, heading=0.0, speed=0.0, turn_rate=0.0):
    return Robots(jnp.array([[x, y]]), jnp.array([heading]), jnp.array([speed]), jnp.array([turn_rate]))


def repeat(robots, command, steps):
    for _ in range(steps):
        robots = drive(robots, jnp.array([command]), CONFIG)
    return robots


def test_speed_rises_at_the_acceleration_limit_and_stays_at_the_command():
    start = robot()
    assert repeat(start, (0.75, 0.0), 1).speed[0] == np.float32(0.1)
    assert np.isclose(repeat(start, (0.75, 0.0), 20).speed[0], 0.75)


def test_straight_run_covers_the_distance_of_uniform_acceleration():
    # ten steps from rest to 1 m/s at 1 m/s^2: 0.1 * (0.1 + ... + 1.0) m with the rate applied over each step
    after = repeat(robot(), (1.0, 0.0), 10)
    np.testing.assert_allclose(after.position[0], [0.55, 0.0], atol=1e-6)


def test_a_turning_robot_follows_its_circle():
    start = robot(speed=1.0, turn_rate=0.6)
    after = repeat(start, (1.0, 0.6), 50)  # 3 rad round a circle of 1/0.6 m
    radius, angle = 1 / 0.6, 3.0
    np.testing.assert_allclose(after.heading[0], wrap_angle(jnp.float32(angle)), atol=1e-5)
    expected = [radius * np.sin(angle), radius * (1 - np.cos(angle))]
    np.testing.assert_allclose(after.position[0], expected, atol=1e-3)  # chord error (0.06)^2 / 24 of 5 m


@given(angle=floats(-3.0, 3.0), speed=floats(0.0, 1.0), turn_rate=floats(-0.6, 0.6))
@settings(deadline=None, max_examples=25)
def test_driving_commutes_with_rotation(angle, speed, turn_rate):
    def turned(r):
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = jnp.array([[cos, sin], [-sin, cos]], jnp.float32)
        return Robots(r.position @ matrix, wrap_angle(r.heading + angle), r.speed, r.turn_rate)

    start, command = robot(0.3, -0.2, 0.4, 0.5, 0.1), (speed, turn_rate)
    a, b = turned(repeat(start, command, 1)), repeat(turned(start), command, 1)
    np.testing.assert_allclose(a.position, b.position, atol=1e-5)
    np.testing.assert_allclose(np.exp(1j * np.asarray(a.heading)), np.exp(1j * np.asarray(b.heading)), atol=1e-5)


@given(floats(-100.0, 100.0))
@settings(deadline=None, max_examples=50)
def test_wrapped_angles_are_the_same_direction(angle):
    wrapped = float(wrap_angle(jnp.float32(angle)))
    assert -np.pi - 1e-5 <= wrapped <= np.pi + 1e-5
    assert np.isclose(np.cos(wrapped), np.cos(np.float32(angle)), atol=1e-4)
    assert np.isclose(np.sin(wrapped), np.sin(np.float32(angle)), atol=1e-4)


def test_hulls_touch_only_when_nearer_than_two_radii_and_present():
    position = jnp.array([[0.0, 0.0], [0.59, 0.0], [1.2, 0.0], [3.0, 0.0]])
    everyone = jnp.ones(4, bool)
    assert hulls_touch(position, everyone, 0.3).tolist() == [True, True, False, False]
    assert hulls_touch(position, everyone.at[1].set(False), 0.3).tolist() == [False] * 4
