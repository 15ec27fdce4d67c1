"""What is wrong with a level, in words: for tests, editors and whoever makes levels by program.

Distances are exact, in 64 bits, and share no code with the bound that the generators use.
"""

from __future__ import annotations

import jax
import numpy as np

from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.engine.size import pairs
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, ROLES, SCENERY, Level

TOUCH = 0.02  # m: green that is this near to blue or red at the start may touch it in the first tick
DENSITIES = 1e-3, 1e5  # kg/m^2, least and greatest that masses may come from
_SLIP = 1e-4  # m: rounding


def problems(level: Level, config: PhysicsConfig | None = None) -> list[str]:
    """Sentences that say what is wrong with `level` (one, not a batch); none where it is sound.

    Sound is a level of finite numbers in which shapes that collide do not overlap, green does not touch blue or red,
    one green or blue shape can move, masses are those of the shapes, joints' anchors coincide, and empty slots hold
    nothing. With a `config`, its size and numbers of bindings are checked too. Not for use under `jit`.
    """
    level = jax.tree.map(np.asarray, level)
    found = _numbers(level)
    if found:
        return found
    found = [*_roles(level), *_shapes(level), *_joints(level), *_thrusters(level), *_starts(level)]
    return found if config is None else [*found, *_settings(level, config)]


def _numbers(level: Level) -> list[str]:
    found = []
    scene, size = level.scene, level.size
    for part, name in ((level, "level"), (scene, "scene"), (scene.joints, "joints"), (scene.thrusters, "thrusters")):
        for field, value in vars(part).items():
            if field not in ("scene", "joints", "thrusters", "size") and not np.isfinite(np.asarray(value)).all():
                found.append(f"{field} of the {name} holds a number that is not finite")
    for field in ("position", "rotation", "velocity", "angular_velocity", "present", "role"):
        if len(getattr(level, field)) != size.num_shapes:
            found.append(f"{field} has {len(getattr(level, field))} entries for {size.num_shapes} shapes")
    return found


def _roles(level: Level) -> list[str]:
    role, present = np.asarray(level.role), np.asarray(level.present)
    found = [f"shape {i} has role {role[i]}, which is none" for i in np.flatnonzero((role < 0) | (role >= len(ROLES)))]
    found += [f"empty slot {i} has the role {ROLES[role[i]]}" for i in np.flatnonzero(~present & (role != SCENERY))]
    for wanted in (GREEN, BLUE):
        if not (present & (role == wanted)).any():
            found.append(f"no shape is {ROLES[wanted]}")
    goal = present & ((role == GREEN) | (role == BLUE))
    moves = np.asarray(level.scene.inverse_mass) > 0
    if goal.any() and not (goal & moves).any():
        found.append("no green and no blue shape can move")
    collides = np.asarray(level.scene.collides)
    a, b = pairs(level.size).T
    is_goal = ((role[a] == GREEN) & (role[b] == BLUE)) | ((role[a] == BLUE) & (role[b] == GREEN))
    if is_goal.any() and not (is_goal & collides).any():
        found.append("no green shape can touch a blue one: all those pairs pass through each other")
    return found


def _shapes(level: Level) -> list[str]:
    found, scene, present = [], level.scene, np.asarray(level.present)
    inverse_mass, inverse_inertia = np.asarray(scene.inverse_mass, float), np.asarray(scene.inverse_inertia, float)
    velocity, spin = np.asarray(level.velocity, float), np.asarray(level.angular_velocity, float)
    for i in range(level.size.num_shapes):
        what, is_fixed = f"shape {i}", inverse_mass[i] == 0
        if not present[i]:
            if inverse_mass[i] or inverse_inertia[i]:
                found.append(f"empty slot {i} has a mass")
            continue
        if is_fixed != (inverse_inertia[i] == 0):
            found.append(f"{what} has inverse mass {inverse_mass[i]:g} but inverse inertia {inverse_inertia[i]:g}")
        if i < level.size.num_walls and not is_fixed:
            found.append(f"{what} is in a wall's slot but can move")
        if is_fixed and (velocity[i].any() or spin[i]):
            found.append(f"{what} is static but has a velocity")
        if np.asarray(scene.friction)[i] < 0 or not 0 <= np.asarray(scene.restitution)[i] <= 1:
            found.append(f"friction or restitution of {what} is out of range")
        area, inertia, flaw = _unit_mass(level, i)
        if flaw:
            found.append(f"{what} {flaw}")
        elif not is_fixed:
            density = 1 / inverse_mass[i] / area
            if not DENSITIES[0] <= density <= DENSITIES[1]:
                found.append(f"the mass of {what} makes its density {density:g} kg/m^2")
            if abs(density * inertia * inverse_inertia[i] - 1) > 2e-3:
                found.append(f"the moment of inertia of {what} is not that of its shape and mass")
    return found


