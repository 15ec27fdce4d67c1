"""Levels of Kinetix (M. Matthews et al., ICLR 2025) as levels of ours.

Poses, outlines, roles, bindings, joints and collision rules are kept. Masses follow from the densities, since the
moments of inertia of its engine are wrong for discs and triangles. What differs by nature: its motors give a torque
that fades as the joint approaches its speed, ours the torque that they give from rest, up to that speed.
"""

from __future__ import annotations

import itertools
import math
import os
import pathlib
from typing import Any

import numpy as np
from pydantic import ValidationError

from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.format import FORMAT, VERSION, LevelFile
from minicosm.envs.physics.level import ROLES
from minicosm.envs.physics.level_text import content_of, loaded, told

_DEFAULTS = {  # of its `env_params`
    "base_motor_speed": 6.0,
    "base_motor_power": 900.0,
    "motor_decay_coefficient": 0.1,
    "base_thruster_power": 10.0,
    "base_friction": 0.4,
}


def read(path: str | os.PathLike[str]) -> LevelFile:
    """The level in the Kinetix file at `path`, named after the file.

    Raises FileNotFoundError, or ValueError in one sentence that begins with the path.
    """
    file = pathlib.Path(path)
    return parse(content_of(file), str(file), file.stem)


def parse(content: bytes | str, source: str, name: str = "") -> LevelFile:
    """The level that `content` describes; `source` stands for it in errors. Raises ValueError in one sentence."""
    data = loaded(content, source)
    if not isinstance(data, dict) or not isinstance(data.get("env_state"), dict):
        raise ValueError(f'{source}: no "env_state"; expected a level file of Kinetix')
    try:
        described = _described(data)
    except KeyError as error:
        raise ValueError(f"{source}: {error.args[0]!r} is missing; expected a level file of Kinetix") from None
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"{source}: not built as levels of Kinetix are ({error})") from None
    try:
        return LevelFile.model_validate({"format": FORMAT, "version": VERSION, "name": name, **described})
    except ValidationError as error:
        raise ValueError(f"{source}: as a level of ours, {told(error)}") from None


def _described(data: dict[str, Any]) -> dict[str, Any]:
    state = data["env_state"]
    params = _DEFAULTS | {k: float(v) for k, v in data.get("env_params", {}).items() if k in _DEFAULTS}
    num_walls = int(data.get("static_env_params", {}).get("num_static_fixated_polys", 4))
    polygons, circles = state["polygon"], state["circle"]
    bodies = [*polygons, *circles]
    ids = [f"wall_{i}" if i < num_walls else f"polygon_{i - num_walls}" for i in range(len(polygons))]
    ids += [f"circle_{i}" for i in range(len(circles))]
    used = [bool(body["active"]) for body in bodies]
    shapes = {i: _shape(bodies[i], ids[i], i < len(polygons), params) for i in range(len(bodies)) if used[i]}
    joints = _joints(state["joint"], bodies, shapes, len(polygons), params)
    return {
        "gravity": _point(state["gravity"]),
        "walls": [shapes[i] for i in range(num_walls) if used[i]],
        "shapes": [shapes[i] for i in range(num_walls, len(bodies)) if used[i]],
        "joints": joints,
        "thrusters": _thrusters(state["thruster"], shapes, params),
        "no_collision": _passing(state["joint"], bodies, shapes, joints),
    }


def _number(value: Any) -> float:
    """float32 as the shortest decimal number that gives it again."""
    return float(str(np.float32(value)))


def _point(value: Any) -> list[float]:
    return [_number(value["0"]), _number(value["1"])]


def _shape(body: dict[str, Any], id: str, is_polygon: bool, params: dict[str, float]) -> dict[str, Any]:
    role = int(body["role"])
    if not 0 <= role < len(ROLES):
        raise ValueError(f"role of {id} is {role}")
    shape = {"id": id, "role": ROLES[role], "position": _point(body["position"]), "rotation": _number(body["rotation"])}
    if is_polygon:
        corners = [_point(body["vertices"][str(k)]) for k in range(int(body["n_vertices"]))]
        kept = [c for k, c in enumerate(corners) if c not in corners[:k]]
        shape["polygon"] = _convex(kept[::-1])  # its corners run clockwise
    else:
        shape["circle"] = _number(body["radius"])
    # it mixes friction as sqrt((0.4 a)^2 + (0.4 b)^2), we as sqrt(a b): the same for a = b
    shape["friction"] = _number(params["base_friction"] * math.sqrt(2.0) * float(body["friction"]))
    # it takes the lesser restitution of a pair, we the greater: the same where both have the same
    shape["restitution"] = min(1.0, max(0.0, _number(body["restitution"])))
    if float(body["inverse_mass"]) == 0.0:
        return shape | {"static": True}
    shape["density"] = _number(body.get("density", 1.0))
    return shape | {"velocity": _point(body["velocity"]), "angular_velocity": _number(body["angular_velocity"])}


