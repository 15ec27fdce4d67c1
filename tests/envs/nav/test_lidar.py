"""The lidar and the collision test against independent float64 geometry."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import lidar, occupancy
from minicosm.envs.nav.config import NavConfig
from minicosm.envs.nav.env import Nav


def boxes(walls: np.ndarray) -> np.ndarray:
    """float64[N, 4]: x0, y0, x1, y1 of each occupied cell, and of four slabs for what lies outside the map."""
    height, width = walls.shape
    rows, columns = np.nonzero(walls)
    cells = np.stack([columns, rows, columns + 1, rows + 1], axis=-1).astype(float)
    far = 1e3
    outside = [[-far, -far, 0, far], [width, -far, far, far], [-far, -far, far, 0], [-far, height, far, far]]
    return np.concatenate([cells, np.array(outside, float)])


def reference_range(walls, origin, angle, discs, radius, max_range):
    """Slab test against every box and the quadratic formula for every disc, in float64, cells."""
    direction = np.array([np.cos(angle), np.sin(angle)])
    box = boxes(walls)
    with np.errstate(divide="ignore", invalid="ignore"):
        t0, t1 = (box[:, :2] - origin) / direction, (box[:, 2:] - origin) / direction
    enter, leave = np.minimum(t0, t1).max(axis=1), np.maximum(t0, t1).min(axis=1)
    hits = enter[(enter <= leave) & (leave >= 0)]
    best = min(max_range, np.maximum(hits, 0).min(initial=max_range))
    for disc in discs:
        to = origin - disc
        b, c = to @ direction, to @ to - radius**2
        if c <= 0:
            return 0.0
        if b * b - c >= 0 and -b - np.sqrt(b * b - c) >= 0:
            best = min(best, -b - np.sqrt(b * b - c))
    return best


def reference_overlap(walls, centre, radius):
    box = boxes(walls)
    nearest = np.clip(centre, box[:, :2], box[:, 2:])
    return np.linalg.norm(nearest - centre, axis=1).min() - radius


@pytest.mark.parametrize(
    ("shape", "cell_size", "rays"),
    [((11, 11), 1.0, 10_000), ((40, 50), 1.0, 2_000), ((30, 37), 0.25, 2_000), ((90, 20), 0.1, 1_000)],
)
def test_ranges_match_a_float64_reference(shape, cell_size, rays):
    beams, robots = 50, 4
    worlds = rays // (beams * robots)
    rng = np.random.default_rng(7)
    config = NavConfig(num_beams=beams, num_robots=robots, cell_size=cell_size, height=shape[0], width=shape[1])
    env = Nav(config)
    walls = rng.random((worlds, *shape)) < 0.2
    position = rng.random((worlds, robots, 2)) * [shape[1] * cell_size, shape[0] * cell_size]
    heading = rng.uniform(-np.pi, np.pi, (worlds, robots))
    position, heading = position.astype(np.float32), heading.astype(np.float32)

    def scan(walls, position, heading):
        level = env.sample_level(jax.random.key(0))
        state, _ = env.reset(jax.random.key(0), dataclasses.replace(level, walls=walls))
        robots = dataclasses.replace(state.robots, position=position, heading=heading)
        return env.ranges(dataclasses.replace(state, robots=robots))

    measured = np.asarray(jax.jit(jax.vmap(scan))(walls, position, heading), np.float64)
    worst, checked = 0.0, 0
    for world in range(worlds):
        cells = position[world].astype(np.float64) / cell_size
        for robot in range(robots):
            if walls[world][int(cells[robot, 1]), int(cells[robot, 0])]:
                continue  # inside a wall there is nothing to measure
            others = np.delete(cells, robot, axis=0)
            for beam in range(beams):
                angle = float(heading[world, robot]) + 2 * np.pi * beam / beams
                args = (walls[world], cells[robot], angle, others, config.radius / cell_size)
                expected = cell_size * reference_range(*args, config.lidar_range / cell_size)
                worst = max(worst, abs(expected - measured[world, robot, beam]))
                checked += 1
    assert checked > 0.7 * rays
    assert worst < 1e-4


def scan_one(walls, position, angle, max_range=6.0):
    margin = int(np.ceil(max_range))
    place = jnp.array([position], jnp.float32)
    window = occupancy.window(occupancy.pack(jnp.asarray(walls), margin), jnp.floor(place).astype(jnp.int32), margin)
    cos, sin = jnp.array([[np.cos(angle)]], jnp.float32), jnp.array([[np.sin(angle)]], jnp.float32)
    return float(lidar.wall_ranges(window, place, cos, sin, max_range)[0, 0])


@pytest.mark.parametrize("quarter", range(4))
def test_no_beam_slips_between_cells_that_touch_at_a_corner(quarter):
    walls = np.zeros((9, 9), bool)
    dx, dy = [(1, 1), (-1, 1), (-1, -1), (1, -1)][quarter]
    walls[4 + dy, 4] = walls[4, 4 + dx] = True
    assert scan_one(walls, (4.5, 4.5), np.pi / 4 + quarter * np.pi / 2) == pytest.approx(np.sqrt(0.5), abs=1e-5)


@pytest.mark.parametrize(("angle", "expected"), [(0.0, 3.5), (np.pi / 2, 2.5), (np.pi, 0.5), (-np.pi / 2, 0.5)])
def test_beams_along_the_axes(angle, expected):
    walls = np.zeros((4, 6), bool)
    walls[0], walls[:, 0], walls[:, 5] = True, True, True
    assert scan_one(walls, (1.5, 1.5), angle) == pytest.approx(expected)


def test_a_beam_that_meets_nothing_reads_the_maximum():
    assert scan_one(np.zeros((41, 41), bool), (20.2, 20.7), 1.0) == 6.0


@pytest.mark.parametrize(
    ("shape", "cell_size", "radius"), [((11, 11), 1.0, 0.3), ((40, 36), 0.25, 0.3), ((9, 9), 1.0, 1.7)]
)
def test_wall_contact_matches_a_float64_reference(shape, cell_size, radius):
    rng = np.random.default_rng(3)
    walls = rng.random((50, *shape)) < (0.15 if radius < 1 else 0.02)
    position = (rng.random((50, 40, 2)) * shape[::-1]).astype(np.float32)
    margin, hull = int(np.ceil(radius / cell_size)) + 1, radius / cell_size

    def touch(walls, position):
        cell = jnp.floor(position).astype(jnp.int32)
        window = occupancy.window(occupancy.pack(walls, margin), cell, margin)
        return lidar.walls_touch(window, position, hull)

    measured = np.asarray(jax.jit(jax.vmap(touch))(walls, position))
    checked = {True: 0, False: 0}
    for w in range(50):
        for p in range(40):
            gap = reference_overlap(walls[w], position[w, p].astype(np.float64), hull)
            if abs(gap) > 1e-5:
                assert measured[w, p] == (gap < 0)
                checked[gap < 0] += 1
    assert min(checked.values()) > 50
