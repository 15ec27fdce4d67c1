"""Training spread over many devices: B worlds cut into equal parts, one for each device, and nets that are everywhere.

The mesh has one axis, over the worlds. What leads with worlds or lanes is cut along it; parameters, the optimiser, a
curriculum's state and the random keys are whole on every device, and stay the same there because each device adds up
the same sums. Each device runs the program of one, `jax.shard_map`, so that nothing but those sums goes between them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

WORLDS = "worlds"  # the mesh's axis
# of arrays led by the seeds: all of it on each device, or a part of the worlds
WHOLE, CUT = PartitionSpec(), PartitionSpec(None, WORLDS)  # type: ignore[no-untyped-call]

Tree = TypeVar("Tree")


@dataclasses.dataclass(frozen=True)
class Spread:
    """What one device, of those among which the worlds are dealt out, needs to know of the others.

    Without a mesh, `ALONE`, there is one device, and every method gives back what it was given. The methods that take
    arrays are for programs inside `over`, except `place`.
    """

    mesh: Mesh | None = None

    @property
    def num_devices(self) -> int:
        """D."""
        return 1 if self.mesh is None else self.mesh.size

    def over(self, function: Callable[..., Any], ins: Any, outs: Any) -> Callable[..., Any]:
        """`function` on each device, with its part of the arguments cut and its results joined as the specs say."""
        if self.mesh is None:
            return function
        # sums are written out below; that results declared whole are the same everywhere is tested, not inferred
        mapped: Callable[..., Any] = jax.shard_map(
            function, mesh=self.mesh, in_specs=ins, out_specs=outs, check_vma=False
        )
        return mapped

    def sum(self, tree: Tree) -> Tree:
        """Sums over all devices."""
        if self.mesh is None:
            return tree
        summed: Tree = jax.lax.psum(tree, WORLDS)  # type: ignore[no-untyped-call]
        return summed

    def own(self, tree: Tree) -> Tree:
        """This device's part of arrays that lead with all B worlds."""
        if self.mesh is None:
            return tree

        def part(x: jax.Array) -> jax.Array:
            count = x.shape[0] // self.num_devices
            return jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index(WORLDS) * count, count)

        mine: Tree = jax.tree.map(part, tree)
        return mine

    def own_share(self, tree: Tree) -> Tree:
        """As `own` for arrays that lead with any L: the parts are as long as each other, the first ones come again."""
        if self.mesh is None:
            return tree
        devices = self.num_devices

        def part(x: jax.Array) -> jax.Array:
            count = -(-x.shape[0] // devices)
            return x[(jax.lax.axis_index(WORLDS) * count + jnp.arange(count)) % x.shape[0]]

        mine: Tree = jax.tree.map(part, tree)
        return mine

    def gather(self, tree: Tree, length: int | None = None) -> Tree:
        """All devices' parts one after another, the first `length` of them."""
        if self.mesh is None:
            return tree
        all_of_it: Tree = jax.tree.map(lambda x: jax.lax.all_gather(x, WORLDS, tiled=True)[:length], tree)
        return all_of_it

    def own_key(self, key: jax.Array) -> jax.Array:
        """A key that is this device's alone."""
        return key if self.mesh is None else jax.random.fold_in(key, jax.lax.axis_index(WORLDS))

    def world_keys(self, key: jax.Array, count: int) -> jax.Array:
        """What to reset `count` worlds of this device with: world b of all B gets the same whatever the devices."""
        if self.mesh is None:
            return key
        world = jax.lax.axis_index(WORLDS) * count + jnp.arange(count)
        return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, world)

    def turn(self, key: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """The key to play with on this device, and the one for the next time; None: what play leaves."""
        if self.mesh is None:
            return key, None
        now, later = jax.random.split(key)
        return self.own_key(now), later

    def place(self, tree: Any, like: Any, specs: Any) -> Any:
        """The first process's whole arrays, put on the devices; the others give None, and the shapes in `like`."""
        if self.mesh is None:
            return tree
        mesh = self.mesh
        host = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(_numbers, like))
        if tree is not None:
            host = jax.tree.map(np.asarray, _numbers(tree))
        if jax.process_count() > 1:
            host = multihost_utils.broadcast_one_to_all(host)

        def put(x: Any, like: Any, spec: PartitionSpec) -> jax.Array:
            x, cut = np.asarray(x), NamedSharding(mesh, spec)
            placed = jax.make_array_from_callback(x.shape, cut, lambda index: x[index])
            return jax.random.wrap_key_data(placed) if _is_key(like) else placed

        return jax.tree.map(put, host, like, specs)


ALONE = Spread()


def _is_key(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jax.dtypes.prng_key))


def _numbers(tree: Any) -> Any:
    """`tree` with the numbers behind random keys in their place."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)


def spread_over(devices: int | None = None) -> Spread:
    """Over so many devices; by default over one or, where the run has several processes, over all of theirs.

    Raises ValueError where there are not as many.
    """
    there = jax.device_count()
    if jax.process_count() > 1:
        if devices not in (None, there):
            raise ValueError(
                f"devices is {devices}; expected {there}, all that the {jax.process_count()} processes have: "
                "leave it out"
            )
        devices = there
    if devices is None:
        return ALONE
    if isinstance(devices, bool) or not isinstance(devices, int) or not 1 <= devices <= there:
        hint = ""
        if jax.default_backend() == "cpu":
            hint = "; a CPU acts as several with XLA_FLAGS=--xla_force_host_platform_device_count=N"
        raise ValueError(f"devices is {devices!r}; expected 1 to {there}, those of {jax.default_backend()}{hint}")
    return ALONE if devices == 1 else Spread(Mesh(np.array(jax.devices()[:devices]), (WORLDS,)))


def whole(tree: Any) -> Any:
    """Whole arrays, in the memory of every process, of a state; array by array, so that devices need room for one."""

    def on_host(x: jax.Array) -> Any:
        if x.is_fully_replicated:
            return np.asarray(x.addressable_data(0))
        if x.is_fully_addressable:
            return np.asarray(x)
        return np.asarray(multihost_utils.process_allgather(x, tiled=True))

    return jax.tree.map(on_host, _numbers(tree))


def here(tree: Any) -> Any:
    """Arrays that are the same on every device, as this process's first device has them."""
    return jax.tree.map(lambda x: x.addressable_data(0), tree)
