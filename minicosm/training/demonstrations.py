"""Demonstrations: episodes that somebody played, to learn from; and the files that hold them.

Axis letters: E episodes, T steps of the longest one, A agents, K options of an action. Shorter episodes are padded with
zeros, where `valid` is False.

A file is an .npz with an array for each field of `Demonstrations` except `world`, `names` and `sources`; of trees, one
for each leaf, named by its place, such as `observations/shapes`. `about` is JSON: `format`, `version`, `world` (as in a
run's run.json), `names` and `sources`. docs/generalist.md has the table.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import Box, Discrete, MultiDiscrete
from minicosm.training.describe import from_json, to_json, to_text

Array = np.ndarray[Any, Any]
_FORMAT, _VERSION = "minicosm-demonstrations", 1
_PER_STEP = ("actions", "rewards", "terminated", "truncated", "success", "valid")


@dataclasses.dataclass(frozen=True, eq=False)
class Demonstrations:
    """E episodes in one world."""

    world: Environment[Any, Any]
    observations: Any  # tree as of `world`, led by E, T + 1, A: before each step, and at the end
    actions: Array  # led by E, T, A
    rewards: Array  # f32[E, T, A]
    terminated: Array  # bool[E, T, A]
    truncated: Array  # bool[E, T, A]
    success: Array  # bool[E, T, A]
    valid: Array  # bool[E, T, A]  the agent acts in this step: its episode goes on
    action_mask: Array | None  # bool[E, T, A, K]  options that do something; None where the world knows no such
    keys: Array  # u32[E, 2]  with the level and the actions, all that the episode's randomness hangs on
    levels: Mapping[str, Array]  # the leaves of the levels by place, led by E; see `level_at`
    states: Mapping[str, Array] | None  # the leaves of the states, led by E, T + 1; see `state_at`
    names: tuple[str, ...]  # E, of the levels; "" for those that have none
    sources: tuple[str, ...]  # E, who played

    @property
    def num_episodes(self) -> int:
        """E."""
        return len(self.valid)

    @property
    def lengths(self) -> Array:
        """i64[E]: steps of each episode."""
        acts: Array = np.any(self.valid, axis=2)
        return np.where(acts.any(axis=1), acts.shape[1] - np.argmax(acts[:, ::-1], axis=1), 0)

    @property
    def is_success(self) -> Array:
        """bool[E]: every agent that acted had succeeded when its episode ended."""
        last = self.valid.shape[1] - 1 - np.argmax(self.valid[:, ::-1], axis=1)
        reached: Array = np.take_along_axis(self.success, last[:, None], axis=1)[:, 0]
        acted: Array = np.any(self.valid, axis=1)
        return np.asarray(np.all(reached | ~acted, axis=1) & np.any(acted, axis=1))

    def chosen(self, episodes: Any) -> Demonstrations:
        """Some of them, by bool[E] or by number, as long as their longest. Raises ValueError for none."""
        index = np.arange(self.num_episodes)[np.asarray(episodes)]
        if len(index) == 0:
            raise ValueError("no episode is left: expected at least one")
        length = int(self.lengths[index].max())

        def cut(array: Array, ticks: int) -> Array:
            kept: Array = array[index][:, :ticks]
            return kept

        cuts: dict[str, Any] = {name: cut(getattr(self, name), length) for name in _PER_STEP}
        return dataclasses.replace(
            self,
            observations=jax.tree.map(lambda leaf: cut(leaf, length + 1), self.observations),
            **cuts,
            action_mask=None if self.action_mask is None else cut(self.action_mask, length),
            keys=self.keys[index],
            levels={place: leaf[index] for place, leaf in self.levels.items()},
            states=None if self.states is None else {p: cut(leaf, length + 1) for p, leaf in self.states.items()},
            names=tuple(self.names[i] for i in index),
            sources=tuple(self.sources[i] for i in index),
        )


def joined(parts: Sequence[Demonstrations]) -> Demonstrations:
    """All episodes of `parts`, in the world of the first.

    States and masks are kept where all have them. Raises ValueError unless all worlds show and take the same.
    """
    first = parts[0]
    for other in parts[1:]:
        _require_alike(first.world, other.world)
    length = max(part.valid.shape[1] for part in parts)

    def along(get: Any, ticks: int) -> Array:
        arrays = [get(part) for part in parts]
        widths = [[(0, 0), (0, ticks - len(x[0])), *[(0, 0)] * (x.ndim - 2)] for x in arrays]
        return np.concatenate([np.pad(x, width) for x, width in zip(arrays, widths, strict=True)])

    def stacked(get: Any, ticks: int | None) -> dict[str, Array]:
        trees = [get(part) for part in parts]
        missing = sorted(set().union(*trees) - set(trees[0]).intersection(*trees))
        if missing:
            raise ValueError(f"the demonstrations do not fit together ({missing[0]} is only in some): record them anew")
        if ticks is None:
            return {place: np.concatenate([tree[place] for tree in trees]) for place in trees[0]}
        return {place: along(lambda part, place=place: get(part)[place], ticks) for place in trees[0]}

    flat = stacked(lambda part: places(part.observations, "observations"), length + 1)
    has_states = all(part.states is not None for part in parts)
    has_masks = all(part.action_mask is not None for part in parts)
    return Demonstrations(
        world=first.world,
        observations=rebuilt(flat, _observed(first.world), "observations"),
        **{name: along(lambda part, name=name: getattr(part, name), length) for name in _PER_STEP},
        action_mask=along(lambda part: part.action_mask, length) if has_masks else None,
        keys=np.concatenate([part.keys for part in parts]),
        levels=stacked(lambda part: part.levels, None),
        states=stacked(lambda part: part.states, length + 1) if has_states else None,
        names=tuple(name for part in parts for name in part.names),
        sources=tuple(source for part in parts for source in part.sources),
    )


def places(tree: Any, above: str) -> dict[str, Any]:
    """The leaves of a tree by their places in it, each behind `above`."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        inner = jax.tree_util.keystr(path, simple=True, separator="/")
        found[f"{above}/{inner}" if inner else above] = leaf
    return found


