"""How the engine steps."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class EngineConfig:
    """Settings of the solver, after Box2D v3's "soft step" (its manual, and E. Catto, "Solver2D", 2024).

    Contacts and joints are springs as stiff as the sub-step can resolve: the stiffnesses are given as fractions of
    the sub-step rate, so that a finer sub-step also makes them stiffer.
    """

    dt: float = 1 / 60  # s, of one tick
    num_substeps: int = 4
    num_joint_sweeps: int = (
        2  # over all joints per solve of velocities: chains under load need them, and joints are few
    )
    contact_stiffness: float = (
        0.25  # contact frequency over sub-step frequency (60 Hz by default); walls and statics get twice that
    )
    contact_damping: float = 10.0  # damping ratio
    max_push_speed: float = 3.0  # m/s, at which overlapping shapes are driven apart
    friction_stiffness: float = 0.125  # of the spring that holds a sticking contact where it stuck
    joint_stiffness: float = 1 / 3
    joint_damping: float = 1.0
    max_pull_speed: float = 10.0  # m/s and rad/s, at which a joint's errors are driven out
    restitution_threshold: float = 0.5  # m/s, below which nothing bounces
    margin: float = 0.02  # m, ahead of a touch at which a contact is found
    max_speed: float = 100.0  # m/s
    max_spin: float = 50.0  # rad/s

    def __post_init__(self) -> None:
        for name in ("num_substeps", "num_joint_sweeps"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be an int >= 1")
        for field in dataclasses.fields(self):
            name, value = field.name, getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} is {value!r}: it must be a finite number above 0")
        for name in ("contact_stiffness", "friction_stiffness", "joint_stiffness"):
            if getattr(self, name) > 0.5:
                raise ValueError(f"{name} is {getattr(self, name)}: a sub-step resolves springs up to 0.5 of its rate")

    @property
    def substep(self) -> float:
        """Seconds of one sub-step."""
        return self.dt / self.num_substeps