def _unit_mass(level: Level, i: int) -> tuple[float, float, str]:
    """Mass and moment of inertia of a shape of density 1, and what is wrong with its outline."""
    if i >= level.size.num_polygons:
        radius = np.array(level.scene.radius[i - level.size.num_polygons], float)
        if radius <= 0:
            return 0.0, 0.0, f"has radius {radius:g} m"
        mass, inertia = disc_mass(radius)
        return float(mass), float(inertia), ""
    corners = _corners(level, i)
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    if len(corners) < 3 or (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]).min() <= 0:
        return 0.0, 0.0, "is not convex and anticlockwise"
    mass, centroid, inertia = polygon_mass(corners)
    if np.linalg.norm(centroid) > 1e-3:
        return 0.0, 0.0, f"has its centroid at {centroid}, not at its body frame's origin"
    return float(mass), float(inertia), ""


def _corners(level: Level, i: int) -> np.ndarray:
    """f64[n, 2]: the corners of polygon i in its body frame, each once."""
    vertices = np.asarray(level.scene.vertices[i], float)
    is_new = np.append(np.abs(np.diff(vertices, axis=0)).max(axis=1) > 1e-6, True)
    corners: np.ndarray = vertices[is_new]
    return corners


def _joints(level: Level) -> list[str]:
    found, joints = [], level.scene.joints
    collides, index = np.asarray(level.scene.collides), {tuple(p): k for k, p in enumerate(pairs(level.size).tolist())}
    inverse_mass, present = np.asarray(level.scene.inverse_mass), np.asarray(level.present)
    for j in range(level.size.num_joints):
        if not joints.active[j]:
            if level.motor_torque[j] != 0:
                found.append(f"joint {j} is not there but has a motor")
            continue
        a, b = int(joints.shape_a[j]), int(joints.shape_b[j])
        if a == b or not (present[a] and present[b]):
            found.append(f"joint {j} joins shapes {a} and {b}")
            continue
        if inverse_mass[a] == 0 and inverse_mass[b] == 0:
            found.append(f"joint {j} joins two static shapes")
        ends = [_world(level, s, np.asarray(p[j], float)) for s, p in ((a, joints.anchor_a), (b, joints.anchor_b))]
        gap = float(np.linalg.norm(ends[0] - ends[1]))
        if gap > 1e-3:
            found.append(f"the anchors of joint {j} are {gap:.3g} m apart")
        key = (min(a, b), max(a, b))
        if key in index and collides[index[key]]:
            found.append(f"shapes {a} and {b} collide although joint {j} holds them together")
        angle = float(level.rotation[b] - level.rotation[a] - joints.rest_angle[j])
        if joints.has_limit[j] and not joints.lower[j] - 1e-3 <= angle <= joints.upper[j] + 1e-3:
            found.append(f"joint {j} starts at {angle:.3g} rad, outside its limits")
        if level.motor_torque[j] < 0:
            found.append(f"the motor of joint {j} has torque {level.motor_torque[j]:g}")
    return found


def _thrusters(level: Level) -> list[str]:
    force, shape = np.asarray(level.thruster_force), np.asarray(level.scene.thrusters.shape)
    found = [f"thruster {t} has force {force[t]:g}" for t in np.flatnonzero(force < 0)]
    is_lost = (force > 0) & ~np.asarray(level.present)[shape]
    return found + [f"thruster {t} sits on shape {shape[t]}, which is not there" for t in np.flatnonzero(is_lost)]


