"""A 2D rigid-body engine in which the scene is data, so that thousands of different scenes step in one batch."""

from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.scene import Controls, Joints, Scene, State, Thrusters
from minicosm.envs.physics.engine.size import LARGE, MEDIUM, SMALL, Size
from minicosm.envs.physics.engine.tick import reference_tick, tick, ticks

__all__ = [
    "LARGE",
    "MEDIUM",
    "SMALL",
    "Controls",
    "EngineConfig",
    "Joints",
    "Scene",
    "Size",
    "State",
    "Thrusters",
    "reference_tick",
    "tick",
    "ticks",
]
