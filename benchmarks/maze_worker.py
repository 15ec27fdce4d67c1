"""One implementation of the maze, compiled, then timed on demand: the other half of `maze_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one compiled rollout of
random actions with automatic reset onto new levels; every observation, reward and flag is summed, so that nothing is
optimised away. It runs in whichever environment has the implementation, hence imports only what that one needs.
"""

import argparse

import jax
from rollouts import scanned, serve, used_up


def turns(batch, steps):
    """Random actions of a maze: left, right, forward."""
    return lambda key: jax.random.randint(key, (steps, batch), 0, 3)


def minicosm_rollout(batch, steps):
    import minicosm
    from minicosm.wrappers import AutoReset

    worlds = AutoReset(minicosm.make("maze"), batch)

    def tick(state, action, key):
        state, timestep = worlds.step(state, action[:, None])
        used = used_up(timestep.observation, timestep.reward, timestep.terminated, timestep.truncated)
        return state, used, timestep.info["reset"].sum()

    return jax.jit(worlds.reset)(jax.random.key(0))[0], scanned(tick, steps, turns(batch, steps))


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
    return state, scanned(tick, steps, turns(batch, steps))


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
    return state, scanned(tick, steps, turns(batch, steps))


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
    serve(state, rollout, args.batch * args.steps)


if __name__ == "__main__":
    main()
