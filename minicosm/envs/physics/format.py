"""Levels as files: JSON that a person can read, write and compare. docs/physics-levels.md shows it by example.

SI units, y up, angles in radians anticlockwise. The model below validates files, and the published JSON Schema is made
from it; `level_text` reads and writes them, `describe` makes one from a level in arrays.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from minicosm.envs.physics.config import ROOM, SIZES, PhysicsConfig
from minicosm.envs.physics.engine import definitions
from minicosm.envs.physics.engine.build import build, slots
from minicosm.envs.physics.level import AUTOMATIC, ROLES, Level, blank

FORMAT, VERSION = "minicosm-physics-level", 1

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e4, le=1e4)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Sides = Annotated[list[Annotated[float, Field(strict=True, gt=0, le=1e4)]], Field(min_length=2, max_length=2)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
Text = Annotated[str, Field(strict=True, max_length=2000)]
Role = Literal["scenery", "green", "blue", "red"]
Binding = Annotated[int, Field(strict=True, ge=0, le=31)] | Literal["automatic"]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e9)]
_PLAIN = ConfigDict(extra="forbid", frozen=True)


class Shape(BaseModel):
    """A circle, a box or a convex polygon, drawn about its own origin, which `position` places in the world."""

    model_config = _PLAIN
    id: Name  # by which joints and thrusters refer to it
    circle: Annotated[float, Field(strict=True, gt=0, le=1e4)] | None = Field(None, description="radius, m")
    box: Sides | None = Field(None, description="width and height, m")
    polygon: Annotated[list[Point], Field(min_length=3, max_length=16)] | None = Field(
        None, description="corners in order round it, m"
    )
    position: Point = Field([0.0, 0.0], description="m")
    rotation: Number = Field(0.0, description="rad")
    role: Role = "scenery"
    static: Annotated[bool, Field(strict=True)] = False
    density: NotNegative = Field(1.0, description="kg/m^2")
    friction: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e4)] = 0.6
    restitution: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)] = 0.0
    velocity: Point = Field([0.0, 0.0], description="of the centroid, m/s")
    angular_velocity: Number = Field(0.0, description="rad/s")

    @model_validator(mode="after")
    def _has_one_outline(self) -> Shape:
        given = [name for name in ("circle", "box", "polygon") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none of the three"
            raise ValueError(f"a shape needs one of circle, box and polygon, and this has {said}")
        return self


class Motor(BaseModel):
    """Turns shape b against shape a."""

    model_config = _PLAIN
    speed: Number = Field(description="rad/s that a full action asks for")
    torque: NotNegative = Field(description="N m, the most it uses")
    binding: Binding = 0


class Spring(BaseModel):
    """Turns a pin back towards angle zero."""

    model_config = _PLAIN
    hertz: Annotated[float, Field(strict=True, gt=0, le=1e4)]
    damping: NotNegative = Field(0.7, description="damping ratio")


class Joint(BaseModel):
    """A pin, or a weld where `weld` is true, that holds shape a on shape b."""

    model_config = _PLAIN
    a: Name
    b: Name
    at: Point | None = Field(None, description="m, in the world; or both anchors")
    anchor_a: Point | None = Field(None, description="m, about the origin of shape a")
    anchor_b: Point | None = Field(None, description="m, about the origin of shape b")
    weld: Annotated[bool, Field(strict=True)] = False
    limits: Point | None = Field(None, description="least and greatest angle, rad")
    rest_angle: Number | None = Field(None, description="rotation b - rotation a at angle zero, rad; else as posed")
    spring: Spring | None = None
    motor: Motor | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Joint:
        if (self.at is None) == (self.anchor_a is None and self.anchor_b is None):
            raise ValueError("a joint needs either `at` or both anchors")
        if (self.anchor_a is None) != (self.anchor_b is None):
            raise ValueError("a joint needs both anchors, or `at` instead")
        if self.weld and (self.limits or self.motor or self.spring):
            raise ValueError("a weld has no limits, spring or motor: leave them out, or weld")
        if self.limits is not None and self.limits[0] > self.limits[1]:
            raise ValueError(f"limits are {self.limits}: the first must not exceed the second")
        return self


class Thruster(BaseModel):
    """Pushes a shape."""

    model_config = _PLAIN
    shape: Name
    point: Point = Field([0.0, 0.0], description="where it pushes, m, about the origin of the shape")
    angle: Number = Field(0.0, description="direction of the force from the shape's x axis, rad")
    force: Annotated[float, Field(strict=True, gt=0, le=1e6)] = Field(description="N at full action")
    binding: Binding = 0


class Room(BaseModel):
    """Four static walls round the space from (0, 0) to `size`: `floor`, `ceiling`, `left_wall` and `right_wall`."""

    model_config = _PLAIN
    size: Sides = Field(default=[ROOM, ROOM], description="m")
    friction: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e4)] = 0.6
    restitution: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)] = 0.0
    floor: Role = "scenery"
    ceiling: Role = "scenery"
    left_wall: Role = "scenery"
    right_wall: Role = "scenery"


_ROOM_WALLS = ("floor", "ceiling", "left_wall", "right_wall")


class LevelFile(BaseModel):
    """A level as its file says."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="A level of minicosm's physics world")
    format: Literal["minicosm-physics-level"] = "minicosm-physics-level"
    version: Literal[1] = 1
    name: Text = ""
    author: Text = ""
    description: Text = ""
    difficulty: Literal["easy", "medium", "hard"] | None = None
    gravity: Point = Field([0.0, -9.81], description="m/s^2")
    room: Room = Field(Room(), description="the walls, unless `walls` lists them")
    walls: Annotated[list[Shape], Field(max_length=4)] | None = Field(None, description="static polygons, for a room")
    shapes: Annotated[list[Shape], Field(max_length=256)]
    joints: Annotated[list[Joint], Field(max_length=256)] = []
    thrusters: Annotated[list[Thruster], Field(max_length=256)] = []
    no_collision: Annotated[list[Annotated[list[Name], Field(min_length=2, max_length=2)]], Field(max_length=4096)] = (
        Field([], description="pairs of shapes that pass through each other")
    )

    @model_validator(mode="after")
    def _names_what_exists(self) -> LevelFile:
        if self.walls is not None and self.room != Room():
            raise ValueError("room is given as well as walls: leave one of them out")
        known: set[str] = set()
        for place, one in [*_numbered("shapes", self.shapes), *_numbered("walls", self.walls or [])]:
            if one.id in known or (self.walls is None and one.id in _ROOM_WALLS):
                raise ValueError(f"{place}.id is {one.id!r}, which is taken: every shape needs an id of its own")
            known.add(one.id)
        known |= set(self.wall_ids)
        named = [(f"{p}.{side}", getattr(j, side)) for p, j in _numbered("joints", self.joints) for side in "ab"]
        named += [(f"{place}.shape", t.shape) for place, t in _numbered("thrusters", self.thrusters)]
        named += [(place, one) for place, pair in _numbered("no_collision", self.no_collision) for one in pair]
        for place, one in named:
            if one not in known:
                raise ValueError(f"{place} is {one!r}, which no shape is called (there are {', '.join(sorted(known))})")
        for place, wall in _numbered("walls", self.walls or []):
            if wall.circle is not None:
                raise ValueError(f"{place} is a circle: a wall is a box or a polygon; list it among the shapes")
        return self

    @property
    def wall_ids(self) -> tuple[str, ...]:
        """The ids of the walls, in the order of their slots."""
        return _ROOM_WALLS if self.walls is None else tuple(wall.id for wall in self.walls)

    def to_level(self, config: PhysicsConfig, source: str = "the level") -> Level:
        """This level in the slots of `config.slots`, with bindings that `config` has.

        Raises ValueError, in one sentence that begins with `source`, where it does not fit or cannot be simulated.
        """
        try:
            return _to_level(self, config)
        except ValueError as error:
            raise ValueError(f"{source}: {_with_ids(str(error), self)}") from None