def rebuilt(leaves: Mapping[str, Any], like: Any, above: str) -> Any:
    """The tree of the structure of `like` that `places` took apart. Raises ValueError where a leaf is missing."""
    wanted = places(like, above)
    for place in wanted:
        if place not in leaves:
            raise ValueError(f"{place} is missing: the file was written for another version of this world; record anew")
    return jax.tree.unflatten(jax.tree.structure(like), [leaves[place] for place in wanted])


def level_at(found: Demonstrations, episode: int) -> Any:
    """The level that was played. Raises ValueError where it does not fit the world."""
    like = jax.eval_shape(found.world.sample_level, jax.random.key(0))
    return _as_it_was({place: leaf[episode] for place, leaf in found.levels.items()}, like, "levels")


def state_at(found: Demonstrations, episode: int, step: int) -> Any:
    """The world's state before `step`, or after all of them: the episode can go on from there.

    It is read where states were kept; else the actions up to there are taken again. Raises ValueError for a step that
    the episode does not have.
    """
    length = int(found.lengths[episode])
    if not 0 <= step <= length:
        raise ValueError(f"step is {step}; episode {episode} has {length}: expected 0 to {length}")
    level = level_at(found, episode)
    key = jax.random.wrap_key_data(jnp.asarray(found.keys[episode]))
    if found.states is not None:
        like = jax.eval_shape(lambda: found.world.reset(key, level)[0])
        return _as_it_was({place: leaf[episode, step] for place, leaf in found.states.items()}, like, "states")
    return _again(found.world, level, key, jnp.asarray(found.actions[episode]), step)


