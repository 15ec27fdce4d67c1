"""From actions to what motors and thrusters do.

A *signal* is what one binding is told to do: -1 to 1 for a motor, 0 to 1 for a thruster. Signals are listed motors
first. Several motors may hang on one binding; the bindings are split among the agents, in order.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.engine.scene import Controls
from minicosm.envs.physics.level import AUTOMATIC, Level
from minicosm.envs.spaces import Box, Discrete, MultiDiscrete, Space


class Split(NamedTuple):
    """Which bindings each agent has; every agent's action has the same form, with columns that may drive nothing."""

    num_motors: int  # motor columns of one agent's action
    num_thrusters: int
    source: np.ndarray  # i32[signals]: which of the A x (num_motors + num_thrusters) columns is that signal
    owner: np.ndarray  # i32[signals]: which agent has it


@functools.cache
def split(config: PhysicsConfig) -> Split:
    """The bindings dealt out: motors to agents in blocks from the first agent on, thrusters from the last."""
    agents = range(config.num_agents)
    motors = np.array_split(np.arange(config.num_motor_bindings), config.num_agents)
    thrusters = np.array_split(np.arange(config.num_thruster_bindings), config.num_agents)[::-1]
    width = max(map(len, motors)), max(map(len, thrusters))
    columns = [a * sum(width) + c for a in agents for c in range(len(motors[a]))]
    firing = sorted(
        (int(binding), a * sum(width) + width[0] + c) for a in agents for c, binding in enumerate(thrusters[a])
    )
    source = np.array([*columns, *(column for _, column in firing)], np.int32)
    return Split(*width, source, source // max(1, sum(width)))


def action_space(config: PhysicsConfig) -> Space:
    """The space of one agent's action.

    "continuous": a number from -1 to 1 for each motor and each thruster, which fires from 0 up. "multi_discrete": each
    motor off, forwards or backwards (0, 1, 2), each thruster off or on. "discrete": one control at a time; 0 is none,
    then each motor forwards and backwards, then each thruster.
    """
    dealt = split(config)
    if config.action_kind == "continuous":
        return Box(-1.0, 1.0, (dealt.num_motors + dealt.num_thrusters,))
    if config.action_kind == "multi_discrete":
        return MultiDiscrete((3,) * dealt.num_motors + (2,) * dealt.num_thrusters)
    return Discrete(1 + 2 * dealt.num_motors + dealt.num_thrusters)


def num_controls(config: PhysicsConfig) -> int:
    """Motors and thrusters of each agent, those that drive nothing included."""
    dealt = split(config)
    return dealt.num_motors + dealt.num_thrusters


def num_options(config: PhysicsConfig) -> int:
    """K of `action_mask`."""
    dealt = split(config)
    if config.action_kind == "multi_discrete":
        return 3 * dealt.num_motors + 2 * dealt.num_thrusters
    return 1 + 2 * dealt.num_motors + dealt.num_thrusters


def signals(action: jax.Array, config: PhysicsConfig) -> jax.Array:
    """f32[signals] of all agents' actions, led by A; what is out of range is brought into it."""
    dealt = split(config)
    if config.action_kind == "continuous":
        motors = jnp.clip(action[:, : dealt.num_motors], -1.0, 1.0)
        thrusters = jnp.clip(action[:, dealt.num_motors :], 0.0, 1.0)
    elif config.action_kind == "multi_discrete":
        motors, thrusters = _way(action[:, : dealt.num_motors]), action[:, dealt.num_motors :] == 1
    else:
        number = action[:, None] - 1
        motor, thruster = np.arange(dealt.num_motors), np.arange(dealt.num_thrusters)
        is_forwards, is_backwards = number == 2 * motor, number == 2 * motor + 1
        motors = is_forwards.astype(jnp.float32) - is_backwards.astype(jnp.float32)
        thrusters = number == 2 * dealt.num_motors + thruster
    columns = jnp.concatenate([motors, thrusters.astype(jnp.float32)], axis=1).ravel()
    return columns if config.num_agents == 1 else columns[dealt.source]


def _way(choice: jax.Array) -> jax.Array:
    """0, 1, 2 -> 0, 1, -1."""
    return (choice == 1).astype(jnp.float32) - (choice == 2).astype(jnp.float32)


def controls(level: Level, signal: jax.Array, config: PhysicsConfig) -> Controls:
    """What drives the engine under `signal` f32[signals]. A motor whose signal is 0 is off and turns freely."""
    motor = bound(signal[: config.num_motor_bindings], level.motor_binding)
    thruster = bound(signal[config.num_motor_bindings :], level.thruster_binding)
    return Controls(
        motor_speed=motor * level.motor_speed,
        motor_torque=jnp.where(motor != 0.0, level.motor_torque, 0.0),
        thrust=jnp.maximum(thruster, 0.0) * level.thruster_force,
    )


def action_mask(level: Level, config: PhysicsConfig) -> jax.Array:
    """bool[A, K]: which options of each agent's action are worth choosing; those of one choice after the other.

    Where a control of "multi_discrete" drives nothing, off alone is; of "discrete", doing nothing and the controls that
    drive something are. Raises ValueError for continuous actions, which have no options.
    """
    if config.action_kind == "continuous":
        raise ValueError(
            "action_kind is 'continuous', which has no options to mask; expected one of the discrete kinds"
        )
    dealt = split(config)
    motors = level.motor_binding, level.motor_torque > 0.0
    thrusters = level.thruster_binding, level.thruster_force > 0.0
    counts = config.num_motor_bindings, config.num_thruster_bindings
    used = [
        jnp.any((binding == np.arange(count)[:, None]) & works, axis=1)
        for (binding, works), count in zip((motors, thrusters), counts, strict=True)
    ]
    width = dealt.num_motors + dealt.num_thrusters
    is_there = dealt.source == np.arange(config.num_agents * width)[:, None]  # bool[columns, signals]
    columns = jnp.any(is_there & jnp.concatenate(used), axis=1).reshape(config.num_agents, width)
    motor, thruster = jnp.repeat(columns[:, : dealt.num_motors], 2, axis=1), columns[:, dealt.num_motors :]
    if config.action_kind == "discrete":
        return jnp.concatenate([jnp.ones((config.num_agents, 1), bool), motor, thruster], axis=1)
    is_off = np.concatenate(
        [np.tile([True, False, False], dealt.num_motors), np.tile([True, False], dealt.num_thrusters)]
    )
    each = [jnp.repeat(columns[:, : dealt.num_motors], 3, axis=1), jnp.repeat(thruster, 2, axis=1)]
    return jnp.concatenate(each, axis=1) | is_off


def bound(signal: jax.Array, binding: jax.Array) -> jax.Array:
    """f32[n]: the signal f32[bindings] of each `binding` i32[n]; 1 for what is automatic."""
    return look_up(signal, binding, jnp.where(binding == AUTOMATIC, 1.0, 0.0))


def look_up(table: jax.Array | np.ndarray, binding: jax.Array, otherwise: jax.Array | float) -> jax.Array:
    """The entry of `table` [bindings] for each `binding` i32[n]; `otherwise` for one that it does not have.

    Selects, where a gather would be slow on a CPU.
    """
    value = jnp.broadcast_to(jnp.asarray(otherwise, table.dtype), binding.shape)
    for index in range(table.shape[0]):
        value = jnp.where(binding == index, table[index], value)
    return value
