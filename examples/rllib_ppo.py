"""RLlib's PPO on navigation: 64 worlds in one environment runner, through `gymnasium.make_vec`.

    pip install minicosm "ray[rllib]" torch   # in an environment of its own: Ray pins an older Gymnasium
    python examples/rllib_ppo.py --steps 600000

Prints the mean return of the episodes that ended in each round, after that of random actions.
"""

import argparse

import gymnasium
import numpy as np
from ray.rllib.algorithms.ppo import PPOConfig

WORLDS, NAME, SETTINGS = 64, "minicosm:minicosm/Nav-v0", {"num_beams": 32}


def return_of_random_actions(steps=300):
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(gymnasium.make_vec(NAME, num_envs=WORLDS, **SETTINGS))
    envs.reset(seed=0)
    for _ in range(steps):
        envs.step(envs.action_space.sample())
    return np.mean(envs.return_queue)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--rollout", type=int, default=128, help="steps of each world between updates")
    args = parser.parse_args()
    print(f"        0 steps: return {return_of_random_actions():6.2f} (random actions)", flush=True)
    config = (
        PPOConfig()
        .environment(NAME, env_config=SETTINGS)
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=WORLDS,
            gym_env_vectorize_mode="vector_entry_point",  # our own VectorEnv, mode "next_step", not 64 single ones
            rollout_fragment_length=args.rollout,
        )
        .learners(num_learners=0)
        .training(
            lr=1e-3,
            gamma=0.99,
            lambda_=0.95,
            train_batch_size_per_learner=WORLDS * args.rollout,
            minibatch_size=1024,
            num_epochs=4,
            clip_param=0.2,
            vf_clip_param=float("inf"),
            use_kl_loss=False,
            grad_clip=0.5,
        )
        .rl_module(model_config={"fcnet_hiddens": [64, 64], "fcnet_activation": "tanh", "vf_share_layers": False})
        .debugging(seed=1)
    )
    algorithm = config.build_algo()
    steps = 0
    while steps < args.steps:
        found = algorithm.train()["env_runners"]
        steps = int(found["num_env_steps_sampled_lifetime"])
        print(f"{steps:9,d} steps: return {found.get('episode_return_mean', float('nan')):6.2f}", flush=True)
    algorithm.stop()


if __name__ == "__main__":
    main()