def _as_it_was(leaves: Mapping[str, Array], like: Any, above: str) -> Any:
    """The tree of JAX arrays, PRNG keys among them, of the shapes of `like`."""

    def one(path: Any, leaf: Array, like: Any) -> jax.Array:
        is_key = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
        made: jax.Array = jax.random.wrap_key_data(jnp.asarray(leaf)) if is_key else jnp.asarray(leaf)
        if made.shape != like.shape:
            place = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(f"{above}/{place} has shape {made.shape}; this world's has {like.shape}: record it anew")
        return made

    return jax.tree_util.tree_map_with_path(one, rebuilt(leaves, like, above), like)


@functools.partial(jax.jit, static_argnums=0)
def _again(env: Environment[Any, Any], level: Any, key: jax.Array, actions: jax.Array, step: int) -> Any:
    """The state before `step`: see `demonstrators` for which key is for what."""
    state, _ = env.reset(jax.random.fold_in(key, 0), level)

    def go_on(index: jax.Array, state: Any) -> Any:
        return env.step(jax.random.fold_in(key, index + 1), state, actions[index])[0]

    return jax.lax.fori_loop(0, step, go_on, state)


def write(found: Demonstrations, path: Path) -> Path:
    """Write a file, as a whole or not at all. Raises OSError where it cannot be written."""
    about = {
        "format": _FORMAT,
        "version": _VERSION,
        "world": to_json(found.world),
        "names": list(found.names),
        "sources": list(found.sources),
    }
    arrays: dict[str, Any] = {**places(found.observations, "observations"), **found.levels, **(found.states or {})}
    arrays |= {name: getattr(found, name) for name in (*_PER_STEP, "keys")}
    if found.action_mask is not None:
        arrays["action_mask"] = found.action_mask
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        reason = error.strerror or str(error)
        raise OSError(f"cannot write {str(path)!r} ({reason}); free some space or choose another folder") from error
    return path


