"""Rigid bodies on hinges without contact, integrated in float64 to far below a millimetre: what engines aim at."""

import numpy as np
from scripted_scenes import Scene, anchor

from minicosm.envs.physics.engine.mass import disc_mass, polygon_mass

STEP = 1 / 600  # s; halving it moves nothing by more than 10 µm in the scenes tested


def swing(scene: Scene, seconds: float) -> np.ndarray:
    """Poses f64[60 seconds, bodies, 3] (x m, y m, angle rad) of a scene whose body 0 is static and held by nothing.

    The equations of motion with one Lagrange multiplier per held coordinate, whose acceleration they bring to zero
    (Baumgarte's terms keep rounding from adding up), by fourth-order Runge-Kutta.
    """
    start = np.array([[*body.position, body.rotation] for body in scene.bodies])
    held = [np.array([anchor(scene.bodies[i], j.point) for i in (j.body_a, j.body_b)]) for j in scene.joints]
    ends = [(joint.body_a, joint.body_b) for joint in scene.joints]
    inverse = np.array([inverse_masses(scene, i) for i in range(len(scene.bodies))])
    gravity = np.array([*scene.gravity, 0.0]) * (inverse > 0.0)

    def acceleration(pose: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        jacobian = np.zeros((len(ends), 2, *pose.shape))
        error, drift = np.zeros((2, len(ends), 2))
        for k, bodies in enumerate(ends):
            for body, local, sign in zip(bodies, held[k], (-1.0, 1.0), strict=True):
                cos, sin = np.cos(pose[body, 2]), np.sin(pose[body, 2])
                arm = np.array([cos * local[0] - sin * local[1], sin * local[0] + cos * local[1]])
                jacobian[k, [0, 1], body, [0, 1]] = sign
                jacobian[k, :, body, 2] = sign * np.array([-arm[1], arm[0]])
                error[k] += sign * (pose[body, :2] + arm)
                drift[k] -= sign * arm * velocity[body, 2] ** 2
        flat = jacobian.reshape(2 * len(ends), -1)
        wanted = -(flat @ gravity.ravel()) - drift.ravel() - 200.0 * (flat @ velocity.ravel()) - 1e4 * error.ravel()
        multipliers = np.linalg.solve(flat * inverse.ravel() @ flat.T, wanted)
        return gravity + inverse * (flat.T @ multipliers).reshape(pose.shape)

    pose, velocity, per_tick = start, np.zeros_like(start), round(1 / (60 * STEP))
    poses = []
    for step in range(round(60 * seconds) * per_tick):
        a1 = acceleration(pose, velocity)
        a2 = acceleration(pose + STEP / 2 * velocity, v2 := velocity + STEP / 2 * a1)
        a3 = acceleration(pose + STEP / 2 * v2, v3 := velocity + STEP / 2 * a2)
        a4 = acceleration(pose + STEP * v3, v4 := velocity + STEP * a3)
        pose = pose + STEP / 6 * (velocity + 2 * v2 + 2 * v3 + v4)
        velocity = velocity + STEP / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        if (step + 1) % per_tick == 0:
            poses.append(pose)
    return np.array(poses)


def inverse_masses(scene: Scene, index: int) -> tuple[float, float, float]:
    """1/mass twice, 1/moment of inertia; zeros for a static body."""
    body = scene.bodies[index]
    if body.is_static:
        return 0.0, 0.0, 0.0
    if body.vertices:
        mass, _, inertia = polygon_mass(np.array(body.vertices), body.density)
    else:
        mass, inertia = disc_mass(np.array(body.radius), body.density)
    return 1.0 / float(mass), 1.0 / float(mass), 1.0 / float(inertia)
