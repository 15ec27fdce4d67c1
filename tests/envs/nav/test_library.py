"""The hand-drawn levels: each parses, can be solved, and reads back; and what is wrong with a level is said."""

import dataclasses
from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Nav, NavConfig, generate, library, validate

CONFIG = NavConfig(height=25, width=25, num_robots=8, num_beams=16)


def can_reach(walls, start, goal):
    """Breadth-first search over free cells of 1 m, in which a robot of 0.3 m fits."""
    seen, queue = {start}, deque([start])
    while queue:
        x, y = queue.popleft()
        if (x, y) == goal:
            return True
        for place in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if not walls[place[1], place[0]] and place not in seen:
                seen.add(place)
                queue.append(place)
    return False


def test_there_are_enough_levels_of_each_sort():
    names = library.names()
    assert len(names) >= 28
    robots = [library.text(name).num_robots for name in names]
    assert sum(count == 1 for count in robots) >= 20
    assert sum(count > 1 for count in robots) >= 10
    assert max(robots) == 8
    sizes = [(len(library.text(name).rows[0]), len(library.text(name).rows)) for name in names]
    assert min(min(size) for size in sizes) <= 7 and max(max(size) for size in sizes) >= 21
    assert len({library.text(name).rows for name in names}) == len(names)


@pytest.mark.parametrize("name", library.names())
def test_every_level_can_be_solved_and_reads_back(name):
    said = library.text(name)
    assert said.name and said.description
    level = library.load(name, CONFIG)
    walls = np.asarray(level.walls)
    assert walls[[0, -1]].all() and walls[:, [0, -1]].all()
    assert np.asarray(level.active).sum() == said.num_robots
    for robot in range(said.num_robots):
        start, goal = (
            tuple(np.floor(np.asarray(p)).astype(int).tolist()) for p in (level.start[robot], level.goals[robot, 0])
        )
        assert start != goal
        assert can_reach(walls, start, goal)
    again = library.parse(library.to_text(level, CONFIG), name).to_level(CONFIG)
    for field in dataclasses.fields(level):
        np.testing.assert_allclose(getattr(again, field.name), getattr(level, field.name), atol=1e-6)


@pytest.mark.parametrize("kind", ["clutter", "rooms", "corridors", "maze", "caves", "warehouse", "swap", "bottleneck"])
def test_no_generator_draws_a_level_of_the_library(kind):
    config = NavConfig(level_kind=kind, num_robots=2)
    keys = jax.random.split(jax.random.key(0), 500)
    drawn = jax.jit(jax.vmap(lambda key: generate(key, config)))(keys).walls
    drawn = {np.asarray(walls).tobytes() for walls in drawn}
    ours = [library.text(name) for name in library.names()]
    same_size = [said for said in ours if (len(said.rows), len(said.rows[0])) == (11, 11)]
    assert len(same_size) >= 6
    for said in same_size:
        walls = np.array([[character == "#" for character in row] for row in said.rows[::-1]])
        assert walls.tobytes() not in drawn


def test_all_levels_that_fit_are_stacked():
    levels, names = library.load_all(CONFIG)
    assert names == library.names()
    assert levels.walls.shape == (len(names), 25, 25)
    small, fitting = library.load_all(dataclasses.replace(CONFIG, height=11, width=11, num_robots=1))
    assert 0 < len(fitting) < len(names)
    assert {library.text(name).num_robots for name in fitting} == {1}
    assert small.start.shape == (len(fitting), 1, 2)
    _, pairs = library.load_all(CONFIG, num_robots=2)
    assert {library.text(name).num_robots for name in pairs} == {2}
    with pytest.raises(ValueError, match="no library level of 7 robots fits"):
        library.load_all(CONFIG, num_robots=7)


def test_levels_can_be_played():
    levels, _ = library.load_all(CONFIG, num_robots=4)
    env = Nav(CONFIG)
    state, observation = jax.jit(jax.vmap(env.reset, in_axes=(None, 0)))(jax.random.key(0), levels)
    assert np.isfinite(observation).all()
    np.testing.assert_array_equal(state.ended, ~np.asarray(levels.active))


