"""The level file that describes a level in arrays, such as a generated one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minicosm.envs.physics.engine.size import pairs
from minicosm.envs.physics.format import FORMAT, VERSION, LevelFile
from minicosm.envs.physics.level import AUTOMATIC, ROLES, Level


def from_level(level: Level, **about: Any) -> LevelFile:
    """The file of a level in arrays (one, not a batch); `about` are its name, author, description and difficulty.

    Loaded again it is the same to float32 rounding. Empty slots between others are closed up.
    """
    size, scene = level.size, level.scene
    present = np.asarray(level.present)
    ids = [_slot_id(i, size.num_walls, size.num_polygons) for i in range(size.num_shapes)]
    shapes = [_shape_of(level, i, ids[i]) for i in np.flatnonzero(present).tolist()]
    walls = [shape for shape in shapes if shape["id"].startswith("wall_")]
    rest = [shape for shape in shapes if not shape["id"].startswith("wall_")]
    joints = [_joint_of(level, j, ids) for j in np.flatnonzero(np.asarray(scene.joints.active)).tolist()]
    thrusters = [_thruster_of(level, t, ids) for t in np.flatnonzero(np.asarray(level.thruster_force) > 0).tolist()]
    data = {
        "gravity": _numbers(scene.gravity),
        "walls": walls,
        "shapes": rest,
        "joints": joints,
        "thrusters": thrusters,
        "no_collision": _passing(level, ids),
    }
    return LevelFile.model_validate({"format": FORMAT, "version": VERSION, **about, **data})


def _slot_id(slot: int, num_walls: int, num_polygons: int) -> str:
    if slot < num_walls:
        return f"wall_{slot}"
    return f"polygon_{slot - num_walls}" if slot < num_polygons else f"circle_{slot - num_polygons}"


def _numbers(array: Any) -> Any:
    """float32 as the shortest decimal numbers that give it again."""
    values = np.asarray(array, np.float32)
    if values.ndim == 0:
        return float(str(values))
    return [_numbers(value) for value in values]


def _shape_of(level: Level, slot: int, id: str) -> dict[str, Any]:
    scene, size = level.scene, level.size
    inverse_mass = float(scene.inverse_mass[slot])
    shape: dict[str, Any] = {"id": id, "role": ROLES[int(level.role[slot])]}
    if slot < size.num_polygons:
        corners = np.asarray(scene.vertices[slot])
        kept = [i for i in range(len(corners)) if i == 0 or (corners[i] != corners[i - 1]).any()]
        shape["polygon"] = _numbers(corners[kept])
        x, y = corners[kept].astype(np.float64).T
        area = 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    else:
        radius = scene.radius[slot - size.num_polygons]
        shape["circle"] = _numbers(radius)
        area = math.pi * float(radius) ** 2
    if inverse_mass > 0:
        shape["density"] = _numbers(1.0 / (inverse_mass * area))
        shape |= {
            "velocity": _numbers(level.velocity[slot]),
            "angular_velocity": _numbers(level.angular_velocity[slot]),
        }
    else:
        shape["static"] = True
    for name, values in (("position", level.position), ("rotation", level.rotation), ("friction", scene.friction)):
        shape[name] = _numbers(values[slot])
    return shape | {"restitution": _numbers(scene.restitution[slot])}


def _joint_of(level: Level, j: int, ids: list[str]) -> dict[str, Any]:
    joints = level.scene.joints
    a, b = int(joints.shape_a[j]), int(joints.shape_b[j])
    joint: dict[str, Any] = {"a": ids[a], "b": ids[b]}
    joint |= {"anchor_a": _numbers(joints.anchor_a[j]), "anchor_b": _numbers(joints.anchor_b[j])}
    joint["rest_angle"] = _numbers(joints.rest_angle[j])
    lower, upper = _numbers(joints.lower[j]), _numbers(joints.upper[j])
    if bool(joints.has_limit[j]):
        joint |= {"weld": True} if lower == upper == 0.0 else {"limits": [lower, upper]}
    if "weld" not in joint:
        if float(joints.spring_hertz[j]) > 0:
            joint["spring"] = {
                "hertz": _numbers(joints.spring_hertz[j]), "damping": _numbers(joints.spring_damping[j])
            }  # fmt: skip
        if float(level.motor_torque[j]) > 0:
            speed, torque = _numbers(level.motor_speed[j]), _numbers(level.motor_torque[j])
            joint["motor"] = {"speed": speed, "torque": torque, "binding": _binding_of(level.motor_binding[j])}
    return joint


def _thruster_of(level: Level, t: int, ids: list[str]) -> dict[str, Any]:
    thrusters = level.scene.thrusters
    return {
        "shape": ids[int(thrusters.shape[t])],
        "point": _numbers(thrusters.point[t]),
        "angle": _numbers(thrusters.angle[t]),
        "force": _numbers(level.thruster_force[t]),
        "binding": _binding_of(level.thruster_binding[t]),
    }


def _binding_of(binding: Any) -> int | str:
    return "automatic" if int(binding) == AUTOMATIC else int(binding)


def _passing(level: Level, ids: list[str]) -> list[list[str]]:
    """The pairs that pass through each other though neither a joint nor standing still explains it."""
    present, moves = np.asarray(level.present), np.asarray(level.scene.inverse_mass) > 0
    joints = level.scene.joints
    ends = np.stack([np.asarray(joints.shape_a), np.asarray(joints.shape_b)], axis=1)[np.asarray(joints.active)]
    joined = {frozenset(pair) for pair in ends.tolist()}
    return [
        [ids[a], ids[b]]
        for (a, b), collides in zip(pairs(level.size).tolist(), np.asarray(level.scene.collides).tolist(), strict=True)
        if not collides and present[a] and present[b] and (moves[a] or moves[b]) and frozenset((a, b)) not in joined
    ]
