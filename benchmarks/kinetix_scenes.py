"""Random levels of Kinetix, drawn with its own generator, as scenes in the terms of `minicosm.envs.physics.engine`.

    python3.11 -m venv .venv-kinetix && .venv-kinetix/bin/pip install kinetix-env
    JAX_PLATFORMS=cpu .venv-kinetix/bin/python benchmarks/kinetix_scenes.py --sizes s m l

Compiling the generator takes minutes. Writes `data/kinetix_random_<size>.npz`, which both engines of
`engine_throughput.py` step. Every array leads with the level axis L; S shapes are P polygons (the first four are static
walls) and then C circles, J joints, T thrusters:

| array | shape | meaning |
|---|---|---|
| position, velocity | f32[L, S, 2] | centroid, m and m/s, y up |
| rotation, angular_velocity | f32[L, S] | rad and rad/s, anticlockwise |
| density, inverse_mass, inverse_inertia | f32[L, S] | kg/m², 1/kg, 1/(kg m²) about the centroid; 0 for what is static |
| friction, restitution, active | f32, f32, bool[L, S] | see below for friction |
| vertices, num_vertices | f32[L, P, 4, 2], i32[L, P] | body frame, anticlockwise, the last one repeated |
| radius | f32[L, C] | m |
| collides | bool[L, S, S] | symmetric; false with an inactive shape and between two static ones |
| gravity | f32[L, 2] | m/s² |
| joint_shape_a, joint_shape_b | i32[L, J] | indices of shapes |
| joint_anchor_a, joint_anchor_b | f32[L, J, 2] | m, body frames |
| joint_rest_angle, joint_lower, joint_upper | f32[L, J] | rad: rotation_b - rotation_a at rest; limits about it |
| joint_motor_speed, joint_motor_torque | f32[L, J] | rad/s of b against a at full action, N m |
| joint_motor_power | f32[L, J] | the peer's own number, to rebuild its scene |
| joint_is_fixed, joint_has_limit, joint_motor_on, joint_active | bool[L, J] | |
| thruster_shape, thruster_point, thruster_angle | i32[L, T], f32[L, T, 2], f32[L, T] | body frame; of the force |
| thruster_force, thruster_active | f32[L, T], bool[L, T] | N at full action |
"""

import argparse
import pathlib
import time

import numpy as np

DATA = pathlib.Path(__file__).parent / "data"
MOTOR_SPEED, MOTOR_POWER, MOTOR_DECAY = 6.0, 900.0, 0.1  # its base_motor_speed, base_motor_power, motor_decay
THRUSTER_POWER, FRICTION = 10.0, 0.4  # its base_thruster_power, base_friction


def polygon_properties(vertices):
    """Area, centroid and second moment of area about the centroid of an anticlockwise polygon f64[V, 2].

    The shoelace sums over the triangles (0, v, w): D = v x w, area D / 2, centroid (v + w) / 3, polar moment
    D (v·v + v·w + w·w) / 12; then the parallel axis theorem. Repeated vertices add nothing.
    """
    start = vertices.mean(axis=0)
    v = vertices - start
    w = np.roll(v, -1, axis=0)
    double_area = v[:, 0] * w[:, 1] - v[:, 1] * w[:, 0]
    area = double_area.sum() / 2
    centroid = (double_area[:, None] * (v + w)).sum(axis=0) / (6 * area)
    polar = (double_area * ((v * v).sum(1) + (v * w).sum(1) + (w * w).sum(1))).sum() / 12
    return area, start + centroid, polar - area * (centroid @ centroid)


def turned(vector, angle):
    """`vector` f64[2] turned anticlockwise by `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])


def convert_shapes(level):
    """Arrays of the shapes of one level, and how far each centroid lies from the peer's origin in the body frame."""
    polygon, circle = level["polygon"], level["circle"]
    num_polygons, num_circles = len(polygon["rotation"]), len(circle["rotation"])
    joined = lambda name: np.concatenate([polygon[name], circle[name]])  # noqa: E731
    active, static = joined("active").astype(bool), joined("inverse_mass") == 0.0
    density = np.concatenate([level["polygon_densities"], level["circle_densities"]]).astype(float)
    position, rotation = joined("position").astype(float), joined("rotation").astype(float)
    shift = np.zeros_like(position)
    # An empty slot holds a small shape that touches nothing, so that no reader meets a zero area.
    vertices = np.tile(np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]]), (num_polygons, 1, 1))
    num_vertices = np.full(num_polygons, 4)
    radius = np.where(circle["active"], circle["radius"], 0.1).astype(float)
    mass = density * np.concatenate([np.full(num_polygons, 0.04), np.pi * radius**2])
    inertia = mass * np.concatenate([np.full(num_polygons, 0.04 / 6), radius**2 / 2])
    for i in np.flatnonzero(polygon["active"]):
        count = int(polygon["n_vertices"][i])
        corners = polygon["vertices"][i, :count][::-1].astype(float)  # the peer's are clockwise
        area, shift[i], moment = polygon_properties(corners)
        assert area > 0.0, f"polygon {i} is not clockwise: {corners}"
        corners = corners - shift[i]
        vertices[i] = np.concatenate([corners, np.repeat(corners[-1:], 4 - count, axis=0)])
        num_vertices[i], mass[i], inertia[i] = count, density[i] * area, density[i] * moment
        position[i] += turned(shift[i], rotation[i])
    moves = active & ~static
    mode, free = joined("collision_mode"), ~(static[:, None] & static[None, :])
    modes_meet = (mode[:, None] == 2) | (mode[None, :] == 2) | (mode[:, None] * mode[None, :] > 0)
    scene = {
        "position": np.where(active[:, None], position, 0.0),
        "rotation": np.where(active, rotation, 0.0),
        "velocity": np.where(moves[:, None], joined("velocity"), 0.0),
        "angular_velocity": np.where(moves, joined("angular_velocity"), 0.0),
        "density": density,
        # From the density: the peer's moments of inertia are wrong for discs (half) and triangles (two thirds).
        "inverse_mass": np.where(moves, 1.0 / mass, 0.0),
        "inverse_inertia": np.where(moves, 1.0 / inertia, 0.0),
        # The peer mixes friction as sqrt((0.4 a)² + (0.4 b)²), we as sqrt(a b): the same for a = b, as in its levels.
        "friction": FRICTION * np.sqrt(2.0) * joined("friction"),
        "restitution": joined("restitution"),
        "active": active,
        "vertices": vertices,
        "num_vertices": num_vertices,
        "radius": radius,
        "collides": level["collision_matrix"].astype(bool) & modes_meet & free & active[:, None] & active[None, :],
        "gravity": level["gravity"],
    }
    assert len(scene["position"]) == num_polygons + num_circles
    return scene, shift


