"""minicosm: a mini-universe of batched reinforcement-learning worlds."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from minicosm.envs.registry import make, names
from minicosm.registration import register_everywhere

try:
    __version__ = version("minicosm")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+source"

if TYPE_CHECKING:
    from minicosm.studies.regret import regret

register_everywhere()

__all__ = ["__version__", "make", "names", "regret"]


def __getattr__(name: str) -> Any:
    if name == "regret":  # loaded when first used, since it imports JAX
        from minicosm.studies.regret import regret

        return regret
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
