"""How the policies of training runs do on levels that they did not train on: what is played.

Axis letters: S seeds, L levels of the library, E episodes on each, N fresh levels, R rollouts of each.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.studies.held_out import Library, fresh_levels, library_of
from minicosm.training import PPOConfig, as_policy, evaluate, load_config, load_env, load_params, shipped
from minicosm.training.record import Policy

Array = np.ndarray[Any, Any]
Told = Callable[[str, int, int], None]  # what is under way, parts done, parts in all


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is played. Raises ValueError, naming the field, for a value that cannot work."""

    episodes: int = 10  # on each level of the library
    fresh: int = 10_000  # fresh levels, for the risk curve; 0 for none
    rollouts: int = 10  # of each fresh level to rank the levels, and as many more to score them
    seed: int = 0  # chooses the fresh levels, and the randomness of worlds and policies
    greedy: bool = False  # take the likeliest action instead of drawing one as in training
    chunk: int = 1000  # episodes side by side: bounds the memory

    def __post_init__(self) -> None:
        for name, least in (("episodes", 1), ("fresh", 0), ("rollouts", 1), ("seed", 0), ("chunk", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")
        if self.seed >= 2**32:
            raise ValueError(f"seed is {self.seed!r}; expected a whole number below 2^32")


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A training run on disk."""

    name: str  # differs from the other runs'
    folder: Path
    env: Environment[Any, Any]
    config: PPOConfig
    params: Any  # led by S

    @property
    def num_seeds(self) -> int:
        """S."""
        return int(jax.tree.leaves(self.params)[0].shape[0])

    def policy(self, seed_index: int, num_worlds: int, greedy: bool) -> Policy:
        """The trained policy of one seed, for `num_worlds` worlds."""
        params = jax.tree.map(lambda x: x[seed_index], self.params)
        return as_policy(params, self.config, self.env, num_worlds, greedy)


@dataclasses.dataclass(frozen=True, eq=False)
class Played:
    """How often a run's policies succeeded. With several agents, a success is the share of them that succeeded."""

    run: Run
    library: Array  # f32[S, L, E]
    ranking: Array  # f32[S, N, R]  of fresh levels, to rank them by
    scoring: Array  # f32[S, N, R]  of the same levels, other episodes


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Everything that was played, before any statistics."""

    env: Environment[Any, Any]
    config: EvaluationConfig
    library: Library
    fresh: Any  # levels led by N; None for none
    runs: tuple[Played, ...]


def load_runs(folders: Sequence[Path]) -> tuple[Run, ...]:
    """The runs in `folders`, with the newest parameters of each.

    Raises ValueError for a folder that holds no run, no checkpoint or a damaged one, one that is named twice, or runs
    of different worlds.
    """
    if not folders:
        raise ValueError(
            "there is no run to evaluate: name the folder of at least one, as given to minicosm train --run"
        )
    places = [folder.resolve() for folder in folders]
    for folder, times in collections.Counter(places).items():
        if times > 1:
            raise ValueError(f"{str(folder)!r} is named {times} times; expected different runs")
    for folder in folders:
        if not (shipped.folder_of(folder) / "run.json").exists():
            raise ValueError(
                f"{str(folder)!r} holds no run: expected a folder made by minicosm train --run {folder}, with run.json"
                f"{shipped.hint()}"
            )
    plain = [place.name for place in places]
    names = plain if len(set(plain)) == len(plain) else [str(folder) for folder in folders]
    envs = [load_env(folder) for folder in folders]
    for folder, env in zip(folders, envs, strict=True):
        if env != envs[0]:
            raise ValueError(
                f"{str(folder)!r} is a run of another world than {str(folders[0])!r}: {_difference(env, envs[0])};"
                " expected runs of one world: evaluate them apart"
            )
    return tuple(
        Run(name, folder, envs[0], load_config(folder), load_params(folder))
        for name, folder in zip(names, folders, strict=True)
    )


def measure(runs: Sequence[Run], config: EvaluationConfig = EvaluationConfig(), told: Told | None = None) -> Measured:
    """Play every seed's policy of every run on the library and on fresh levels. All meet the same levels and keys.

    Episodes are played `config.chunk` at a time, by one compiled program for all seeds and for runs of equal nets.
    `told` is called before every part. Raises ValueError where no level of the library fits and no fresh ones are
    wanted, where fresh ones cannot be had (see `fresh_levels`), or where a chunk does not fit in the device's memory.
    """
    env = runs[0].env
    tell = told or (lambda doing, done, total: None)
    draw_key, library_key, ranking_key, scoring_key = jax.random.split(jax.random.key(config.seed), 4)
    tell("fitting the library's levels", 0, 1)
    library = library_of(env)
    if library.levels is None and config.fresh == 0:
        why = next(iter(library.left_out.values()), library.note)
        raise ValueError(f"there is nothing to play: no level of a library fits ({why}), and fresh is 0; raise fresh")
    fresh = None
    if config.fresh:
        tell(f"drawing {config.fresh} fresh levels", 0, 1)
        fresh = fresh_levels(env, draw_key, config.fresh, min(config.chunk, 2 * config.fresh))
    tasks = [(library.levels, config.episodes, library_key, "the library")]
    tasks += [(fresh, config.rollouts, key, "fresh levels") for key in (ranking_key, scoring_key)]
    most = max(_count(levels) * episodes for levels, episodes, _, _ in tasks)
    player = _Player(config, min(config.chunk, most), tell)
    player.total = sum(run.num_seeds * player.parts(*task[:2]) for run in runs for task in tasks)
    played = tuple(Played(run, *(player.play(run, *task) for task in tasks)) for run in runs)
    return Measured(env, config, library, fresh, played)


class _Player:
    """Plays episodes `lanes` at a time, and counts the parts done."""

    def __init__(self, config: EvaluationConfig, lanes: int, tell: Told) -> None:
        self.config, self.lanes, self.tell = config, lanes, tell
        self.done = self.total = 0

    def parts(self, levels: Any, num_episodes: int) -> int:
        """Calls of the compiled program for one seed."""
        return math.ceil(_count(levels) * num_episodes / self.lanes)

    def play(self, run: Run, levels: Any, num_episodes: int, key: jax.Array, where: str) -> Array:
        """f32[S, L, E]: the successes of `num_episodes` E on each of `levels`, led by L."""
        num_levels = _count(levels)
        found = np.zeros((run.num_seeds, num_episodes * num_levels), np.float32)
        for seed_index in range(run.num_seeds):
            policy = run.policy(seed_index, self.lanes, self.config.greedy)
            for part in range(self.parts(levels, num_episodes)):
                self.tell(f"{run.name}, seed {run.config.seed + seed_index}: {where}", self.done, self.total)
                lanes = np.arange(part * self.lanes, (part + 1) * self.lanes)
                # what is too many in the last part is played too, and dropped: one program fits all parts
                batch = jax.tree.map(lambda leaf, lanes=lanes: jnp.asarray(leaf[lanes % num_levels]), levels)
                success = self._successes(run.env, policy, batch, jax.random.fold_in(key, part))
                wanted = found[seed_index, lanes[0] : lanes[0] + self.lanes]
                wanted[:] = success[: len(wanted)]
                self.done += 1
        return found.reshape(run.num_seeds, num_episodes, num_levels).swapaxes(1, 2)

    def _successes(self, env: Environment[Any, Any], policy: Policy, levels: Any, key: jax.Array) -> Array:
        """f32[lanes]: the share of the agents of each level that succeeded."""
        try:
            outcome = evaluate(env, policy, levels, key)
            success, active = np.asarray(outcome.success), np.asarray(outcome.active)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            raise ValueError(
                f"chunk is {self.config.chunk}: so many worlds do not fit in the device's memory; lower chunk"
            ) from error
        return np.asarray((success & active).sum(axis=1) / np.maximum(active.sum(axis=1), 1), np.float32)


def _count(levels: Any) -> int:
    return 0 if levels is None else int(jax.tree.leaves(levels)[0].shape[0])


def _difference(env: Environment[Any, Any], other: Environment[Any, Any]) -> str:
    """The settings in which two worlds differ, in words."""
    if type(env) is not type(other):
        return f"it is {type(env).__name__}, not {type(other).__name__}"
    config, others = getattr(env, "config", env), getattr(other, "config", other)
    fields = [field.name for field in dataclasses.fields(config)] if dataclasses.is_dataclass(config) else []
    said = [
        f"its {name} is {getattr(config, name)!r}, not {getattr(others, name)!r}"
        for name in fields
        if getattr(config, name) != getattr(others, name)
    ]
    return ", ".join(said) or f"it is {env!r}, not {other!r}"
