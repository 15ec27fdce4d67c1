"""Geodesic bounds against planners in plain Python: an exact visibility graph, and Dijkstra over cells."""

import dataclasses
import functools
import heapq
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Level, NavConfig
from minicosm.envs.nav.generate import generate
from minicosm.envs.nav.geodesic import STRETCH, distance_field, shortest_time
from minicosm.envs.nav.robots import Robots, drive

SIZE = 8
OPEN = NavConfig(height=SIZE, width=SIZE, num_beams=16)


def dijkstra(neighbours, source):
    """Distances from `source`; `neighbours(node)` yields (node, length)."""
    best, queue = {source: 0.0}, [(0.0, source)]
    while queue:
        distance, node = heapq.heappop(queue)
        if distance > best[node]:
            continue
        for other, length in neighbours(node):
            if distance + length < best.get(other, math.inf) - 1e-12:
                best[other] = distance + length
                heapq.heappush(queue, (best[other], other))
    return best


def pinched_corners(walls):
    """(x, y) at which two free cells meet that touch nowhere else."""
    padded = np.pad(walls, 1, constant_values=True)
    a, b, c, d = padded[:-1, :-1], padded[1:, 1:], padded[1:, :-1], padded[:-1, 1:]
    rows, columns = np.nonzero(((a & b) & ~(c | d)) | ((c & d) & ~(a | b)))
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def is_visible(walls, p, q):
    """Whether a point may go straight from p to q: not through a wall, between two walls, or through a pinch."""
    p, q = np.array(p, float), np.array(q, float)
    direction = q - p
    rows, columns = np.nonzero(walls)
    low, high = np.stack([columns, rows], -1).astype(float), np.stack([columns + 1, rows + 1], -1).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        t0, t1 = (low - p) / direction, (high - p) / direction
    enter, leave = np.minimum(t0, t1), np.maximum(t0, t1)
    for axis in (0, 1):
        if direction[axis] == 0:
            inside = (low[:, axis] < p[axis]) & (p[axis] < high[:, axis])
            enter[:, axis], leave[:, axis] = np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    first, last = np.maximum(enter.max(-1), 0), np.minimum(leave.min(-1), 1)
    if (first < last - 1e-9).any():
        return False
    for axis in (0, 1):  # along a grid line, one side at least must be free
        if direction[axis] == 0 and p[axis] == round(p[axis]):
            line = int(p[axis])
            start, stop = sorted((p[1 - axis], q[1 - axis]))
            for cell in range(math.floor(start), math.ceil(stop)):
                sides = [(cell, line - 1), (cell, line)] if axis == 0 else [(line - 1, cell), (line, cell)]
                if all(walls[side] for side in sides):
                    return False
    for corner in pinched_corners(walls):
        along = np.array(corner) - p
        off_line = abs(along[0] * direction[1] - along[1] * direction[0])
        if off_line < 1e-9 and -1e-9 <= along @ direction <= direction @ direction + 1e-9:
            return False
    return True


def visibility_distances(walls, source):
    """Exact shortest distance from the centre `source` to every cell's centre, for a point among walls, in cells."""
    height, width = walls.shape
    centres = [(column + 0.5, row + 0.5) for row, column in np.argwhere(~walls)]
    around = np.lib.stride_tricks.sliding_window_view(walls, (2, 2)).sum(axis=(-1, -2))
    bends = [(float(x + 1), float(y + 1)) for y, x in np.argwhere(around == 1)]  # paths bend at single walls only
    visible = functools.cache(lambda p, q: is_visible(walls, p, q))

    def neighbours(node):
        for other in [*bends, *(centres if node == source or node in bends else [])]:
            if other != node and visible(*sorted((node, other))):
                yield other, math.dist(node, other)

    best = dijkstra(neighbours, source)
    result = np.full((height, width), np.inf)
    for x, y in centres:
        result[int(y), int(x)] = best.get((x, y), np.inf)
    return result


def random_walls(seed, fill):
    rng = np.random.default_rng(seed)
    walls = np.ones((SIZE, SIZE), bool)
    walls[1:-1, 1:-1] = rng.random((SIZE - 2, SIZE - 2)) < fill
    return walls, rng


