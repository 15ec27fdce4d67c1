"""How the tests compile: hardly optimised, which takes a quarter of the time and gives the same numbers.

Those that compute for long, or are about what the compiler makes of a program, ask for what users get:
`jax.jit(function, compiler_options=OPTIMISED)`.
"""

from importlib.metadata import version

HARDLY_OPTIMISED = "--xla_backend_optimization_level=0"  # for XLA_FLAGS
OPTIMISED = {"xla_backend_optimization_level": 3}  # what XLA does by itself

if tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 11):  # later ones end the process at this flag
    HARDLY_OPTIMISED += " --xla_cpu_use_fusion_emitters=false"
    OPTIMISED = {**OPTIMISED, "xla_cpu_use_fusion_emitters": True}
