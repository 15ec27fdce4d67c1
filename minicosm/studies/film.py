"""Films of policies at work: which levels, whose policy, how it is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from minicosm.envs.environment import Environment
from minicosm.envs.nav import Nav, library
from minicosm.envs.nav.draw import DrawStyle, draw_history
from minicosm.envs.nav.palette import DARK, LIGHT
from minicosm.training.checkpoint import load_config, load_params
from minicosm.training.evaluate import as_policy
from minicosm.training.record import DrawFrame, Film, Frames, Policy, random_policy, rollout, save_animation

__all__ = ["Shot", "choose_levels", "policy_of", "record", "save_animation"]

_MAX_PIXELS = 900  # width or height of a film, about


@dataclasses.dataclass(frozen=True)
class Shot:
    """How a rollout is filmed."""

    seed: int = 0  # of the policy's randomness
    beams: bool = True  # show what lidars see
    dark: bool = False  # draw on a dark ground
    stride: int = 2  # ticks per picture


def record(env: Environment[Any, Any], levels: Any, policy: Policy, shot: Shot = Shot()) -> Frames:
    """Play `policy` on `levels`, led by B, to the episodes' end; the pictures are drawn as they are iterated over."""
    played = rollout(env, policy, jax.random.key(shot.seed), levels, env.max_episode_steps)
    return Frames(env, played, Film(stride=shot.stride), _drawing(env, levels, shot))


def choose_levels(
    env: Environment[Any, Any], names: Sequence[str], count: int, seed: int
) -> tuple[Environment[Any, Any], Any]:
    """`names` from the world's hand-made library, or text files; `count` random levels of `seed` where there are none.

    Comes with the world to play them in: `env`, with its map and its robots grown to what the named levels need.
    Raises ValueError for a name or file that cannot be loaded, or a `count` under 1.
    """
    if not names:
        if count < 1:
            raise ValueError(f"worlds is {count}; expected at least 1")
        return env, jax.jit(jax.vmap(env.sample_level))(jax.random.split(jax.random.key(seed), count))
    if not isinstance(env, Nav):
        raise ValueError(f"{type(env).__name__} has no library of hand-made levels: leave --level out")
    texts = [
        library.parse(Path(name).read_text(encoding="utf-8"), name) if name.endswith(".txt") else library.text(name)
        for name in names
    ]
    config = env.config
    for text in texts:
        scale = max(1, round(text.cell_size / config.cell_size))
        config = dataclasses.replace(
            config,
            height=max(config.height, scale * len(text.rows)),
            width=max(config.width, scale * len(text.rows[0])),
            num_robots=max(config.num_robots, text.num_robots),
        )
    levels = [text.to_level(config) for text in texts]
    return Nav(config), jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *levels)


def policy_of(env: Environment[Any, Any], run: Path | None, num_worlds: int) -> Policy:
    """The policy of the training run in folder `run`, for `num_worlds` worlds; random actions where it is None.

    Raises ValueError for a folder that holds no run, or one whose net does not fit `env`.
    """
    if run is None:
        return random_policy(env)
    config = load_config(run)
    params = jax.tree.map(lambda x: x[0], load_params(run))
    return as_policy(params, config, env, num_worlds)


def _drawing(env: Environment[Any, Any], levels: Any, shot: Shot) -> DrawFrame | None:
    """Navigation is shown with trails and beams, at a size that fits a page; other worlds draw themselves."""
    if not isinstance(env, Nav):
        return None
    config = env.config
    columns = 1 + int((jax.tree.leaves(levels)[0].shape[0] - 1) ** 0.5)
    pixels = max(8, min(32, _MAX_PIXELS // (columns * max(config.width, config.height))))
    style = DrawStyle(pixels_per_cell=pixels, beams=shot.beams, theme=DARK if shot.dark else LIGHT)
    return lambda history, index: draw_history(history, index, config, style)
