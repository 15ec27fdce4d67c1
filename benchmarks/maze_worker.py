"""One implementation of the maze, compiled, then timed on demand: the other half of `maze_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one compiled rollout of
random actions with automatic reset onto new levels; every observation, reward and flag is summed, so that nothing is
optimised away. It runs in whichever environment has the implementation, hence imports only what that one needs.
"""

import argparse
import json
import sys
import time

import jax
import jax.numpy as jnp


def scanned(tick, batch, steps, num_actions):
    """A rollout from `tick(state, action, key) -> state, used, resets`; actions and keys are drawn before the first."""

    def body(carry, drawn):
        state, total, resets = carry
        state, used, ended = tick(state, *drawn)
        return (state, total + used, resets + ended), None

    def rollout(state, key):
        act_key, step_key = jax.random.split(key)
        drawn = jax.random.randint(act_key, (steps, batch), 0, num_actions), jax.random.split(step_key, steps)
        return jax.lax.scan(body, (state, jnp.float32(0), jnp.int32(0)), drawn)[0]

    return jax.jit(rollout, donate_argnums=0)


def used_up(*trees):
    """A number that depends on every element; whole numbers are summed as such, which is fast."""
    leaves = [x.reshape(x.shape[0], -1) for x in jax.tree.leaves(trees)]  # one long last axis, for the CPU's vectors
    return sum((x.sum(dtype=None if x.dtype == jnp.float32 else jnp.int32)).astype(jnp.float32) for x in leaves)


def minicosm_rollout(batch, steps):
    import minicosm
    from minicosm.wrappers import AutoReset

    worlds = AutoReset(minicosm.make("maze"), batch)

    def tick(state, action, key):
        state, timestep = worlds.step(state, action[:, None])
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        return state, used, timestep.info["reset"].sum()

    return jax.jit(worlds.reset)(jax.random.key(0))[0], scanned(tick, batch, steps, 3)


def jaxued_rollout(batch, steps, replay=False):
    jax.tree_map = jax.tree.map  # release 0.0.1 still calls it by the name that newer JAX has dropped
    from jaxued.environments import Maze
    from jaxued.environments.maze import make_level_generator
    from jaxued.wrappers import AutoReplayWrapper, AutoResetWrapper

    maze, make = Maze(max_height=13, max_width=13, agent_view_size=5), make_level_generator(13, 13, 60)
    env = AutoReplayWrapper(maze) if replay else AutoResetWrapper(maze, make)
    params = env.default_params

    def tick(state, action, key):
        keys = jax.random.split(key, batch)
        observation, state, reward, done, _ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(keys, state, action, params)
        return state, used_up(observation, reward, done), done.sum()

    keys = jax.random.split(jax.random.PRNGKey(0), batch)
    _, state = jax.jit(jax.vmap(env.reset_to_level, in_axes=(0, 0, None)))(keys, jax.vmap(make)(keys), params)
    return state, scanned(tick, batch, steps, 3)


def jaxued_replay_rollout(batch, steps):
    return jaxued_rollout(batch, steps, replay=True)


def xland_rollout(batch, steps):
    import xminigrid
    from xminigrid.wrappers import GymAutoResetWrapper

    env, params = xminigrid.make("MiniGrid-Empty-16x16")
    env = GymAutoResetWrapper(env)

    def tick(state, action, key):
        state = jax.vmap(env.step, in_axes=(None, 0, 0))(params, state, action)
        return state, used_up(state.observation, state.reward, state.step_type == 2), state.last().sum()

    state = jax.jit(jax.vmap(env.reset, in_axes=(None, 0)))(params, jax.random.split(jax.random.PRNGKey(0), batch))
    return state, scanned(tick, batch, steps, 3)


BUILDERS = {
    "minicosm": minicosm_rollout,
    "jaxued": jaxued_rollout,
    "jaxued-replay": jaxued_replay_rollout,
    "xland": xland_rollout,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=BUILDERS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    state, rollout = BUILDERS[args.implementation](args.batch, args.steps)
    keys = jax.random.split(jax.random.PRNGKey(1), 1000)
    start = time.perf_counter()
    compiled = rollout.lower(state, keys[0]).compile()
    compile_s = time.perf_counter() - start
    state, _, _ = jax.block_until_ready(compiled(state, keys[0]))
    print(json.dumps({"compile_s": compile_s, "jax": jax.__version__}), flush=True)
    for i, _ in enumerate(sys.stdin):
        wall, cpu = time.perf_counter(), time.process_time()
        state, total, resets = jax.block_until_ready(compiled(state, keys[1 + i]))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert jnp.isfinite(total)
        env_steps = args.batch * args.steps
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "env_steps": env_steps, "resets": int(resets)}), flush=True)


if __name__ == "__main__":
    main()
