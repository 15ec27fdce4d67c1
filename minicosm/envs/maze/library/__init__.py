"""Mazes to test on, kept out of training, and the loader of such text; `text_level` says how it reads."""

from minicosm.envs.maze.library.loader import load, load_all, names, text
from minicosm.envs.maze.library.text_level import from_arrays, from_text, to_text, validate

__all__ = ["from_arrays", "from_text", "load", "load_all", "names", "text", "to_text", "validate"]
