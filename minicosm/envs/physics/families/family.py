"""What a family of tasks is: variants drawn part by part, of which those that fit the size are played."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from minicosm.envs.physics.assemble import Parts, assemble
from minicosm.envs.physics.config import PhysicsConfig
from minicosm.envs.physics.control import look_up
from minicosm.envs.physics.draws import uniform
from minicosm.envs.physics.engine.size import Size
from minicosm.envs.physics.level import Level
from minicosm.envs.physics.sketch import Sketch, check_room, mirrored

_NUMBERS = 48  # drawn for each level, at least as many as any variant uses


class Dice:
    """Random numbers of one level, handed out while the program is traced."""

    def __init__(self, key: jax.Array, knobs: Knobs) -> None:
        self._numbers = iter(uniform(key, _NUMBERS))
        drawn = self.between(0.0, 1.0)
        self.difficulty = drawn if knobs.difficulty is None else jnp.float32(knobs.difficulty)  # f32[]

    def between(self, low: jax.Array | float, high: jax.Array | float) -> jax.Array:
        """f32[]: evenly from `low` to `high`."""
        return jnp.asarray(low + (high - low) * next(self._numbers))

    def graded(self, easy: float, hard: float, spread: float = 0.25) -> jax.Array:
        """f32[]: from about `easy` at difficulty 0 to about `hard` at 1, never beyond either."""
        where = self.difficulty + self.between(-spread, spread)
        return easy + (hard - easy) * jnp.clip(where, 0.0, 1.0)

    def chance(self, share: jax.Array | float) -> jax.Array:
        """bool[]: True in that share of levels."""
        return self.between(0.0, 1.0) < share


@dataclasses.dataclass(frozen=True)
class Knobs:
    """Settings of a family."""

    difficulty: float | None = None  # 0 to 1; None: drawn for each level
    variant: str | None = None  # the only one to draw; None: any that fits
    mirrored: bool = True  # whether left and right are swapped in half of the levels
    shuffled: bool = True  # whether it is drawn for each level which bindings drive what, and which way is forwards

    def __post_init__(self) -> None:
        if self.difficulty is not None and not 0 <= self.difficulty <= 1:
            raise ValueError(f"Knobs.difficulty is {self.difficulty!r}; expected a number from 0 to 1, or None")


Draw = Callable[[Dice, Sketch], None]


@dataclasses.dataclass(frozen=True)
class Family:
    """A distribution of tasks that a person would call by one name."""

    name: str
    summary: str  # one line
    variants: tuple[tuple[str, Draw], ...]

    def sample(self, key: jax.Array, config: PhysicsConfig, knobs: Knobs = Knobs()) -> Level:
        """Draw a level; every variant that fits `config.slots` is as likely.

        Raises ValueError where none does, with the smallest size that works, or for an unknown variant.
        """
        return assemble(config.slots, self.parts(key, config, knobs))

    def parts(self, key: jax.Array, config: PhysicsConfig, knobs: Knobs = Knobs()) -> Parts:
        """What the level that `sample` draws is made of."""
        size = config.slots
        draws = [draw for _, draw in self._chosen(size, knobs)]
        which_key, flip_key, level_key = jax.random.split(key, 3)

        def branch(draw: Draw) -> Callable[[jax.Array], tuple[Parts, jax.Array]]:
            def drawn(key: jax.Array) -> tuple[Parts, jax.Array]:
                sketch = Sketch()
                draw(Dice(key, knobs), sketch)
                return sketch.parts(size)

            return drawn

        branches = [branch(draw) for draw in draws]
        which = jax.random.randint(which_key, (), 0, len(branches))
        parts, turns = jax.lax.switch(which, branches, level_key)
        if knobs.mirrored:
            is_mirrored = jax.random.bernoulli(flip_key)
            parts = jax.tree.map(lambda m, p: jnp.where(is_mirrored, m, p), mirrored(parts, turns), parts)
        return _shuffled(jax.random.fold_in(key, 1), parts, config) if knobs.shuffled else parts

    def fits(self, size: Size) -> bool:
        """Whether any variant fits `size`."""
        return any(_has_room(draw, size) for _, draw in self.variants)

    def check_size(self, size: Size) -> None:
        """Raise ValueError, with the smallest size that works, where no variant fits `size`."""
        self._chosen(size, Knobs())

    def needs(self) -> Mapping[str, Size]:
        """The smallest size of each variant."""
        return {name: _needs(draw) for name, draw in self.variants}

    def _chosen(self, size: Size, knobs: Knobs) -> list[tuple[str, Draw]]:
        variants = dict(self.variants)
        if knobs.variant is not None:
            if knobs.variant not in variants:
                close = difflib.get_close_matches(knobs.variant, variants, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"{self.name} has no variant {knobs.variant!r}{hint} (known: {', '.join(variants)})")
            check_room(_needs(variants[knobs.variant]), size, f"{self.name} {knobs.variant!r}")
            return [(knobs.variant, variants[knobs.variant])]
        chosen = [(name, draw) for name, draw in self.variants if _has_room(draw, size)]
        if not chosen:
            name, draw = min(self.variants, key=lambda variant: _needs(variant[1]).num_pairs)
            check_room(_needs(draw), size, f"levels {self.name!r} (its smallest variant, {name!r})")
        return chosen


def _shuffled(key: jax.Array, parts: Parts, config: PhysicsConfig) -> Parts:
    """`parts` with bindings in another order, and with some of them driving their motors the other way round.

    Who always finds the same thing on the same binding learns to do without looking. Several agents keep the bindings
    that they have, such as one agent a leg.
    """
    motors, thrusters = config.num_motor_bindings, config.num_thruster_bindings
    number = uniform(key, 2 * motors + thrusters)
    sign = jnp.where(number[:motors] < 0.5, -1.0, 1.0)
    speed = parts.holds.motor_speed * look_up(sign, parts.holds.motor_binding, 1.0)
    parts = dataclasses.replace(parts, holds=dataclasses.replace(parts.holds, motor_speed=speed))
    if config.num_agents > 1:
        return parts
    holds, jets = parts.holds, parts.jets
    motor = look_up(_ranks(number[motors : 2 * motors]), holds.motor_binding, holds.motor_binding)
    thruster = look_up(_ranks(number[2 * motors :]), jets.binding, jets.binding)
    return dataclasses.replace(
        parts,
        holds=dataclasses.replace(holds, motor_binding=motor),
        jets=dataclasses.replace(jets, binding=thruster),
    )


def _ranks(number: jax.Array) -> jax.Array:
    """i32[n]: how many of f32[n] are less than each, a random order if they are random."""
    return jnp.sum(number < number[:, None], axis=1, dtype=jnp.int32)


@functools.cache
def _needs(draw: Draw) -> Size:
    sketch = Sketch()

    def traced(key: jax.Array) -> None:
        draw(Dice(key, Knobs()), sketch)

    jax.eval_shape(traced, jax.eval_shape(lambda: jax.random.key(0)))
    return sketch.needs()


def _has_room(draw: Draw, size: Size) -> bool:
    try:
        check_room(_needs(draw), size, "")
    except ValueError:
        return False
    return True
