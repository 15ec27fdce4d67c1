"""Do the scores that curricula rank levels by track what can be learned? What is played to find out.

At several points of a training run, fresh levels are scored as a curriculum would, from a few episodes, and then
played again many times for what is true of them: success rate, learnability and, where an optimum is known, regret.
The scores and the truth come from separate episodes: from the same, luck alone would make them agree. The experiment
of A. Rutherford et al., "No Regrets: Investigating and Improving Regret Approximations for Curriculum Discovery",
NeurIPS 2024.

Axis letters: S seeds, L levels, E episodes, A agents.
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

from minicosm.curricula import Curriculum, scores
from minicosm.envs.environment import Environment
from minicosm.studies.files import begin_study, write_whole
from minicosm.training import CurvePoint, PPOConfig, as_policy, evaluate, load_params, train, updates_done
from minicosm.training.describe import to_json
from minicosm.wrappers import AutoReplay, EpisodeStats

Array = np.ndarray[Any, Any]
Told = Callable[[str], None]  # what is under way
SCORES = ("max_mc", "positive_value_loss", "best_known_regret", "learnability")  # and "regret", where it is known
TRUTHS = ("success", "learnability", "regret")


@dataclasses.dataclass(frozen=True)
class RegretStudyConfig:
    """What is played. Raises ValueError, naming the field, for a value that cannot work."""

    points: int = 4  # of the training run at which levels are scored, the last at its end
    levels: int = 2000  # L, fresh ones, the same at every point
    score_episodes: int = 4  # of each level to score it by, at least: so many times the longest episode is played
    true_episodes: int = 20  # E, of each level, others, for what is true of it
    seed: int = 0  # chooses the levels and the episodes' randomness
    chunk: int = 500  # levels side by side: bounds the memory

    def __post_init__(self) -> None:
        for name, least in (("points", 1), ("levels", 3), ("score_episodes", 1), ("true_episodes", 2), ("chunk", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed!r}; expected a whole number from 0, below 2^32")


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """What was found at one point of the run."""

    steps: int  # env-steps of training, per seed
    scores: dict[str, Array]  # f64[S, L], from few episodes
    truths: dict[str, Array]  # f64[S, L], from many others

    @property
    def success(self) -> float:
        """Mean success rate over levels and seeds."""
        return float(self.truths["success"].mean())


@dataclasses.dataclass(frozen=True)
class RegretStudy:
    """One training run and what is asked of it. `folder` holds the run, in `run`, and a file for every point."""

    env: Environment[Any, Any]
    ppo: PPOConfig
    config: RegretStudyConfig
    folder: Path
    curriculum: Curriculum | None = None

    def run(
        self, callback: Callable[[CurvePoint], Any] | None = None, told: Told | None = None, resume: bool = False
    ) -> tuple[Stage, ...]:
        """Train from point to point, and measure at each; with `resume`, go on with what `folder` holds.

        `callback` gets the training's progress, `told` what else is under way. Raises ValueError and OSError as
        `minicosm.training.train` does, and ValueError where `folder` holds another study.
        """
        tell = told or (lambda doing: None)
        self._begin(resume)
        run_dir, stages = self.folder / "run", []
        for number, update in enumerate(self._updates()):
            file = self.folder / f"point_{number}.npz"
            if file.exists():
                stages.append(_read(file))
                continue

            def until(point: CurvePoint, update: int = update) -> bool:
                if callback is not None:
                    callback(point)
                return point.update >= update

            done = updates_done(run_dir)
            if done < update:
                train(self.env, self.ppo, run_dir, until, resume=done > 0, curriculum=self.curriculum)
            steps = updates_done(run_dir) * self.ppo.steps_per_update
            tell(f"scoring {self.config.levels:,} levels after {steps:,} steps")
            stages.append(self.measure(load_params(run_dir), steps))
            write_whole(file, functools.partial(_write, stages[-1]))
        return tuple(stages)

    def measure(self, params: Any, steps: int) -> Stage:
        """Score levels, and find what is true of them, by the policies of `params`, led by S, after `steps`."""
        num_seeds = jax.tree.leaves(params)[0].shape[0]
        found = [self._of_seed(jax.tree.map(lambda x, s=s: x[s], params)) for s in range(num_seeds)]
        each: list[dict[str, Array]] = [
            {name: np.stack([f[k][name] for f in found]) for name in found[0][k]} for k in (0, 1)
        ]
        return Stage(steps, *each)

    @property
    def knows_regret(self) -> bool:
        """Whether the optimum of a level of this world is known."""
        return type(self.env).optimal_return is not Environment.optimal_return

    def _updates(self) -> list[int]:
        """After which the levels are scored: evenly spread, the last at the end of the run."""
        points, total = self.config.points, self.ppo.num_updates
        return [-(-total * (number + 1) // points) for number in range(points)]

    def _begin(self, resume: bool) -> None:
        asked = {
            "study": dataclasses.asdict(self.config),
            "world": to_json(self.env),
            "ppo": dataclasses.asdict(self.ppo),
            "curriculum": to_json(self.curriculum),
        }
        begin_study(self.folder, asked, resume)

    def _of_seed(self, params: Any) -> tuple[dict[str, Array], dict[str, Array]]:
        """Scores and truths f64[L] of one seed's policy."""
        config, parts = self.config, []
        for first in range(0, config.levels, config.chunk):
            indices = jnp.arange(first, first + config.chunk)  # too many in the last part: one program fits all
            levels = _drawn(self.env, jax.random.key(config.seed), indices)
            keys = jax.random.split(
                jax.random.fold_in(jax.random.key(config.seed + 1), first), 1 + config.true_episodes
            )
            best = _optimal(self.env, levels) if self.knows_regret else None
            parts.append((self._scores(params, keys[0], levels, best), self._truths(params, keys[1:], levels, best)))
        return tuple(
            {name: np.concatenate([part[k][name] for part in parts])[: config.levels] for name in parts[0][k]}
            for k in (0, 1)
        )  # type: ignore[return-value]

    def _scores(self, params: Any, key: jax.Array, levels: Any, best: jax.Array | None) -> dict[str, Array]:
        outcome = _tried_out(self, params, key, levels)
        found = {name: scores.of(name, outcome, outcome.max_return) for name in SCORES}
        if best is not None:
            found["regret"] = scores.of("regret", outcome, best)
        return {name: np.asarray(value, float) for name, value in found.items()}

    def _truths(self, params: Any, keys: jax.Array, levels: Any, best: jax.Array | None) -> dict[str, Array]:
        policy = as_policy(params, self.ppo, self.env, self.config.chunk)
        played = [evaluate(self.env, policy, levels, key) for key in keys]
        active = np.asarray(played[0].active)

        def over_agents(values: Any) -> Array:
            return np.asarray(np.where(active, values, 0.0).sum(axis=1) / np.maximum(active.sum(axis=1), 1))

        success = np.mean([np.asarray(one.success) for one in played], axis=0)
        found = {"success": over_agents(success), "learnability": over_agents(success * (1 - success))}
        if best is not None:
            found["regret"] = over_agents(
                np.asarray(best) - np.mean([np.asarray(one.returns) for one in played], axis=0)
            )
        return found


