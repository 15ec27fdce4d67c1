"""skrl's PPO on navigation: 64 worlds through `gymnasium.make_vec` and skrl's `wrap_env`.

pip install "minicosm[skrl]"
python examples/skrl_ppo.py --steps 600000   # prints the mean return of the last 200 episodes
"""

import argparse
import statistics

import gymnasium
import torch
from gymnasium.wrappers.vector import ClipAction, RecordEpisodeStatistics
from skrl.agents.torch import ExperimentCfg
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
from skrl.trainers.torch import SequentialTrainer
from torch import nn

WORLDS, ROLLOUT = 64, 128
mlp = lambda n, m: nn.Sequential(nn.Linear(n, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, m))


class Policy(GaussianMixin, Model):
    def __init__(self, **spaces):
        Model.__init__(self, **spaces)
        GaussianMixin.__init__(self)
        self.net = mlp(self.num_observations, self.num_actions)
        self.log_std = nn.Parameter(torch.zeros(self.num_actions))

    def compute(self, inputs, role):
        return self.net(inputs["observations"]), {"log_std": self.log_std}


class Value(DeterministicMixin, Model):
    def __init__(self, **spaces):
        Model.__init__(self, **spaces)
        DeterministicMixin.__init__(self)
        self.net = mlp(self.num_observations, 1)

    def compute(self, inputs, role):
        return self.net(inputs["observations"]), {}


class Reporting(PPO):
    def update(self, *, timestep, timesteps):
        print(f"{(timestep + 1) * WORLDS:9,d} steps: return {statistics.mean(self.returns):6.2f}", flush=True)
        super().update(timestep=timestep, timesteps=timesteps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600_000)
    timesteps = max(1, parser.parse_args().steps // (WORLDS * ROLLOUT)) * ROLLOUT
    torch.set_num_threads(1), torch.manual_seed(1)
    settings = {"num_envs": WORLDS, "num_beams": 32, "autoreset_mode": "same_step"}
    envs = gymnasium.make_vec("minicosm:minicosm/Nav-v0", **settings)
    stats = RecordEpisodeStatistics(ClipAction(envs), buffer_length=200)
    stats.reset(seed=0)
    for _ in range(300):
        stats.step(envs.action_space.sample())
    print(f"        0 steps: return {statistics.mean(stats.return_queue):6.2f} (random actions)", flush=True)
    env = wrap_env(stats, wrapper="gymnasium", verbose=False)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": "cpu"}
    quiet = ExperimentCfg(write_interval=0, checkpoint_interval=0)
    learning = {"learning_epochs": 4, "mini_batches": 8, "learning_rate": 1e-3, "value_loss_scale": 0.5}
    agent = Reporting(
        models={"policy": Policy(**spaces), "value": Value(**spaces)},
        memory=RandomMemory(memory_size=ROLLOUT, num_envs=WORLDS, device="cpu"),
        cfg=PPO_CFG(rollouts=ROLLOUT, value_clip=0.0, experiment=quiet, **learning),
        **spaces,
    )
    agent.returns = stats.return_queue
    trainer = {"timesteps": timesteps, "headless": True, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=agent, cfg=trainer).train()


if __name__ == "__main__":
    main()
