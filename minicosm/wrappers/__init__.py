"""Wrappers: environments into batches, and into the interfaces that existing code speaks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minicosm.wrappers.agent_episodes import AgentEpisodes
from minicosm.wrappers.auto_replay import AutoReplay, AutoReplayState
from minicosm.wrappers.auto_reset import AutoReset, AutoResetState
from minicosm.wrappers.batch import Batch, Worlds
from minicosm.wrappers.discretize import DiscretizeActions
from minicosm.wrappers.edges import keys_from_seeds
from minicosm.wrappers.episode_stats import EpisodeStats
from minicosm.wrappers.gymnax_style import GymnaxStyle
from minicosm.wrappers.jaxmarl_style import JaxMARLStyle
from minicosm.wrappers.normalize import NormalizeObservation

if TYPE_CHECKING:
    from minicosm.wrappers.to_batched_parallel import BatchedParallelEnv
    from minicosm.wrappers.to_dm_env import DmEnv
    from minicosm.wrappers.to_gymnasium import GymnasiumEnv, GymnasiumVectorEnv, agents_as_envs
    from minicosm.wrappers.to_pettingzoo import PettingZooEnv
    from minicosm.wrappers.to_sb3 import SB3VecEnv
    from minicosm.wrappers.to_tianshou import TianshouVectorEnv
    from minicosm.wrappers.to_torchrl import TorchRLEnv

# loaded when first used, since each imports the package whose interface it speaks
_FOREIGN = {
    "BatchedParallelEnv": "to_batched_parallel",
    "DmEnv": "to_dm_env",
    "GymnasiumEnv": "to_gymnasium",
    "GymnasiumVectorEnv": "to_gymnasium",
    "PettingZooEnv": "to_pettingzoo",
    "SB3VecEnv": "to_sb3",
    "TianshouVectorEnv": "to_tianshou",
    "TorchRLEnv": "to_torchrl",
    "agents_as_envs": "to_gymnasium",
}

__all__ = [
    "AgentEpisodes",
    "AutoReplay",
    "AutoReplayState",
    "AutoReset",
    "AutoResetState",
    "Batch",
    "BatchedParallelEnv",
    "DiscretizeActions",
    "DmEnv",
    "EpisodeStats",
    "GymnasiumEnv",
    "GymnasiumVectorEnv",
    "GymnaxStyle",
    "JaxMARLStyle",
    "NormalizeObservation",
    "PettingZooEnv",
    "SB3VecEnv",
    "TianshouVectorEnv",
    "TorchRLEnv",
    "Worlds",
    "agents_as_envs",
    "keys_from_seeds",
]


def __getattr__(name: str) -> Any:
    if name not in _FOREIGN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FOREIGN[name]}"), name)
