"""The 2D universe: rigid bodies, joints, motors and thrusters, where a task is data."""

from minicosm.envs.physics.config import PhysicsConfig, RewardConfig
from minicosm.envs.physics.env import Physics, State
from minicosm.envs.physics.level import Level, blank, fit

__all__ = ["Level", "Physics", "PhysicsConfig", "RewardConfig", "State", "blank", "fit"]
