"""Hand-made levels to test on, by name; `minicosm.envs.physics.format` says how such files read."""

from minicosm.envs.physics.library.loader import file, load, load_all, load_file, names, replay, size_of

__all__ = ["file", "load", "load_all", "load_file", "names", "replay", "size_of"]
