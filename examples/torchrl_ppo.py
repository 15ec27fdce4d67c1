"""TorchRL's PPO on navigation: 64 worlds through `TorchRLEnv`, TorchRL's collector, advantages and loss.

    pip install "minicosm[torchrl]"
    python examples/torchrl_ppo.py --steps 600000

Prints the mean return and solve rate of the episodes that ended in each round, after those of random actions.
"""

import argparse

import torch
from tensordict.nn import NormalParamExtractor, TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import RewardSum, TransformedEnv
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import minicosm
from minicosm.wrappers import TorchRLEnv

WORLDS, EPOCHS, MINIBATCH = 64, 4, 1024


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def report(steps, data, note=""):
    after = data["next"]
    done = after["done"]
    value, solved = (after[name][done].float().mean() for name in ("episode_reward", "success"))
    print(f"{steps:9,d} steps: return {value:6.2f}, solved {solved:4.0%}{note}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--rollout", type=int, default=128, help="steps of each world between updates")
    args = parser.parse_args()
    torch.set_num_threads(1), torch.manual_seed(1)
    env = TransformedEnv(TorchRLEnv(minicosm.make("nav", num_beams=32), WORLDS, seed=0), RewardSum())
    num_inputs, spec = env.observation_spec["observation"].shape[-1], env.action_spec
    net = nn.Sequential(mlp(num_inputs, 2 * spec.shape[-1]), NormalParamExtractor())
    actor = ProbabilisticActor(
        TensorDictModule(net, in_keys=["observation"], out_keys=["loc", "scale"]),
        in_keys=["loc", "scale"],
        distribution_class=TanhNormal,
        distribution_kwargs={"low": spec.space.low[0], "high": spec.space.high[0]},
        return_log_prob=True,
        spec=spec,
    )
    critic = ValueOperator(mlp(num_inputs, 1), in_keys=["observation"])
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic, average_gae=True)
    loss = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coeff=0.001, critic_coeff=0.5, loss_critic_type="l2")
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3, eps=1e-5)
    report(0, env.rollout(300, break_when_any_done=False), " (random actions)")
    per_round = WORLDS * args.rollout
    total = max(1, args.steps // per_round) * per_round
    settings = {"frames_per_batch": per_round, "total_frames": total, "auto_register_policy_transforms": False}
    collector = Collector(env, actor, **settings)
    for number, data in enumerate(collector, 1):
        with torch.no_grad():
            advantage(data)
        flat = data.reshape(-1)
        for part in torch.cat([torch.randperm(per_round) for _ in range(EPOCHS)]).split(MINIBATCH):
            losses = loss(flat[part])
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]).backward()
            nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
            optimizer.step()
        report(number * per_round, data)
    collector.shutdown()


if __name__ == "__main__":
    main()
