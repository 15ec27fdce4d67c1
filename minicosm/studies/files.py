"""The folder of a study, and files that it writes: each whole or not at all."""

from __future__ import annotations

import contextlib
import json
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


def begin_study(folder: Path, asked: dict[str, Any], resume: bool) -> None:
    """Make the folder of the study that `asked` describes, as JSON, in study.json; or with `resume` go on in it.

    Raises ValueError where `folder` holds a study and `resume` is False, or it is another one; OSError.
    """
    made = folder / "study.json"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(made, lambda path: path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8"))
        return
    if not resume:
        raise ValueError(f"{str(folder)!r} holds a study: say resume to go on with it, or choose another folder")
    before, now = json.loads(made.read_text(encoding="utf-8")), json.loads(json.dumps(asked))
    other = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if other:
        raise ValueError(
            f"{str(folder)!r} holds a study with other settings ({', '.join(other)}): expected those of study.json, "
            "or another folder"
        )
