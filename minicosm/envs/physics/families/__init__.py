"""Families of tasks that a person would recognise, each a distribution with a knob for difficulty."""

from minicosm.envs.physics.families.balance import BALANCE
from minicosm.envs.physics.families.family import Dice, Family, Knobs
from minicosm.envs.physics.families.landing import LANDING
from minicosm.envs.physics.families.locomotion import LOCOMOTION
from minicosm.envs.physics.families.obstacles import OBSTACLES
from minicosm.envs.physics.families.reaching import REACHING
from minicosm.envs.physics.families.throwing import THROWING

FAMILIES = {family.name: family for family in (LOCOMOTION, LANDING, REACHING, THROWING, BALANCE, OBSTACLES)}

__all__ = ["FAMILIES", "Dice", "Family", "Knobs"]