def _starts(level: Level) -> list[str]:
    """Who overlaps or touches whom at the start, and who collides with what is not there."""
    found = []
    collides, role, present = np.asarray(level.scene.collides), np.asarray(level.role), np.asarray(level.present)
    moves = np.asarray(level.scene.inverse_mass) > 0
    places = [_place(level, i) for i in range(level.size.num_shapes)]
    for (a, b), meets in zip(pairs(level.size).tolist(), collides, strict=True):
        if not meets:
            continue
        if not (present[a] and present[b]) or not (moves[a] or moves[b]):
            found.append(f"shapes {a} and {b} collide although one is not there or neither can move")
            continue
        (p, p_radius), (q, q_radius) = places[a], places[b]
        between = np.maximum(p.min(axis=0) - q.max(axis=0), q.min(axis=0) - p.max(axis=0)).max()
        if between - p_radius - q_radius > 2 * TOUCH:
            continue  # the boxes round them are that far apart
        gap = distance(places[a], places[b])
        if gap < -_SLIP:
            found.append(f"shapes {a} and {b} overlap by {-gap:.3g} m")
        elif gap < TOUCH and GREEN in (role[a], role[b]) and {role[a], role[b]} & {BLUE, 3}:
            found.append(f"shapes {a} and {b}, {ROLES[role[a]]} and {ROLES[role[b]]}, touch at the start")
    return found


def _settings(level: Level, config: PhysicsConfig) -> list[str]:
    found = []
    if level.size != config.slots:
        found.append(f"the level is of {level.size}, the config of {config.slots}")
    on = np.asarray(level.motor_torque) > 0, np.asarray(level.thruster_force) > 0
    for kind, is_on, binding, count in (
        ("motor", on[0], np.asarray(level.motor_binding), config.num_motor_bindings),
        ("thruster", on[1], np.asarray(level.thruster_binding), config.num_thruster_bindings),
    ):
        for j in np.flatnonzero(is_on & ((binding < AUTOMATIC) | (binding >= count))):
            found.append(f"{kind} {j} has binding {binding[j]} of {count}")
    return found


def _world(level: Level, i: int, point: np.ndarray) -> np.ndarray:
    """f64[..., 2]: points of shape i's body frame in the world."""
    angle = float(level.rotation[i])
    cos, sin = np.cos(angle), np.sin(angle)
    turned = point @ np.array([[cos, sin], [-sin, cos]])
    placed: np.ndarray = np.asarray(level.position[i], float) + turned
    return placed


Place = tuple[np.ndarray, float]  # f64[n, 2] corners, or one centre, and the radius


def _place(level: Level, i: int) -> Place:
    if i >= level.size.num_polygons:
        return np.asarray(level.position[i], float)[None], float(level.scene.radius[i - level.size.num_polygons])
    return _world(level, i, _corners(level, i)), 0.0


def distance(one: Place, other: Place) -> float:
    """m between two convex shapes; below zero, how deep they overlap along the best edge's normal."""
    (p, p_radius), (q, q_radius) = one, other
    difference = (q[None] - p[:, None]).reshape(-1, 2)  # the corners of the Minkowski difference lie among these
    depth = max((_beyond(p, difference, 1.0), _beyond(q, difference, -1.0)), default=-np.inf)
    if depth > 0 or (len(p) == 1 and len(q) == 1):
        depth = min(_from_edges(p, q), _from_edges(q, p))
    return depth - p_radius - q_radius


def _beyond(corners: np.ndarray, difference: np.ndarray, sign: float) -> float:
    """m: greatest distance at which an edge's line of `corners` parts it from the other shape."""
    if len(corners) == 1:
        return -np.inf
    edges = np.roll(corners, -1, axis=0) - corners
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1)[:, None]
    return float((sign * difference @ normals.T).min(axis=0).max())


def _from_edges(corners: np.ndarray, points: np.ndarray) -> float:
    """m: least distance of `points` from the edges of `corners`, or from the one corner there is."""
    start, edge = corners, np.roll(corners, -1, axis=0) - corners
    along = points[:, None] - start
    length = np.maximum((edge**2).sum(axis=1), 1e-30)
    fraction = np.clip((along * edge).sum(axis=2) / length, 0, 1)
    return float(np.linalg.norm(along - fraction[..., None] * edge, axis=2).min())