def _numbered(name: str, items: Any) -> list[tuple[str, Any]]:
    return [(f"{name}[{i}]", item) for i, item in enumerate(items)]


def _with_ids(message: str, file: LevelFile) -> str:
    """The engine numbers shapes and walls; a person knows them by their ids."""
    for kind, ids in (("shape", [shape.id for shape in file.shapes]), ("wall", file.wall_ids)):
        message = re.sub(
            rf"\b{kind} (\d+)\b",
            lambda m, ids=ids, kind=kind: f"{kind} {ids[int(m[1])]!r}" if int(m[1]) < len(ids) else m[0],  # type: ignore[misc]
            message,
        )
    return re.sub(r"\b(joint|thruster) (\d+)\b", r"\1s[\2]", message)


def _to_level(file: LevelFile, config: PhysicsConfig) -> Level:
    size = config.slots
    walls = _walls(file)
    shapes = [_definition(shape) for shape in file.shapes]
    number = {id: i for i, id in enumerate([*(shape.id for shape in file.shapes), *file.wall_ids])}
    joints = [_joint(joint, number) for joint in file.joints]
    thrusters = [definitions.Thruster(number[t.shape], tuple(t.point), t.angle) for t in file.thrusters]
    apart = [[number[one] for one in pair] for pair in file.no_collision]
    scene, state = build(size, shapes, joints, thrusters, gravity=file.gravity, walls=walls, no_collision=apart)
    places = slots(size, shapes, walls)
    roles = [shape.role for shape in file.shapes] + _wall_roles(file)
    present, role = np.zeros(size.num_shapes, bool), np.zeros(size.num_shapes, np.int32)
    present[list(places)] = True
    role[list(places)] = [ROLES.index(one) for one in roles]
    speed, torque = np.zeros((2, size.num_joints), np.float32)
    motor_binding = np.zeros(size.num_joints, np.int32)
    for j, joint in enumerate(file.joints):
        if joint.motor is not None:
            speed[j], torque[j] = joint.motor.speed, joint.motor.torque
            motor_binding[j] = _bound(joint.motor.binding, config.num_motor_bindings, f"joints[{j}].motor")
    force, thruster_binding = np.zeros(size.num_thrusters, np.float32), np.zeros(size.num_thrusters, np.int32)
    for t, thruster in enumerate(file.thrusters):
        force[t] = thruster.force
        thruster_binding[t] = _bound(thruster.binding, config.num_thruster_bindings, f"thrusters[{t}]")
    return dataclasses.replace(
        blank(size),
        scene=scene,
        position=state.position,
        rotation=state.rotation,
        velocity=state.velocity,
        angular_velocity=state.angular_velocity,
        present=jnp.asarray(present),
        role=jnp.asarray(role),
        motor_speed=jnp.asarray(speed),
        motor_torque=jnp.asarray(torque),
        motor_binding=jnp.asarray(motor_binding),
        thruster_force=jnp.asarray(force),
        thruster_binding=jnp.asarray(thruster_binding),
    )


