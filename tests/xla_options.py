"""How the tests compile: hardly optimised, which takes a quarter of the time and gives the same numbers.

Those that compute for long, or are about what the compiler makes of a program, ask for what users get:
`jax.jit(function, compiler_options=OPTIMISED)`.
"""

HARDLY_OPTIMISED = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # for XLA_FLAGS
OPTIMISED = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}  # what XLA does by itself
