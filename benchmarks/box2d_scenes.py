"""Native Box2D on the scripted scenes of the parity test: writes `tests/envs/physics/engine/box2d_reference.json`.

    pip install pyb2d3
    python benchmarks/box2d_scenes.py --compare

Box2D v3 as it comes in pyb2d3: ticks of 1/60 s, 4 sub-steps, no sleeping, everything else at its default. The poses are
sampled eight times at equal intervals. Beside them stands how far they move, over all bodies and at each sample, in
two other runs: every moving body 0.01 mm aside, and 8 sub-steps; no other engine can be held to less than that.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import sys

SCENES_PATH = pathlib.Path(__file__).parent.parent / "tests" / "envs" / "physics" / "engine" / "scripted_scenes.py"
REFERENCE_PATH = SCENES_PATH.with_name("box2d_reference.json")
DT, SUB_STEPS, SAMPLES = 1.0 / 60.0, 4, 8
ASIDE = 1e-5  # m


def load_scenes():
    """The module of scripted scenes, by its path: tests are no package."""
    spec = importlib.util.spec_from_file_location("scripted_scenes", SCENES_PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


SCRIPTED = load_scenes()


def build(scene, aside=0.0):
    """A Box2D world with the scene's bodies, in their order; those that move start `aside` m to the left or right."""
    import pyb2d3

    world = pyb2d3.World(gravity=scene.gravity)
    world.sleeping_enabled = False
    bodies = []
    for i, body in enumerate(scene.bodies):
        create = world.create_static_body if body.is_static else world.create_dynamic_body
        x = body.position[0] + (0.0 if body.is_static else aside * (-1) ** i)
        made = create(
            position=(x, body.position[1]),
            rotation=body.rotation,
            linear_velocity=body.velocity,
            angular_velocity=body.angular_velocity,
        )
        material = pyb2d3.surface_material(friction=body.friction, restitution=body.restitution)
        shape = pyb2d3.polygon(points=body.vertices) if body.vertices else pyb2d3.circle(radius=body.radius)
        made.create_shape(pyb2d3.shape_def(density=body.density, material=material), shape)
        bodies.append(made)
    for joint in scene.joints:
        join(world, bodies, scene, joint)
    return world, bodies


def join(world, bodies, scene, joint):
    """Add a hinge or a weld."""
    a, b = scene.bodies[joint.body_a], scene.bodies[joint.body_b]
    fields = {
        "local_anchor_a": SCRIPTED.anchor(a, joint.point),
        "local_anchor_b": SCRIPTED.anchor(b, joint.point),
        "reference_angle": b.rotation - a.rotation,
    }
    ends = bodies[joint.body_a], bodies[joint.body_b]
    if joint.is_fixed:
        world.create_weld_joint(*ends, **fields)
        return
    if joint.limits is not None:
        fields |= {"enable_limit": True, "lower_angle": joint.limits[0], "upper_angle": joint.limits[1]}
    if joint.motor is not None:
        fields |= {"enable_motor": True, "motor_speed": joint.motor[0], "max_motor_torque": joint.motor[1]}
    world.create_revolute_joint(*ends, **fields)


def pose(body):
    """x, y, angle."""
    return body.position.x, body.position.y, body.angle


def run(scene, sub_steps=SUB_STEPS, aside=0.0):
    """Step a scene to its end: poses at the samples, the worst joint gap, and the greatest speed at the end."""
    world, bodies = build(scene, aside)
    ticks = round(scene.duration / DT)
    sample_ticks = [round(ticks * (k + 1) / SAMPLES) for k in range(SAMPLES)]
    samples, gap = [], 0.0
    for tick in range(1, ticks + 1):
        world.step(DT, sub_steps)
        poses = [pose(body) for body in bodies]
        gap = max(gap, SCRIPTED.joint_gap(scene, poses))
        if tick in sample_ticks:
            samples.append(poses)
    speed = max(math.hypot(body.linear_velocity.x, body.linear_velocity.y) for body in bodies)
    return {"ticks": sample_ticks, "poses": samples, "worst_joint_gap": gap, "final_speed": speed}


def spread(one, other):
    """Distance, m, by which the most distant body differs, per sample."""
    return [
        max(math.dist(a[:2], b[:2]) for a, b in zip(poses, others, strict=True))
        for poses, others in zip(one["poses"], other["poses"], strict=True)
    ]


def reference(scene):
    """What the parity test needs of one scene."""
    result = run(scene)
    aside, finer = run(scene, aside=ASIDE), run(scene, sub_steps=2 * SUB_STEPS)
    result["outcome"] = scene.outcome(scene, result["poses"][-1])
    result["spread_aside"], result["spread_8_sub_steps"] = spread(result, aside), spread(result, finer)
    return result


def rounded(value):
    """Floats to a hundredth of a millimetre, all the way down."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def compare(references):
    """Print how our engine's last poses differ from Box2D's, and what both come to."""
    played = SCRIPTED.play(list(references))
    print(f"{'scene':22} {'end, m':>8} {'end, rad':>8} {'gap ours':>8} {'Box2D':>8}  outcome ours / Box2D")
    for name, found in references.items():
        scene, ours, theirs = SCRIPTED.SCENES[name](), played[name].tolist(), found["poses"][-1]
        far = max(math.dist(a[:2], b[:2]) for a, b in zip(ours[-1], theirs, strict=True))
        turns = [math.remainder(a[2] - b[2], math.tau) for a, b in zip(ours[-1], theirs, strict=True)]
        gap = max(SCRIPTED.joint_gap(scene, poses) for poses in ours)
        ends = f"{scene.outcome(scene, ours[-1])} / {found['outcome']}"
        print(f"{name:22} {far:8.4f} {max(map(abs, turns)):8.4f} {gap:8.4f} {found['worst_joint_gap']:8.4f}  {ends}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", action="store_true", help="then step our engine, too, and print where they differ")
    args = parser.parse_args()
    try:
        version = importlib.metadata.version("pyb2d3")
    except importlib.metadata.PackageNotFoundError:
        sys.exit('Box2D is not installed: pip install pyb2d3, or "minicosm[bench]"')
    scenes = {}
    print(
        f"{'scene':22} {'final speed':>11} {'joint gap':>9} {'aside':>8} {'8 sub-steps':>11}   (m/s, m; worst sample)"
    )
    for name, make in SCRIPTED.SCENES.items():
        scenes[name] = found = reference(make())
        figures = (
            found["final_speed"],
            found["worst_joint_gap"],
            *(found[key][-1] for key in ("spread_aside", "spread_8_sub_steps")),
        )
        print("{:22} {:11.4f} {:9.5f} {:8.4f} {:11.4f}  {}".format(name, *figures, found["outcome"]))
    head = {
        "written_by": "python benchmarks/box2d_scenes.py",
        "engine": f"Box2D v3 in pyb2d3 {version}, {SUB_STEPS} sub-steps of 1/60 s, no sleeping",
        "poses": "x m, y m, angle rad of each body, in the scene's order, at each of `ticks`",
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rounded(found))}" for name, found in scenes.items())
    REFERENCE_PATH.write_text(json.dumps(head)[:-1] + ',\n "scenes": {\n' + lines + "\n }}\n")
    if args.compare:
        compare(scenes)
    print(f"written: {REFERENCE_PATH} ({REFERENCE_PATH.stat().st_size / 1024:.0f} KiB)")


if __name__ == "__main__":
    main()
