"""Hand-drawn navigation levels to test on, and the loader of such text files; `text_level` says how they read."""

from minicosm.envs.nav.library.loader import load, load_all, load_file, names, text
from minicosm.envs.nav.library.text_level import TextLevel, parse, to_text

__all__ = ["TextLevel", "load", "load_all", "load_file", "names", "parse", "text", "to_text"]
