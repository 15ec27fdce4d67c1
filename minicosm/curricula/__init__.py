"""Curricula: which levels an agent is trained on, chosen on the device while it learns."""

from minicosm.curricula.base import Curriculum, Outcome, Player, Proposal
from minicosm.curricula.buffer import LevelBuffer, Prioritisation
from minicosm.curricula.domain_randomization import DomainRandomization
from minicosm.curricula.one_level import OneLevel
from minicosm.curricula.plr import PLR, PLRConfig
from minicosm.curricula.registry import Entry, entries, make, names, register
from minicosm.curricula.sfl import SFL, SFLConfig

__all__ = [
    "PLR",
    "SFL",
    "Curriculum",
    "DomainRandomization",
    "Entry",
    "LevelBuffer",
    "OneLevel",
    "Outcome",
    "PLRConfig",
    "Player",
    "Prioritisation",
    "Proposal",
    "SFLConfig",
    "entries",
    "make",
    "names",
    "register",
]
