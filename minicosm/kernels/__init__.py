"""Hot inner loops in C++, called from JAX."""
