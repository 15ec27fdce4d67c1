"""One implementation of PPO in one world, compiled, then timed on demand: the other half of `ppo_throughput.py`.

Reads commands from standard input, a line each, and answers with a line of JSON. `run` times one update: playing with
the policy, advantages, and learning. It runs in whichever environment has the world, hence imports only what that one
needs. For other projects' worlds the trainer is the one below, written the way the field writes it: everything in one
jitted function, worlds under `vmap`, a fresh level drawn at every automatic reset, as those worlds come.
"""

import argparse
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rollouts import serve

# discount, GAE's lambda, clip, entropy bonus, value loss, gradient norm, learning rate
GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, NORM, RATE = 0.99, 0.95, 0.2, 0.01, 0.5, 0.5, 2.5e-4


class World(NamedTuple):
    """For the plain trainer: `reset(key)` gives state, observation; `step(key, state, action)` reward and done too."""

    reset: Any
    step: Any
    num_choices: tuple[int, ...] | None  # of multi-discrete actions
    num_reals: int = 0  # or of Gaussian ones


def flat(tree):
    """f32[F]."""
    return jnp.concatenate([jnp.ravel(x).astype(jnp.float32) for x in jax.tree.leaves(tree)])


def jaxnav():
    from jaxmarl.environments.jaxnav.jaxnav_env import JaxNav

    env = JaxNav(num_agents=1, map_params={"map_size": (11, 11), "fill": 0.3})
    (agent,) = env.agents

    def reset(key):
        observation, state = env.reset(key)
        return state, observation[agent]

    def step(key, state, action):
        observation, state, reward, done, _ = env.step(key, state, {agent: action})
        return state, observation[agent], reward[agent], done["__all__"]

    return World(reset, step, None, 2)


def jaxued():
    jax.tree_map = jax.tree.map  # release 0.0.1 still calls it by the name that newer JAX has dropped
    from jaxued.environments import Maze
    from jaxued.environments.maze import make_level_generator
    from jaxued.wrappers import AutoResetWrapper

    make = make_level_generator(13, 13, 60)
    env = AutoResetWrapper(Maze(max_height=13, max_width=13, agent_view_size=5), make)
    params = env.default_params

    def reset(key):
        observation, state = env.reset_to_level(key, make(key), params)
        return state, flat(observation)

    def step(key, state, action):
        observation, state, reward, done, _ = env.step(key, state, action[0], params)
        return state, flat(observation), reward, done

    return World(reset, step, (3,))


def kinetix():
    from kinetix.environment.env import make_kinetix_env
    from kinetix.environment.env_state import EnvParams
    from kinetix.environment.spaces import ActionType, ObservationType
    from kinetix.environment.ued.ued import make_reset_fn_sample_kinetix_level
    from kinetix.environment.utils import static_env_params_from_size

    params, static = EnvParams(), static_env_params_from_size("s")
    make = make_reset_fn_sample_kinetix_level(params, static)
    env = make_kinetix_env(ActionType.MULTI_DISCRETE, ObservationType.SYMBOLIC_FLAT, make, params, static)

    def reset(key):
        observation, state = env.reset(key, params)
        return state, flat(observation)

    def step(key, state, action):
        observation, state, reward, done, _ = env.step(key, state, action, params)
        return state, flat(observation), reward, done

    return World(reset, step, (3, 3, 3, 3, 2, 2))


def dense(key, fan_in, fan_out, scale):
    """Orthogonal weights, and zeros."""
    return jax.nn.initializers.orthogonal(scale)(key, (fan_in, fan_out)), jnp.zeros(fan_out)