def convert(level):
    """One level of Kinetix, as its state dict of NumPy arrays, as a dict of arrays in our terms."""
    scene, shift = convert_shapes(level)
    joint, thruster = level["joint"], level["thruster"]
    active = joint["active"].astype(bool)
    a, b = np.where(active, joint["a_index"], 0), np.where(active, joint["b_index"], 1)
    inverse_inertia = scene["inverse_inertia"][a] + scene["inverse_inertia"][b]
    # Its motor's torque is 900 power m tanh(0.1 Δω), m the reduced moment of inertia, Δω what is missing to the target
    # speed: ours is the most that gives, at rest, with the right m (with its own m, wheels get half of this torque).
    strength = MOTOR_POWER * joint["motor_power"] * np.tanh(MOTOR_DECAY * MOTOR_SPEED * np.abs(joint["motor_speed"]))
    torque = strength / np.where(inverse_inertia > 0.0, inverse_inertia, 1.0)
    fixed, pushes = joint["is_fixed_joint"].astype(bool), thruster["active"].astype(bool)
    body = np.where(pushes, thruster["object_index"], 0)
    when = lambda mask, values: np.where(mask.reshape(mask.shape + (1,) * (values.ndim - 1)), values, 0)  # noqa: E731
    return scene | {
        "joint_shape_a": a,
        "joint_shape_b": b,
        "joint_anchor_a": when(active, joint["a_relative_pos"] - shift[a]),
        "joint_anchor_b": when(active, joint["b_relative_pos"] - shift[b]),
        "joint_rest_angle": when(active, joint["rotation"]),
        "joint_is_fixed": active & fixed,
        "joint_has_limit": active & ~fixed & joint["motor_has_joint_limits"].astype(bool),
        "joint_lower": when(active, joint["min_rotation"]),
        "joint_upper": when(active, joint["max_rotation"]),
        "joint_motor_on": active & ~fixed & joint["motor_on"].astype(bool),
        "joint_motor_speed": when(active, MOTOR_SPEED * joint["motor_speed"]),
        "joint_motor_torque": when(active, torque),
        "joint_motor_power": when(active, joint["motor_power"]),
        "joint_active": active,
        "thruster_shape": body,
        "thruster_point": when(pushes, thruster["relative_position"] - shift[body]),
        "thruster_angle": when(pushes, thruster["rotation"]),  # its force points along the angle, not against it
        "thruster_force": when(pushes, THRUSTER_POWER * thruster["power"]),
        "thruster_active": pushes,
    }


def narrow(array):
    """`array` in the type it is stored in: f32, i32 or bool."""
    kinds = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.bool_}
    return array.astype(kinds[array.dtype.kind])


def draw(size, count, seed):
    """`count` levels of Kinetix's generator at `size`, as a list of state dicts of NumPy arrays."""
    import jax
    from flax.serialization import to_state_dict
    from kinetix.environment.env_state import EnvParams
    from kinetix.environment.ued.ued import make_reset_fn_sample_kinetix_level
    from kinetix.environment.utils import static_env_params_from_size

    sample = make_reset_fn_sample_kinetix_level(EnvParams(), static_env_params_from_size(size))
    levels = jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(seed), count))
    stacked = jax.tree.map(np.asarray, to_state_dict(levels))
    return [jax.tree.map(lambda x: x[i], stacked) for i in range(count)]  # noqa: B023 (used at once)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["s", "m", "l"], choices=["s", "m", "l"])
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    for size in args.sizes:
        start = time.perf_counter()
        scenes = [convert(level) for level in draw(size, args.count, args.seed)]
        arrays = {name: narrow(np.stack([scene[name] for scene in scenes])) for name in scenes[0]}
        path = DATA / f"kinetix_random_{size}.npz"
        np.savez_compressed(path, **arrays)
        print(
            f"{path}: {args.count} levels in {time.perf_counter() - start:.0f} s, {path.stat().st_size / 1024:.0f} KiB"
        )


if __name__ == "__main__":
    main()
