"""Hot inner loops in C++, called from JAX on the CPU; each has a reference in pure JAX, which is what defines it.

`MINICOSM_KERNELS=off` selects the references. See docs/kernels.md.
"""

from minicosm.kernels.dispatch import accelerate
from minicosm.kernels.library import available, instruction_set, instruction_sets, select, why_not

__all__ = ["accelerate", "available", "instruction_set", "instruction_sets", "select", "why_not"]
