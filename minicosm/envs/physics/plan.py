"""A planner that looks for actions which win a level: a proof that it can be solved, and a bound on the optimum.

Many copies of the world run side by side in one batch. Every few steps each draws what its motors and thrusters do
next; then copies that have failed are dropped, and the others multiply: some because green is near blue, some
because few others are like them (an idea of Go-Explore: A. Ecoffet et al., Nature 2021). The world is deterministic, so
the actions that led to a win win again.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.env import Physics, State
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, Level

_MOTOR = np.array([0.0, 1.0, -1.0, 0.5, -0.5], np.float32)  # what a motor may be told; exact in binary
_THRUSTER = np.array([0.0, 1.0, 0.5], np.float32)


@dataclasses.dataclass(frozen=True)
class PlanConfig:
    """How to search. Raises ValueError, naming the field, for a value that cannot work."""

    num_worlds: int = 2048  # copies of the world
    attempts: int = 12  # searches from the start, each with other habits, until one wins
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("num_worlds", 16, 2**17), ("attempts", 1, 10_000), ("seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"PlanConfig.{name} is {value!r}; expected a whole number from {low} to {high}")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The best actions found for a level."""

    actions: np.ndarray  # f32[steps, signals], from -1 to 1 for motors and 0 to 1 for thrusters
    is_solved: bool  # they win
    distance: float  # m, from green to blue at their end
    attempts: int  # searches made
    num_steps: int  # env-steps simulated, all worlds together

    @property
    def best_return(self) -> float:
        """What these actions earn by the default rewards, without shaping: a lower bound on the optimal return."""
        return 1.0 if self.is_solved else 0.0


@dataclasses.dataclass(frozen=True)
class _Habits:
    """What one search does differently from the next."""

    hold: int  # steps between choices
    keep: float  # chance that a copy goes on with what it does
    greed: float  # share of the copies chosen for nearness rather than for being rare
    cell: float  # m, within which copies count as alike


_HABITS = (
    _Habits(hold=8, keep=0.5, greed=0.5, cell=0.4),
    _Habits(hold=4, keep=0.6, greed=0.3, cell=0.3),
    _Habits(hold=16, keep=0.4, greed=0.2, cell=0.5),
    _Habits(hold=2, keep=0.8, greed=0.5, cell=0.2),
    _Habits(hold=8, keep=0.7, greed=0.05, cell=0.25),
    _Habits(hold=4, keep=0.3, greed=0.7, cell=0.4),
)


def plan(level: Level, config: PhysicsConfig, search: PlanConfig = PlanConfig()) -> Plan:
    """Look for actions that win `level` (one, not a batch) within `config.max_steps`.

    The same arguments give the same plan on one kind of device. Where none wins, the plan is the one that brought green
    nearest to blue.
    """
    env = Physics(_planned(config))
    best: Plan | None = None
    generator = np.random.default_rng(search.seed)
    simulated = 0
    for attempt in range(search.attempts):
        found, steps = _search(env, level, _HABITS[attempt % len(_HABITS)], search.num_worlds, generator)
        simulated += steps
        better = best is None or (found.is_solved, -found.distance) > (best.is_solved, -best.distance)
        if better:
            best = found
        assert best is not None
        if best.is_solved:
            break
    assert best is not None
    return dataclasses.replace(best, attempts=attempt + 1, num_steps=simulated)


def play(level: Level, config: PhysicsConfig, actions: np.ndarray) -> State:
    """The state after `actions` f32[T, signals] from the start of `level`, one world."""
    env = Physics(_planned(config))
    state: State = _play(env, level, jnp.asarray(actions, jnp.float32))
    return state


def _planned(config: PhysicsConfig) -> PhysicsConfig:
    """Actions that are the signals, and an observation that costs little."""
    return dataclasses.replace(config, num_agents=1, action_kind="continuous", observation_kind="flat")


@functools.partial(jax.jit, static_argnums=0)
def _play(env: Physics, level: Level, actions: jax.Array) -> State:
    def step(state: State, action: jax.Array) -> tuple[State, None]:
        return env.step(jax.random.key(0), state, action[None])[0], None

    state, _ = env.reset(jax.random.key(0), level)
    return jax.lax.scan(step, state, actions)[0]


def _search(
    env: Physics, level: Level, habits: _Habits, num_worlds: int, generator: np.random.Generator
) -> tuple[Plan, int]:
    """One search from the start; comes with the number of env-steps simulated."""
    config = env.config
    choices = _choices(level, config)
    state = _begin(env, level, num_worlds)
    now = np.zeros((num_worlds, len(choices)), np.float32)
    history: list[tuple[np.ndarray, np.ndarray]] = []  # of each choice: whom each world comes from, what it did
    parents = np.arange(num_worlds)
    limit = config.max_steps
    simulated = 0
    for begin in range(0, limit, habits.hold):
        length = min(habits.hold, limit - begin)
        fresh = np.stack([generator.choice(options, num_worlds) for options in choices], axis=1)
        keeps = generator.random((num_worlds, 1)) < (habits.keep if begin else 0.0)
        changes = generator.random(now.shape) < 0.7
        now = np.where(keeps | ~changes, now[parents], fresh)
        state, (won_at, lost, distance, features) = _advance(env, state, parents, now, np.int32(length))
        history.append((parents, now))
        simulated += num_worlds * length
        won_at = np.asarray(won_at)
        if (won_at < length).any():
            world = int(np.argmin(won_at))
            actions = _trace(history, world, habits.hold)[: begin + int(won_at[world]) + 1]
            return Plan(actions, True, 0.0, 1, simulated), simulated
        alive = ~np.asarray(lost)
        if not alive.any():
            break
        distance = np.where(alive, np.asarray(distance), np.inf)
        nearest = int(np.argmin(distance))
        parents = _survivors(distance, np.asarray(features), alive, habits, generator)
    else:
        actions = _trace(history, nearest, habits.hold)[:limit]
        return Plan(actions, False, float(distance[nearest]), 1, simulated), simulated
    return Plan(np.zeros((0, len(choices)), np.float32), False, float("inf"), 1, simulated), simulated


