"""Who demonstrates: trained policies, and actions of physics levels that are known beforehand.

The latter are *scripts*: replays of the library, which the planner found, and what a person played in the studio. They
hold what each binding is told to do, as continuous actions; in a world of other actions they are converted.

Axis letters: E episodes, T steps, A agents, K options of an action.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.envs.physics import Level, Physics, control, library
from minicosm.envs.physics.format import LevelFile
from minicosm.training.actions import distribution_for
from minicosm.training.demonstrations import Array, Demonstrations, joined, places
from minicosm.training.record import Policy

_LANES = 64  # episodes side by side: bounds the memory
PolicyOf = Callable[[int], Policy]  # a policy that acts in so many worlds


@dataclasses.dataclass(frozen=True)
class RecordConfig:
    """How episodes are recorded."""

    source: str = ""  # who plays
    seed: int = 0  # of the worlds' and the policy's randomness
    with_states: bool = False  # keep every state too, not only what it takes to get there again


def record(
    env: Environment[Any, Any],
    policy: PolicyOf,
    levels: Any,
    names: Sequence[str],
    config: RecordConfig = RecordConfig(),
) -> Demonstrations:
    """One whole episode on each of `levels`, led by E, of what `policy` gives; `names` are of the levels."""
    count = len(jax.tree.leaves(levels)[0])
    lanes = min(count, _LANES)
    acting, parts = policy(lanes), []
    for first in range(0, count, lanes):
        index = np.minimum(np.arange(first, first + lanes), count - 1)  # in the last part the last level fills up
        some = jax.tree.map(lambda leaf, index=index: jnp.asarray(leaf)[index], levels)
        key = jax.random.fold_in(jax.random.key(config.seed), first)
        played = _played(env, (acting.act, config.with_states), some, key, acting.initial_carry)
        num = min(lanes, count - first)
        mine = tuple(names[first : first + num])
        parts.append(
            _demonstrations(env, jax.tree.map(lambda x, num=num: np.asarray(x)[:num], played), mine, config.source)
        )
    return joined(parts)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _played(
    env: Environment[Any, Any], how: tuple[Any, bool], levels: Any, key: jax.Array, carry: Any
) -> dict[str, Any]:
    """Everything of an episode in each of E lanes, led by E, T; `how` is who acts, and whether states are kept."""
    act, with_states = how
    num = jax.tree.leaves(levels)[0].shape[0]
    act_key, world_key = jax.random.split(key)
    keys = jax.random.split(world_key, num)
    state, observation = jax.vmap(env.reset)(_folded(keys, 0), levels)
    active = jnp.broadcast_to(getattr(levels, "active", True), (num, env.num_agents))

    def tick(now: Any, index: jax.Array) -> tuple[Any, Any]:
        state, observation, carry, acts = now
        action, carry = act(jax.random.fold_in(act_key, index), observation, carry)
        after, timestep = jax.vmap(env.step)(_folded(keys, index + 1), state, action)
        seen = {
            "observations": observation,
            "actions": action,
            "rewards": timestep.reward,
            "terminated": timestep.terminated,
            "truncated": timestep.truncated,
            "success": timestep.info["success"],
            "valid": acts,
        }
        acts &= ~(timestep.terminated | timestep.truncated)
        return (after, timestep.observation, carry, acts), seen | ({"states": _plain(state)} if with_states else {})

    now, seen = jax.lax.scan(tick, (state, observation, carry, active), jnp.arange(env.max_episode_steps))
    last = {"observations": now[1]} | ({"states": _plain(now[0])} if with_states else {})
    for name, end in last.items():
        seen[name] = jax.tree.map(lambda ticks, end: jnp.concatenate([ticks, end[None]]), seen[name], end)
    by_episode = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), seen)
    return {**by_episode, "keys": jax.random.key_data(keys), "levels": _plain(levels)}


def _folded(keys: jax.Array, index: Any) -> jax.Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, index))(keys)


def _plain(tree: Any) -> Any:
    """`tree` with numbers for PRNG keys."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x, tree)


def _demonstrations(
    env: Environment[Any, Any], played: dict[str, Any], names: tuple[str, ...], source: str
) -> Demonstrations:
    num, ticks = played["valid"].shape[:2]
    mask = None
    if isinstance(env, Physics) and env.config.action_kind != "continuous":
        mask = np.array(_masks(env, played["levels"]))
        mask = np.repeat(mask[:, None], ticks, axis=1)
        played["actions"] = _without_idle(env, played["actions"], mask)
    states = played.get("states")
    whole = Demonstrations(
        world=env,
        observations=played["observations"],
        **{k: played[k] for k in ("actions", "rewards", "terminated", "truncated", "success", "valid", "keys")},
        action_mask=mask,
        levels=places(played["levels"], "levels"),
        states=None if states is None else places(states, "states"),
        names=names,
        sources=(source,) * num,
    )
    return _blanked(whole).chosen(np.ones(num, bool))


