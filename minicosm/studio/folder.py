"""The user's folder of level files: the one place that the page can read and write."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

from minicosm.envs.physics import level_text
from minicosm.envs.physics.format import LevelFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}")
_SUFFIX = ".json"


class LevelFolder:
    """Level files by name, without the suffix. Names cannot lead elsewhere, and links are not followed."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most

    def names(self) -> list[dict[str, object]]:
        """What is there, newest first: each file's name and when it was written, s since 1970."""
        if not self._path.is_dir():
            return []
        found = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                name = entry.name.removesuffix(_SUFFIX)
                if entry.name.endswith(_SUFFIX) and _NAME.fullmatch(name) and entry.is_file(follow_symlinks=False):
                    found.append({"name": name, "written": entry.stat(follow_symlinks=False).st_mtime})
        found.sort(key=lambda one: -float(str(one["written"])))
        return found[: self._most]

    def read(self, name: str) -> LevelFile:
        """The level called `name`. Raises ValueError for a name that is none, a link, or a file that is no level."""
        path = self._file(name)
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            raise ValueError(f"there is no level {name!r} in {str(self._path)!r}: open one of those listed") from None
        except OSError as error:
            raise ValueError(f"{path.name} cannot be read ({error.strerror}): it must be a plain file") from None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise ValueError(f"{path.name} is no plain file: move the level itself into the folder")
        with os.fdopen(handle, "rb") as stream:
            content = stream.read(level_text.LARGEST_FILE + 1)
        if len(content) > level_text.LARGEST_FILE:
            raise ValueError(f"{path.name}: too large; a level file has at most {level_text.LARGEST_FILE} bytes")
        return level_text.parse(content, path.name)

    def write(self, name: str, file: LevelFile, overwrite: bool) -> Path:
        """Write `file` as `name`, as a whole or not at all; a link of that name is replaced, never followed.

        Raises ValueError for a name that is none, or one that is taken unless `overwrite`; OSError where the folder
        cannot be written.
        """
        path = self._file(name)
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(f"there is a level {name!r} already: choose another name, or overwrite it")
        self._path.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path) and len(self.names()) >= self._most:
            raise ValueError(
                f"{str(self._path)!r} holds {self._most} levels, the most: remove some, or choose another folder"
            )
        beside = self._path / f".{name}.{secrets.token_hex(8)}.part"
        try:
            with beside.open("x", encoding="utf-8") as stream:
                stream.write(level_text.text(file))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()
        return path

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"the name is {name!r:.80}; expected 1 to 64 letters, digits, spaces, dashes or underscores, a letter "
                "or digit first"
            )
        return self._path / f"{name}{_SUFFIX}"