def _choices(level: Level, config: PhysicsConfig) -> list[np.ndarray]:
    """Of each signal, the values worth trying: 0 alone where nothing hangs on the binding."""
    used_motors = set(np.asarray(level.motor_binding)[np.asarray(level.motor_torque) > 0].tolist()) - {AUTOMATIC}
    used_thrusters = set(np.asarray(level.thruster_binding)[np.asarray(level.thruster_force) > 0].tolist())
    idle = np.zeros(1, np.float32)
    motors = [_MOTOR if k in used_motors else idle for k in range(config.num_motor_bindings)]
    return motors + [_THRUSTER if k in used_thrusters else idle for k in range(config.num_thruster_bindings)]


def _survivors(
    distance: np.ndarray, features: np.ndarray, alive: np.ndarray, habits: _Habits, generator: np.random.Generator
) -> np.ndarray:
    """i64[worlds]: whom each world of the next round is a copy of."""
    count = len(distance)
    order = np.argsort(np.argsort(distance))  # 0 is nearest
    near = np.exp(-8.0 * order / count) * alive
    cells = np.floor(features / habits.cell).astype(np.int64)
    _, cell, sizes = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    rare = alive / sizes[cell.reshape(-1)]
    weight = habits.greed * near / near.sum() + (1.0 - habits.greed) * rare / rare.sum()
    places = (np.arange(count) + generator.random()) / count
    chosen = np.searchsorted(np.cumsum(weight / weight.sum()), places)
    return np.minimum(chosen, count - 1)


def _trace(history: list[tuple[np.ndarray, np.ndarray]], world: int, hold: int) -> np.ndarray:
    """f32[steps, signals]: what led to where `world` is after the last choice."""
    done = []
    for parents, actions in reversed(history):
        done.append(actions[world])
        world = int(parents[world])
    return np.repeat(np.stack(done[::-1]), hold, axis=0)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _begin(env: Physics, level: Level, num_worlds: int) -> State:
    state, _ = env.reset(jax.random.key(0), level)
    copies: State = jax.tree.map(lambda x: jnp.broadcast_to(x, (num_worlds, *x.shape)), state)
    return copies


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def _advance(env: Physics, state: State, parents: jax.Array, actions: jax.Array, length: jax.Array) -> Any:
    """The worlds after `length` steps from those of their parents, and what came of it.

    That is: i32[worlds] the step in which each won (`length` if it did not), bool[worlds] whether it is lost,
    f32[worlds] m from green to blue, f32[worlds, k] features by which worlds are told apart.
    """
    level = state.level  # the same in every world: it need not be copied
    state = dataclasses.replace(jax.tree.map(lambda x: x[parents], state), level=level)
    key = jax.random.key(0)

    def step(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, won_at = carry
        state, _ = jax.vmap(env.step, in_axes=(None, 0, 0))(key, state, actions[:, None])
        return state, jnp.where(state.success, jnp.minimum(won_at, index), won_at)

    won_at = jnp.full(parents.shape, length, jnp.int32)
    state, won_at = jax.lax.fori_loop(0, length, step, (state, won_at))
    return state, (won_at, state.failure, state.distance, jax.vmap(_features)(state))


def _features(state: State) -> jax.Array:
    """f32[k]: where green and blue are, how they move, and roughly where everything else is; in about metres."""
    level, bodies = state.level, state.bodies
    moves = (level.scene.inverse_mass > 0.0) & level.present
    counts = []
    for role, weight in ((GREEN, 1.0), (BLUE, 1.0)):
        mask = (level.role == role) & moves
        total = jnp.maximum(jnp.sum(mask), 1)
        counts += [weight * jnp.sum(jnp.where(mask[:, None], bodies.position, 0.0), axis=0) / total]
        counts += [0.15 * jnp.sum(jnp.where(mask[:, None], bodies.velocity, 0.0), axis=0) / total]
        counts += [0.3 * jnp.sum(jnp.where(mask, bodies.rotation, 0.0))[None] / total]
    rest = moves & (level.role != GREEN) & (level.role != BLUE)
    spread = jnp.where(rest[:, None], bodies.position, 0.0)
    # two fixed projections of everything else: enough to tell worlds apart
    weights = jnp.cos(jnp.arange(level.size.num_shapes) * 2.4)[:, None]
    counts += [0.5 * jnp.sum(spread * weights, axis=0)]
    return jnp.concatenate(counts)
