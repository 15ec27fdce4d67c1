"""Native Box2D, one world after the other on one core, timed on demand: a worker of `engine_throughput.py`.

Same scenes, actions and protocol as `engine_worker.py`. Box2D v3 as it comes in pyb2d3: 4 sub-steps, no sleeping,
because the others step what rests, too. Only the time inside its own step is counted, so that neither Python's loop
nor its pushing of thrusters weighs on it.
"""

import argparse
import importlib.metadata
import math
import time

import numpy as np
from engine_worker import DT, draw_actions, load_scenes, serve

SUB_STEPS = 4


def group_of_shapes(level):
    """A number per shape, the same for shapes that joints connect: Kinetix lets none of those collide."""
    group = np.arange(len(level["active"]))
    for a, b, active in zip(level["joint_shape_a"], level["joint_shape_b"], level["joint_active"], strict=True):
        if active:
            group[group == group[b]] = group[a]
    return group


class World:
    """One level in Box2D, with the actions of its motors f32[J] and thrusters f32[T]."""

    def __init__(self, level, motors, thrusters):
        import pyb2d3

        self.world = pyb2d3.World(gravity=floats(level["gravity"]))
        self.world.sleeping_enabled = False
        group, self.bodies = group_of_shapes(level), {}
        for slot in np.flatnonzero(level["active"]):
            moves = level["inverse_mass"][slot] > 0.0
            create = self.world.create_dynamic_body if moves else self.world.create_static_body
            body = create(position=floats(level["position"][slot]), rotation=float(level["rotation"][slot]))
            definition = pyb2d3.shape_def(
                density=float(level["density"][slot]),
                material=pyb2d3.surface_material(
                    friction=float(level["friction"][slot]), restitution=float(level["restitution"][slot])
                ),
                filter=pyb2d3.make_filter(group_index=-1 - int(group[slot])),  # shapes of one negative group pass
            )
            body.create_shape(definition, outline(pyb2d3, level, slot))
            self.bodies[slot] = body
        for j in np.flatnonzero(level["joint_active"]):
            self.join({name[6:]: array[j] for name, array in level.items() if name.startswith("joint_")}, motors[j])
        self.pushes = []
        for t in np.flatnonzero(level["thruster_active"]):
            force, angle = level["thruster_force"][t] * thrusters[t], level["thruster_angle"][t]
            vector = float(force * math.cos(angle)), float(force * math.sin(angle))
            self.pushes.append((self.bodies[level["thruster_shape"][t]], floats(level["thruster_point"][t]), vector))

    def join(self, joint, action):
        """Add a hinge or a weld."""
        ends = self.bodies[joint["shape_a"]], self.bodies[joint["shape_b"]]
        fields = {
            "local_anchor_a": floats(joint["anchor_a"]),
            "local_anchor_b": floats(joint["anchor_b"]),
            "reference_angle": float(joint["rest_angle"]),
        }
        if joint["is_fixed"]:
            self.world.create_weld_joint(*ends, **fields)
            return
        self.world.create_revolute_joint(
            *ends,
            **fields,
            enable_limit=bool(joint["has_limit"]),
            lower_angle=float(joint["lower"]),
            upper_angle=float(joint["upper"]),
            enable_motor=bool(joint["motor_on"]),
            motor_speed=float(joint["motor_speed"] * action),
            max_motor_torque=float(joint["motor_torque"]),
        )

    def tick(self):
        """Step once; seconds, wall and CPU, that the step took."""
        for body, point, vector in self.pushes:
            body.apply_force(body.world_vector(vector), body.world_point(point), True)
        start = time.perf_counter()
        self.world.step(DT, SUB_STEPS)
        return time.perf_counter() - start


def floats(array):
    """A tuple of Python's floats."""
    return tuple(map(float, array))


def outline(pyb2d3, level, slot):
    """The shape of a slot: polygons first, then circles."""
    if slot < len(level["vertices"]):
        return pyb2d3.polygon(points=level["vertices"][slot, : level["num_vertices"][slot]])
    return pyb2d3.circle(radius=float(level["radius"][slot - len(level["vertices"])]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["s", "m", "l"], required=True)
    parser.add_argument("--batch", type=int, required=True, help="worlds")
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    levels = load_scenes(args.size)
    motors, thrusters = draw_actions(levels)

    def run(first):
        seconds = 0.0
        for i in range(first, first + args.batch):
            i %= len(motors)
            world = World({name: array[i] for name, array in levels.items()}, motors[i], thrusters[i])
            seconds += sum(world.tick() for _ in range(args.steps))
        return seconds, seconds  # one thread that never waits

    describe = {"compile_s": 0.0, "pyb2d3": importlib.metadata.version("pyb2d3")}
    serve(describe, run, ticks=args.batch * args.steps)


if __name__ == "__main__":
    main()
