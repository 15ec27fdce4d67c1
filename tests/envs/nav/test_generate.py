"""Generated levels against an independent breadth-first search, cell by cell, with the robot's clearance."""

import dataclasses
import functools
from collections import deque

import jax
import numpy as np
import pytest

from minicosm.envs.nav import NavConfig
from minicosm.envs.nav.generate import check_hosts, generate
from minicosm.envs.nav.patterns import PATTERNS

KINDS = [*PATTERNS, "mixed"]
LEVELS = 40


@functools.cache
def sample(config, number=LEVELS, seed=0):
    keys = jax.random.split(jax.random.key(seed), number)
    levels = jax.jit(jax.vmap(lambda key: generate(key, config)))(keys)
    levels = jax.tree.map(np.asarray, levels)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], levels) for i in range(number)]


def standable(walls, clearance):
    """Cells all of whose neighbours within `clearance`, diagonals included, are free and on the map."""
    height, width = walls.shape
    result = np.zeros_like(walls)
    for row in range(clearance, height - clearance):
        for column in range(clearance, width - clearance):
            square = walls[row - clearance : row + clearance + 1, column - clearance : column + clearance + 1]
            result[row, column] = not square.any()
    return result


def reachable(cells, start):
    """Every cell that a 4-connected path within `cells` joins to `start`."""
    reached, queue = {start}, deque([start])
    while queue:
        row, column = queue.popleft()
        for place in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            on_map = 0 <= place[0] < cells.shape[0] and 0 <= place[1] < cells.shape[1]
            if on_map and cells[place] and place not in reached:
                reached.add(place)
                queue.append(place)
    return reached


def cell_of(position, config):
    """(row, column), asserting that the position is the cell's centre."""
    in_cells = np.asarray(position, float) / config.cell_size
    np.testing.assert_allclose(in_cells % 1, 0.5, atol=1e-4)
    column, row = np.floor(in_cells).astype(int)
    return int(row), int(column)


def assert_sound(level, config):
    cells = standable(level.walls, config.clearance)
    assert level.walls[[0, -1]].all() and level.walls[:, [0, -1]].all()
    assert level.active.all()
    for robot in range(config.num_robots):
        start = cell_of(level.start[robot], config)
        assert cells[start]
        reached = reachable(cells, start)
        goals = [cell_of(goal, config) for goal in level.goals[robot]]
        assert set(goals) <= reached
        assert np.linalg.norm(level.goals[robot, 0] - level.start[robot]) > config.goal_radius
        if len(goals) > 1:
            assert all(here != after for here, after in zip(goals, goals[1:] + goals[:1], strict=True))
    for places in (level.start, level.goals[:, 0]):
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(config.num_robots)
        assert apart.min() >= 2 * config.radius - 1e-5
        spacing = np.abs(places[:, None] - places[None]).max(-1) / config.cell_size + 1e9 * np.eye(config.num_robots)
        assert spacing.min() >= config.spacing - 1e-4


BASE = NavConfig(num_beams=16)

CONFIGS = {
    "11x12": dataclasses.replace(BASE, width=12, num_robots=4),
    "quarter": dataclasses.replace(BASE, height=27, width=34, cell_size=0.25, num_robots=3),
    "half": dataclasses.replace(BASE, height=25, width=22, cell_size=0.5, num_robots=1, num_goals=5),
    "wide": dataclasses.replace(BASE, height=9, width=75, num_robots=8),
    "large goals": dataclasses.replace(BASE, height=14, width=14, goal_radius=1.2, num_robots=2, num_goals=2),
}
TRIALS = [
    *[(kind, "11x12") for kind in KINDS],
    *[(kind, "quarter") for kind in ("clutter", "rooms", "caves", "warehouse")],
    *[(kind, "half") for kind in ("corridors", "swap", "bottleneck")],
    *[(kind, "wide") for kind in ("clutter", "maze")],
    ("rooms", "large goals"),
]


@pytest.mark.parametrize(("kind", "name"), TRIALS)
def test_every_robot_can_reach_its_goals(kind, name):
    config = dataclasses.replace(CONFIGS[name], level_kind=kind)
    for level in sample(config):
        assert_sound(level, config)


@pytest.mark.parametrize(
    ("kind", "height", "width"),
    [
        ("clutter", 5, 5),
        ("rooms", 5, 5),
        ("corridors", 5, 6),
        ("maze", 5, 5),
        ("caves", 5, 5),
        ("warehouse", 5, 5),
        ("swap", 5, 5),
        ("bottleneck", 5, 5),
    ],
)
def test_small_maps_work(kind, height, width):
    """With as many robots as are allowed."""
    config = dataclasses.replace(BASE, height=height, width=width, level_kind=kind)
    allowed = 0
    for robots in range(1, 33):
        try:
            check_hosts(dataclasses.replace(config, num_robots=robots))
        except ValueError:
            break
        allowed = robots
    assert allowed >= 1
    crowded = dataclasses.replace(config, num_robots=allowed)
    for level in sample(crowded, 20):
        assert_sound(level, crowded)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_vary(kind):
    levels = sample(dataclasses.replace(CONFIGS["11x12"], level_kind=kind))
    maps = {level.walls.tobytes() for level in levels}
    ends = {(level.start.tobytes(), level.goals.tobytes()) for level in levels}
    assert len(ends) > (15 if kind == "swap" else 35)
    # the bottleneck's maps are few: an orientation, a place, a thickness and a gap
    assert len(maps) > (20 if kind in ("bottleneck", "swap") else 33)


