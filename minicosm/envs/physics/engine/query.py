"""What can be asked of a state: who touches whom and how hard, energy, momentum. One world; `jax.vmap` for more.

Static shapes and empty slots carry neither energy nor momentum.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.envs.physics.engine.scene import Scene, State
from minicosm.envs.physics.engine.size import pair_index


def touching_pairs(scene: Scene, state: State) -> jax.Array:
    """bool[K]: which of `size.pairs` pressed on each other during the last tick."""
    return scene.collides & (state.contacts[:, :, 3] > 0).any(axis=-1)


def touching(scene: Scene, state: State) -> jax.Array:
    """bool[S, S], symmetric: which shapes pressed on each other during the last tick."""
    return _between_shapes(scene, touching_pairs(scene, state))


def contact_impulses(scene: Scene, state: State) -> jax.Array:
    """f32[S, S], symmetric: normal impulse between each two shapes over the last tick, in N s; 0 where none touch."""
    return _between_shapes(scene, jnp.where(scene.collides, state.contacts[:, :, 3].sum(axis=-1), 0.0))


def kinetic_energy(scene: Scene, state: State) -> jax.Array:
    """f32[]: J, of movement and of spin."""
    mass, inertia = masses(scene)
    return 0.5 * jnp.sum(mass * jnp.sum(state.velocity**2, axis=-1) + inertia * state.angular_velocity**2)


def potential_energy(scene: Scene, state: State) -> jax.Array:
    """f32[]: J, of height in the scene's gravity, 0 at the origin. Springs of joints are not counted."""
    mass, _ = masses(scene)
    return -jnp.sum(mass * (state.position @ scene.gravity))


def momentum(scene: Scene, state: State) -> tuple[jax.Array, jax.Array]:
    """f32[2]: linear momentum, in kg m/s; and f32[]: angular momentum about the origin, in kg m^2/s."""
    mass, inertia = masses(scene)
    (x, y), (speed_x, speed_y) = state.position.T, state.velocity.T
    angular = mass * (x * speed_y - y * speed_x) + inertia * state.angular_velocity
    return mass @ state.velocity, jnp.sum(angular)


def masses(scene: Scene) -> tuple[jax.Array, jax.Array]:
    """f32[S]: masses in kg, and f32[S]: moments of inertia in kg m^2; 0 for static shapes and empty slots."""
    return _inverse_or_zero(scene.inverse_mass), _inverse_or_zero(scene.inverse_inertia)


def _inverse_or_zero(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, 1 / jnp.where(x > 0, x, 1), 0)


def _between_shapes(scene: Scene, of_pairs: jax.Array) -> jax.Array:
    """A value of each pair [K] as a symmetric matrix [S, S], zero where two shapes never meet (their index is -1)."""
    return jnp.concatenate([of_pairs, jnp.zeros(1, of_pairs.dtype)])[pair_index(scene.size)]
