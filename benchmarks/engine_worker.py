"""One rigid-body engine, compiled, then timed on demand: the other half of `engine_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one compiled scan of ticks
of B scenes, from their start: levels of `data/kinetix_random_<size>.npz` in turn, run i from level 37 i on, so that few
worlds see many levels too. Each scene's motors and thrusters keep the random action they were given. Positions are
summed at the end, so that nothing is optimised away. It runs in whichever environment has the engine, hence imports
only what that one needs.
"""

import argparse
import json
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

DATA = pathlib.Path(__file__).parent / "data"
DT = 1.0 / 60.0  # s


def load_scenes(size):
    """The level file's arrays, by name."""
    with np.load(DATA / f"kinetix_random_{size}.npz") as levels:
        return {name: levels[name] for name in levels}


def draw_actions(scenes):
    """Motor actions in [-1, 1], thruster actions in [0, 1]: f32[B, J], f32[B, T], the same for every engine."""
    rng = np.random.default_rng(0)
    motors = rng.uniform(-1.0, 1.0, scenes["joint_active"].shape)
    thrusters = rng.uniform(0.0, 1.0, scenes["thruster_active"].shape)
    return motors.astype(np.float32), thrusters.astype(np.float32)


def take_batch(levels, first, batch):
    """`batch` of the stacked `levels` from index `first` on, round and round."""
    return jax.tree.map(lambda x: x[(first + jnp.arange(batch)) % len(x)], levels)


def minicosm_scenes(levels, size):
    """The levels for our engine: stacked scenes, states and controls."""
    from minicosm.envs.physics.engine.build import start
    from minicosm.envs.physics.engine.scene import Controls, Joints, Scene, Thrusters
    from minicosm.envs.physics.engine.size import LARGE, MEDIUM, SMALL, pairs

    room = {"s": SMALL, "m": MEDIUM, "l": LARGE}[size]
    motors, thrusters = draw_actions(levels)
    pin = {name.removeprefix("joint_"): array for name, array in levels.items() if name.startswith("joint_")}
    free = ~pin["is_fixed"]
    names = ("shape_a", "shape_b", "anchor_a", "anchor_b", "rest_angle", "active")
    joints = Joints(
        **{name: pin[name] for name in names},
        has_limit=pin["is_fixed"] | pin["has_limit"],
        lower=pin["lower"] * free,
        upper=pin["upper"] * free,
        spring_hertz=np.zeros_like(pin["lower"]),
        spring_damping=np.ones_like(pin["lower"]),
    )
    names = ("vertices", "radius", "inverse_mass", "inverse_inertia", "friction", "restitution", "gravity")
    scenes = Scene(
        **{name: levels[name] for name in names},
        collides=levels["collides"][:, pairs(room)[:, 0], pairs(room)[:, 1]],
        joints=joints,
        thrusters=Thrusters(levels["thruster_shape"], levels["thruster_point"], levels["thruster_angle"]),
        size=room,
    )
    scenes = jax.tree.map(jnp.asarray, scenes)
    names = ("position", "rotation", "velocity", "angular_velocity")
    states = jax.vmap(start)(scenes, *(jnp.asarray(levels[name]) for name in names))
    controls = Controls(
        motor_speed=pin["motor_speed"] * motors,
        motor_torque=pin["motor_torque"] * (pin["motor_on"] & pin["active"]),
        thrust=levels["thruster_force"] * thrusters * levels["thruster_active"],
    )
    return scenes, states, jax.tree.map(jnp.asarray, controls)