@functools.partial(jax.jit, static_argnums=0)
def _masks(env: Physics, levels: Level) -> jax.Array:
    masks: jax.Array = jax.vmap(lambda level: control.action_mask(level, env.config))(levels)
    return masks


def _without_idle(env: Physics, actions: Array, mask: Array) -> Array:
    """`actions` with 0, doing nothing, in place of options that do just as little."""
    if env.config.action_kind == "discrete":
        does = np.take_along_axis(mask, actions[..., None], axis=-1)[..., 0]
        return np.where(does, actions, 0)
    first = np.cumsum([0, *distribution_for(env.action_space).counts])[:-1]  # type: ignore[attr-defined]
    return np.where(np.take_along_axis(mask, first + actions, axis=-1), actions, 0)


def _blanked(found: Demonstrations) -> Demonstrations:
    """`found` with zeros after the end of each episode, which are forgotten by the file's compression."""
    ticks = np.arange(found.valid.shape[1] + 1)
    until = ticks <= found.lengths[:, None]  # bool[E, T + 1]
    steps = until[:, 1:]

    def blank(array: Array, keep: Array) -> Array:
        return np.where(keep.reshape(*keep.shape, *[1] * (array.ndim - 2)), array, np.zeros((), array.dtype))

    names = ("actions", "rewards", "terminated", "truncated", "success", "valid")
    blanked: dict[str, Any] = {name: blank(getattr(found, name), steps) for name in names}
    return dataclasses.replace(
        found,
        observations=jax.tree.map(lambda leaf: blank(leaf, until), found.observations),
        **blanked,
        action_mask=None if found.action_mask is None else blank(found.action_mask, steps),
        states=None if found.states is None else {place: blank(x, until) for place, x in found.states.items()},
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Script:
    """What each binding is told to do, step by step, on a level of physics."""

    name: str  # of the level
    file: LevelFile
    signals: Array  # f32[T, bindings]: motors from -1 to 1, then thrusters from 0 to 1
    frame_skip: int
    source: str
    num_motors: int = 4
    label: str = ""  # what it is called where the level's name does not do

    @property
    def is_of_library(self) -> bool:
        """Whether the level is a hand-made one of the library, unchanged."""
        return self.name in library.names() and library.file(self.name) == self.file


def of_library(name: str) -> Script:
    """The replay that wins the library's level `name`. Raises ValueError for an unknown name."""
    replay = library.replay(name)
    return Script(name, library.file(name), replay.actions, replay.frame_skip, "replay", replay.num_motor_bindings)


def of_studio(path: Path) -> Script:
    """What a person played, from the demonstration that the studio exported. Raises ValueError for any other file."""
    try:
        with np.load(path) as data:
            about = json.loads(str(data["about"]))
            if "level" not in about:
                raise ValueError(f"its format is {about.get('format')!r}, which minicosm clone may read")
            actions = np.asarray(data["actions"], np.float32)
        file = LevelFile.model_validate(about["level"])
        if actions.ndim != 2 or len(actions) == 0 or not np.isfinite(actions).all():
            raise ValueError(f"its actions are {actions.dtype}{list(actions.shape)}")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {str(path)!r}: expected a demonstration from the studio") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} is no demonstration of the studio, or is damaged ({error}): expected an .npz from it"
        ) from error
    config = Physics().config  # the studio's actions are of the default settings
    of_library = (name for name in library.names() if library.file(name) == file)
    name = next(of_library, file.name or path.stem)
    return Script(name, file, actions, config.frame_skip, "person", config.num_motor_bindings, str(path))


def perform(
    env: Physics, scripts: Sequence[Script], config: RecordConfig = RecordConfig()
) -> tuple[Demonstrations | None, dict[str, str]]:
    """Play every script in `env`, converted to its actions where need be; and by name why some were left out.

    Of the ways to convert a script the first that wins serves. A script that does not win in any is left out; with none
    left, there are no demonstrations. Raises ValueError for a world of several agents.
    """
    if env.num_agents != 1:
        raise ValueError(f"the world has {env.num_agents} agents; scripts drive all bindings: expected a world of 1")
    left_out: dict[int, str] = {}
    tries: list[tuple[int, Level, Array]] = []  # script's number, level, actions
    for number, script in enumerate(scripts):
        try:
            level = script.file.to_level(env.config, script.name)
            tries += [(number, level, actions) for actions in conversions(env, script)]
        except ValueError as error:
            left_out[number] = str(error)
    kept: dict[int, Demonstrations] = {}
    if tries:
        played = _performed(env, tries, [scripts[number].name for number, *_ in tries], config)
        for lane, (number, *_) in enumerate(tries):
            if played.is_success[lane] and number not in kept:
                one = played.chosen([lane])
                kept[number] = dataclasses.replace(one, sources=(scripts[number].source,))
    for number, script in enumerate(scripts):
        if number not in kept and number not in left_out:
            why = (
                "" if is_exact(env, script) else f" as {env.config.action_kind} actions, between whose options it lies"
            )
            left_out[number] = f"it does not win{why}"
    why_not = {scripts[number].label or scripts[number].name: left_out[number] for number in sorted(left_out)}
    return (joined([kept[number] for number in sorted(kept)]) if kept else None), why_not