class Net:
    """Two stacks, of policy and value; with a memory, shared layers and a GRU before one layer of each."""

    def __init__(self, world, size, hidden, memory):
        self.world, self.size, self.hidden, self.memory = world, size, hidden, memory
        self.num_out = sum(world.num_choices) if world.num_choices else world.num_reals

    def init(self, key):
        keys = iter(jax.random.split(key, 20))

        def stack(fan_in, widths):
            layers = []
            for width in widths:
                layers.append(dense(next(keys), fan_in, width, 2**0.5))
                fan_in = width
            return layers

        params, before, stacked = {"log_std": jnp.zeros(self.world.num_reals)}, self.size, self.hidden
        if self.memory:
            params["shared"] = stack(self.size, self.hidden)
            params["inputs"] = dense(next(keys), self.hidden[-1], 3 * self.memory, 1.0)
            params["weights"] = dense(next(keys), self.memory, 3 * self.memory, 1.0)
            before, stacked = self.memory, self.hidden[-1:]
        params["actor"], params["critic"] = stack(before, stacked), stack(before, stacked)
        params["policy"] = dense(next(keys), stacked[-1], self.num_out, 0.01)
        params["value"] = dense(next(keys), stacked[-1], 1, 1.0)
        return params

    def __call__(self, params, observation, reset, memory):
        """[T, N, ...] and the memory [N, M] before: outputs [T, N, K], values [T, N], the memory after."""

        def run(layers, x):
            for weights, bias in layers:
                x = jnp.tanh(x @ weights + bias)
            return x

        x = observation
        if self.memory:
            weights, bias = params["weights"]

            def tick(memory, now):
                given, reset = now
                memory = jnp.where(reset[:, None], 0.0, memory)
                (read, keep, new), (own_read, own_keep, own) = (
                    jnp.split(part, 3, axis=-1) for part in (given, memory @ weights + bias)
                )
                keep = jax.nn.sigmoid(keep + own_keep)
                memory = keep * memory + (1 - keep) * jnp.tanh(new + jax.nn.sigmoid(read + own_read) * own)
                return memory, memory

            inputs = run(params["shared"], x) @ params["inputs"][0] + params["inputs"][1]
            memory, x = jax.lax.scan(tick, memory, (inputs, reset))
        out = run(params["actor"], x) @ params["policy"][0] + params["policy"][1]
        value = run(params["critic"], x) @ params["value"][0] + params["value"][1]
        return out, value[..., 0], memory

    def sample(self, key, params, out):
        if self.world.num_choices is None:
            return out + jnp.exp(params["log_std"]) * jax.random.normal(key, out.shape)
        keys = jax.random.split(key, len(self.world.num_choices))
        parts = zip(keys, self.parts(out), strict=True)
        return jnp.stack([jax.random.categorical(key, logits) for key, logits in parts], axis=-1)

    def judge(self, params, out, action):
        """Log probability of the action, and entropy."""
        if self.world.num_choices is None:
            deviation = (action - out) / jnp.exp(params["log_std"])
            entropy = jnp.sum(params["log_std"] + 0.5 * np.log(2 * np.pi * np.e))
            log_prob = -jnp.sum(deviation**2 / 2 + params["log_std"] + 0.5 * np.log(2 * np.pi), axis=-1)
            return log_prob, jnp.broadcast_to(entropy, log_prob.shape)
        log_prob = entropy = 0.0
        for i, logits in enumerate(self.parts(out)):
            logs = jax.nn.log_softmax(logits)
            log_prob += jnp.take_along_axis(logs, action[..., i, None], axis=-1)[..., 0]
            entropy -= jnp.sum(jnp.exp(logs) * logs, axis=-1)
        return log_prob, entropy

    def parts(self, out):
        return jnp.split(out, np.cumsum(self.world.num_choices)[:-1].tolist(), axis=-1)


