"""The real engine behind the page: one compiled tick that all sessions of a size share, and what a page draws."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics import Physics, PhysicsConfig, State
from minicosm.envs.physics.config import ROOM
from minicosm.envs.physics.engine import query
from minicosm.envs.physics.engine.size import pairs
from minicosm.envs.physics.format import LevelFile
from minicosm.envs.physics.level import AUTOMATIC, ROLES, Level, blank

PLAYING, WON, LOST = range(3)  # outcomes


@dataclasses.dataclass(frozen=True)
class Tick:
    """What one tick brought. S shapes, K pairs."""

    state: State
    poses: np.ndarray  # f32[3 S]: x of every shape, then y (m), then rotation (rad)
    outcome: int  # PLAYING, WON or LOST
    deciding: np.ndarray  # bool[K]: green pairs that press on what ends the episode


class Stage:
    """The programs of one `PhysicsConfig`, ticked one by one: 60 Hz whatever the config's frame-skip.

    `signals` are f32[bindings] as in `control`. The tick is `Physics.step` with a frame-skip of one, so what is played
    is what an agent trains on.
    """

    def __init__(self, config: PhysicsConfig) -> None:
        self.config = dataclasses.replace(
            config, frame_skip=1, num_agents=1, action_kind="continuous", observation_kind="flat", max_steps=10**6
        )
        self.ready = threading.Event()
        self.num_signals = config.num_motor_bindings + config.num_thruster_bindings
        env = Physics(self.config)

        def begin(level: Level) -> tuple[State, jax.Array]:
            state, _ = env.reset(jax.random.key(0), level)
            return state, _packed(state)

        def tick(state: State, signals: jax.Array) -> tuple[State, jax.Array]:
            state, _ = env.step(jax.random.key(0), state, signals[None])
            return state, _packed(state)

        self._begin, self._tick = jax.jit(begin), jax.jit(tick)

    def warm(self) -> None:
        """Compile, so that the first level starts at once."""
        self.tick(self.empty().state, np.zeros(self.num_signals, np.float32))
        self.ready.set()

    def empty(self) -> Tick:
        """The start of an episode in which there is nothing."""
        return self.begin(blank(self.config.slots))

    def load(self, file: LevelFile) -> Level:
        """The level in this size. Raises ValueError, in one sentence, where it does not fit or cannot be simulated."""
        return file.to_level(self.config, file.name or "the level")

    def begin(self, level: Level) -> Tick:
        """The start of an episode."""
        return self._unpacked(*self._begin(level))

    def tick(self, state: State, signals: np.ndarray) -> Tick:
        """One sixtieth of a second on."""
        return self._unpacked(*self._tick(state, signals))

    def _unpacked(self, state: State, packed: jax.Array) -> Tick:
        numbers, count = np.asarray(packed), 3 * self.config.slots.num_shapes
        success, failure = numbers[count : count + 2] > 0
        return Tick(state, numbers[:count], WON if success else LOST if failure else PLAYING, numbers[count + 2 :] > 0)


def _packed(state: State) -> jax.Array:
    """f32[3 S + 2 + K]: all that leaves the device, in one array."""
    bodies = state.bodies
    deciding = query.touching_pairs(state.level.scene, bodies) & (state.goal_pairs | state.danger_pairs)
    ends = jnp.stack([state.success, state.failure])
    parts = [bodies.position[:, 0], bodies.position[:, 1], bodies.rotation, ends, deciding]
    return jnp.concatenate([part.astype(jnp.float32) for part in parts])


def deciding_ids(level: Level, ids: list[str], deciding: np.ndarray) -> list[list[str]]:
    """The ids of the pairs bool[K] that ended an episode."""
    return [[ids[a], ids[b]] for a, b in pairs(level.size)[deciding].tolist()]


def scene_of(level: Level, file: LevelFile, ids: list[str]) -> dict[str, Any]:
    """What a page needs to draw `level`, of `file`, when it is told the poses: outlines about the centroids, in metres.

    `ids[s]` is the name of the shape in slot s.
    """
    scene, size = level.scene, level.size
    vertices, radius = np.asarray(scene.vertices, float), np.asarray(scene.radius, float)
    is_static, role = np.asarray(scene.inverse_mass) == 0, np.asarray(level.role)
    shapes = []
    for slot in np.flatnonzero(np.asarray(level.present)).tolist():
        shape: dict[str, Any] = {"slot": slot, "id": ids[slot], "role": ROLES[role[slot]]}
        shape |= {"static": bool(is_static[slot]), "wall": slot < size.num_walls}
        if slot < size.num_polygons:
            corners = vertices[slot]
            is_new = np.append(np.abs(np.diff(corners, axis=0)).max(axis=1) > 1e-6, True)
            shape["outline"] = np.round(corners[is_new], 5).tolist()
        else:
            shape["radius"] = float(radius[slot - size.num_polygons])
        shapes.append(shape)
    joints, thrusters = scene.joints, scene.thrusters
    joined = []
    for j in np.flatnonzero(np.asarray(joints.active)).tolist():
        joint = {
            "a": int(joints.shape_a[j]),
            "b": int(joints.shape_b[j]),
            "anchor": np.round(np.asarray(joints.anchor_a[j], float), 5).tolist(),  # in a's frame
            "weld": bool(joints.has_limit[j]) and float(joints.lower[j]) == float(joints.upper[j]),
            "motor": None,
        }
        if float(level.motor_torque[j]) > 0:
            joint["motor"] = {"binding": _binding(level.motor_binding[j]), "speed": float(level.motor_speed[j])}
        joined.append(joint)
    jets = [
        {
            "shape": int(thrusters.shape[t]),
            "point": np.round(np.asarray(thrusters.point[t], float), 5).tolist(),
            "angle": float(thrusters.angle[t]),
            "binding": _binding(level.thruster_binding[t]),
        }
        for t in np.flatnonzero(np.asarray(level.thruster_force) > 0).tolist()
    ]
    room = file.room.size if file.walls is None else [ROOM, ROOM]
    return {"shapes": shapes, "joints": joined, "thrusters": jets, "num_shapes": size.num_shapes, "room": room}


def _binding(value: Any) -> int | str:
    return "automatic" if int(value) == AUTOMATIC else int(value)
