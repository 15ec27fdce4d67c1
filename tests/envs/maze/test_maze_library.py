"""The held-out mazes, and levels from text and arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig, library, solve


def test_there_are_enough_mazes_and_each_is_solvable_within_the_time_limit():
    names = library.names()
    assert len(names) >= 24
    levels = library.load_all()
    assert levels.walls.shape == (len(names), 13, 13)
    found = jax.jit(jax.vmap(lambda level: solve.solve(level, MazeConfig())))(levels)
    assert found.solvable.all(), [n for n, ok in zip(names, np.asarray(found.solvable)[:, 0], strict=True) if not ok]
    assert int(found.num_actions.min()) >= 8 and int(found.num_actions.max()) > 100
    assert len({np.asarray(walls).tobytes() for walls in levels.walls}) == len(names)


@pytest.mark.parametrize("name", ["labyrinth", "labyrinth_2", "spiral"])
def test_the_flipped_ones_are_mirror_images(name):
    one, other = library.load(name), library.load(f"{name}_flipped")
    np.testing.assert_array_equal(one.walls[:, ::-1], other.walls)
    assert int(one.goal[0, 0]) == 12 - int(other.goal[0, 0])
    assert solve.num_actions(one) == solve.num_actions(other)


def test_the_perfect_ones_are_trees():
    for i in (1, 2, 3):
        free = ~np.asarray(library.load(f"perfect_maze_{i}").walls)
        pairs = (free[1:] & free[:-1]).sum() + (free[:, 1:] & free[:, :-1]).sum()
        assert pairs == free.sum() - 1 and free[::2, ::2].all()


def test_text_comes_back_as_it_went_in():
    for name in library.names():
        assert library.to_text(library.load(name)) == library.text(name)


def test_a_text_with_minigrid_s_border_and_spaces_for_floor_is_the_same_level():
    inner = library.text("four_rooms").replace(".", " ").split("\n")[:-1]
    text = "\n".join(["#" * 15, *(f"#{row}#" for row in inner), "#" * 15])
    bordered = library.from_text(text, has_border=True)
    assert library.to_text(bordered) == library.text("four_rooms")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "test: there is no text"),
        (">..\n...\n...", "found 0 of goal"),
        (">.G\n..G\n...", "found 2 of goal"),
        ("..G\n...\n...", "found 0 of start"),
        (">.G\n..\n...", "line 2 has 2 cells, the longest 3"),
        (">.G\n.x.\n...", "unknown cell 'x'"),
        (">.G", "expected bool.H, W. of 3 to 64 cells a side"),
    ],
)
def test_a_text_that_is_no_maze_is_refused_with_its_source(text, message):
    with pytest.raises(ValueError, match=message):
        library.from_text(text, source="test")


def test_a_broken_border_is_refused():
    with pytest.raises(ValueError, match="border holds cells that are not '#'"):
        library.from_text(library.text("four_rooms"), has_border=True)


def test_arrays_in_jaxued_s_encoding_are_one_level_or_many():
    level = library.load("labyrinth")
    arrays = (
        np.asarray(level.walls, np.uint8), np.asarray(level.start[0], np.uint32), np.uint8(level.direction[0]),
        np.asarray(level.goal[0], np.uint32),
    )  # fmt: skip
    read = library.from_arrays(*arrays)
    assert library.to_text(read) == library.text("labyrinth")
    many = library.from_arrays(*(np.stack([x, x]) for x in arrays))
    assert many.walls.shape == (2, 13, 13) and many.start.shape == (2, 1, 2) and many.direction.shape == (2, 1)
    env = Maze()
    state, _ = env.reset(jax.random.key(0), jax.tree.map(lambda x: x[1], many))
    np.testing.assert_array_equal(env.walls(state), level.walls)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agent_pos": [0, 13]}, r"start of agent 0, \(column, row\) = \(0, 13\), lies outside the 13 x 13"),
        ({"goal_pos": [1, 1]}, r"goal of agent 0, \(column, row\) = \(1, 1\), is in a wall"),
        ({"goal_pos": [6, 12]}, "starts on its goal"),
        ({"agent_dir": 4}, r"direction is \[4\]; expected 0 to 3"),
        ({"agent_pos": [1, 2, 3]}, r"agent_pos has shape \(3,\); a wall_map of \(13, 13\) makes it \(2,\)"),
    ],
)
def test_arrays_that_are_no_level_are_refused(change, message):
    level = library.load("labyrinth")
    arrays = {"wall_map": level.walls, "agent_pos": level.start[0], "agent_dir": 3, "goal_pos": level.goal[0]}
    with pytest.raises(ValueError, match=message):
        library.from_arrays(**{**arrays, **{name: jnp.array(value) for name, value in change.items()}})


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(ValueError, match="named 'labyrint'; did you mean 'labyrinth'"):
        library.load("labyrint")