def minicosm_ticks(size, batch, steps, ticks_a_call=1):
    """As `jax2d_ticks`, of our engine: its kernel, or its reference under MINICOSM_KERNELS=off."""
    from minicosm.envs.physics.engine import EngineConfig, ticks

    config = EngineConfig(dt=DT)
    levels = minicosm_scenes(load_scenes(size), size)

    def tick(carry, _):
        scene, _, controls = carry
        after, _ = jax.vmap(lambda *world: ticks(*world, ticks_a_call, config))(*carry)
        return (scene, after, controls), None

    def rollout(carry):
        carry, _ = jax.lax.scan(tick, carry, None, length=steps // ticks_a_call)
        return carry, carry[1].position.sum()

    return compiled_runs(lambda first: take_batch(levels, first, batch), rollout, stays_finite=True)


def jax2d_state(scenes, static):
    """The scenes as Jax2D's SimState, with its own masses and moments of inertia: what it would step by itself."""
    from jax2d.engine import create_empty_sim, recalculate_mass_and_inertia, recompute_global_joint_positions
    from jax2d.sim_state import SimParams

    empty, params, split = create_empty_sim(static), SimParams(), static.num_polygons

    def build(scene):
        count = scene["num_vertices"]
        order = jnp.clip(count[:, None] - 1 - jnp.arange(4), 0)  # its polygons run clockwise
        take = lambda part, names: {name: scene[name][part] for name in names}  # noqa: E731
        shared = ("position", "rotation", "velocity", "angular_velocity", "inverse_mass", "inverse_inertia", "active")
        polygon, circle = take(slice(None, split), shared), take(slice(split, None), shared)
        joint = {
            "a_index": scene["joint_shape_a"],
            "b_index": scene["joint_shape_b"],
            "a_relative_pos": scene["joint_anchor_a"],
            "b_relative_pos": scene["joint_anchor_b"],
            "active": scene["joint_active"],
            "motor_on": scene["joint_motor_on"],
            "motor_speed": scene["joint_motor_speed"] / params.base_motor_speed,
            "motor_power": scene["joint_motor_power"],
            "motor_has_joint_limits": scene["joint_has_limit"],
            "min_rotation": scene["joint_lower"],
            "max_rotation": scene["joint_upper"],
            "is_fixed_joint": scene["joint_is_fixed"],
            "rotation": scene["joint_rest_angle"],
        }
        thruster = {
            "object_index": scene["thruster_shape"],
            "relative_position": scene["thruster_point"],
            "rotation": scene["thruster_angle"],
            "power": scene["thruster_force"] / params.base_thruster_power,
            "active": scene["thruster_active"],
        }
        vertices = jnp.take_along_axis(scene["vertices"], order[:, :, None], axis=1)
        state = empty.replace(
            polygon=empty.polygon.replace(vertices=vertices, n_vertices=count, **polygon),
            circle=empty.circle.replace(radius=scene["radius"], **circle),
            joint=empty.joint.replace(**joint),
            thruster=empty.thruster.replace(**thruster),
            collision_matrix=scene["collides"],
            gravity=scene["gravity"],
        )
        density = scene["density"]
        state = recalculate_mass_and_inertia(state, static, density[:split], density[split:])
        return recompute_global_joint_positions(state, static)

    return jax.jit(jax.vmap(build))({name: jnp.asarray(array) for name, array in scenes.items()})


def jax2d_ticks(size, batch, steps):
    """Description and timed run of Jax2D.

    A tick is one `PhysicsEngine.step` with the settings it is published with: 1/60 s, 10 solver iterations, warm start.
    One of the 256 levels of size L turns into NaN within 100 ticks, which costs no time:
    `echo | python engine_worker.py jax2d --size l --batch 256 --steps 100` says so.
    """
    from jax2d.engine import PhysicsEngine
    from jax2d.sim_state import SimParams
    from kinetix.environment.utils import static_env_params_from_size

    static = static_env_params_from_size(size)
    engine, params = PhysicsEngine(static), SimParams(dt=DT)
    scenes = load_scenes(size)
    levels = jax2d_state(scenes, static), jnp.concatenate(draw_actions(scenes), axis=1)

    def tick(carry, _):
        state, actions = carry
        # Its step also hands back every pair's contacts, which its environments read; here they may be left out.
        state, _ = jax.vmap(engine.step, in_axes=(0, None, 0))(state, params, actions)
        return (state, actions), None

    def rollout(carry):
        carry, _ = jax.lax.scan(tick, carry, None, length=steps)
        return carry, carry[0].polygon.position.sum() + carry[0].circle.position.sum()

    return compiled_runs(lambda first: take_batch(levels, first, batch), rollout, stays_finite=False)


def compiled_runs(begin, rollout, stays_finite):
    """Compile `rollout`, and say what that took; the run starts it from `begin(first level)`, which is not timed."""
    begin = jax.jit(begin)
    state = begin(0)
    start = time.perf_counter()
    compiled = jax.jit(rollout, donate_argnums=0).lower(state).compile()
    compile_s = time.perf_counter() - start
    jax.block_until_ready(compiled(state))
    temporary = compiled.memory_analysis().temp_size_in_bytes
    describe = {"compile_s": compile_s, "jax": jax.__version__, "temporary_bytes": temporary}

    def run(first):
        state = jax.block_until_ready(begin(first))
        wall, cpu = time.perf_counter(), time.process_time()
        _, total = jax.block_until_ready(compiled(state))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not jnp.isfinite(total):
            assert not stays_finite
            print(f"not finite after the run from level {first} on", file=sys.stderr)
        return wall, cpu

    return describe, run


def serve(describe, run, ticks):
    """Answer each line of standard input with one timed run of `ticks` ticks in all."""
    from process_cost import peak_memory  # here, since tests load this file from elsewhere

    print(json.dumps(describe), flush=True)
    for i, _ in enumerate(sys.stdin):
        wall, cpu = run(37 * i)
        memory = peak_memory() if "jax" in describe else {}  # Box2D's process has loaded JAX, which it needs not
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "env_steps": ticks, "resets": 0, **memory}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=["minicosm", "jax2d"])
    parser.add_argument("--size", choices=["s", "m", "l"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True, help="ticks of each scene in a run")
    parser.add_argument("--ticks-a-call", type=int, default=1, help="of our engine; divides --steps")
    args = parser.parse_args()
    if args.implementation == "jax2d":
        timed = jax2d_ticks(args.size, args.batch, args.steps)
    else:
        timed = minicosm_ticks(args.size, args.batch, args.steps, args.ticks_a_call)
    serve(*timed, ticks=args.batch * args.steps)


if __name__ == "__main__":
    main()