def _inverse_inertia(shape: dict[str, Any]) -> float:
    if shape.get("static"):
        return 0.0
    if "circle" in shape:
        return 1.0 / float(disc_mass(np.array(shape["circle"]), shape["density"])[1])
    return 1.0 / abs(float(polygon_mass(np.array(shape["polygon"]), shape["density"])[2]))


def _joints(
    joints: Any, bodies: list[Any], shapes: dict[int, Any], num_polygons: int, params: dict[str, float]
) -> list[dict[str, Any]]:
    """Its joints between two shapes that are there, at least one of which moves."""
    made = []
    for joint in joints:
        a, b = int(joint["a_index"]), int(joint["b_index"])
        if not joint["active"] or a == b or a not in shapes or b not in shapes:
            continue
        if shapes[a].get("static") and shapes[b].get("static"):
            continue
        one: dict[str, Any] = {"a": shapes[a]["id"], "b": shapes[b]["id"], "rest_angle": _number(joint["rotation"])}
        one |= {"anchor_a": _point(joint["a_relative_pos"]), "anchor_b": _point(joint["b_relative_pos"])}
        if joint["is_fixed_joint"]:
            made.append(one | {"weld": True})
            continue
        if joint["motor_has_joint_limits"]:
            one["limits"] = sorted([_number(joint["min_rotation"]), _number(joint["max_rotation"])])
        speed = params["base_motor_speed"] * float(joint["motor_speed"])
        inertia = 1.0 / (_inverse_inertia(shapes[a]) + _inverse_inertia(shapes[b]))
        strength = params["base_motor_power"] * float(joint["motor_power"])
        torque = strength * math.tanh(params["motor_decay_coefficient"] * abs(speed)) * inertia
        if joint["motor_on"] and torque > 0.0:
            is_automatic = bool(joint.get("motor_auto", False))
            binding = "automatic" if is_automatic else int(joint.get("motor_binding", joint.get("binding", 0)))
            one["motor"] = {"speed": _number(speed), "torque": _number(torque), "binding": binding}
        made.append(one)
    return made


def _thrusters(thrusters: Any, shapes: dict[int, Any], params: dict[str, float]) -> list[dict[str, Any]]:
    made = []
    for thruster in thrusters:
        shape = int(thruster["object_index"])
        force = params["base_thruster_power"] * float(thruster["power"])
        if thruster["active"] and shape in shapes and force > 0.0:
            made.append(
                {
                    "shape": shapes[shape]["id"],
                    "point": _point(thruster["relative_position"]),
                    "angle": _number(thruster["rotation"]),
                    "force": _number(force),
                    "binding": int(thruster.get("thruster_binding", thruster.get("binding", 0))),
                }
            )
    return made


def _passing(
    its_joints: Any, bodies: list[Any], shapes: dict[int, Any], joints: list[dict[str, Any]]
) -> list[list[str]]:
    """Pairs that pass through each other by its rules, where no joint or standing still explains it.

    What joints hold together, walls included, passes through itself: Kinetix works that out from the joints when it
    loads a level, and does not look at the `collision_matrix` of the file, which may be out of date.
    """
    group = list(range(len(bodies)))
    for joint in its_joints:
        if joint["active"]:
            a, b = group[int(joint["a_index"])], group[int(joint["b_index"])]
            group = [a if one == b else one for one in group]
    joined = {frozenset((joint["a"], joint["b"])) for joint in joints}
    pairs = []
    for (a, one), (b, other) in itertools.combinations(sorted(shapes.items()), 2):
        if one.get("static") and other.get("static"):
            continue
        modes = [int(bodies[i]["collision_mode"]) for i in (a, b)]
        meets = group[a] != group[b] and (2 in modes or modes[0] * modes[1] > 0)
        if not meets and frozenset((one["id"], other["id"])) not in joined:
            pairs.append([one["id"], other["id"]])
    return pairs


def _convex(corners: list[list[float]]) -> list[list[float]]:
    """The corners, anticlockwise, without those that lie inside the outline, if only by a rounding: as a rule, all."""
    double_area = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, corners[1:] + corners[:1], strict=True))
    kept = list(corners if double_area >= 0.0 else corners[::-1])
    while len(kept) > 3:
        dents = [_turn(kept[k - 1], kept[k], kept[(k + 1) % len(kept)]) for k in range(len(kept))]
        if min(dents) >= 0.0:
            break
        kept.pop(dents.index(min(dents)))
    return kept


def _turn(a: list[float], b: list[float], c: list[float]) -> float:
    """Below zero where the way from a by b to c turns clockwise."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
