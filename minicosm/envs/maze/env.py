"""The maze world: find the goal in a grid of walls, seeing only the cells ahead."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from typing_extensions import override

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation, TimeStep
from minicosm.envs.maze import glance, observe, solve
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.generate import generate
from minicosm.envs.maze.level import STEPS, Level
from minicosm.envs.maze.mutate import mutate
from minicosm.envs.spaces import Box, Dict, Discrete, Space

if TYPE_CHECKING:
    from minicosm.envs.maze.draw import DrawStyle


@struct.dataclass
class State:
    """What changes from step to step, and the maze it happens in. Places are (column, row)."""

    rows: jax.Array  # u32[H + 2 m, K]  the walls, see observe.pack_walls
    goal: jax.Array  # i32[A, 2]
    start: jax.Array  # i32[A, 2]
    position: jax.Array  # i32[A, 2]
    direction: jax.Array  # i32[A]  0 right, 1 down, 2 left, 3 up
    success: jax.Array  # bool[A]  has reached its goal; with several agents it is then gone
    time: jax.Array  # i32[]  steps since the reset
    num_actions: jax.Array | None  # i32[A]  least number to the goal; None unless config.report_optimal


@dataclasses.dataclass(frozen=True)
class Maze(Environment[Level, State]):
    """Agents in a maze of cells, each bound for its own goal, by the rules of MiniGrid.

    Observation of one agent, by `config.view_kind`, of the V x V cells from its own row ahead, turned so that it looks
    up (element [i, j]: i cells from the left, j from the farthest row; the agent stands at [V // 2, V − 1]):

    | kind | space |
    |---|---|
    | "symbolic" | Dict: `image` u8[V, V, 3], MiniGrid's (object, colour, state); `direction` 0 … 3 |
    | "flat" | f32[F] of 0 and 1: a plane of V V cells for walls and for the goal, …; the direction, one-hot |
    | "rgb" | u8[V p, V p, 3]: a picture of the view, p pixels a cell |

    Actions: 0 turn left, 1 turn right, 2 forward; with `full_actions` also MiniGrid's 3 pick up, 4 drop, 5 toggle and
    6 done, which do nothing here but take a step, as they do in a MiniGrid maze of walls.

    Reward: 1 − 0.9 t / T for stepping onto the goal with the t-th action, else 0. Reaching it terminates, T truncates.

    Several agents move at once. None enters a cell that another stood in before the step, and of those that step into
    one cell only the first in the order of `agents` does. An agent that has reached its goal is gone. A view shows
    other agents, with the way they face as the state, and other agents' goals as floor.

    `info`: `success` bool[A], and with `report_optimal` `num_actions` i32[A] (least number from the start to the
    goal, −1 if none leads there) and `optimal_return` f32[A]; with several agents these take no account of the others.
    """

    config: MazeConfig = MazeConfig()

    @functools.cached_property
    @override
    def agents(self) -> tuple[str, ...]:
        return tuple(f"agent_{a}" for a in range(self.config.num_agents))

    @property
    @override
    def max_episode_steps(self) -> int:
        return self.config.max_steps

    @functools.cached_property
    @override
    def observation_space(self) -> Space:
        config = self.config
        size = config.view_size
        if config.view_kind == "flat":
            return Box(0.0, 1.0, (observe.flat_size(config),))
        if config.view_kind == "rgb":
            return Box(0, 255, (size * config.tile_pixels, size * config.tile_pixels, 3), "uint8")
        return Dict.of({"image": Box(0, observe.AGENT, (size, size, 3), "uint8"), "direction": Discrete(4)})

    @functools.cached_property
    @override
    def action_space(self) -> Space:
        return Discrete(7 if self.config.full_actions else 3)

    @override
    def sample_level(self, key: jax.Array) -> Level:
        return generate(key, self.config)

    @override
    def mutate_level(self, key: jax.Array, level: Level, num_edits: int) -> Level:
        return mutate(key, level, self.config, num_edits)

    @override
    def optimal_return(self, level: Level) -> jax.Array:
        """f32[A]: exact, by search; with several agents as if each had the maze to itself."""
        return solve.solve(level, self.config).optimal_return

    @override
    def reset(self, key: jax.Array, level: Level) -> tuple[State, Observation]:
        config = self.config
        state = State(
            rows=observe.pack_walls(level.walls, config),
            goal=_strong(level.goal),
            start=_strong(level.start),
            position=_strong(level.start),
            direction=_strong(level.direction),
            success=jnp.zeros((config.num_agents,), bool),
            time=jnp.zeros((), jnp.int32),
            num_actions=solve.num_actions(level) if config.report_optimal else None,
        )
        return state, self._observe(state)

    @override
    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, TimeStep]:
        config = self.config
        moving = ~state.success
        turn = jnp.where(action == solve.RIGHT, 1, 0) - jnp.where(action == solve.LEFT, 1, 0)
        direction = jnp.where(moving, (state.direction + turn) % 4, state.direction)
        target = state.position + jnp.asarray(STEPS)[state.direction]
        steps = moving & (action == solve.FORWARD) & ~observe.is_wall(state.rows, target, config)
        if config.num_agents > 1:
            steps = _without_conflicts(steps, target, state.position, moving)
        position = jnp.where(steps[:, None], target, state.position)
        arrived = steps & jnp.all(position == state.goal, axis=-1)
        time = state.time + 1
        state = dataclasses.replace(
            state, position=position, direction=direction, success=state.success | arrived, time=time
        )
        info = {"success": state.success}
        if state.num_actions is not None:
            optimum = solve.solution_of(state.num_actions, config)
            info |= {"num_actions": optimum.num_actions, "optimal_return": optimum.optimal_return}
        return state, TimeStep(
            observation=self._observe(state),
            reward=jnp.where(arrived, solve.success_reward(time, config), 0.0),
            terminated=state.success,
            truncated=~state.success & (time >= config.max_steps),
            info=info,
        )

    @override
    def global_observation(self, state: State) -> jax.Array:
        """f32[H W + 9 A]: the walls, then per agent its cell and its goal (share of the map), its direction, one-hot,
        and whether it has reached the goal."""
        config = self.config
        extent = jnp.array([config.width, config.height])
        per_agent = jnp.concatenate(
            [
                (state.position + 0.5) / extent,
                (state.goal + 0.5) / extent,
                state.direction[:, None] == jnp.arange(4),
                state.success[:, None],
            ],
            axis=-1,
        )
        return jnp.concatenate([self.walls(state).ravel().astype(jnp.float32), per_agent.ravel()])

    @override
    def draw(self, state: State, style: DrawStyle | None = None) -> jax.Array:
        """u8[height, width, 3]: a picture of the state, made on the device; `style` None is the default `DrawStyle`."""
        from minicosm.envs.maze import draw  # the picture is not part of the world

        return draw.draw(state, self.config, style or draw.DrawStyle())

    def walls(self, state: State) -> jax.Array:
        """bool[H, W]: the walls of the maze that is played."""
        return observe.unpack_walls(state.rows, self.config)

    def _observe(self, state: State) -> Observation:
        config = self.config
        agents = observe.Agents(state.position, state.direction, state.goal, state.success)
        if config.view_kind != "rgb" and glance.fits(config):
            word = glance.look(state.rows, agents, config)
            if config.view_kind == "flat":
                return glance.flat(word, config)
            return {"image": glance.symbolic(word, config), "direction": state.direction}
        seen, facing = observe.objects(state.rows, agents, config)
        if config.view_kind == "flat":
            return observe.flat(seen, facing, state.direction, config)
        if config.view_kind == "rgb":
            return observe.rgb(seen, facing, config)
        return {"image": observe.symbolic(seen, facing), "direction": state.direction}


def _without_conflicts(steps: jax.Array, target: jax.Array, position: jax.Array, present: jax.Array) -> jax.Array:
    """bool[A]: those of `steps` that enter no cell with an agent in it, nor one that an earlier agent enters too."""
    into_agent = jnp.all(target[:, None] == position[None], axis=-1) & present[None]
    steps = steps & ~jnp.any(into_agent, axis=1)
    same = jnp.all(target[:, None] == target[None], axis=-1) & steps[None]
    earlier = jnp.tril(jnp.ones_like(same), -1)
    return steps & ~jnp.any(same & earlier, axis=1)


def _strong(x: jax.Array) -> jax.Array:
    """`x` as i32 that is not weakly typed."""
    return jax.lax.convert_element_type(x, jnp.int32)
