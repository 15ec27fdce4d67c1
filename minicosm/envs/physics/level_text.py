"""Reading and writing level files, and saying what is wrong with one."""

from __future__ import annotations

import json
import os
import pathlib
import re
from typing import Any

from pydantic import ValidationError

from minicosm.envs.physics.format import FORMAT, VERSION, LevelFile

LARGEST_FILE = 4 * 2**20  # bytes


def read(path: str | os.PathLike[str]) -> LevelFile:
    """The level in the file at `path`.

    Raises FileNotFoundError, or ValueError in one sentence that begins with the path and names the place in it.
    """
    file = pathlib.Path(path)
    return parse(content_of(file), str(file))


def content_of(file: pathlib.Path) -> bytes:
    """The bytes of a file. Raises ValueError, naming it, for a folder and for what is larger than any level."""
    if file.is_dir():
        raise ValueError(f"{file}: a folder; expected a level file")
    with file.open("rb") as stream:  # never more than that, as a device has no end
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{file}: too large; a level file has at most {LARGEST_FILE} bytes")
    return content


def parse(content: bytes | str, source: str) -> LevelFile:
    """The level that `content` describes; `source` stands for it in errors. Raises ValueError as `read` does."""
    data = loaded(content, source)
    if not isinstance(data, dict):
        raise ValueError(f"{source}: {_shown(data)}; expected an object that describes a level")
    if "env_state" in data:
        raise ValueError(f"{source}: a level of Kinetix; turn it into one of ours by `minicosm import kinetix`")
    if data.get("format") != FORMAT:
        raise ValueError(f'{source}: format is {_shown(data.get("format"))}; expected "{FORMAT}"')
    version = data.get("version")
    if type(version) is not int or version != VERSION:
        found = _shown(version) if "version" in data else "missing"
        raise ValueError(f"{source}: version is {found}; this minicosm reads version {VERSION}")
    try:
        return LevelFile.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"{source}: {told(error)}") from None
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"{source}: a number is too large or the file too deep ({error})") from None


def loaded(content: bytes | str, source: str) -> Any:
    """What the JSON text `content` holds. Raises ValueError, in one sentence, for one that is not strictly JSON."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice in one object")
        return seen

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no number of JSON")

    def whole(digits: str) -> int | float:
        return int(digits) if len(digits) < 20 else float(digits)

    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse, parse_int=whole)
    except UnicodeDecodeError as error:
        raise ValueError(f"{source}: not text in UTF-8 ({error.reason} at byte {error.start})") from None
    except RecursionError:
        raise ValueError(f"{source}: nested too deeply; a level has no more than a few layers") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{source}: line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except ValueError as error:
        raise ValueError(f"{source}: not JSON ({error})") from None


def told(error: ValidationError) -> str:
    """The first mistake of a level: where it is, the value, and what was expected."""
    first = error.errors(include_url=False)[0]
    *way, last = first["loc"] or ("",)
    # inside a path, what is no field's name is that of an alternative, as pydantic calls it; last, it may be a user's
    steps = [step for step in way if isinstance(step, int) or re.fullmatch(r"[a-z_]+", step)]
    is_field = isinstance(last, int) or first["type"] == "extra_forbidden" or re.fullmatch(r"[a-z_]+", last)
    place = ""
    for step in [*steps, last] if is_field else steps:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            name = step if step.isidentifier() and step.isascii() else ascii(step)
            place += f".{name}" if place else name
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["type"] == "extra_forbidden":
        return f"{place} is no field of a level; see docs/physics-levels.md"
    if first["type"] == "value_error":
        return f"{place}: {message}" if place else message
    if place.endswith(".binding"):
        message = 'expected a whole number from 0 to 31 or "automatic"'
    return f"{place} is {_shown(first['input'])}: {message}"


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value).__name__)
    return text if len(text) <= 60 else f"{text[:57]}..."


def text(file: LevelFile) -> str:
    """The file as text, one shape, joint or thruster to a line; what is as usual is left out."""
    data = file.model_dump(exclude_defaults=True)
    head = {"format": FORMAT, "version": VERSION}
    lines = []
    for name, value in (head | {k: data[k] for k in LevelFile.model_fields if k in data and k not in head}).items():
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            items = ",\n".join(f"    {json.dumps(_short(item), ensure_ascii=False)}" for item in value)
            lines.append(f'  "{name}": [\n{items}\n  ]')
        else:
            lines.append(f'  "{name}": {json.dumps(_short(value), ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _short(value: Any) -> Any:
    """Whole numbers without a point."""
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return int(value) if isinstance(value, float) and value == int(value) else value


def write(file: LevelFile, path: str | os.PathLike[str]) -> None:
    """Write `file` to `path`. What is there is replaced in one go, and kept if writing fails; a link stays a link."""
    target = pathlib.Path(path).resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            stream.write(text(file))
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o777)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
