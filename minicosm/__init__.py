"""minicosm: a mini-universe of batched reinforcement-learning worlds."""

from importlib.metadata import PackageNotFoundError, version

from minicosm.envs.registry import make, names
from minicosm.registration import register_everywhere

try:
    __version__ = version("minicosm")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+source"

register_everywhere()

__all__ = ["__version__", "make", "names"]