def test_cells_are_divided_for_a_finer_config():
    fine = dataclasses.replace(CONFIG, cell_size=0.25, height=30, width=30, num_robots=1)
    coarse, level = library.load("open_floor", CONFIG), library.load("open_floor", fine)
    np.testing.assert_array_equal(level.start[0], coarse.start[0])
    np.testing.assert_array_equal(level.walls[2:28:4, 3:28:4], coarse.walls[:7, :7])
    assert int((~level.walls).sum()) == 16 * int((~coarse.walls).sum())


def test_robots_shuttle_when_there_are_several_goals():
    config = dataclasses.replace(CONFIG, lifelong=True, num_goals=4)
    level = library.load("swap_in_the_hall", config)
    np.testing.assert_array_equal(level.goals[0, 0], level.start[1])
    np.testing.assert_array_equal(level.goals[0, 1], level.start[0])
    with pytest.raises(ValueError, match="must be 1 or even, not 3"):
        library.load("swap_in_the_hall", dataclasses.replace(config, num_goals=3))


def test_a_users_file_is_loaded(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("headings: A=90\n\n#####\n#A.a#\n#####\n")
    level = library.load_file(path, NavConfig(height=5, width=5))
    np.testing.assert_allclose(level.start_heading, [np.pi / 2], rtol=1e-6)
    np.testing.assert_array_equal(level.walls.sum(), 22)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"mine\.txt: not a text file"):
        library.load_file(path, NavConfig())
    with pytest.raises(FileNotFoundError):
        library.load_file(tmp_path / "none.txt", NavConfig())


def test_text_without_headings_looks_at_the_goal():
    assert library.parse("#####\n#a..#\n#..A#\n#####").headings[0] == pytest.approx(np.arctan2(1, -2))