def _performed(
    env: Physics, tries: Sequence[tuple[int, Level, Array]], names: Sequence[str], config: RecordConfig
) -> Demonstrations:
    ticks = env.max_episode_steps
    levels = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[level for _, level, _ in tries])
    lines = np.zeros((len(tries), ticks, *tries[0][2].shape[1:]), tries[0][2].dtype)
    for lane, (*_, actions) in enumerate(tries):
        lines[lane, : len(actions)] = actions[:ticks]
    parts = []
    for first in range(0, len(tries), _LANES):  # a policy that recites knows which lanes it is for
        some = slice(first, first + _LANES)
        cut = jax.tree.map(lambda leaf, some=some: leaf[some], levels)
        carry = (jnp.asarray(lines[some]), jnp.zeros((), jnp.int32))
        parts.append(record(env, functools.partial(_reciting, carry), cut, names[some], config))
    return joined(parts)


def _reciting(carry: Any, num_worlds: int) -> Policy:
    """For as many worlds as there are lines, whatever is asked."""
    return Policy(_recite, carry)


def _recite(key: jax.Array, observation: Any, carry: Any) -> tuple[jax.Array, Any]:
    lines, step = carry
    return lines[:, step, None], (lines, step + 1)


def is_exact(env: Physics, script: Script) -> bool:
    """Whether the script can be told in the actions of `env` as it is."""
    kind, signals = env.config.action_kind, script.signals
    whole = bool(np.isin(signals, (-1.0, 0.0, 1.0)).all())
    alone = bool((np.count_nonzero(signals, axis=1) <= 1).all())
    return kind == "continuous" or (whole and (kind == "multi_discrete" or alone))


def conversions(env: Physics, script: Script) -> list[Array]:
    """The script as actions of `env`, led by its T: exactly, or in several ways that come near it.

    What lies between two options is told by turns, so that the mean is kept; or as the option away from zero; or as
    zero. Raises ValueError for a script of other bindings or steps, or one that the time limit does not allow.
    """
    config, signals = env.config, script.signals
    bindings = config.num_motor_bindings, config.num_thruster_bindings
    given = script.num_motors, signals.shape[1] - script.num_motors
    if given != bindings:
        raise ValueError(
            f"it has {given[0]} motor and {given[1]} thruster bindings; the world has {bindings[0]} and {bindings[1]}"
        )
    if script.frame_skip != config.frame_skip:
        raise ValueError(f"its frame_skip is {script.frame_skip}; the world's is {config.frame_skip}")
    if len(signals) > config.max_steps:
        raise ValueError(f"it takes {len(signals)} steps; the world's max_steps is {config.max_steps}")
    if config.action_kind == "continuous":
        return [signals]
    if is_exact(env, script):
        return [_options(env, signals)]
    ways = (_by_turns(signals), np.sign(signals) * (np.abs(signals) > 0.0), np.trunc(signals))
    return [_options(env, way) for way in ways]


def _by_turns(signals: Array) -> Array:
    """Whole numbers whose sum never strays from that of `signals` by more than a half."""
    total, done, told = np.zeros(signals.shape[1]), np.zeros(signals.shape[1]), []
    for now in signals:
        total = total + now
        told.append(np.clip(np.round(total - done), -1.0, 1.0))
        done = done + told[-1]
    return np.array(told, np.float32)


def _options(env: Physics, signals: Array) -> Array:
    """Whole signals as "multi_discrete" or "discrete" actions; of several at once the latter take the first."""
    motors = env.config.num_motor_bindings
    chosen = np.where(signals < 0, 2, signals.astype(np.int32)).astype(np.int32)
    if env.config.action_kind == "multi_discrete":
        return chosen
    which = np.argmax(chosen != 0, axis=1)
    value = np.take_along_axis(chosen, which[:, None], axis=1)[:, 0]
    option = np.where(which < motors, 2 * which + value, motors + which + value)
    return np.where(value == 0, 0, option).astype(np.int32)
