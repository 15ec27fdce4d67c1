"""The rules of the maze world, on levels laid out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig
from minicosm.envs.maze.draw import DrawStyle

LEFT, RIGHT, FORWARD = 0, 1, 2
ROOM = """
    >....
    .###.
    .#G..
    .....
"""
SMALL = {"height": 4, "width": 5}


@pytest.fixture(scope="module")
def play(compiled):
    def run(config, level, actions):
        """The first observation, and the state and time step after each of `actions` [T][A]."""
        _, reset, step = compiled(config)
        state, first = reset(jax.random.key(0), level)
        steps = []
        for action in actions:
            state, timestep = step(jax.random.key(0), state, jnp.array(action))
            steps.append((state, timestep))
        return first, steps

    return run


def test_the_way_round_the_wall_earns_more_the_sooner_it_ends(play, level_of):
    config = MazeConfig(**SMALL, max_steps=20)
    way = [[RIGHT], [FORWARD], [FORWARD], [FORWARD], [LEFT], [FORWARD], [FORWARD], [LEFT], [FORWARD]]
    _, steps = play(config, level_of(ROOM), way)
    rewards = [float(timestep.reward[0]) for _, timestep in steps]
    assert rewards[:-1] == [0.0] * 8 and rewards[-1] == pytest.approx(1 - 0.9 * 9 / 20)
    state, last = steps[-1]
    assert state.position.tolist() == [[2, 2]] and bool(last.terminated[0]) and bool(last.info["success"][0])
    assert last.observation["image"][0, 2, 4].tolist() == [1, 0, 0]  # on the goal it sees its own cell as empty
    _, more = play(config, level_of(ROOM), [*way, [FORWARD], [LEFT]])
    after = more[-1][0]
    assert after.position.tolist() == [[2, 2]] and after.direction.tolist() == state.direction.tolist()
    assert [float(t.reward[0]) for _, t in more[-2:]] == [0.0, 0.0]


def test_walls_and_the_edge_of_the_map_stop(play, level_of):
    _, steps = play(MazeConfig(**SMALL), level_of(ROOM), [[LEFT], [FORWARD], [LEFT], [FORWARD], [LEFT], [LEFT]])
    assert [s.position.tolist() for s, _ in steps] == [[[0, 0]]] * 6
    assert [s.direction.tolist() for s, _ in steps] == [[3], [3], [2], [2], [1], [0]]


def test_time_runs_out_apart_from_success(play, level_of):
    _, steps = play(MazeConfig(**SMALL, max_steps=3), level_of(ROOM), [[FORWARD]] * 3)
    assert [bool(t.truncated[0]) for _, t in steps] == [False, False, True]
    assert not any(bool(t.terminated[0]) for _, t in steps)


def test_the_last_action_in_time_counts_as_success_not_as_truncation(play, level_of):
    level = level_of("""
        >G...
        .....
        .....
        .....
    """)
    _, steps = play(MazeConfig(**SMALL, max_steps=1), level, [[FORWARD]])
    timestep = steps[-1][1]
    assert float(timestep.reward[0]) == pytest.approx(0.1)
    assert bool(timestep.terminated[0]) and not bool(timestep.truncated[0])


def test_the_view_is_turned_so_that_it_looks_up(play, level_of):
    first, steps = play(MazeConfig(**SMALL), level_of(ROOM), [[RIGHT]])
    kinds = np.asarray(first["image"][0, :, :, 0]).T  # [row, column] as seen
    # facing right from the top left corner: left of it is outside, the map's rows run to its right
    np.testing.assert_array_equal(
        kinds, [[2, 2, 1, 1, 1], [2, 2, 1, 2, 1], [2, 2, 1, 2, 8], [2, 2, 1, 2, 2], [2, 2, 1, 1, 1]]
    )
    down = np.asarray(steps[0][1].observation["image"][0, :, :, 0]).T
    np.testing.assert_array_equal(down[:, 2], [2, 1, 1, 1, 1])
    assert first["direction"].tolist() == [0] and steps[0][1].observation["direction"].tolist() == [1]


def test_walls_hide_what_is_behind_them_when_asked(play, level_of):
    level = level_of("""
        .....
        .....
        #####
        ..^..
        ....G
    """)
    size = {"height": 5, "width": 5}
    seen, _ = play(MazeConfig(**size), level, [])
    hidden, _ = play(MazeConfig(**size, see_through_walls=False), level, [])
    kinds = np.asarray(hidden["image"][0, :, :, 0]).T
    assert (kinds[:3] == 0).all() and (kinds[3] == 2).all()
    assert (np.asarray(seen["image"][0, :, :, 0]).T[1:3] == 1).all()


def test_the_flat_view_is_the_symbolic_one_in_planes(play, level_of):
    first, _ = play(MazeConfig(**SMALL), level_of(ROOM), [])
    flat, _ = play(MazeConfig(**SMALL, view_kind="flat"), level_of(ROOM), [])
    kinds = np.asarray(first["image"][0, :, :, 0]).ravel()
    np.testing.assert_array_equal(flat[0], np.concatenate([kinds == 2, kinds == 8, [1, 0, 0, 0]]))


def test_the_rgb_view_shows_walls_goal_and_the_agent_in_their_places(play, level_of):
    config = MazeConfig(**SMALL, view_kind="rgb", tile_pixels=8)
    first, _ = play(config, level_of(ROOM), [])
    tiles = np.asarray(first[0]).reshape(5, 8, 5, 8, 3)
    middle = tiles[:, 4, :, 4]
    assert first.shape == (1, 40, 40, 3) and first.dtype == np.uint8
    wall, goal, agent, floor = middle[0, 0], middle[2, 4], middle[4, 2], middle[0, 2]
    assert goal.argmax() == 1 and agent.argmax() == 0 and wall.min() > floor.max()


def test_the_other_four_actions_only_take_time(play, level_of):
    _, steps = play(MazeConfig(**SMALL, full_actions=True), level_of(ROOM), [[3], [4], [5], [6]])
    assert Maze(MazeConfig(full_actions=True)).action_space.n == 7
    state, _ = steps[-1]
    assert (state.position.tolist(), state.direction.tolist(), int(state.time)) == ([[0, 0]], [0], 4)


MEET = """
    >.<..
    .....
    G...H
