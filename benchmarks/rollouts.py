"""Rollouts of random actions, compiled, then timed on demand: what the workers of the throughput benchmarks share.

A worker runs in whichever environment has its implementation, hence imports only what that one needs.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
from process_cost import peak_memory


def scanned(tick, steps, draw_actions):
    """A rollout from `tick(state, action, key) -> state, used, resets`; actions and keys are drawn before the first.

    `draw_actions(key)` gives the actions of all steps.
    """

    def body(carry, drawn):
        state, total, resets = carry
        state, used, ended = tick(state, *drawn)
        return (state, total + used, resets + ended), None

    def rollout(state, key):
        act_key, step_key = jax.random.split(key)
        drawn = draw_actions(act_key), jax.random.split(step_key, steps)
        return jax.lax.scan(body, (state, jnp.float32(0), jnp.int32(0)), drawn)[0]

    return jax.jit(rollout, donate_argnums=0)


def used_up(*trees):
    """A number that depends on every element: sums, but of bytes their maximum.

    Summing the bytes of a picture takes XLA's CPU backend two to four times as long as drawing it, which is no cost of
    a world; their maximum takes a tenth.
    """
    leaves = [x.reshape(x.shape[0], -1) for x in jax.tree.leaves(trees)]  # one long last axis, for the CPU's vectors
    return sum(_used_up(x).astype(jnp.float32) for x in leaves)


def _used_up(x):
    if x.dtype == jnp.uint8:
        return x.max()
    return x.sum(dtype=None if x.dtype == jnp.float32 else jnp.int32)


def serve(state, rollout, env_steps, setup_s=0.0):
    """Compile `rollout(state, key)`, then time it once per line of standard input, answering with a line of JSON.

    `setup_s` is what it took to compile and make the first `state`.
    """
    keys = jax.random.split(jax.random.PRNGKey(1), 1000)
    start = time.perf_counter()
    compiled = rollout.lower(state, keys[0]).compile()
    compile_s = time.perf_counter() - start
    state, _, _ = jax.block_until_ready(compiled(state, keys[0]))
    temporary = compiled.memory_analysis().temp_size_in_bytes
    told = {"compile_s": compile_s, "setup_s": setup_s, "jax": jax.__version__, "temporary_bytes": temporary}
    print(json.dumps(told), flush=True)
    for i, _ in enumerate(sys.stdin):
        wall, cpu = time.perf_counter(), time.process_time()
        state, total, resets = jax.block_until_ready(compiled(state, keys[1 + i]))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert jnp.isfinite(total)
        told = {"wall_s": wall, "cpu_s": cpu, "env_steps": env_steps, "resets": int(resets), **peak_memory()}
        print(json.dumps(told), flush=True)
