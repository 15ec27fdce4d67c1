"""What is wrong with a level that is being drawn, told at the shapes, joints and thrusters concerned."""

from __future__ import annotations

import re
from typing import Any

from minicosm.envs.physics import PhysicsConfig
from minicosm.envs.physics.config import SIZES
from minicosm.envs.physics.format import LevelFile, smallest_size
from minicosm.envs.physics.validate import problems
from minicosm.studio.slots import slot_ids


def check(file: LevelFile, config: PhysicsConfig) -> dict[str, Any]:
    """The least size that holds `file`, how full each size is, and its problems, by the validator of the world.

    A problem has a `text`, and names what it is about: `shapes` (ids), `joints` and `thrusters` (numbers in the file).
    """
    found: list[dict[str, Any]] = []
    try:
        level = file.to_level(config, "")
        found = [_named(text, file, config) for text in problems(level, config)]
    except ValueError as error:
        found = [_read(str(error).removeprefix(": "), file)]
    return {"size": smallest_size(file), "counts": counts(file), "problems": found}


def counts(file: LevelFile) -> dict[str, Any]:
    """How much of everything there is, and how much each size holds."""
    num_circles = sum(shape.circle is not None for shape in file.shapes)
    used = {
        "polygons": len(file.shapes) - num_circles,
        "circles": num_circles,
        "joints": len(file.joints),
        "thrusters": len(file.thrusters),
    }
    room = {
        name: {
            "polygons": size.num_polygons - size.num_walls,
            "circles": size.num_circles,
            "joints": size.num_joints,
            "thrusters": size.num_thrusters,
        }
        for name, size in SIZES.items()
    }
    return {"used": used, "room": room}


def _named(text: str, file: LevelFile, config: PhysicsConfig) -> dict[str, Any]:
    """A sentence of the validator, which counts slots, with ids in their place."""
    ids = slot_ids(file, config)
    shapes: list[str] = []

    def name(match: re.Match[str]) -> str:
        numbers = [int(n) for n in match.groups() if n is not None]
        if any(n >= len(ids) or not ids[n] for n in numbers):
            return match[0]
        shapes.extend(ids[n] for n in numbers)
        return " and ".join(f"“{ids[n]}”" for n in numbers)

    told = re.sub(r"\bshapes (\d+) and (\d+)|\bshape (\d+)", name, text)
    joints = [int(n) for n in re.findall(r"\b(?:joint|motor) (\d+)", text)]
    thrusters = [int(n) for n in re.findall(r"\bthruster (\d+)", text)]
    told = re.sub(r"\b(joint|motor|thruster) (\d+)", lambda m: f"{m[1]} {int(m[2]) + 1}", told)
    return _problem(told, shapes, joints, thrusters)


def _read(text: str, file: LevelFile) -> dict[str, Any]:
    """A sentence of the loader, which names ids and places in the file."""
    known = {shape.id for shape in file.shapes} | set(file.wall_ids)
    shapes = [one for one in re.findall(r"(?:shape|wall) '([^']*)'", text) if one in known]
    joints = [int(n) for n in re.findall(r"joints\[(\d+)\]", text)]
    thrusters = [int(n) for n in re.findall(r"thrusters\[(\d+)\]", text)]
    for joint in joints:
        if joint < len(file.joints):
            shapes += [file.joints[joint].a, file.joints[joint].b]
    if match := re.search(r"shape '(.*)' is not convex", text):
        text = f"“{match[1]}” is not convex: drag a corner outwards, or make it of several shapes"
    if match := re.search(r"(\d+) (\w+)(?: beside the walls)? do not fit this size, which has room for (\d+)", text):
        count, kind, room = match.groups()
        text = f"too many {kind} for size L: {count}, and there is room for {room}; remove {int(count) - int(room)}"
        return _problem(text, *_surplus(kind, int(room), file))
    return _problem(text, shapes, joints, thrusters)


def _surplus(kind: str, room: int, file: LevelFile) -> tuple[list[str], list[int], list[int]]:
    """What came last of a kind, beyond what there is room for: shapes, joints, thrusters."""
    of_kind = {
        "circles": [shape.id for shape in file.shapes if shape.circle is not None],
        "polygons": [shape.id for shape in file.shapes if shape.circle is None],
    }
    joints = list(range(room, len(file.joints))) if kind == "joints" else []
    thrusters = list(range(room, len(file.thrusters))) if kind == "thrusters" else []
    return of_kind.get(kind, [])[room:], joints, thrusters


def _problem(text: str, shapes: list[str], joints: list[int], thrusters: list[int]) -> dict[str, Any]:
    text = text[:1].upper() + text[1:]
    return {"text": text, "shapes": shapes, "joints": joints, "thrusters": thrusters}