def test_generation_is_a_function_of_the_key():
    config = dataclasses.replace(CONFIGS["11x12"], level_kind="rooms")
    once, again = sample(config), sample.__wrapped__(config)
    alone = jax.jit(lambda key: generate(key, config))(jax.random.split(jax.random.key(0), LEVELS)[3])
    for a, b in zip(once, again, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    jax.tree.map(np.testing.assert_array_equal, once[3], jax.tree.map(np.asarray, alone))
    assert any(not np.array_equal(a.walls, b.walls) for a, b in zip(once, sample(config, seed=1), strict=True))


def test_a_maze_is_perfect_and_favours_no_direction():
    ways = np.zeros(2)
    for level in sample(dataclasses.replace(CONFIGS["11x12"], level_kind="maze")):
        free = ~level.walls
        edges = (free[1:] & free[:-1]).sum() + (free[:, 1:] & free[:, :-1]).sum()
        assert free.sum() == 2 * 25 - 1
        assert edges == free.sum() - 1  # connected (as proven above) with no way round
        ways += free[2:-2:2, 1:-1:2].sum(), free[1:-1:2, 2:-2:2].sum()
    assert ways.sum() == 24 * LEVELS
    np.testing.assert_allclose(ways / ways.sum(), 0.5, atol=0.06)


def test_a_bottleneck_is_crossed():
    config = dataclasses.replace(CONFIGS["11x12"], level_kind="bottleneck")
    for level in sample(config):
        walls, halls = level.walls, []
        for row, column in np.argwhere(~walls):
            in_a_gap = walls[row - 1 : row + 2 : 2, column].all() or walls[row, column - 1 : column + 2 : 2].all()
            if not in_a_gap:
                continue
            without = ~walls
            without[row, column] = False
            part = reachable(without, tuple(np.argwhere(without)[0]))
            halls.append((min(len(part), without.sum() - len(part)), part))
        smaller, hall = max(halls, key=lambda cut: cut[0])
        assert smaller >= 3 * 9, "no cell whose loss cuts the map into two halls"
        starts = [cell_of(position, config) in hall for position in level.start]
        goals = [cell_of(goals[0], config) in hall for goals in level.goals]
        assert starts == [not goal for goal in goals]
        assert sum(starts) == 2


def test_a_swap_is_antipodal():
    config = dataclasses.replace(BASE, level_kind="swap", num_robots=5, height=12, width=15)
    centre = np.array([7.5, 6.0])
    for level in sample(config):
        np.testing.assert_allclose(level.start - centre, centre - level.goals[:, 0], atol=1e-5)
        ahead = np.stack([np.cos(level.start_heading), np.sin(level.start_heading)], -1)
        towards = level.goals[:, 0] - level.start
        np.testing.assert_allclose(np.sum(ahead * towards, -1), np.linalg.norm(towards, axis=-1), rtol=1e-5)


def test_clutter_obeys_max_fill():
    shares = []
    for max_fill in (0.0, 0.2, 0.6):
        config = dataclasses.replace(BASE, height=20, width=20, max_fill=max_fill)
        inner = [level.walls[1:-1, 1:-1].mean() for level in sample(config, 60)]
        assert max(inner) <= max_fill + 0.05
        shares.append(np.mean(inner))
    assert shares[0] == 0.0
    assert 0.06 < shares[1] < 0.12
    assert 0.15 < shares[2] < 0.35


def test_starts_and_goals_are_uniform_over_the_free_cells():
    config = dataclasses.replace(BASE, height=5, width=5, max_fill=0.0, num_robots=2)
    levels = sample(config, 3000)
    for position in (
        np.stack([level.start for level in levels])[:, 1],
        np.stack([level.goals for level in levels])[:, 1, 0],
    ):
        counts = np.histogram2d(position[:, 0], position[:, 1], bins=3, range=[[1, 4], [1, 4]])[0]
        np.testing.assert_allclose(counts, 3000 / 9, rtol=0.2)  # 20 % is 3.9 standard deviations


def test_random_sharing_is_drawn_per_robot():
    config = dataclasses.replace(BASE, num_robots=3, random_sharing=True)
    sharing = np.stack([level.sharing for level in sample(config)])
    assert len(np.unique(sharing)) == sharing.size
    assert 0 <= sharing.min() < 0.2 < 0.8 < sharing.max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_robots": 9, "height": 5, "width": 5}, "sure to host 8 robots, not 9"),
        ({"num_robots": 30, "level_kind": "corridors"}, "lower num_robots"),
        ({"level_kind": "swap", "num_robots": 30}, "sure to host 0 robots"),
        ({"height": 5, "width": 5, "cell_size": 0.25}, "enlarge NavConfig.height and width"),
        ({"height": 5, "width": 5, "cell_size": 0.1, "lidar_range": 6.0}, "0 x 0 blocks of 7 cells"),
        ({"level_kind": "mixed", "num_robots": 32, "height": 5, "width": 5}, "no kind of level hosts 32 robots"),
    ],
)
def test_a_map_that_cannot_host_the_robots_is_refused(changes, message):
    config = dataclasses.replace(BASE, **changes)
    with pytest.raises(ValueError, match=message):
        jax.jit(lambda key: generate(key, config))(jax.random.key(0))