BAD_TEXTS = {
    "ragged rows": ("#####\n#A.a#\n####\n", "map row 3 has 4 characters, the first row 5"),
    "unknown character": ("####\n#A?a\n####", r"map row 2 holds '\?'"),
    "letter twice": ("#####\n#AAa#\n#####", "holds 'A', which the map has already"),
    "no goal": ("#####\n#A..#\n#####", "robot 'A' has no goal"),
    "no start": ("#####\n#Aab#\n#####", "no robot 'B' starts on the map"),
    "nobody": ("#####\n#...#\n#####", "no robot starts on the map"),
    "no free cell": ("###\n###\n", "the map has no free cell"),
    "no map": ("name: nothing\n\n", "there is no map"),
    "unknown key": ("colour: red\n\n####\n#Aa#", "the key 'colour'"),
    "key twice": ("cell: 1\ncell: 2\n\n####\n#Aa#", "the key 'cell' twice"),
    "bad cell": ("cell: -1\n\n####\n#Aa#", "cell is -1; expected the size"),
    "cell no number": ("cell: wide\n\n####\n#Aa#", "cell is 'wide'; expected a finite number"),
    "bad heading": ("headings: A=up\n\n####\n#Aa#", "the heading of 'A' is 'up'"),
    "bad headings": ("headings: A 90\n\n####\n#Aa#", "headings holds 'A'"),
    "heading for nobody": ("headings: B=9\n\n####\n#Aa#", "no robot 'B'"),
    "goal of nobody": ("goals: A=C\n\n####\n#A.#", "the start of 'C', which is not on the map"),
    "two goals": ("goals: A=B B=A\n\n#####\n#AaB#", "robot 'A' has two goals"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_bad_text_is_refused_in_a_sentence(case):
    text, message = BAD_TEXTS[case]
    with pytest.raises(ValueError, match=message) as error:
        library.parse(text, "mine")
    assert str(error.value).startswith("mine")


BAD_FITS = {
    "too large": ("A" + "." * 30 + "a", {}, "the map has 32 x 1 cells .* enlarge NavConfig"),
    "robots": ("ABCab..c", {"num_robots": 2}, "has 3 robots, more than the config's 2"),
    "cells": ("cell: 0.3\n\nA...a", {}, "no multiple of the config's 1 m"),
    "unreachable": ("A..#..a", {}, r"goal 0 of robot 0, at \(6.5, 0.5\) m, cannot be reached"),
    "no clearance": ("cell: 0.5\n\nA.......a", {"cell_size": 0.5}, "the start of robot 0, .* is without clearance"),
    "starts touch": ("AB...\n....." + "\nb...a", {"radius": 0.6, "cell_size": 1.0}, "is without clearance"),
    "own start": ("Aa...", {"goal_radius": 1.0}, "is within the goal radius 1 m of the place before it"),
}


@pytest.mark.parametrize("case", BAD_FITS)
def test_a_level_that_does_not_fit_is_refused_in_a_sentence(case):
    text, changes, message = BAD_FITS[case]
    config = dataclasses.replace(CONFIG, **changes)
    with pytest.raises(ValueError, match=message):
        library.parse(text, "mine").to_level(config)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no library level 'atlantis'; expected one of apartment, around_the_block"):
        library.load("atlantis", CONFIG)


def test_text_says_what_it_cannot_say():
    level = library.load("one_door", CONFIG)
    with pytest.raises(ValueError, match="not the middle of a cell"):
        library.to_text(dataclasses.replace(level, start=level.start + 0.2), CONFIG)
    with pytest.raises(ValueError, match="the cell is not free"):
        library.to_text(dataclasses.replace(level, goals=level.goals * 0 + 0.5), CONFIG)


def flawed(field, value):
    level = library.load("one_door", CONFIG)
    return dataclasses.replace(level, **{field: value(jnp.asarray(getattr(level, field)))})


BAD_LEVELS = {
    "shape": (("walls", lambda w: w[:-1]), r"walls has shape \(24, 25\); .* make it \(25, 25\)"),
    "dtype": (("walls", lambda w: w.astype(jnp.int32)), "walls has dtype int32; expected bool"),
    "NaN": (("goals", lambda g: g.at[0, 0, 0].set(jnp.nan)), "goals holds NaN"),
    "no free cell": (("walls", lambda w: w | True), "the map has no free cell"),
    "nobody": (("active", lambda a: a & False), "no robot is active"),
    "goal in a wall": (("goals", lambda g: g.at[1, 0].set(0.5)), r"goal 0 of robot 1, at \(0.5, 0.5\) m, is inside a"),
    "goal off the map": (("goals", lambda g: g.at[1, 0].set(-3.0)), "lies outside the map"),
    "start in a wall": (("start", lambda s: s.at[0, 0].set(6.5)), "the start of robot 0, .* is inside a wall"),
    "start at a wall": (("start", lambda s: s.at[0, 0].set(1.1)), "of radius 0.3 m, overlaps a wall at its start"),
    "same start": (("start", lambda s: s.at[2].set(s[0] + 0.3)), "robots 0 and 2 start 0.424 m apart"),
    "same goal": (("goals", lambda g: g.at[2].set(g[0])), "robots 0 and 2 have goals 0 m apart"),
    "goal at the start": (("start", lambda s: s.at[0].set(jnp.array([10.5, 6.5]))), "is within the goal radius"),
    "sharing": (("sharing", lambda s: s + 1), "sharing holds 1.5 to 1.5; expected 0 to 1"),
    "cut off": (("walls", lambda w: w.at[:, 6].set(True)), "cannot be reached from its start"),
}


@pytest.mark.parametrize("case", BAD_LEVELS)
def test_a_bad_level_is_refused_in_a_sentence(case):
    (field, value), message = BAD_LEVELS[case]
    with pytest.raises(ValueError, match=message):
        validate(flawed(field, value), CONFIG)


def test_a_good_level_is_accepted():
    validate(library.load("one_door", CONFIG), CONFIG)