field_of = jax.jit(lambda walls, source: distance_field(walls, source, OPEN))
times_of = jax.jit(lambda level: shortest_time(level, OPEN))


@pytest.mark.parametrize("seed", range(12))
def test_the_field_bounds_exact_distances_from_below_and_tightly(seed):
    walls, rng = random_walls(seed, 0.15 + 0.03 * seed)
    free = np.argwhere(~walls)
    row, column = free[rng.integers(len(free))]
    source = (column + 0.5, row + 0.5)
    bound = np.asarray(field_of(walls, jnp.array(source)))
    exact = visibility_distances(walls, source)
    np.testing.assert_array_equal(np.isinf(bound), np.isinf(exact))
    reached = np.isfinite(exact)
    assert (bound <= exact + 1e-4)[reached].all()
    assert (bound * STRETCH >= exact - 1e-4)[reached].all()


def test_an_empty_hall_is_measured_exactly_along_the_lattice():
    walls = np.zeros((SIZE, SIZE), bool)
    bound = np.asarray(field_of(walls, jnp.array([0.5, 0.5]))) * STRETCH
    for row, column in ((0, 7), (5, 0), (4, 4), (2, 6), (6, 2)):
        np.testing.assert_allclose(bound[row, column], math.hypot(row, column), rtol=1e-5)
    assert 1.02 < bound[3, 5] / math.hypot(3, 5) <= STRETCH  # between two directions of the lattice


def drivable_distances(walls, clearance, source):
    """Dijkstra over the centres of cells with clearance, four neighbours: a path that a robot can drive."""
    size = 2 * clearance + 1
    padded = np.pad(walls, clearance, constant_values=True)
    stand = ~np.lib.stride_tricks.sliding_window_view(padded, (size, size)).any(axis=(-1, -2))

    def neighbours(cell):
        for place in ((cell[0] + 1, cell[1]), (cell[0] - 1, cell[1]), (cell[0], cell[1] + 1), (cell[0], cell[1] - 1)):
            if 0 <= place[0] < walls.shape[0] and 0 <= place[1] < walls.shape[1] and stand[place]:
                yield place, 1.0

    return dijkstra(neighbours, source)


@pytest.mark.parametrize(
    "config",
    [
        NavConfig(height=12, width=12, level_kind="maze"),
        NavConfig(height=26, width=26, cell_size=0.25, level_kind="maze"),
        NavConfig(height=23, width=23, cell_size=0.5, level_kind="rooms"),
        NavConfig(height=60, width=60, cell_size=0.1, level_kind="maze"),
    ],
    ids=lambda config: f"{config.cell_size:g} m",
)
def test_no_drivable_path_is_shorter_than_the_field(config):
    levels = jax.jit(jax.vmap(lambda key: generate(key, config)))(jax.random.split(jax.random.key(1), 4))
    fields = jax.jit(jax.vmap(lambda walls, source: distance_field(walls, source, config)))
    bounds = np.asarray(fields(levels.walls, levels.start[:, 0]))
    for index, bound in enumerate(bounds):
        start = np.asarray(levels.start[index, 0])
        source = tuple(int(i) for i in np.floor(start[::-1] / config.cell_size))
        drivable = drivable_distances(np.asarray(levels.walls[index]), config.clearance, source)
        assert len(drivable) > 20
        ratios = []
        for cell, length in drivable.items():
            drive_length = length * config.cell_size
            assert bound[cell] <= drive_length + 1e-4
            ratios.append(bound[cell] / max(drive_length, 1e-9))
        # four neighbours cost up to 41 % more than the straight line, and mazes are straight corridors
        assert np.median(ratios) > 0.65


def level_with(walls, start, goal, config=OPEN):
    return Level(
        walls=jnp.asarray(walls),
        start=jnp.array([start], jnp.float32),
        start_heading=jnp.zeros((1,)),
        goals=jnp.array([[goal]], jnp.float32),
        active=jnp.ones((1,), bool),
        sharing=jnp.full((1,), config.sharing),
    )


