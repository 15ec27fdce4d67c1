"""Robots with lidar cross unknown maps to their own goals, around walls and each other."""

from minicosm.envs.nav import library
from minicosm.envs.nav.config import NavConfig, RewardConfig
from minicosm.envs.nav.env import Nav, State
from minicosm.envs.nav.generate import generate
from minicosm.envs.nav.geodesic import distance_field, shortest_time
from minicosm.envs.nav.level import Level
from minicosm.envs.nav.mutate import mutate
from minicosm.envs.nav.validate import validate

__all__ = [
    "Level",
    "Nav",
    "NavConfig",
    "RewardConfig",
    "State",
    "distance_field",
    "generate",
    "library",
    "mutate",
    "shortest_time",
    "validate",
]
