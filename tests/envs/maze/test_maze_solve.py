"""The search on the device against a plain one in Python."""

import dataclasses
from collections import deque

import jax
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig, solve
from minicosm.envs.maze.level import STEPS


def distances_from(walls, first):
    """Number of actions from the state `first` (column, row, direction) to every state, as a dict."""
    height, width = walls.shape
    found = {first: 0}
    queue = deque([first])
    while queue:
        state = x, y, d = queue.popleft()
        ahead = (x + STEPS[d][0], y + STEPS[d][1])
        following = [(x, y, (d + 1) % 4), (x, y, (d + 3) % 4)]
        if 0 <= ahead[0] < width and 0 <= ahead[1] < height and not walls[ahead[1]][ahead[0]]:
            following.append((*ahead, d))
        for after in following:
            if after not in found:
                found[after] = found[state] + 1
                queue.append(after)
    return found


def reference(walls, start, direction, goal):
    found = distances_from(walls, (*start.tolist(), int(direction)))
    return min((found[(*goal.tolist(), d)] for d in range(4) if (*goal.tolist(), d) in found), default=-1)


def check_against_python(levels):
    found = np.asarray(jax.jit(jax.vmap(solve.num_actions))(levels))
    levels = jax.tree.map(np.asarray, levels)
    for i, (walls, starts, directions, goals) in enumerate(
        zip(levels.walls, levels.start, levels.direction, levels.goal, strict=True)
    ):
        for a in range(starts.shape[0]):
            assert found[i, a] == reference(walls, starts[a], directions[a], goals[a]), (i, a)
    return found


def test_the_least_number_of_actions_equals_a_python_search_on_5000_random_mazes(sample):
    found = check_against_python(sample(5000))
    assert 0.1 < (found == -1).mean() < 0.2  # about one in seven has no way


@pytest.mark.parametrize(
    "settings",
    [
        {"level_kind": "perfect", "height": 15, "width": 21},
        {"level_kind": "solvable", "num_agents": 4},
        {"level_kind": "uniform", "height": 5, "width": 40},  # rows of two words
        {"level_kind": "solvable", "height": 64, "width": 64, "num_walls": 1600},
    ],
)
def test_other_sizes_and_several_agents_equal_it_too(sample, settings):
    check_against_python(sample(40, **settings))


def test_one_level_alone_and_nested_batches_give_the_same(sample):
    levels = sample(12, height=7, width=7)
    batch = jax.vmap(solve.num_actions)(levels)
    nested = jax.vmap(jax.vmap(solve.num_actions))(jax.tree.map(lambda x: x.reshape(3, 4, *x.shape[1:]), levels))
    np.testing.assert_array_equal(nested.reshape(12, 1), batch)
    one = solve.num_actions(jax.tree.map(lambda x: x[5], levels))
    np.testing.assert_array_equal(one, batch[5])


def test_the_distances_of_all_states_equal_a_python_search(sample):
    levels = sample(30, height=8, width=9)
    field = jax.jit(jax.vmap(solve.distance_field))(levels.walls, levels.goal[:, 0])
    field, levels = np.asarray(field), jax.tree.map(np.asarray, levels)
    for i in range(30):
        goal = tuple(levels.goal[i, 0].tolist())
        for y, x in np.argwhere(~levels.walls[i]):
            for d in range(4):
                found = distances_from(levels.walls[i], (int(x), int(y), d))
                expected = min((found[(*goal, e)] for e in range(4) if (*goal, e) in found), default=-1)
                assert field[i, d, y, x] == expected
        assert (field[i, :, levels.walls[i]] == -1).all()


def test_optimal_actions_lead_one_step_nearer_from_every_state(sample):
    levels = sample(10, level_kind="perfect")
    fields = jax.vmap(solve.distance_field)(levels.walls, levels.goal[:, 0])
    actions = np.asarray(jax.vmap(solve.optimal_actions)(fields))
    fields = np.asarray(fields)
    for field, action in zip(fields, actions, strict=True):
        for d, y, x in np.argwhere(field > 0):
            state = {0: ((d - 1) % 4, y, x), 1: ((d + 1) % 4, y, x), 2: (d, y + STEPS[d][1], x + STEPS[d][0])}
            assert field[state[int(action[d, y, x])]] == field[d, y, x] - 1


def test_solutions_know_the_time_limit(level_of):
    level = level_of("""
        >..G
        ####
        ....
    """)
    best = solve.solve(level, MazeConfig(height=3, width=4, max_steps=10))
    assert best.num_actions.tolist() == [3] and best.optimal_return[0] == pytest.approx(1 - 0.9 * 3 / 10)
    late = solve.solve(level, MazeConfig(height=3, width=4, max_steps=2))
    assert not late.solvable[0] and late.optimal_return[0] == 0.0
    walled = dataclasses.replace(level, goal=level.goal.at[0].set(np.array([1, 2])))
    never = solve.solve(walled, MazeConfig(height=3, width=4))
    assert (never.num_actions[0], bool(never.solvable[0]), float(never.optimal_return[0])) == (-1, False, 0.0)


def test_the_optimum_in_info_is_the_search_s(sample):
    env = Maze(MazeConfig(report_optimal=True))
    level = jax.tree.map(lambda x: x[0], sample(12))
    state, _ = env.reset(jax.random.key(0), level)
    _, timestep = env.step(jax.random.key(0), state, np.array([0]))
    best = solve.solve(level, env.config)
    assert timestep.info["num_actions"].tolist() == best.num_actions.tolist()
    assert timestep.info["optimal_return"].tolist() == best.optimal_return.tolist()
