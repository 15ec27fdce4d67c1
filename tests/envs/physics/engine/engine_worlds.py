"""What the engine's tests share: a batch of worlds stepped together, with the whole path kept as NumPy arrays."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from xla_options import OPTIMISED

from minicosm import kernels
from minicosm.envs.physics.engine import EngineConfig, Scene, Size, State
from minicosm.envs.physics.engine.build import build, idle, slots, stack
from minicosm.envs.physics.engine.tick import reference_tick, tick

DT = EngineConfig().dt
FEW = Size(num_polygons=3, num_circles=1, num_joints=1, num_thrusters=1, num_walls=1)  # for laws of one or two bodies
# The implementations that the tables of laws and scenes are run on.
TICKS = {"reference": reference_tick} | ({"kernel": tick} if kernels.available() else {})


@dataclasses.dataclass(frozen=True)
class World:
    """One scene to step, with what drives it."""

    shapes: list
    parts: dict = dataclasses.field(default_factory=dict)  # of `build`
    motor: tuple[float, float] = (0.0, 0.0)  # rad/s and N m of joint 0
    thrust: float = 0.0  # N of thruster 0
    size: Size = FEW

    def made(self):
        scene, state = build(self.size, self.shapes, **self.parts)
        controls = idle(scene)
        if self.size.num_joints:
            speed, torque = controls.motor_speed.at[0], controls.motor_torque.at[0]
            controls = dataclasses.replace(
                controls, motor_speed=speed.set(self.motor[0]), motor_torque=torque.set(self.motor[1])
            )
        if self.size.num_thrusters:
            controls = dataclasses.replace(controls, thrust=controls.thrust.at[0].set(self.thrust))
        return scene, state, controls

    @property
    def slots(self):
        return slots(self.size, self.shapes, self.parts.get("walls", ()))


@dataclasses.dataclass(frozen=True)
class Path:
    """Where the shapes of one world were: entry 0 is the start, entry t is after t ticks. Shapes count as listed."""

    position: np.ndarray  # [T + 1, n, 2]
    rotation: np.ndarray  # [T + 1, n]
    velocity: np.ndarray  # [T + 1, n, 2]
    angular_velocity: np.ndarray  # [T + 1, n]
    mass: np.ndarray  # [n]
    inertia: np.ndarray  # [n]
    scene: Scene
    final: State

    def kinetic(self):
        return 0.5 * (self.mass * (self.velocity**2).sum(-1) + self.inertia * self.angular_velocity**2).sum(-1)

    def energy(self):
        """Kinetic and potential, J, [T + 1]."""
        return self.kinetic() - (self.mass * (self.position @ np.asarray(self.scene.gravity, float))).sum(-1)

    def momentum(self):
        return (self.mass[:, None] * self.velocity).sum(1)

    def gaps(self):
        """Distance between the two ends of each joint, m, [T + 1, joints]; joints name listed shapes by slot."""
        joints = self.scene.joints
        ends = []
        for shape, anchor in ((joints.shape_a, joints.anchor_a), (joints.shape_b, joints.anchor_b)):
            where = [self.listed[int(s)] for s in shape[self.joined]]
            cos, sin = np.cos(self.rotation[:, where]), np.sin(self.rotation[:, where])
            x, y = np.asarray(anchor, float)[self.joined].T
            ends.append(self.position[:, where] + np.stack([cos * x - sin * y, sin * x + cos * y], -1))
        return np.linalg.norm(ends[1] - ends[0], axis=-1)

    listed: dict = dataclasses.field(default_factory=dict)  # slot -> index in the list
    joined: np.ndarray | None = None  # bool[J]


def _rolled(scene, state, controls, ticks, implementation, config):
    step = jax.vmap(functools.partial(TICKS[implementation], config=config))

    def one(state, _):
        state = step(scene, state, controls)
        return state, (state.position, state.rotation, state.velocity, state.angular_velocity)

    return jax.lax.scan(one, state, None, length=ticks)


_in_little_time = jax.jit(_rolled, static_argnames=("ticks", "implementation", "config"))
_in_long = jax.jit(
    _rolled, static_argnames=("ticks", "implementation", "config"), compiler_options=OPTIMISED
)  # the reference takes 10 s longer to compile, and a tenth of the time to run
MANY = 10_000  # ticks of single worlds by the reference, from which that pays


def roll(worlds, ticks, implementation="reference", config=None):
    """The paths of all `worlds` (by name) over so many ticks, stepped as one batch."""
    config = config or EngineConfig()
    made = [world.made() for world in worlds.values()]
    scene, state = stack([(scene, state) for scene, state, _ in made])
    controls = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(controls for _, _, controls in made))
    pays = implementation == "reference" and ticks * len(worlds) > MANY
    rolled = _in_long if pays else _in_little_time
    final, path = rolled(scene, state, controls, ticks, implementation, config)
    first = (state.position, state.rotation, state.velocity, state.angular_velocity)
    whole = [np.concatenate([np.asarray(a)[None], b]).astype(float) for a, b in zip(first, path, strict=True)]
    paths = {}
    for i, (name, world) in enumerate(worlds.items()):
        where = list(world.slots)
        inverse = [np.asarray(x[i], float)[where] for x in (scene.inverse_mass, scene.inverse_inertia)]
        masses = [np.divide(1, x, out=np.zeros_like(x), where=x > 0) for x in inverse]
        own = made[i][0]
        paths[name] = Path(
            *(field[:, i][:, where] for field in whole),
            *masses,
            own,
            jax.tree.map(lambda x, i=i: x[i], final),
            {slot: index for index, slot in enumerate(where)},
            np.asarray(own.joints.active),
        )
    return paths
