"""One implementation of the 2D universe, compiled, then timed on demand: the other half of `physics_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one compiled rollout of
random actions with automatic reset onto new random levels; every observation, reward and flag is summed, so that
nothing is optimised away. It runs in whichever environment has the implementation, hence imports only what that one
needs. Frame-skip 2, 256 steps an episode, discrete controls one by one (multi-discrete), in both.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from rollouts import scanned, serve, used_up

MOTORS, THRUSTERS = 4, 2  # bindings
NUM_CHOICES = np.array([3] * MOTORS + [2] * THRUSTERS)


def controls(batch, steps):
    """Random multi-discrete actions."""
    return lambda key: jax.random.randint(key, (steps, batch, len(NUM_CHOICES)), 0, NUM_CHOICES)


def minicosm_rollout(size, observation, batch, steps):
    import minicosm
    from minicosm.wrappers import AutoReset

    env = minicosm.make(f"physics-{size}", observation_kind=observation, action_kind="multi_discrete", reward=dense())
    worlds = AutoReset(env, batch)

    def tick(state, action, key):
        state, timestep = worlds.step(state, action[:, None])
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        return state, used, timestep.info["reset"].sum()

    return jax.jit(worlds.reset)(jax.random.key(0))[0], scanned(tick, steps, controls(batch, steps))


def dense():
    """Its reward is shaped; so is ours, for equal work."""
    from minicosm.envs.physics import RewardConfig

    return RewardConfig(shaping=0.1)


def kinetix_rollout(size, observation, batch, steps):
    from kinetix.environment.env import make_kinetix_env
    from kinetix.environment.env_state import EnvParams
    from kinetix.environment.spaces import ActionType, ObservationType
    from kinetix.environment.ued.ued import make_reset_fn_sample_kinetix_level
    from kinetix.environment.utils import static_env_params_from_size

    params, static = EnvParams(), static_env_params_from_size(size)
    kind = {"entities": "SYMBOLIC_ENTITY", "flat": "SYMBOLIC_FLAT", "pixels": "PIXELS"}[observation]
    env = make_kinetix_env(
        ActionType.MULTI_DISCRETE,
        ObservationType[kind],
        make_reset_fn_sample_kinetix_level(params, static),
        params,
        static,
    )

    def tick(state, action, key):
        keys = jax.random.split(key, batch)
        observation, state, reward, done, _ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(keys, state, action, params)
        return state, used_up(observation, reward, done), done.sum()

    keys = jax.random.split(jax.random.PRNGKey(0), batch)
    _, state = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))(keys, params)
    return state, scanned(tick, steps, controls(batch, steps))


BUILDERS = {"minicosm": minicosm_rollout, "kinetix": kinetix_rollout}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=BUILDERS)
    parser.add_argument("--size", choices=["s", "m", "l"], required=True)
    parser.add_argument("--observation", choices=["entities", "flat", "pixels"], default="entities")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    start = time.perf_counter()
    state, rollout = BUILDERS[args.implementation](args.size, args.observation, args.batch, args.steps)
    jax.block_until_ready(jnp.zeros(()) if state is None else state)
    serve(state, rollout, args.batch * args.steps, setup_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
