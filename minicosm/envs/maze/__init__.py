"""Mazes of cells, partially seen, by MiniGrid's rules, with the exact optimum of each."""

from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.env import Maze, State
from minicosm.envs.maze.level import Level

__all__ = ["Level", "Maze", "MazeConfig", "State"]
