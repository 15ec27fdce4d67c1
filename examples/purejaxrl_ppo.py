"""PPO in PureJaxRL's manner on navigation: worlds, policy and learning in one compiled program, through `GymnaxStyle`.

pip install "minicosm[train]"
python examples/purejaxrl_ppo.py --steps 2000000   # the first line it prints is of random actions
"""

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import minicosm.wrappers

WORLDS, ROLLOUT, GAMMA, LAMBDA, EPOCHS, MINIBATCHES = 256, 64, 0.99, 0.95, 4, 8
env = minicosm.wrappers.GymnaxStyle(minicosm.make("nav", num_beams=32))
adam = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-3, eps=1e-5))


class ActorCritic(nn.Module):
    @nn.compact
    def __call__(self, x):
        actor, critic = (nn.tanh(nn.Dense(64)(nn.tanh(nn.Dense(64)(x)))) for _ in range(2))
        log_std = self.param("log_std", nn.initializers.zeros, env.action_space().shape)
        return nn.Dense(*log_std.shape)(actor), jnp.exp(log_std), nn.Dense(1)(critic)[..., 0]


def tick(carry, key, is_random=False):
    params, state, observation, returns = carry
    act_key, step_key = jax.random.split(key)
    mean, std, value = ActorCritic().apply(params, observation)
    action = mean + std * jax.random.normal(act_key, mean.shape)
    log_prob = jax.scipy.stats.norm.logpdf(action, mean, std).sum(-1)
    played = jax.random.uniform(act_key, mean.shape, minval=-1.0) if is_random else jnp.clip(action, -1, 1)
    following, state, reward, done, info = jax.vmap(env.step)(jax.random.split(step_key, WORLDS), state, played)
    last = ActorCritic().apply(params, info["final_observation"])[2] * ~info["terminated"]  # a time limit bootstraps
    returns, error = returns + reward, reward + GAMMA * last - value
    ended = jnp.stack([returns, info["success"], jnp.ones(WORLDS)]) * done
    return (params, state, following, returns * ~done), (observation, action, log_prob, error, value, done, ended)


def loss(params, seen, action, old, advantage, target):
    mean, std, value = ActorCritic().apply(params, seen)
    ratio = jnp.exp(jax.scipy.stats.norm.logpdf(action, mean, std).sum(-1) - old)
    advantage = jax.nn.standardize(advantage)
    return (0.5 * (value - target) ** 2 - jnp.minimum(ratio * advantage, ratio.clip(0.8, 1.2) * advantage)).mean()


def update(carry, key):
    (learner, worlds), (roll_key, *epoch_keys) = carry, jax.random.split(key, EPOCHS + 1)
    (_, *worlds), out = jax.lax.scan(tick, (learner[0], *worlds), jax.random.split(roll_key, ROLLOUT))
    seen, action, old, error, value, done, ended = out
    gae = lambda later, now: (now[0] + GAMMA * LAMBDA * later * ~now[1],) * 2
    advantage = jax.lax.scan(gae, jnp.zeros(WORLDS), (error, done), reverse=True)[1]
    data = [x.reshape(-1, *x.shape[2:]) for x in (seen, action, old, advantage, advantage + value)]

    def improve(learner, order):
        change, optimizer = adam.update(jax.grad(loss)(learner[0], *(x[order] for x in data)), learner[1])
        return (optax.apply_updates(learner[0], change), optimizer), None

    orders = jnp.concatenate([jax.random.permutation(k, len(data[0])) for k in epoch_keys])
    return (jax.lax.scan(improve, learner, orders.reshape(EPOCHS * MINIBATCHES, -1))[0], worlds), ended.sum((0, 2))


def train(key, num_updates):
    reset_key, net_key, random_key, train_key = jax.random.split(key, 4)
    observation, state = jax.vmap(env.reset)(jax.random.split(reset_key, WORLDS))
    params, worlds = ActorCritic().init(net_key, observation), [state, observation, jnp.zeros(WORLDS)]
    at_random = jax.lax.scan(lambda c, k: tick(c, k, True), (params, *worlds), jax.random.split(random_key, 300))[1][-1]
    rounds = jax.lax.scan(update, ((params, adam.init(params)), worlds), jax.random.split(train_key, num_updates))[1]
    return jnp.concatenate([at_random.sum((0, 2))[None], rounds])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2_000_000)
    found = jax.jit(train, static_argnums=1)(jax.random.key(0), parser.parse_args().steps // (WORLDS * ROLLOUT))
    for i, (value, solved, n) in list(enumerate(found))[:: max(1, len(found) // 20)]:
        print(f"{i * WORLDS * ROLLOUT:9,d} steps: return {value / n:6.2f}, solved {solved / n:4.0%}", flush=True)
