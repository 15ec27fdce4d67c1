"""Animations of a policy at work: a rollout on the device, its pictures, and a GIF or MP4 file."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
import math
import os
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs import struct
from minicosm.envs.environment import Environment, Observation

Picture = np.ndarray[Any, np.dtype[np.uint8]]  # u8[height, width, 3]
DrawFrame = Callable[[Any, jax.Array], jax.Array]  # states of one world, led by T; index -> u8[height, width, 3]


def _require_whole(value: Any, name: str, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")


@dataclasses.dataclass(frozen=True)
class Policy:
    """Something that acts in B worlds at once.

    `act(key, observation, carry)` takes the observation, led by B, A, and returns the action, led by B, A, and the
    next carry, a pytree of fixed shape (a recurrent net's memory; `()` for none).
    """

    act: Callable[[jax.Array, Observation, Any], tuple[jax.Array, Any]]
    initial_carry: Any = ()


def random_policy(env: Environment[Any, Any]) -> Policy:
    """Draws uniformly from the action space."""

    def act(key: jax.Array, observation: Observation, carry: Any) -> tuple[jax.Array, Any]:
        num_worlds = jax.tree.leaves(observation)[0].shape[0]
        keys = jax.random.split(key, (num_worlds, env.num_agents))
        action: Any = jax.vmap(jax.vmap(env.action_space.sample))(keys)
        return action, carry

    return Policy(act)


@struct.dataclass
class Rollout:
    """One episode in each of B worlds; from its end on, a world stays in its last state."""

    states: Any  # the environment's states, led by T + 1, B
    done: jax.Array  # bool[T + 1, B]  the episode has ended
    success: jax.Array  # bool[B, A]  at its end


def rollout(env: Environment[Any, Any], policy: Policy, key: jax.Array, levels: Any, num_steps: int) -> Rollout:
    """Play `policy` on `levels`, led by B, for up to `num_steps` ticks, as one compiled scan."""
    _require_whole(num_steps, "num_steps", 1)

    def play(key: jax.Array, levels: Any, memory: Any) -> Rollout:
        num_worlds = jax.tree.leaves(levels)[0].shape[0]
        reset_key, play_key = jax.random.split(key)
        state, observation = jax.vmap(env.reset)(jax.random.split(reset_key, num_worlds), levels)
        done = jnp.zeros((num_worlds,), bool)
        success = jnp.zeros((num_worlds, env.num_agents), bool)

        def tick(carry: Any, key: jax.Array) -> tuple[Any, Any]:
            state, observation, memory, done, success = carry
            act_key, step_key = jax.random.split(key)
            action, memory = policy.act(act_key, observation, memory)
            after, timestep = jax.vmap(env.step)(jax.random.split(step_key, num_worlds), state, action)
            state = _keep(done, state, after)
            observation = _keep(done, observation, timestep.observation)
            success = _keep(done, success, timestep.info["success"])
            done = done | timestep.done
            return (state, observation, memory, done, success), (state, done)

        first: Any = (state, observation, memory, done, success)
        final, (states, ended) = jax.lax.scan(tick, first, jax.random.split(play_key, num_steps))
        states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), state, states)
        return Rollout(states, jnp.concatenate([done[None], ended]), final[-1])

    played: Rollout = jax.jit(play)(key, levels, policy.initial_carry)
    return played


@dataclasses.dataclass(frozen=True)
class Film:
    """How a rollout is shown. Raises ValueError, naming the field, for a value that cannot work."""

    stride: int = 1  # ticks per picture
    columns: int | None = None  # worlds side by side; None: as square as it gets, wider than tall
    hold: int = 20  # pictures for which the last one stays
    gutter: int = 8  # pixels between worlds
    background: tuple[int, int, int] = (255, 255, 255)  # sRGB, of the gutters and of places with no world
    chunk: int = 16  # pictures of every world drawn at a time: bounds the memory

    def __post_init__(self) -> None:
        for name, least in (("stride", 1), ("hold", 0), ("gutter", 0), ("chunk", 1)):
            _require_whole(getattr(self, name), f"Film.{name}", least)
        if self.columns is not None:
            _require_whole(self.columns, "Film.columns", 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """The pictures of a rollout, u8[height, width, 3] each, drawn as they are iterated over.

    The film ends when every world's episode has. `draw` makes the picture of one world from its states, led by T, and
    an index; None is the environment's own `draw` of that state.
    """

    env: Environment[Any, Any]
    rollout: Rollout
    film: Film = Film()
    draw: DrawFrame | None = None

    def __len__(self) -> int:
        return len(self._indices())

    def __iter__(self) -> Iterator[Picture]:
        draw = self.draw or self._draw_state
        chunk, indices = self.film.chunk, self._indices()

        @jax.jit
        def draw_chunk(states: Any, index: jax.Array) -> jax.Array:
            worlds = jax.vmap(draw, in_axes=(1, None))
            pictures: jax.Array = jax.lax.map(lambda i: worlds(states, i), index)
            return pictures  # u8[chunk, B, height, width, 3]

        distinct = sorted(set(indices))
        for begin in range(0, len(distinct), chunk):
            wanted = distinct[begin : begin + chunk]
            padded = jnp.array(wanted + wanted[-1:] * (chunk - len(wanted)))
            for pictures in np.asarray(draw_chunk(self.rollout.states, padded))[: len(wanted)]:
                picture = tile(pictures, self.film)
                yield picture
        for _ in range(len(indices) - len(distinct)):
            yield picture

    def _indices(self) -> list[int]:
        """Which states are shown."""
        everywhere = np.asarray(jnp.all(self.rollout.done, axis=1))
        last = int(everywhere.argmax()) if everywhere.any() else len(everywhere) - 1
        shown = list(range(0, last, self.film.stride))
        return shown + [last] * (1 + self.film.hold)

    def _draw_state(self, states: Any, index: jax.Array) -> jax.Array:
        return self.env.draw(jax.tree.map(lambda x: x[index], states))


def tile(pictures: np.ndarray[Any, Any], film: Film = Film()) -> Picture:
    """Lay out `pictures` u8[B, height, width, 3] row by row in one picture."""
    count, height, width, _ = pictures.shape
    columns = min(film.columns or math.ceil(math.sqrt(count)), count)
    rows, gutter = -(-count // columns), film.gutter
    shape = (rows * (height + gutter) - gutter, columns * (width + gutter) - gutter, 3)
    canvas = np.full(shape, film.background, np.uint8)
    for b, picture in enumerate(pictures):
        top, left = b // columns * (height + gutter), b % columns * (width + gutter)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def save_animation(frames: Iterable[np.ndarray[Any, Any]], path: str | os.PathLike[str], fps: float = 20.0) -> Path:
    """Write `frames`, u8[height, width, 3] each, at `fps` pictures a second; returns the path.

    The suffix decides: `.gif` (one palette for the whole film, times to a hundredth of a second) or `.mp4` (H.264,
    written as the frames come). Folders are made as needed, and a file appears only when it is complete.

    Raises ValueError for another suffix, an `fps` that is not above 0 (or above 50 in a GIF, where viewers slow down),
    or frames that are missing or unlike each other; ImportError where the extra is missing; OSError where the file
    cannot be written.
    """
    path = Path(path)
    writers = {".gif": _write_gif, ".mp4": _write_mp4}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise ValueError(f"cannot write an animation to {str(path)!r}: its name must end in .gif or .mp4")
    fastest = 50.0 if write is _write_gif else 1000.0
    if not 0 < fps <= fastest:
        raise ValueError(f"fps is {fps!r}; expected a number above 0 and at most {fastest:g} for {path.suffix}")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix.lower()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()  # tells of a folder or disk that cannot be written before anything is drawn
        write(_checked(frames), part, fps)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot write {str(path)!r} ({reason}); choose a folder that you may write to") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return path


def _checked(frames: Iterable[np.ndarray[Any, Any]]) -> Iterator[Picture]:
    """The frames, found to be pictures of one size, at least one."""
    shape = None
    for index, frame in enumerate(frames):
        picture = np.asarray(frame)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"frame {index} is {picture.dtype}{list(picture.shape)}; expected uint8[height, width, 3]")
        if shape not in (None, picture.shape):
            raise ValueError(f"frame {index} has shape {picture.shape}, but those before have {shape}")
        shape = picture.shape
        yield picture
    if shape is None:
        raise ValueError("there are no frames to write: expected at least one")


def _write_gif(frames: Iterator[Picture], path: Path, fps: float) -> None:
    image = _extra("PIL.Image", path.suffix)
    colours = _ColourCount()
    packed = []  # pictures are flat: compressed, a long film fits in memory until its palette is known
    for frame in frames:
        colours.add(frame)
        packed.append(zlib.compress(frame.tobytes(), 1))
        shape = frame.shape
    table = image.fromarray(colours.sample()).quantize(256, kmeans=1)

    def pictures() -> Iterator[Any]:
        for data in packed:
            picture = np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)
            yield image.fromarray(picture).quantize(palette=table, dither=image.Dither.NONE)

    ends = np.round(np.arange(len(packed) + 1) * 100 / fps) * 10  # ms; rounded as a whole, so that nothing drifts
    durations = [int(d) for d in np.diff(ends)]
    film = pictures()
    next(film).save(path, format="GIF", save_all=True, append_images=film, duration=durations, loop=0)


class _ColourCount:
    """Colours seen in a film, to six bits a channel, and how often."""

    def __init__(self) -> None:
        self.count = np.zeros(1 << 18, np.int64)
        self.colour = np.zeros((1 << 18, 3), np.uint8)  # the last one seen in each bin

    def add(self, frame: Picture) -> None:
        pixels = frame.reshape(-1, 3)
        red, green, blue = (pixels[:, c].astype(np.int32) >> 2 for c in range(3))
        bins = red << 12 | green << 6 | blue
        self.count += np.bincount(bins, minlength=len(self.count))
        self.colour[bins] = pixels

    def sample(self) -> Picture:
        """u8[N, 1, 3]: each colour as often as the fourth root of its share asks, so that small marks keep theirs."""
        seen = np.flatnonzero(self.count)
        weight = (self.count[seen] / self.count.max()) ** 0.25
        return np.repeat(self.colour[seen], np.ceil(64 * weight).astype(int), axis=0)[:, None]


def _write_mp4(frames: Iterator[Picture], path: Path, fps: float) -> None:
    # started here rather than by imageio_ffmpeg's own writer, whose os.fork JAX warns of
    executable = _extra("imageio_ffmpeg", path.suffix).get_ffmpeg_exe()
    first = next(frames)
    height, width = (size + size % 2 for size in first.shape[:2])  # H.264 in 4:2:0 needs even sizes

    def even(frame: Picture) -> bytes:
        return np.pad(frame, ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)), mode="edge").tobytes()

    command = [executable, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-", "-an"]
    command += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "20", "-movflags", "+faststart", str(path)]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints)
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # ffmpeg gave up: it says why below
                for frame in itertools.chain([first], frames):
                    process.stdin.write(even(frame))
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if status != 0:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            raise OSError(f"ffmpeg: {said[-1] if said else f'ended with status {status}'}")


def _extra(module: str, suffix: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f'writing {suffix} needs {package}, which is not installed: run pip install "minicosm[plot]"'
        ) from error


def _keep(done: jax.Array, old: Any, new: Any) -> Any:
    """Per world, `old` where `done` bool[B]."""
    return jax.tree.map(lambda o, n: jnp.where(done.reshape(-1, *[1] * (o.ndim - 1)), o, n), old, new)
