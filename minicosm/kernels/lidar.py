"""The lidar kernel: see src/lidar.h. Its reference is `_scan` of `minicosm.envs.nav.lidar`."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Lidar:
    """What is the same for every robot. Lengths in metres."""

    num_beams: int
    max_range: float
    radius: float  # of a robot
    cell_size: float
    margin: int  # cells of wall around the map, at least max_range / cell_size
    gain: float  # a range is observed as gain * range + offset
    offset: float

    def beams(self) -> tuple[np.ndarray, np.ndarray]:
        """cos and sin, f32[R], of the beams' angles to the heading: beam 0 straight ahead, then anticlockwise."""
        angle = np.arange(self.num_beams) * (2 * np.pi / self.num_beams)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def scan(arrays: tuple[jax.Array, ...], lidar: Lidar) -> tuple[jax.Array, jax.Array]:
    """Observed ranges of A robots' beams, then `tail`, f32[A, R + K], and each robot's shortest range, f32[A] in m.

    `arrays`: the map with its margin of walls as bits, by columns and by rows, u32[lines, words] each; positions
    f32[A, 2] in m; cosine and sine of the headings f32[A, 2]; whom other robots see, bool[A]; tail f32[A, K].
    The worlds of a batch are leading axes of every array.
    """
    columns, rows, position, heading, present, tail = arrays
    cell = lidar.cell_size
    beam_cos, beam_sin = lidar.beams()
    shape = (*position.shape[:-1], lidar.num_beams + tail.shape[-1])
    out = [jax.ShapeDtypeStruct(s, jnp.float32) for s in (shape, shape[:-1])]  # type: ignore[no-untyped-call]
    observed, shortest = jax.ffi.ffi_call("minicosm_lidar_scan", out, vmap_method="broadcast_all")(
        columns,
        rows,
        position / cell,
        heading,
        present,
        tail,
        beam_cos=beam_cos,
        beam_sin=beam_sin,
        margin=np.int64(lidar.margin),
        max_range=np.float32(lidar.max_range / cell),
        radius=np.float32(lidar.radius / cell),
        gain=np.float32(lidar.gain * cell),
        offset=np.float32(lidar.offset),
    )
    return observed, shortest * cell
