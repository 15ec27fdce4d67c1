"""One implementation of navigation, compiled, then timed on demand: the other half of `nav_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one compiled rollout of
random actions with automatic reset; every observation, reward and flag is summed, so that nothing is optimised away.
It runs in whichever environment has the implementation, hence imports only what that one needs.
"""

import argparse
import time

import jax
from rollouts import serve


def minicosm_rollout(robots, batch, steps):
    import minicosm
    from minicosm.wrappers import AutoReset

    worlds = AutoReset(minicosm.make("nav", num_robots=robots, goal_radius=0.5, max_fill=0.3), batch)

    def tick(carry, key):
        state, total = carry
        action = jax.random.uniform(key, (batch, robots, 2), minval=-1.0)
        state, timestep = worlds.step(state, action)
        used = timestep.observation.sum() + timestep.reward.sum() + timestep.terminated.sum()
        return (state, total + used), timestep.info["reset"].sum()

    def rollout(state, key):
        (state, total), resets = jax.lax.scan(tick, (state, 0.0), jax.random.split(key, steps))
        return state, total, resets.sum()

    return jax.jit(worlds.reset)(jax.random.key(0))[0], jax.jit(rollout, donate_argnums=0)


def jaxnav_rollout(robots, batch, steps):
    from jaxmarl.environments.jaxnav.jaxnav_env import JaxNav

    env = JaxNav(num_agents=robots, map_params={"map_size": (11, 11), "fill": 0.3})
    assert (env.max_steps, env.lidar_num_beams) == (500, 200)

    def tick(carry, key):
        state, total = carry
        act_key, step_key = jax.random.split(key)
        action = jax.random.uniform(act_key, (robots, batch, 2), minval=-1.0)
        actions = {agent: action[i] for i, agent in enumerate(env.agents)}
        observation, state, reward, done, _ = jax.vmap(env.step)(jax.random.split(step_key, batch), state, actions)
        used = sum(x.sum() for x in jax.tree.leaves((observation, reward, done)))
        return (state, total + used), done["__all__"].sum()

    def rollout(state, key):
        (state, total), resets = jax.lax.scan(tick, (state, 0.0), jax.random.split(key, steps))
        return state, total, resets.sum()

    _, state = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.PRNGKey(0), batch))
    return state, jax.jit(rollout, donate_argnums=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=["minicosm", "jaxnav"])
    parser.add_argument("--robots", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    args = parser.parse_args()
    start = time.perf_counter()
    build = minicosm_rollout if args.implementation == "minicosm" else jaxnav_rollout
    state, rollout = build(args.robots, args.batch, args.steps)
    jax.block_until_ready(state)
    serve(state, rollout, args.batch * args.steps, setup_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
