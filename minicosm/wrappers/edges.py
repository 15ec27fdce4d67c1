"""The edge between a caller's Python and the compiled worlds: seeds, modes, masks and actions, checked once, clearly.

Nothing here knows a foreign interface; every `to_*.py` uses it.
"""

from __future__ import annotations

import importlib.util
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.spaces import Box, Dict, Space
from minicosm.wrappers.auto_reset import Mode
from minicosm.wrappers.batch import require_num_envs

Output = Literal["numpy", "jax", "torch"]
_MODES: dict[str, Mode] = {"nextstep": "next_step", "samestep": "same_step", "disabled": "disabled"}


def keys_from_seeds(seeds: Sequence[int]) -> jax.Array:
    """key[B], one for each seed; the worlds that every adapter plays under these seeds are `AutoReset.reset` of it.

    Every bit of a seed counts, however many there are (`jax.random.key` drops all but the low 32): NumPy's SeedSequence
    hashes it to 64 bits.
    """
    words = np.stack([np.random.SeedSequence(seed).generate_state(2) for seed in seeds])
    keys: jax.Array = _keys_from_words(words)
    return keys


@jax.jit
def _keys_from_words(words: jax.Array) -> jax.Array:
    return jax.vmap(lambda word: jax.random.fold_in(jax.random.key(word[0]), word[1]))(words)


def require_seed(seed: Any) -> int:
    """`seed` as an int. Raises TypeError unless it is a whole number, ValueError if it is negative."""
    if isinstance(seed, bool | np.bool_) or not isinstance(seed, numbers.Integral):
        raise TypeError(f"seed is {seed!r} ({type(seed).__name__}); expected a whole number from 0, or None")
    if seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number from 0, or None")
    return int(seed)


def spread_seeds(seed: Any, num_envs: int) -> list[int | None]:
    """A seed for each world, None to go on with its stream; world i of seed s gets s + i, as is Gymnasium's rule.

    Raises TypeError or ValueError for a seed that is no whole number from 0, or a list of another length.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, list | tuple | np.ndarray):
        if len(seed) != num_envs:
            raise ValueError(f"seed lists {len(seed)} seeds; expected one for each of the {num_envs} worlds")
        return [None if s is None else require_seed(s) for s in seed]
    first = require_seed(seed)
    return [first + i for i in range(num_envs)]


def require_output(output: Any) -> Output:
    """`output`, checked. Raises ValueError unless it names a kind of array, ImportError where torch is missing."""
    if output not in get_args(Output):
        raise ValueError(f"output is {output!r}; expected 'numpy', 'jax' or 'torch'")
    if output == "torch" and importlib.util.find_spec("torch") is None:
        raise ImportError('output "torch" needs PyTorch: pip install "minicosm[torch]"')
    return output  # type: ignore[no-any-return]


def require_mode(mode: Any) -> Mode:
    """`AutoReset`'s name for an autoreset mode: its own, Gymnasium's enum, or that enum's value as a string."""
    name = str(getattr(mode, "value", mode)).replace("_", "").lower()
    if name not in _MODES:
        raise ValueError(f"autoreset_mode is {mode!r}; expected 'next_step', 'same_step' or 'disabled'")
    return _MODES[name]


def require_render_mode(render_mode: Any, known: Sequence[str]) -> str | None:
    """`render_mode`, checked. Raises ValueError unless it is None or one of `known`."""
    if render_mode is not None and render_mode not in known:
        raise ValueError(f"render_mode is {render_mode!r}; expected None or {' or '.join(map(repr, known))}")
    return render_mode  # type: ignore[no-any-return]


def require_one_agent(num_agents: int, interface: str) -> None:
    """Raise ValueError unless the world has one agent, which is all that `interface` can address."""
    if num_agents != 1:
        raise ValueError(
            f"this world has {num_agents} agents and {interface} addresses one; use minicosm.wrappers.PettingZooEnv "
            f"(one world), BatchedParallelEnv or agents_as_envs (many), or ask for one agent "
            "(num_robots=1 or num_agents=1)"
        )


def worlds_of(num_envs: int, num_agents: int) -> int:
    """How many worlds `num_envs` agents are. Raises ValueError unless all agents of each are among them."""
    require_num_envs(num_envs)
    if num_envs % num_agents:
        raise ValueError(f"num_envs is {num_envs}; expected a multiple of the {num_agents} agents of a world")
    return num_envs // num_agents


def reset_mask(options: Any, num_envs: int, num_agents: int = 1) -> np.ndarray[Any, Any] | None:
    """bool[B] of the worlds to reset, from `options["reset_mask"]`, which is left in place; None means every world.

    The mask has a flag for each of `num_envs`, of which `num_agents` make a world, to be reset together. NumPy, JAX and
    torch masks will do. Raises TypeError or ValueError for options or a mask of another kind or shape.
    """
    if options is None:
        return None
    if not isinstance(options, dict):
        raise TypeError(f"options is {options!r}; expected a dict or None")
    mask = options.get("reset_mask")
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(
            f"options['reset_mask'] is {mask.dtype}{list(mask.shape)}; expected bool[{num_envs}], a flag for each world"
        )
    if not mask.any():
        raise ValueError("options['reset_mask'] chooses no world; expected at least one True")
    by_world = mask.reshape(-1, num_agents)
    if (by_world.any(1) != by_world.all(1)).any():
        world = int(np.argmax(by_world.any(1) != by_world.all(1)))
        raise ValueError(f"options['reset_mask'] has some agents of world {world} only; a world's are reset together")
    return by_world[:, 0]