@pytest.mark.parametrize("distance", [0.304, 0.353, 0.517, 0.77, 1.03, 2.53, 6.04])
@pytest.mark.parametrize("acceleration", [1.0, 0.7, 20.0, math.inf])
def test_driving_straight_takes_exactly_that_long(distance, acceleration):
    config = dataclasses.replace(OPEN, max_acceleration=acceleration)
    start = np.array([0.9, 4.5])
    level = level_with(np.zeros((SIZE, SIZE), bool), start, start + np.array([distance, 0]), config)
    robots = Robots(level.start, level.start_heading, jnp.zeros((1,)), jnp.zeros((1,)))
    steps = 0
    while float(start[0] + distance - robots.position[0, 0]) >= config.goal_radius - 1e-6:
        robots = drive(robots, jnp.array([[config.max_speed, 0.0]]), config)
        steps += 1
    np.testing.assert_allclose(shortest_time(level, config), [steps * config.dt], rtol=1e-5)


def test_a_detour_takes_longer_than_the_straight_line():
    walls = np.zeros((SIZE, SIZE), bool)
    walls[0:7, 4] = True  # open at the top only
    there, over = float(times_of(level_with(walls, [2.5, 0.5], [3.5, 0.5]))[0]), [5.5, 0.5]
    around = float(times_of(level_with(walls, [2.5, 0.5], over))[0])
    length = math.hypot(1.5, 6.5) + 1 + math.hypot(0.5, 6.5)  # a point's path over both upper corners of the wall
    expected = length / STRETCH - OPEN.goal_radius + 0.45  # the ramp to 1 m/s loses 0.45 s
    assert there == pytest.approx(1.2)
    assert expected - 0.1 <= around <= length - OPEN.goal_radius + 0.55


def test_an_enclosed_goal_takes_for_ever_and_an_empty_slot_no_time():
    walls = np.zeros((SIZE, SIZE), bool)
    walls[2:5, 2:5] = True
    walls[3, 3] = False
    level = level_with(walls, [0.5, 0.5], [3.5, 3.5])
    assert np.isinf(times_of(level)[0])
    nobody = dataclasses.replace(level, active=jnp.zeros((1,), bool))
    assert float(times_of(nobody)[0]) == pytest.approx(OPEN.dt)


def test_two_walls_that_touch_at_a_corner_leave_no_way():
    walls = np.zeros((SIZE, SIZE), bool)
    walls[np.arange(SIZE), np.arange(SIZE)] = True
    level = level_with(walls, [0.5, 4.5], [4.5, 0.5])
    assert np.isinf(times_of(level)[0])


def test_a_large_goal_may_be_reached_across_a_wall():
    walls = np.zeros((SIZE, SIZE), bool)
    walls[0:7, 4] = True
    config = dataclasses.replace(OPEN, goal_radius=2.0)
    near = float(shortest_time(level_with(walls, [3.5, 0.5], [5.4, 0.5]), config)[0])
    assert near == pytest.approx(config.dt)
    far = float(shortest_time(level_with(walls, [1.5, 0.5], [5.4, 0.5]), config)[0])
    assert near < far <= 1.9 + 0.5 + config.dt  # 1.9 m straight on


def test_positions_off_the_centres_keep_the_bound():
    walls, rng = random_walls(3, 0.2)
    free = np.argwhere(~walls)
    for _ in range(30):
        (r0, c0), (r1, c1) = free[rng.integers(len(free), size=2)]
        shift = rng.uniform(-0.2, 0.2, (2, 2))
        start, goal = np.array([c0 + 0.5, r0 + 0.5]), np.array([c1 + 0.5, r1 + 0.5])
        centred = visibility_distances(walls, tuple(start))[r1, c1]
        longest = centred + np.linalg.norm(shift[0]) + np.linalg.norm(shift[1])  # by way of both centres
        time = float(times_of(level_with(walls, start + shift[0], goal + shift[1]))[0])
        if np.isfinite(centred):
            assert time <= max(longest - OPEN.goal_radius, 0) + 0.5 + 2 * OPEN.dt
        else:
            assert np.isinf(time)
