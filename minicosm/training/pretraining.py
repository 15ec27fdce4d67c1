"""Pre-training a generalist: the world, the settings and the curriculum, none of which knows the hand-made levels."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from minicosm import curricula
from minicosm.curricula import Curriculum
from minicosm.envs.environment import Environment
from minicosm.envs.physics import Physics, PhysicsConfig, RewardConfig, distributions, library
from minicosm.envs.physics.library.loader import SizeName
from minicosm.training.config import NetworkConfig, NetworkKind, PPOConfig, default_config

_SIZES = get_args(SizeName)  # from small to large
SHAPING = 0.1  # reward per metre by which green comes nearer to blue, in training; as Kinetix has it

# First choices for 10^7 steps; the published ones are for 10^9 and more.
_PPO: dict[str, Any] = {
    "total_steps": 20_000_000,
    "num_envs": 256,
    "num_steps": 32,
    "minibatches": 16,
    "learning_rate": 1.5e-3,
    "gamma": 0.995,
    "updates_per_chunk": 24,
}
# Levels that a policy is soon sure of are replaced soon: kept for long, they are learnt by heart.
_SFL = {"num_batches": 1, "batch_size": 1024, "num_steps": 512, "num_kept": 256, "refresh": 4}


def world(size: SizeName, levels: str = "mixed") -> Physics:
    """The world of `size` to pre-train in: sets of entities, controls on or off, and the task distribution `levels`.

    Raises ValueError for an unknown size or distribution, and for one that holds levels of the library: these are what
    the generalist is tested on.
    """
    config = PhysicsConfig(
        size=size,
        levels=levels,
        observation_kind="entities",
        action_kind="multi_discrete",
        reward=RewardConfig(shaping=SHAPING),
    )
    seen = sorted(set(distributions.mixture(config)) & {*distributions.LIBRARIES, *library.names()})
    if seen:
        raise ValueError(
            f"levels is {levels!r}, which holds hand-made levels ({', '.join(seen)}): pre-training must not see what it"
            " is tested on; expected random levels, families or mixtures of them, such as 'mixed'"
        )
    return Physics(config)


def settings(env: Environment[Any, Any], network: NetworkKind = "set", **changes: Any) -> PPOConfig:
    """PPO's settings for pre-training in `env`, with `changes` over them.

    The nets that read sets of entities have no parameter whose shape depends on the size of the world.
    """
    if network not in ("set", "transformer"):
        raise ValueError(
            f"network is {network!r}; expected 'set' or 'transformer', whose parameters fit worlds of every size"
        )
    return default_config(env, **{"network": NetworkConfig(kind=network, hidden=(128,)), **_PPO, **changes})


def teacher(name: str, env: Environment[Any, Any], num_envs: int, **changes: Any) -> Curriculum:
    """The curriculum called `name`; SFL's batches are scaled down to runs of some 10^7 steps."""
    scaled = _SFL if name == "sfl" else {}
    return curricula.make(name, env, num_envs, **{**scaled, **changes})


def task(env: Environment[Any, Any], level: str) -> Physics:
    """The world of a pre-trained run, `env`, with the library's `level` for its only one.

    Its size is that of `env`, or the level's own where that is larger. Raises ValueError for an unknown level, a world
    that is not of physics, or a size into which the level does not fit.
    """
    if not isinstance(env, Physics):
        raise ValueError(f"a run of {type(env).__name__} cannot be fine-tuned on a level: expected one of physics")
    needs = library.size_of(level)
    config = dataclasses.replace(env.config, levels=level)
    if isinstance(config.size, str) and _SIZES.index(needs) > _SIZES.index(config.size):
        config = dataclasses.replace(config, size=needs)
    distributions.validate_name(config)
    return Physics(config)


def task_settings(env: Environment[Any, Any], network: NetworkConfig, **changes: Any) -> PPOConfig:
    """PPO's settings for a single level of `env`, the same from scratch and from what was learnt before."""
    return default_config(env, **{"network": network, "total_steps": 1_000_000, "updates_per_chunk": 8, **changes})
