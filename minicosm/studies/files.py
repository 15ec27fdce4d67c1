"""Files that a study writes: each whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a file beside `path` that then takes its name. Raises OSError where it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot write {str(path)!r} ({reason}); free some space or choose another folder") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return path