def _bound(binding: int | str, count: int, place: str) -> int:
    if binding == "automatic":
        return AUTOMATIC
    assert isinstance(binding, int)
    if binding >= count:
        raise ValueError(f"{place}.binding is {binding}: the config has bindings 0 to {count - 1}; raise their number")
    return binding


def _definition(shape: Shape, static: bool = False) -> definitions.Shape:
    names = ("rotation", "density", "friction", "restitution", "angular_velocity")
    fields: dict[str, Any] = {name: getattr(shape, name) for name in names}
    fields |= {"position": shape.position, "velocity": shape.velocity, "static": shape.static or static}
    if shape.circle is not None:
        return definitions.Circle(shape.circle, **fields)
    if shape.box is not None:
        return definitions.box(*shape.box, **fields)
    return definitions.Polygon(shape.polygon, **fields)


def _walls(file: LevelFile) -> list[definitions.Polygon]:
    if file.walls is None:
        room = file.room
        return list(definitions.box_walls(*room.size, friction=room.friction, restitution=room.restitution))
    return [wall for wall in (_definition(w, static=True) for w in file.walls) if isinstance(wall, definitions.Polygon)]


def _wall_roles(file: LevelFile) -> list[str]:
    if file.walls is None:
        return [getattr(file.room, name) for name in _ROOM_WALLS]
    return [wall.role for wall in file.walls]


def _joint(joint: Joint, number: dict[str, int]) -> definitions.Joint:
    a, b = number[joint.a], number[joint.b]
    if joint.weld:
        return definitions.Weld(a, b, joint.at, joint.anchor_a, joint.anchor_b, joint.rest_angle)
    limits = None if joint.limits is None else (joint.limits[0], joint.limits[1])
    spring = joint.spring
    return definitions.Pin(
        a,
        b,
        joint.at,
        joint.anchor_a,
        joint.anchor_b,
        limits,
        joint.rest_angle,
        spring.hertz if spring else 0.0,
        spring.damping if spring else 0.7,
    )


def smallest_size(file: LevelFile) -> Literal["s", "m", "l"] | None:
    """The least of the usual sizes that holds the level; None where none does."""
    counts = _counts(file)
    for name, size in SIZES.items():
        if all(counts[field] <= getattr(size, field) for field in counts):
            return name  # type: ignore[return-value]
    return None


def _counts(file: LevelFile) -> dict[str, int]:
    num_circles = sum(shape.circle is not None for shape in file.shapes)
    corners = [len(shape.polygon) for shape in [*file.shapes, *(file.walls or [])] if shape.polygon]
    return {
        "num_polygons": 4 + len(file.shapes) - num_circles,
        "num_circles": num_circles,
        "num_joints": len(file.joints),
        "num_thrusters": len(file.thrusters),
        "max_vertices": max([4, *corners]),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema of level files."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LevelFile.model_json_schema()}