def read(path: Path) -> Demonstrations:
    """What `write` wrote, validated. Raises ValueError for a file that is damaged or of something else, OSError."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}: expected one that minicosm demos wrote")
    try:
        with np.load(path) as data:
            arrays = {name: data[name] for name in data.files}
        about = json.loads(str(arrays.pop("about")))
        if not isinstance(about, dict) or about.get("format") != _FORMAT:
            raise ValueError("its format is another")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise ValueError(
            f"{str(path)!r} holds no demonstrations, or is damaged ({error}): expected a file that minicosm demos wrote"
        ) from error
    try:
        return _made(about, arrays)
    except KeyError as error:
        raise ValueError(f"{str(path)!r} is damaged ({error} is missing): record it anew") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(path)!r}: {error}") from error


def _made(about: dict[str, Any], arrays: dict[str, Array]) -> Demonstrations:
    if about["version"] != _VERSION:
        raise ValueError(f"version is {about['version']!r}; this minicosm reads version {_VERSION}: record it anew")
    world = from_json(about["world"])
    if not isinstance(world, Environment):
        raise ValueError(f"world is {to_text(about['world'])}; expected a world: record it anew")
    by_head: dict[str, dict[str, Array]] = {"observations": {}, "levels": {}, "states": {}}
    for place, array in arrays.items():
        by_head.get(place.split("/")[0], {})[place] = array
    found = Demonstrations(
        world=world,
        observations=rebuilt(by_head["observations"], _observed(world), "observations"),
        **{name: arrays[name] for name in (*_PER_STEP, "keys")},
        action_mask=arrays.get("action_mask"),
        levels=by_head["levels"],
        states=by_head["states"] or None,
        names=tuple(about["names"]),
        sources=tuple(about["sources"]),
    )
    validate(found)
    return found


def validate(found: Demonstrations) -> None:
    """Raise ValueError, saying which array is wrong, what was expected and what to do, unless all fit together."""
    world = found.world
    if found.valid.ndim != 3 or 0 in found.valid.shape:
        raise ValueError(f"valid has shape {found.valid.shape}; expected episodes, steps, agents: record it anew")
    num, ticks, _ = found.valid.shape
    lead = (num, ticks, world.num_agents)
    after = (num, ticks + 1, world.num_agents)
    action = jax.eval_shape(world.action_space.sample, jax.random.key(0))
    wanted: dict[str, tuple[Any, tuple[int, ...], str]] = {
        "actions": (found.actions, (*lead, *action.shape), str(action.dtype)),
        "rewards": (found.rewards, lead, "float32"),
        "keys": (found.keys, (num, *found.keys.shape[1:]), "uint32"),
    }
    wanted |= {name: (getattr(found, name), lead, "bool") for name in _PER_STEP[2:]}
    likes = places(_observed(world), "observations")
    for place, leaf in places(found.observations, "observations").items():
        wanted[place] = (leaf, (*after, *likes[place].shape), str(likes[place].dtype))
    if found.action_mask is not None:
        wanted["action_mask"] = (found.action_mask, (*lead, *found.action_mask.shape[3:]), "bool")
    wanted |= {place: (leaf, (num, *leaf.shape[1:]), str(leaf.dtype)) for place, leaf in found.levels.items()}
    for place, leaf in (found.states or {}).items():
        wanted[place] = (leaf, (num, ticks + 1, *leaf.shape[2:]), str(leaf.dtype))
    for name, (array, shape, dtype) in wanted.items():
        if array.shape != shape or str(array.dtype) != dtype:
            raise ValueError(
                f"{name} is {array.dtype}{list(array.shape)}; expected {dtype}{list(shape)} (episodes, steps,"
                " agents, …) of this world: record it anew"
            )
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; expected finite numbers: record it anew")
    if len(found.names) != num or len(found.sources) != num:
        raise ValueError(f"there are {len(found.names)} names and {len(found.sources)} sources; expected {num} each")
    if not found.valid.any(axis=(1, 2)).all():
        raise ValueError("an episode has no valid step; expected at least one in each: record it anew")
    _require_actions(found)


def _require_actions(found: Demonstrations) -> None:
    """Raise ValueError for an action that the world does not have."""
    space, actions = found.world.action_space, found.actions[found.valid]
    if isinstance(space, Box):
        low, high = space.bounds
    elif isinstance(space, Discrete | MultiDiscrete):
        low, high = np.zeros(space.shape), np.asarray(space.n) - 1
    else:
        raise ValueError(f"the world's actions are of {space}; expected Discrete, MultiDiscrete or Box")
    wrong = (actions < low) | (actions > high)
    if wrong.any():
        raise ValueError(f"actions hold {actions[wrong][0]}; expected actions of {space}: record it anew")


def _observed(world: Environment[Any, Any]) -> Any:
    """One agent's observation as shapes."""
    return jax.eval_shape(world.observation_space.sample, jax.random.key(0))


def _require_alike(one: Environment[Any, Any], other: Environment[Any, Any]) -> None:
    """Raise ValueError unless both worlds show the same and take the same actions."""
    if type(one) is not type(other):
        raise ValueError(
            f"demonstrations are of {type(one).__name__} and of {type(other).__name__}: expected files of one world"
        )
    for name in ("observation_space", "action_space", "num_agents"):
        if getattr(one, name) != getattr(other, name):
            raise ValueError(
                f"demonstrations are of worlds whose {name.replace('_', ' ')} differs ({_difference(one, other)}):"
                " expected files of one world, recorded with the same settings"
            )


def _difference(one: Environment[Any, Any], other: Environment[Any, Any]) -> str:
    """The settings in which two worlds of one kind differ, in words."""
    configs: list[Any] = [getattr(each, "config", each) for each in (one, other)]
    was, now = (dataclasses.asdict(config) for config in configs)
    return ", ".join(f"{name} is {was[name]!r} and {now[name]!r}" for name in was if was[name] != now[name])
