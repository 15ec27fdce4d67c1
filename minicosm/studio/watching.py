"""A trained run in the studio: its policy, where it can act, and how often it wins the level that is being drawn."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.envs.environment import Environment
from minicosm.envs.maze import Maze
from minicosm.envs.nav import Nav
from minicosm.envs.physics import Physics
from minicosm.envs.physics.format import LevelFile
from minicosm.studio.drivers import Act, Trained, acting
from minicosm.studio.game import Game, PhysicsGame
from minicosm.studio.map_game import MapGame, MapPrograms
from minicosm.studio.maps import MapFile, to_level
from minicosm.studio.session import Session
from minicosm.studio.stage import Stage
from minicosm.training import as_policy, evaluate, load_config, load_env, load_params

ROLLOUTS = 256
_PAUSE = 0.3  # s without a change before rollouts begin


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run's world and the policy of its first seed. Of physics: the stage on which it acts."""

    name: str
    env: Environment[Any, Any]
    params: Any
    config: Any  # PPOConfig

    def policy(self, num_worlds: int) -> Any:
        """The policy for so many worlds; it draws its actions, as in training."""
        return as_policy(self.params, self.config, self.env, num_worlds)

    @functools.cached_property
    def stage(self) -> Stage:
        """Where a level of physics is played, in the size that the run was trained at."""
        return Stage(self.physics.config)

    @property
    def physics(self) -> Physics:
        """The world, where it is of physics. Raises ValueError where it is another."""
        if not isinstance(self.env, Physics):
            raise ValueError(f"{self.name} was trained in {type(self.env).__name__}, which plays no level of physics")
        return self.env

    @functools.cached_property
    def programs(self) -> MapPrograms:
        """Where a map is played."""
        return MapPrograms(self.env, self.policy(1))

    @property
    def is_physics(self) -> bool:
        """Its levels are those of the editor; else they are maps. Raises ValueError for a world that is neither."""
        if not isinstance(self.env, Physics | Nav | Maze):
            raise ValueError(f"{self.name} was trained in {type(self.env).__name__}, which the studio cannot show")
        return isinstance(self.env, Physics)

    @property
    def dt(self) -> float:
        """Seconds of a step."""
        return self.physics.config.dt if self.is_physics else self.programs.dt

    def game(self) -> Game:
        """The run at the controls of one world."""
        return PhysicsGame(self.stage, self.driver()) if self.is_physics else MapGame(self.programs)

    def driver(self) -> Trained:
        """The policy, at the start of an episode of physics."""
        return Trained(self._act, self.policy(1).initial_carry, self.physics.config.frame_skip)

    @functools.cached_property
    def _act(self) -> Act:
        return acting(self.physics, self.policy(1))

    def warm(self) -> None:
        """Compile."""
        if self.is_physics:
            self.driver().signals(self.stage.empty().state)
            self.stage.warm()
        else:
            self.programs.warm()

    def success_rate(self, file: LevelFile | MapFile, seed: int) -> dict[str, float]:
        """Of 256 episodes on `file`: shares of wins and of losses, and their mean length in s.

        On maps these are shares of robots, and a loss is a collision.
        """
        if isinstance(file, MapFile):
            level: Any = to_level(file, self.env)
        else:
            level = file.to_level(self.physics.config, file.name or "the level")
        levels = jax.tree.map(lambda x: jnp.broadcast_to(x, (ROLLOUTS, *x.shape)), level)
        outcome = evaluate(self.env, self.policy(ROLLOUTS), levels, jax.random.key(seed))
        lost = float((outcome.returns.mean(axis=1) < 0).mean()) if self.is_physics else outcome.collision_rate
        return {
            "won": outcome.solve_rate,
            "lost": lost,
            "seconds": outcome.mean_length * self.dt,
            "rollouts": ROLLOUTS,
        }


def load_run(folder: Path) -> Run:
    """The run in `folder`. Raises ValueError where there is none."""
    env, config = load_env(folder), load_config(folder)
    params = jax.tree.map(lambda x: x[0], load_params(folder))
    return Run(folder.name or str(folder), env, params, config)


class Watching:
    """Rolls the policy out on the level that was loaded last; older questions are dropped."""

    def __init__(self, run: Run, session: Session, workers: Executor) -> None:
        self._run, self._session, self._workers = run, session, workers
        self._task: asyncio.Task[None] | None = None
        self._asked = 0

    def ask(self, file: LevelFile | MapFile) -> None:
        """The page gets a message `rate` once the rollouts are done."""
        self.stop()
        self._asked += 1
        self._task = asyncio.create_task(self._measure(file, self._asked))

    def stop(self) -> None:
        """Forget what was asked."""
        if self._task is not None:
            self._task.cancel()

    async def _measure(self, file: LevelFile | MapFile, asked: int) -> None:
        await asyncio.sleep(_PAUSE)
        await self._session.tell("measuring")
        try:
            loop = asyncio.get_running_loop()
            rate = await loop.run_in_executor(self._workers, self._run.success_rate, file, asked)
        except ValueError as error:
            await self._session.tell("error", text=str(error))
            return
        await self._session.tell("rate", **rate)
