"""Robots with lidar cross unknown maps to their own goals, around walls and each other."""

from minicosm.envs.nav.config import NavConfig, RewardConfig
from minicosm.envs.nav.env import Nav, State
from minicosm.envs.nav.level import Level

__all__ = ["Level", "Nav", "NavConfig", "RewardConfig", "State"]
