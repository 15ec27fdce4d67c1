"""What is pre-training worth? On every hand-made level: zero-shot, fine-tuned, and from scratch with equal steps.

The experiment of M. Matthews et al., "Kinetix: Investigating the Training of General Agents through Open-Ended
Physics-Based Control Tasks", ICLR 2025.

Axis letters: S seeds, P points of a learning curve.
"""

from __future__ import annotations

import dataclasses
import functools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.curricula import OneLevel
from minicosm.envs.environment import Environment
from minicosm.envs.physics import Physics
from minicosm.envs.physics import library as physics_library
from minicosm.studies.files import begin_study, write_whole
from minicosm.studies.held_out import Library, library_of
from minicosm.training import CurvePoint, PPOConfig, Start, as_policy, evaluate, train
from minicosm.training.describe import to_json
from minicosm.training.networks import Agent

Array = np.ndarray[Any, Any]
Told = Callable[[str], None]  # what is under way
ARMS = ("fine-tuned", "scratch")


@dataclasses.dataclass(frozen=True)
class TransferConfig:
    """What is trained and played. Raises ValueError, naming the field, for a value that cannot work."""

    steps: int = 1_000_000  # env-steps on each level, for each seed and arm
    seeds: int = 2  # S; of fewer policies that were pre-trained, some serve several times
    episodes: int = 100  # before and after training, for the solve rates
    points: int = 40  # P of each learning curve, about
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("seeds", 1), ("episodes", 1), ("points", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
    """How one way of beginning did on a level."""

    before: Array  # f64[S]  solve rate before training: zero-shot, or of a fresh net
    after: Array  # f64[S]  solve rate of the policy at the end
    curve: Array  # f64[S, P]  share of the episodes in training that succeeded, lately: see `_trailing`


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """What was found on a level."""

    level: str
    steps: Array  # i64[P]  env-steps, per seed
    arms: dict[str, Arm]  # by ARMS


@dataclasses.dataclass(frozen=True, eq=False)
class TransferStudy:
    """`params`, led by the pre-trained seeds, of a run in `env`. `folder` gets a file for every level."""

    env: Environment[Any, Any]
    ppo: PPOConfig  # of each training on a level; its steps and seeds are those of `config`
    params: Any
    config: TransferConfig
    folder: Path

    def library(self, only: tuple[str, ...] = ()) -> Library:
        """The hand-made levels: of physics those of the world's own size, else all that fit; or `only` some of them.

        Raises ValueError for a name that is not among those that fit, or where there is none.
        """
        found = library_of(self.env)
        wanted = only or found.names
        if not only and isinstance(self.env, Physics) and isinstance(self.env.config.size, str):
            wanted = tuple(name for name in found.names if physics_library.size_of(name) == self.env.config.size)
        for name in wanted:
            if name not in found.names:
                why = found.left_out.get(name, f"expected some of {', '.join(found.names)}")
                raise ValueError(f"there is no level {name!r} for this world ({why})")
        if not wanted:
            raise ValueError(f"no hand-made level fits this world ({found.note or 'see its sizes'})")
        index = [found.names.index(name) for name in wanted]
        return Library(wanted, jax.tree.map(lambda leaf: leaf[np.array(index)], found.levels), {})

    def run(
        self,
        only: tuple[str, ...] = (),
        told: Told | None = None,
        callback: Callable[[CurvePoint], Any] | None = None,
        resume: bool = False,
    ) -> tuple[Trained, ...]:
        """Train on level after level; with `resume`, go on with what `folder` holds.

        `told` hears what is under way, `callback` gets the progress of each training. Raises ValueError and OSError as
        `minicosm.training.train` does, and ValueError where `folder` holds another study.
        """
        tell = told or (lambda doing: None)
        library = self.library(only)
        self._begin(resume, library.names)
        found = []
        for number, name in enumerate(library.names):
            file = self.folder / f"level_{name}.npz"
            if file.exists():
                found.append(_read(file, name))
                continue
            tell(f"level {number + 1} of {len(library.names)}: {name}")
            level = jax.tree.map(lambda leaf, number=number: jnp.asarray(leaf[number]), library.levels)
            found.append(self.train_on(name, level, callback))
            write_whole(file, functools.partial(_write, found[-1]))
        return tuple(found)

    def train_on(self, name: str, level: Any, callback: Callable[[CurvePoint], Any] | None = None) -> Trained:
        """Both arms on one `level`. One compiled program serves all levels and arms, since levels are data."""
        config, given = self.training_config, len(jax.tree.leaves(self.params)[0])
        chosen = np.arange(self.config.seeds) % given
        tuned = jax.tree.map(lambda leaf: jnp.asarray(leaf)[chosen], self.params)
        keys = [jax.random.fold_in(jax.random.key(config.seed), s) for s in range(self.config.seeds)]
        agent = Agent.of(self.env, config.network)
        fresh = [_fresh(agent, key) for key in keys]
        starts = dict(zip(ARMS, (tuned, jax.tree.map(lambda *leaves: jnp.stack(leaves), *fresh)), strict=True))
        arms, steps = {}, np.zeros(0, int)
        for arm, params in starts.items():
            before = self._solve_rates(params, level, 0)
            start = Start(params, level)
            teacher = OneLevel(self.env, config.num_envs)
            result = train(self.env, config, callback=callback, curriculum=teacher, start=start)
            steps = np.array([point.steps for point in result.curve])
            curve = _trailing(result.curve, before, config.num_envs * self.env.max_episode_steps)
            arms[arm] = Arm(before, self._solve_rates(result.params, level, 1), curve)
        return Trained(name, steps, arms)

    @property
    def training_config(self) -> PPOConfig:
        """PPO's settings on each level. The level is proposed once, so that no episode is cut short by another."""
        config = dataclasses.replace(
            self.ppo, total_steps=self.config.steps, num_seeds=self.config.seeds, seed=self.config.seed
        )
        longest = -(-self.env.max_episode_steps // config.num_steps)
        often = max(1, round(config.num_updates / self.config.points))
        once = max(config.num_updates, longest)
        return dataclasses.replace(config, updates_per_chunk=often, updates_per_proposal=once)

    def _solve_rates(self, params: Any, level: Any, phase: int) -> Array:
        """f64[S]: shares of successes, with actions drawn as in training."""
        count, rates = self.config.episodes, []
        levels = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), level)
        for seed in range(self.config.seeds):
            one = jax.tree.map(lambda leaf, seed=seed: leaf[seed], params)
            policy = as_policy(one, self.training_config, self.env, count)
            key = jax.random.fold_in(jax.random.key(self.config.seed + 1), 2 * seed + phase)
            rates.append(evaluate(self.env, policy, levels, key).solve_rate)
        return np.array(rates)

    def _begin(self, resume: bool, names: tuple[str, ...]) -> None:
        asked: dict[str, Any] = {
            "study": dataclasses.asdict(self.config),
            "world": to_json(self.env),
            "ppo": dataclasses.asdict(self.training_config),
            "levels": names,
        }
        begin_study(self.folder, asked, resume)