def require_agents(actions: Any, agents: Sequence[str], possible_agents: Sequence[str]) -> None:
    """Raise unless `actions` is a mapping that has all of `agents`, and names none but `possible_agents`."""
    if not isinstance(actions, Mapping):
        raise TypeError(f"actions is a {type(actions).__name__}; expected a dict with an action for each agent")
    missing = [agent for agent in agents if agent not in actions]
    if missing:
        raise ValueError(f"actions lacks {', '.join(missing)}; expected an action for each of {', '.join(agents)}")
    unknown = [agent for agent in actions if agent not in possible_agents]
    if unknown:
        raise ValueError(f"actions names {unknown[0]!r}, which is no agent; agents are {', '.join(possible_agents)}")


def idle_action(space: Space) -> np.ndarray[Any, Any]:
    """The action nearest to zero."""
    if isinstance(space, Box):
        return np.clip(np.zeros(space.shape, space.dtype), *space.bounds)
    return np.zeros(space.shape, space.dtype)  # type: ignore[union-attr]


class ActionEdge:
    """Checks actions, and hands them on as arrays of the space's dtype and of shape `lead` + the space's.

    From NumPy, lists and torch tensors on the CPU everything is checked: shape, dtype, NaN and bounds. Of arrays on a
    device that are to stay there (JAX arrays where `output` is "jax", torch tensors on an accelerator), shape and dtype
    are: looking at the values would wait for the device at every step.
    """

    def __init__(self, space: Space, lead: tuple[int, ...], output: Output) -> None:
        if isinstance(space, Dict):
            raise ValueError(f"the action space is {space}; adapters take Box, Discrete and MultiDiscrete")
        self._shape = (*lead, *space.shape)
        self._dtype = np.dtype(space.dtype)
        self._is_real = isinstance(space, Box) and self._dtype.kind == "f"
        self._is_async = output == "jax"
        if isinstance(space, Box):
            low, high = space.bounds
        else:
            low = np.zeros(space.shape, self._dtype)
            high = np.broadcast_to(np.asarray(space.n, self._dtype) - 1, space.shape)
        # one number where all bounds agree: comparing with it costs a third of comparing with an array
        uniform = low.size > 0 and bool((low == low.flat[0]).all() and (high == high.flat[0]).all())
        self._low: Any
        self._high: Any
        self._low, self._high = (low.flat[0], high.flat[0]) if uniform else (low, high)

    def __call__(self, action: Any, what: str = "action") -> Any:
        """The array for `action`, which messages call `what`; np.ndarray, or jax.Array where it stays on its device.

        Raises TypeError for a wrong dtype, ValueError for a wrong shape, NaN, or a value out of bounds.
        """
        if isinstance(action, jax.Array) and self._is_async:
            self._require_form(action.shape, action.dtype, what)
            if action.dtype != self._dtype or action.weak_type:  # another type would compile the step again
                action = jax.lax.convert_element_type(action, self._dtype)
            return action
        if hasattr(action, "detach"):
            action = action.detach()
            if action.device.type != "cpu":
                array = jnp.from_dlpack(action.contiguous())
                self._require_form(array.shape, array.dtype, what)
                return array.astype(self._dtype)
            action = (action.float() if action.is_floating_point() else action).numpy()
        return self._checked(action, what)

    def _checked(self, action: Any, what: str) -> np.ndarray[Any, Any]:
        try:
            given = np.asarray(action)
        except ValueError:
            raise ValueError(f"{what} is no array (its rows differ in length); expected {self._expected}") from None
        self._require_form(given.shape, given.dtype, what)
        if self._is_real:
            with np.errstate(over="ignore"):  # it becomes infinite, which the bounds refuse
                array = given.astype(self._dtype, copy=self._is_async)
            inside = (array >= self._low) & (array <= self._high)
        else:
            inside = (given >= self._low) & (given <= self._high)
            array = given.astype(self._dtype, copy=self._is_async)
        if not inside.all():
            index = tuple(int(i) for i in np.argwhere(~inside)[0])
            where = f" at index {index}" if index else ""
            hint = (
                "; clip it (gymnasium.wrappers.ClipAction does)" if np.isfinite(given[index]) and self._is_real else ""
            )
            raise ValueError(f"{what} is {given[index]!s}{where}; expected {self._expected}{hint}")
        return array

    def _require_form(self, shape: tuple[int, ...], dtype: Any, what: str) -> None:
        if dtype.kind not in ("fiu" if self._is_real else "iu"):
            raise TypeError(f"{what} has dtype {dtype}; expected {self._expected}")
        if shape != self._shape:
            raise ValueError(f"{what} has shape {shape}; expected {self._expected}")

    @property
    def _expected(self) -> str:
        low, high = np.asarray(self._low), np.asarray(self._high)
        bounds = f"[{_brief(low)}, {_brief(high)}]"
        return f"{self._dtype}{list(self._shape)} with values in {bounds}"


def _brief(bound: np.ndarray[Any, Any]) -> str:
    if bound.ndim == 0:
        return f"{bound.item():g}" if bound.dtype.kind == "f" and math.isfinite(bound) else str(bound.item())
    return str(bound.tolist())
