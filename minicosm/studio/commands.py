"""The commands `edit`, `play` and `watch`. Their arguments are the functions' own: tyro makes flags and help."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import tyro

from minicosm.studio.config import StudioConfig
from minicosm.studio.server import serve
from minicosm.studio.studio import Mode, opening


@dataclasses.dataclass(frozen=True)
class _Address:
    """Where the page is served."""

    host: str = "127.0.0.1"  # address to listen at; any but this machine's own needs a token
    port: int = 8642  # where that is taken, one of the next; 0 is any free one
    token: str | None = None  # secret that the page's address holds, 8 letters or more
    browser: bool = True  # open a browser
    levels: Path = Path("levels")  # folder in which levels are saved


_ADDRESS = _Address()


def edit(
    level: tyro.conf.Positional[str | None] = None,
    *,
    address: tyro.conf.OmitArgPrefixes[_Address] = _ADDRESS,
) -> None:
    """Draw and play physics levels on a local web page.

    Args:
        level: name of a library level, or a level file, to begin with.
        address: where the page is served.
    """
    _serve("edit", level, None, address)


def play(
    level: tyro.conf.Positional[str | None] = None,
    *,
    address: tyro.conf.OmitArgPrefixes[_Address] = _ADDRESS,
) -> None:
    """Play a physics level on a local web page, with the keys.

    Args:
        level: name of a library level, or a level file; without one, the page shows the library.
        address: where the page is served.
    """
    _serve("play", level, None, address)


def watch(
    run: tyro.conf.Positional[Path],
    level: tyro.conf.Positional[str | None] = None,
    *,
    address: tyro.conf.OmitArgPrefixes[_Address] = _ADDRESS,
) -> None:
    """See a trained run play the level that you draw, live, on a local web page.

    Args:
        run: folder of a training run, as given to `minicosm train --run`.
        level: name of a library level of the run's world, or a level file, to begin with.
        address: where the page is served.
    """
    _serve("watch", level, run, address)


def _serve(mode: Mode, level: str | None, run: Path | None, address: _Address) -> None:
    config = StudioConfig(address.host, address.port, address.token, address.levels)
    serve(config, opening(mode, level, run), browser=address.browser)