@functools.partial(jax.jit, static_argnums=0)
def _fresh(agent: Agent, key: jax.Array) -> Any:
    return agent.init(key)


def _trailing(curve: tuple[CurvePoint, ...], before: Array, window: int) -> Array:
    """f64[S, P]: at each point, the share that succeeded of the episodes that ended in the last `window` env-steps.

    `window` is an episode of full length in every world. All worlds begin together, and those whose episodes end first
    were won or lost in a hurry, so that the rate of `before` stands until a window has passed.
    """
    steps = np.array([point.steps for point in curve])
    episodes = np.array([[count or 0.0 for count in point.values["episodes"]] for point in curve])
    shares = np.array([[share or 0.0 for share in point.values["success"]] for point in curve])
    rows, last = [], before
    for now in steps:
        if now >= window:
            recent = (steps > now - window) & (steps <= now)
            ended = episodes[recent].sum(axis=0)
            won = (episodes * shares)[recent].sum(axis=0)
            last = np.where(ended > 0, won / np.maximum(ended, 1.0), last)
        rows.append(last)
    return np.stack(rows, axis=1)


def _write(trained: Trained, path: Path) -> None:
    arrays = {
        f"{arm}/{field.name}": getattr(found, field.name)
        for arm, found in trained.arms.items()
        for field in dataclasses.fields(Arm)
    }
    with path.open("wb") as file:
        np.savez_compressed(file, steps=trained.steps, **arrays)


def _read(path: Path, name: str) -> Trained:
    try:
        with np.load(path) as data:
            fields = [field.name for field in dataclasses.fields(Arm)]
            return Trained(name, data["steps"], {a: Arm(*(data[f"{a}/{f}"] for f in fields)) for a in ARMS})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}); delete it, and that level is trained anew") from error
