"""Random worlds, drawn on the device in bulk: every kind of part, every mass ratio, shapes on top of each other.

The tests step thousands of them and `benchmarks/engine_soak.py` as many as one likes.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.engine import Controls, Joints, Scene, Size, State, Thrusters
from minicosm.envs.physics.engine.build import build, start
from minicosm.envs.physics.engine.definitions import box_walls
from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass
from minicosm.envs.physics.engine.size import pairs

ROOM = 5.0  # m, of each side of the room that four walls make


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the worlds are like; a static argument."""

    gravity: float = 9.81
    densities: tuple[float, float] = (0.01, 100.0)  # kg/m^2, drawn by their logarithm
    max_restitution: float = 1.0
    max_speed: float = 20.0  # m/s, of each component at the start
    statics: float = 0.15  # share of shapes that do not move
    parts: bool = True  # joints, motors and thrusters
    piled: bool = False  # each shape in a place of its own, and not one on top of another


def draw(key: jax.Array, size: Size, kind: Kind) -> tuple[Scene, State, Controls]:
    """One world; `size` must have four walls."""
    keys = iter(jax.random.split(key, 24))
    uniform = lambda shape, low, high: jax.random.uniform(next(keys), shape, minval=low, maxval=high)
    num_free, num_polygons = size.num_free, size.num_polygons - 4
    template, _ = build(size, [], walls=box_walls(ROOM, ROOM))

    radius = uniform((num_free,), 0.08, 0.3 if kind.piled else 0.6)
    corners = 3 + jax.random.bernoulli(next(keys), 0.6, (num_polygons, 1))
    steps = jnp.where(jnp.arange(4) < corners, uniform((num_polygons, 4), 0.6, 1.4), 0.0)
    angle = 2 * jnp.pi * jnp.cumsum(steps, axis=1) / jnp.sum(steps, axis=1, keepdims=True)
    stretch = radius[:num_polygons, None, None] * uniform((num_polygons, 1, 2), 0.2, 1.0)
    vertices = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1) * stretch
    density = jnp.exp(uniform((num_free,), *np.log(kind.densities)))
    mass, centroid, inertia = polygon_mass(vertices, density[:num_polygons])
    disc = disc_mass(radius[num_polygons:], density[num_polygons:])
    mass, inertia = jnp.concatenate([mass, disc[0]]), jnp.concatenate([inertia, disc[1]])
    moves = ~jax.random.bernoulli(next(keys), kind.statics, (num_free,))

    place = uniform((num_free, 2), 0.3, ROOM - 0.3)
    if kind.piled:  # on a grid wide enough for the greatest shapes
        side = int(np.ceil(np.sqrt(num_free)))
        cell = jax.random.permutation(next(keys), side * side)[:num_free]
        place = (jnp.stack([cell % side, cell // side], axis=-1) + 0.5) * (ROOM / side)
    joints, is_joined = _joints(uniform, next(keys), size, moves, place) if kind.parts else (None, None)
    walled = lambda values, first: jnp.concatenate([first[:4], values])
    a, b = pairs(size).T
    present = walled(moves, jnp.zeros(4, bool))
    scene = dataclasses.replace(
        template,
        vertices=walled(vertices - centroid[:, None], template.vertices),
        radius=radius[num_polygons:],
        inverse_mass=walled(jnp.where(moves, 1 / mass, 0.0), template.inverse_mass),
        inverse_inertia=walled(jnp.where(moves, 1 / inertia, 0.0), template.inverse_inertia),
        friction=walled(uniform((num_free,), 0.0, 1.0), jnp.full(4, 0.6)),
        restitution=walled(jnp.maximum(uniform((num_free,), -0.5, 1.0), 0.0) * kind.max_restitution, jnp.zeros(4)),
        collides=present[a] | present[b],
        gravity=jnp.array([0.0, -kind.gravity]),
    )
    if kind.parts:
        scene = dataclasses.replace(scene, joints=joints, collides=scene.collides & ~is_joined[a, b])
        at = jax.random.randint(next(keys), (size.num_thrusters,), 4, size.num_shapes)
        point = uniform((size.num_thrusters, 2), -0.3, 0.3)
        scene = dataclasses.replace(scene, thrusters=Thrusters(at, point, uniform((size.num_thrusters,), -3.0, 3.0)))
    first = build(size, [], walls=box_walls(ROOM, ROOM))[1]
    still = jnp.where(moves, 1.0, 0.0)
    speed = kind.max_speed
    state = start(
        scene,
        walled(place, first.position),
        walled(uniform((num_free,), -3.0, 3.0), first.rotation),
        walled(still[:, None] * uniform((num_free, 2), -speed, speed), first.velocity),
        walled(still * uniform((num_free,), -10.0, 10.0), first.angular_velocity),
    )
    strength = 1.0 if kind.parts else 0.0
    controls = Controls(
        motor_speed=uniform((size.num_joints,), -10.0, 10.0),
        motor_torque=strength * jnp.maximum(uniform((size.num_joints,), -20.0, 20.0), 0.0),
        thrust=strength * uniform((size.num_thrusters,), -10.0, 10.0),
    )
    return scene, state, controls


def _joints(uniform, key, size: Size, moves, place):
    """Joints between shapes that move and others, pinned half-way between them; and who is joined, bool[S, S]."""
    num = size.num_joints
    a_key, b_key, kind_key, place_key = jax.random.split(key, 4)
    a = jax.random.randint(a_key, (num,), 0, size.num_free)
    b = (a + jax.random.randint(b_key, (num,), 1, size.num_free)) % size.num_free
    active = moves[a] | moves[b]
    between = jnp.clip(place[b] - place[a], -0.8, 0.8) * jax.random.uniform(place_key, (num, 1))
    draw = jax.random.uniform(kind_key, (4, num))
    lower, upper = -2.0 * draw[0], 2.0 * draw[1]
    is_weld = draw[2] < 0.25
    joints = Joints(
        shape_a=a + 4,
        shape_b=b + 4,
        anchor_a=0.5 * between,
        anchor_b=-0.5 * between,
        rest_angle=uniform((num,), -1.0, 1.0),
        has_limit=is_weld | (draw[2] < 0.6),
        lower=jnp.where(is_weld, 0.0, lower),
        upper=jnp.where(is_weld, 0.0, upper),
        spring_hertz=jnp.where(draw[3] < 0.3, 10.0 * draw[0], 0.0),
        spring_damping=draw[1],
        active=active,
    )
    shapes = jnp.arange(size.num_shapes)
    pair = (joints.shape_a[:, None, None] == shapes[:, None]) & (joints.shape_b[:, None, None] == shapes)
    joined = (active[:, None, None] & pair).any(0)
    return joints, joined | joined.T


def outside(scene: Scene, state: State) -> jax.Array:
    """f32[] m: how far the centroid furthest from the room, among shapes that move, is outside of it."""
    away = jnp.max(jnp.maximum(-state.position, state.position - ROOM), axis=-1)
    return jnp.max(jnp.where(scene.inverse_mass > 0, away, -ROOM))
