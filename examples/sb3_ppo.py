"""Stable-Baselines3's PPO on navigation: 64 worlds through `SB3VecEnv`.

    pip install "minicosm[sb3]"
    python examples/sb3_ppo.py --steps 600000

Prints the mean return and solve rate of the episodes that ended, beside those of random actions.
"""

import argparse

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

import minicosm
from minicosm.wrappers import SB3VecEnv

WORLDS = 64


def random_policy(env, steps=300):
    """(mean return, solve rate) of episodes under random actions."""
    episodes = []
    env.reset()
    for _ in range(steps):
        actions = np.stack([env.action_space.sample() for _ in range(env.num_envs)])
        *_, infos = env.step(actions)
        episodes += [(info["episode"]["r"], info["is_success"]) for info in infos if "episode" in info]
    return np.mean(episodes, axis=0)


class Report(BaseCallback):
    """Prints a line per round of experience."""

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        if self.model.ep_info_buffer:
            value = np.mean([episode["r"] for episode in self.model.ep_info_buffer])
            solved = np.mean(self.model.ep_success_buffer)
            print(f"{self.num_timesteps:9,d} steps: return {value:6.2f}, solved {solved:4.0%}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--rollout", type=int, default=128, help="steps of each world between updates")
    args = parser.parse_args()
    torch.set_num_threads(1)
    env = SB3VecEnv(minicosm.make("nav", num_beams=32), WORLDS, seed=0)
    value, solved = random_policy(env)
    print(f"        0 steps: return {value:6.2f}, solved {solved:4.0%} (random actions)", flush=True)
    model = PPO(
        "MlpPolicy", env, n_steps=args.rollout, batch_size=1024, n_epochs=4, learning_rate=1e-3, gae_lambda=0.95,
        gamma=0.99, ent_coef=0.0, policy_kwargs={"net_arch": [64, 64]}, stats_window_size=200, seed=1, device="cpu",
    )  # fmt: skip
    model.learn(args.steps, callback=Report())


if __name__ == "__main__":
    main()