@functools.partial(jax.jit, static_argnums=0)
def _drawn(env: Environment[Any, Any], key: jax.Array, indices: jax.Array) -> Any:
    return jax.vmap(lambda index: env.sample_level(jax.random.fold_in(key, index)))(indices)


@functools.partial(jax.jit, static_argnums=0)
def _optimal(env: Environment[Any, Any], levels: Any) -> jax.Array:
    best: jax.Array = jax.vmap(env.optimal_return)(levels)
    return best


@functools.partial(jax.jit, static_argnums=0)
def _tried_out(study: RegretStudy, params: Any, key: jax.Array, levels: Any) -> Any:
    """The `Outcome` that a curriculum would be told of."""
    from minicosm.training.networks import Agent  # these need the extra
    from minicosm.training.ppo import Learner

    env, ppo = study.env, study.ppo
    worlds = EpisodeStats(AutoReplay(env, ppo.num_envs))
    ticks = study.config.score_episodes * env.max_episode_steps
    return Learner(worlds, Agent.of(env, ppo.network), ppo).try_out(params, key, levels, ticks)


def _write(stage: Stage, path: Path) -> None:
    arrays: dict[str, Any] = {f"score/{name}": value for name, value in stage.scores.items()}
    arrays |= {f"truth/{name}": value for name, value in stage.truths.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, steps=stage.steps, **arrays)


def _read(path: Path) -> Stage:
    try:
        with np.load(path) as data:
            kinds = [
                {name.partition("/")[2]: data[name] for name in data.files if name.startswith(f"{kind}/")}
                for kind in ("score", "truth")
            ]
            return Stage(int(data["steps"]), *kinds)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}); delete it, and that point is measured anew") from error