def plain(world, args):
    """The state before the first update, `update(state, key)` and what it is made of."""
    import optax

    num = args.num_envs
    _state, first = jax.eval_shape(world.reset, jax.random.PRNGKey(0))
    net = Net(world, first.shape[0], tuple(args.hidden), args.memory)
    optimizer = optax.chain(optax.clip_by_global_norm(NORM), optax.adam(RATE, eps=1e-5))

    def start(key):
        params = net.init(key)
        state, observation = jax.vmap(world.reset)(jax.random.split(key, num))
        playing = (state, observation, jnp.ones(num, bool), jnp.zeros((num, max(args.memory, 1))))
        return params, optimizer.init(params), playing

    def think(params, observation, reset, memory):
        out, value, memory = net(params, observation[None], reset[None], memory)
        return out[0], value[0], memory

    def loss(params, batch):
        observation, reset, action, old_log_prob, advantage, target, memory = batch
        out, value, _ = net(params, observation, reset, memory[0])
        log_prob, entropy = net.judge(params, out, action)
        ratio = jnp.exp(log_prob - old_log_prob)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        policy = -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage).mean()
        return policy + VALUE * ((value - target) ** 2).mean() - ENTROPY * entropy.mean()

    def update(training, key):
        params, opt, (state, observation, reset, memory) = training
        before = memory

        def tick(playing, key):
            state, observation, reset, memory = playing
            act_key, step_key = jax.random.split(key)
            out, value, memory = think(params, observation, reset, memory)
            action = net.sample(act_key, params, out)
            log_prob, _ = net.judge(params, out, action)
            keys = jax.random.split(step_key, num)
            state, after, reward, done = jax.vmap(world.step)(keys, state, action)
            seen = (observation, reset, action, log_prob, value, reward, done)
            return (state, after, done, memory), seen

        play_key, learn_key = jax.random.split(key)
        playing, seen = jax.lax.scan(
            tick, (state, observation, reset, memory), jax.random.split(play_key, args.num_steps)
        )
        observation, reset, action, log_prob, value, reward, done = seen
        _, last, _ = think(params, *playing[1:])

        def backwards(carry, now):
            advantage, after = carry
            reward, done, value = now
            error = reward + GAMMA * after * (1 - done) - value
            advantage = error + GAMMA * LAMBDA * (1 - done) * advantage
            return (advantage, value), advantage

        _, advantage = jax.lax.scan(backwards, (jnp.zeros(num), last), (reward, done, value), reverse=True)
        batch = (observation, reset, action, log_prob, advantage, advantage + value, before[None])

        def learn(carry, batch):
            params, opt = carry
            gradient = jax.grad(loss)(params, batch)
            change, opt = optimizer.update(gradient, opt, params)
            return (optax.apply_updates(params, change), opt), None

        def epoch(carry, key):
            order = jax.random.permutation(key, num).reshape(args.minibatches, -1)
            parts = jax.tree.map(lambda x: jnp.moveaxis(x[:, order], 1, 0), batch)
            return jax.lax.scan(learn, carry, parts)[0], None

        (params, opt), _ = jax.lax.scan(epoch, (params, opt), jax.random.split(learn_key, args.epochs))
        used = sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(params))
        return (params, opt, playing), used, done.sum()

    return jax.jit(start)(jax.random.PRNGKey(0)), update


def learner_of(world, args):
    """Minicosm's own trainer with the same settings."""
    import minicosm
    from minicosm.envs.physics import RewardConfig
    from minicosm.training import NetworkConfig, PPOConfig
    from minicosm.training.networks import Agent
    from minicosm.training.ppo import Learner
    from minicosm.wrappers import AutoReset, EpisodeStats

    flat = {"observation_kind": "flat", "action_kind": "multi_discrete"}
    settings = {
        "nav": ("nav", {"goal_radius": 0.5, "max_fill": 0.3}),
        "maze": ("maze", {}),
        "physics": ("physics-s", {**flat, "reward": RewardConfig(shaping=0.1)}),
    }
    name, chosen = settings[world]
    env = minicosm.make(name, **chosen)
    net = NetworkConfig(hidden=tuple(args.hidden), recurrent=args.memory > 0, memory=args.memory or 1)
    config = PPOConfig(
        num_envs=args.num_envs, num_steps=args.num_steps, minibatches=args.minibatches, epochs=args.epochs,
        learning_rate=RATE, gamma=GAMMA, gae_lambda=LAMBDA, clip=CLIP, entropy=ENTROPY, value=VALUE,
        max_grad_norm=NORM, anneal=False, network=net,
    )  # fmt: skip
    return Learner(EpisodeStats(AutoReset(env, args.num_envs)), Agent.of(env, net), config)


def ours(world, args):
    """The state before the first update and `update(state, key)` of minicosm's own trainer."""
    learner = learner_of(world, args)

    def update(state, key):
        del key  # the state has its own
        state, sums = learner.update(state, state.update)
        used = sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(state.params))
        return state, used, sums["episodes"].astype(jnp.int32)

    return jax.jit(learner.init)(jax.random.key(0)), update


PEERS = {"jaxnav": jaxnav, "jaxued": jaxued, "kinetix": kinetix}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", choices=["nav", "maze", "physics", *PEERS])
    parser.add_argument("--num-envs", type=int, default=256)
    parser.add_argument("--num-steps", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minibatches", type=int, default=4)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
    parser.add_argument("--memory", type=int, default=0)
    args = parser.parse_args()
    start = time.perf_counter()
    name = args.implementation
    state, update = plain(PEERS[name](), args) if name in PEERS else ours(name, args)
    jax.block_until_ready(jax.tree.leaves(state)[0])
    update = jax.jit(update, donate_argnums=0)
    serve(state, update, args.num_envs * args.num_steps, setup_s=time.perf_counter() - start)


if __name__ == "__main__":
    main()
