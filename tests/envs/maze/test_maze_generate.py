"""Generated and edited mazes: distributions, structure, solvability."""

import functools

import jax
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig, solve
from minicosm.envs.maze.mutate import mutate

KINDS = ("solvable", "perfect", "rooms", "corridors", "caves", "mixed")


def parts(walls):
    """Number of 4-connected parts of the free cells, and the number of pairs of free neighbours."""
    free = {(int(y), int(x)) for y, x in np.argwhere(~walls)}
    pairs = sum((y + 1, x) in free for y, x in free) + sum((y, x + 1) in free for y, x in free)
    left, count = set(free), 0
    while left:
        count += 1
        stack = [left.pop()]
        while stack:
            y, x = stack.pop()
            for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if place in left:
                    left.remove(place)
                    stack.append(place)
    return count, pairs


def check_places(levels):
    levels = jax.tree.map(np.asarray, levels)
    world = np.arange(levels.walls.shape[0])[:, None]
    for places in (levels.start, levels.goal):
        assert not levels.walls[world, places[..., 1], places[..., 0]].any()
        for row in places:
            assert len({tuple(place) for place in row.tolist()}) == len(row)
    assert (levels.start != levels.goal).any(axis=-1).all()
    assert set(levels.direction.ravel().tolist()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("kind", KINDS)
def test_every_level_of_the_solvable_kinds_is_solvable(sample, kind):
    levels = sample(2000, level_kind=kind)
    check_places(levels)
    found = np.asarray(jax.jit(jax.vmap(solve.num_actions))(levels))
    assert (found > 0).all()
    assert len({w.tobytes() for w in np.asarray(levels.walls)}) > 1900


@pytest.mark.parametrize("kind", ("solvable", "caves", "perfect"))
def test_every_agent_has_its_own_places_and_a_way(sample, kind):
    settings = {"height": 8, "width": 8, "num_agents": 4, "level_kind": kind}
    levels = sample(500, **settings, num_walls=28)  # as many walls as solvable levels of this size can be sure of
    check_places(levels)
    assert (np.asarray(jax.jit(jax.vmap(solve.num_actions))(levels)) > 0).all()


def test_uniform_walls_are_draws_with_replacement(sample):
    levels = sample(5000)
    check_places(levels)
    walls = np.asarray(levels.walls).sum(axis=(1, 2))
    expected = 169 * (1 - (168 / 169) ** 60)  # 50.6
    assert abs(walls.mean() - expected) < 0.2 and walls.max() <= 60
    share = np.asarray(levels.walls).mean(axis=0)
    assert np.abs(share - expected / 169).max() < 0.035  # each cell alike: 5 standard deviations
    assert np.bincount(np.asarray(levels.direction).ravel(), minlength=4).min() > 1100
    places = np.asarray(levels.start)[:, 0] @ [1, 13]
    assert np.bincount(places, minlength=169).min() > 5  # 29.6 on average


def test_the_number_of_walls_can_vary(sample):
    walls = np.asarray(sample(1000, vary_walls=True).walls).sum(axis=(1, 2))
    assert walls.min() < 3 and walls.max() > 45 and 24 < walls.mean() < 30


@pytest.mark.parametrize("size", [(13, 13), (6, 11)])
def test_perfect_mazes_are_trees_over_all_even_cells(sample, size):
    walls = np.asarray(sample(50, level_kind="perfect", height=size[0], width=size[1]).walls)
    for maze in walls:
        assert not maze[::2, ::2].any()
        count, pairs = parts(maze)
        assert count == 1 and pairs == (~maze).sum() - 1


@pytest.mark.parametrize("kind", ("rooms", "corridors"))
@pytest.mark.parametrize("size", [(13, 13), (3, 24)])
def test_rooms_and_corridors_hang_together(sample, kind, size):
    for maze in np.asarray(sample(2000, level_kind=kind, height=size[0], width=size[1]).walls)[:100]:
        assert parts(maze)[0] == 1


def test_backtracking_makes_longer_ways_than_chance(sample):
    found = jax.jit(jax.vmap(solve.num_actions))(sample(2000, level_kind="perfect"))
    assert 30 < float(found.mean()) < 40 and int(found.max()) > 90


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_walls": 168}, "'uniform' maze of 13 x 13 cells is sure to host 0 agents, not 1.*lower num_walls"),
        ({"level_kind": "solvable", "num_walls": 84}, "host 0 agents"),
        ({"level_kind": "caves", "num_agents": 8, "width": 13}, "host 6 agents, not 8"),
        ({"level_kind": "perfect", "num_agents": 16, "height": 3, "width": 3}, "choose another level_kind"),
        ({"level_kind": "mixed", "num_agents": 16, "height": 3, "width": 3}, "no kind of maze hosts 16 agents"),
    ],
)
def test_too_little_room_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Maze(MazeConfig(**settings)).sample_level(jax.random.key(0))


@functools.cache
def edited(kind, num_edits, num_agents=1):
    config = MazeConfig(level_kind=kind, num_agents=num_agents)

    def make(key):
        level = Maze(config).sample_level(key)
        return level, mutate(jax.random.fold_in(key, 1), level, config, num_edits)

    return jax.jit(jax.vmap(make))(jax.random.split(jax.random.key(3), 500))


@pytest.mark.parametrize("kind", ("uniform", "solvable"))
def test_edits_change_levels_and_keep_what_they_promise(kind):
    before, after = edited(kind, 20, num_agents=2)
    check_places(after)
    flipped = (np.asarray(before.walls) != np.asarray(after.walls)).sum(axis=(1, 2))
    assert 6 < flipped.mean() < 14 and flipped.max() <= 20
    for name in ("start", "goal", "direction"):
        assert (np.asarray(getattr(before, name)) != np.asarray(getattr(after, name))).any(axis=0).all()
    found = np.asarray(jax.jit(jax.vmap(solve.num_actions))(after))
    assert (found > 0).all() == (kind == "solvable")


def test_one_edit_changes_one_thing():
    before, after = edited("uniform", 1)
    walls = (np.asarray(before.walls) != np.asarray(after.walls)).sum(axis=(1, 2))
    start, goal = (
        (np.asarray(getattr(before, n)) != np.asarray(getattr(after, n))).any((1, 2)) for n in ("start", "goal")
    )
    np.testing.assert_array_equal(walls + start + goal, 1)
    assert 0.5 < walls.mean() < 0.7 and 0.1 < start.mean() < 0.3 and 0.1 < goal.mean() < 0.3


def test_a_strange_number_of_edits_is_refused(sample):
    with pytest.raises(ValueError, match="num_edits is -1; expected a whole number"):
        mutate(jax.random.key(0), jax.tree.map(lambda x: x[0], sample(12)), MazeConfig(), -1)
