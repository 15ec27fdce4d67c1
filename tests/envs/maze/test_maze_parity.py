"""Step for step the same as MiniGrid: places, view, reward and ends, on random mazes and actions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.maze import Maze, MazeConfig

minigrid = pytest.importorskip("minigrid")

MAZES, STEPS = 1000, 30


@functools.cache
def minigrid_class():
    from minigrid.core.grid import Grid
    from minigrid.core.mission import MissionSpace
    from minigrid.core.world_object import Goal, Wall
    from minigrid.minigrid_env import MiniGridEnv

    class Given(MiniGridEnv):
        """A maze that is handed over; one border of walls wider on each side than ours."""

        def __init__(self, size, **settings):
            super().__init__(MissionSpace(lambda: "find the goal"), width=size[1] + 2, height=size[0] + 2, **settings)

        def play(self, walls, start, direction, goal):
            self.maze = walls, start, direction, goal
            return self.reset()[0]

        def _gen_grid(self, width, height):
            walls, start, direction, goal = self.maze
            self.grid = Grid(width, height)
            self.grid.wall_rect(0, 0, width, height)
            for row, column in np.argwhere(walls):
                self.grid.set(int(column) + 1, int(row) + 1, Wall())
            self.grid.set(int(goal[0]) + 1, int(goal[1]) + 1, Goal())
            self.agent_pos, self.agent_dir = (int(start[0]) + 1, int(start[1]) + 1), int(direction)
            self.mission = "find the goal"

    return Given


def record(config, count, steps):
    """Levels and actions, and what our world makes of them, as NumPy, led by the level and the step."""
    env = Maze(config)

    def play(key):
        level = env.sample_level(key)
        action = jax.random.choice(key, 7, (steps, 1), p=jnp.array([2, 2, 6, 0.3, 0.3, 0.3, 0.3]) / 11.2)
        state, first = env.reset(key, level)

        def tick(state, action):
            state, timestep = env.step(key, state, action)
            return state, (timestep, state.position, state.direction)

        return level, action, first, jax.lax.scan(tick, state, action)[1]

    keys = jax.random.split(jax.random.key(11), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(play))(keys))


@pytest.mark.parametrize(
    ("settings", "count"),
    [({}, MAZES), ({"see_through_walls": False, "view_size": 7, "height": 8, "width": 35, "num_walls": 90}, 100)],
)
def test_every_step_equals_minigrids(settings, count):
    config = MazeConfig(full_actions=True, max_steps=STEPS, **settings)
    levels, actions, first, (timesteps, positions, directions) = record(config, count, STEPS)
    peer = minigrid_class()(
        (config.height, config.width),
        max_steps=STEPS,
        agent_view_size=config.view_size,
        see_through_walls=config.see_through_walls,
    )
    successes = 0
    for m in range(count):
        seen = peer.play(levels.walls[m], levels.start[m, 0], levels.direction[m, 0], levels.goal[m, 0])
        np.testing.assert_array_equal(first["image"][m, 0], seen["image"])
        for t in range(STEPS):
            seen, reward, terminated, truncated, _ = peer.step(int(actions[m, t, 0]))
            np.testing.assert_array_equal(positions[m, t, 0] + 1, peer.agent_pos)
            assert directions[m, t, 0] == peer.agent_dir == timesteps.observation["direction"][m, t, 0]
            np.testing.assert_array_equal(timesteps.observation["image"][m, t, 0], seen["image"])
            assert timesteps.reward[m, t, 0] == pytest.approx(reward, abs=1e-6)
            assert timesteps.terminated[m, t, 0] == terminated
            assert timesteps.truncated[m, t, 0] == (truncated and not terminated)
            if terminated:
                successes += 1
                break
    assert successes > 0