"""
MULTI = {"height": 3, "width": 5, "num_agents": 2}


def test_of_two_that_step_into_one_cell_the_first_does(play, level_of):
    _, steps = play(MazeConfig(**MULTI), level_of(MEET), [[FORWARD, FORWARD]] * 3)
    assert [s.position.tolist() for s, _ in steps] == [[[1, 0], [2, 0]]] * 3


def test_an_agent_blocks_even_one_that_would_follow_it(play, level_of):
    level = level_of("""
        >>...
        .....
        G...H
    """)
    _, steps = play(MazeConfig(**MULTI), level, [[FORWARD, FORWARD], [FORWARD, RIGHT]])
    assert [s.position.tolist() for s, _ in steps] == [[[0, 0], [2, 0]], [[1, 0], [2, 0]]]


def test_an_agent_that_has_arrived_is_gone_and_the_other_goes_on(play, level_of):
    level = level_of("""
        >G<..
        .....
        H....
    """)
    config = MazeConfig(**MULTI)
    first, steps = play(config, level, [[FORWARD, LEFT], [FORWARD, RIGHT], [FORWARD, FORWARD], [FORWARD, FORWARD]])
    timestep = steps[0][1]
    assert timestep.terminated.tolist() == [True, False] and float(timestep.reward[1]) == 0.0
    assert steps[-1][0].position.tolist() == [[1, 0], [0, 0]]  # through the cell where the first one vanished
    assert not bool(steps[-1][1].done)
    # at the start each sees the other as an agent with its direction, and the other's goal as floor
    kinds = np.asarray(first["image"][1])
    assert kinds[2, 2].tolist() == [10, 0, 0] and kinds[2, 3].tolist() == [3, 2, 0]
    assert (np.asarray(steps[-2][1].observation["image"][1])[:, :, 0] != 10).all()


def test_larger_views_and_maps_of_two_words_agree_with_a_plain_reading():
    config = MazeConfig(height=50, width=60, view_size=21)
    env = Maze(config)

    def look(key):
        level = env.sample_level(key)
        state, first = env.reset(key, level)
        return level, first["image"], env.walls(state)

    levels, images, walls = jax.tree.map(np.asarray, jax.jit(jax.vmap(look))(jax.random.split(jax.random.key(0), 40)))
    np.testing.assert_array_equal(walls, levels.walls)
    for i in range(40):
        padded = np.pad(levels.walls[i], 20, constant_values=True)
        x, y = levels.start[i, 0] + 20
        turned = {
            0: padded[y - 10 : y + 11, x : x + 21][:, ::-1],
            1: padded[y : y + 21, x - 10 : x + 11].T[::-1, ::-1],
            2: padded[y - 10 : y + 11, x - 20 : x + 1][::-1],
            3: padded[y - 20 : y + 1, x - 10 : x + 11].T,
        }[int(levels.direction[i, 0])]
        np.testing.assert_array_equal(images[i, 0, :, :, 0] == 2, turned)


def test_the_global_observation_has_walls_and_agents(compiled, level_of):
    env, reset, _ = compiled(MazeConfig(**SMALL))
    level = level_of(ROOM)
    state, _ = reset(jax.random.key(0), level)
    seen = np.asarray(env.global_observation(state))
    np.testing.assert_array_equal(seen[:20], np.asarray(level.walls).ravel())
    np.testing.assert_allclose(seen[20:], [0.1, 0.125, 0.5, 0.625, 1, 0, 0, 0, 0])


def test_pictures_show_the_walls_and_move_with_the_agent(compiled, level_of):
    config = MazeConfig(**SMALL)
    env, reset, step = compiled(config)
    state, _ = reset(jax.random.key(0), level_of(ROOM))
    draw = jax.jit(env.draw)
    picture = np.asarray(draw(state))
    assert picture.shape == ((4 + 1) * 32, (5 + 1) * 32, 3) and picture.dtype == np.uint8
    middle = picture[32::32, 32::32][:4, :5]  # the frame is half a cell wide
    is_wall = (middle == DrawStyle().wall).all(axis=-1)
    np.testing.assert_array_equal(is_wall, np.asarray(env.walls(state)))
    moved, _ = step(jax.random.key(0), state, jnp.array([FORWARD]))
    changed = (np.asarray(draw(moved)) != picture).any(axis=-1)
    assert changed[16:48, 16:80].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_agents": 0}, "MazeConfig.num_agents is 0; expected 1 to 16"),
        ({"height": 65}, "height is 65; expected 3 to 64"),
        ({"view_size": 4}, "view_size is 4; expected an odd number"),
        ({"view_kind": "pixels"}, "view_kind is 'pixels'; expected one of symbolic, flat, rgb"),
        ({"level_kind": "forest"}, "level_kind is 'forest'; expected one of uniform"),
        ({"num_walls": -1}, "num_walls is -1"),
        ({"max_steps": True}, "max_steps is True"),
        ({"tile_pixels": 2}, "tile_pixels is 2; expected 4 to 64"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_the_field_and_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        MazeConfig(**settings)
