"""PPO with one policy shared by four robots (IPPO), in torch, on many worlds at once: PettingZoo's dicts of batches.

pip install "minicosm[torch]"
python examples/pettingzoo_ippo.py --steps 1000000   # of agents; prints reward and arrivals per robot and episode
"""

import argparse

import torch
from torch import nn
from torch.distributions import Normal

import minicosm
from minicosm.wrappers import BatchedParallelEnv

WORLDS, ROLLOUT, GAMMA, LAMBDA, EPOCHS, MINIBATCHES, CLIP = 32, 128, 0.99, 0.95, 4, 8, 0.2

mlp = lambda n, m: nn.Sequential(nn.Linear(n, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, m))
joint = lambda entries: torch.stack(list(entries.values()), 1)  # agent -> [worlds, ...] as [worlds, agents, ...]


def rollout(env, start, act, tally):
    """[T, worlds, agents, ...] of ROLLOUT steps from `start`; `tally` counts reward, ends and arrivals."""
    steps, (observation, active) = [], start
    for _ in range(ROLLOUT):
        action = act(observation)
        *handed, infos = env.step({agent: action[:, a].clamp(-1, 1) for a, agent in enumerate(env.agents)})
        following, reward, terminated, truncated = map(joint, handed)
        done, last, reset = terminated | truncated, following, infos["robot_0"]["reset"][:, None]  # reset: of the world
        if reset.any():
            last = torch.where(reset[..., None], joint({a: infos[a]["final_obs"] for a in env.agents}), following)
            arrived = joint({a: infos[a]["final_info"]["success"] for a in env.agents}) & reset
            tally += torch.tensor([0.0, reset.sum() * len(env.agents), arrived.sum()])
        tally[0] += reward.sum()
        steps.append((observation, action, reward, last, terminated, done, active))
        observation, active = following, ~done | reset  # a robot that has ended waits for its world
    return [torch.stack(part) for part in zip(*steps, strict=True)], (observation, active)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    torch.set_num_threads(1), torch.manual_seed(1)
    env = BatchedParallelEnv(minicosm.make("nav-multi", num_beams=32, robots_vanish=True), WORLDS, output="torch")
    num_inputs, agents = env.observation_space("robot_0").shape[0], len(env.agents)
    actor, critic, log_std = mlp(num_inputs, 2), mlp(num_inputs, 1), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std], lr=1e-3, eps=1e-5)
    sample = lambda x: Normal(actor(x), log_std.exp()).sample()
    at_random = lambda x: torch.rand(*x.shape[:2], 2) * 2 - 1
    start = joint(env.reset(seed=0)[0]), torch.ones(WORLDS, agents, dtype=bool)  # the observation, and who acts
    for update in range(parser.parse_args().steps // (WORLDS * agents * ROLLOUT) + 1):  # the first acts at random
        tally = torch.zeros(3)
        with torch.no_grad():
            batch, start = rollout(env, start, sample if update else at_random, tally)
            seen, actions, rewards, last, terminated, done, active = batch
            log_probs, values = Normal(actor(seen), log_std.exp()).log_prob(actions).sum(-1), critic(seen).squeeze(-1)
            advantages = rewards + GAMMA * critic(last).squeeze(-1) * ~terminated - values
            for t in reversed(range(ROLLOUT - 1)):
                advantages[t] += GAMMA * LAMBDA * advantages[t + 1] * ~done[t]
        flat = [x[active] for x in (seen, actions, log_probs, advantages, advantages + values)]
        for part in [
            p for _ in range(EPOCHS if update else 0) for p in torch.randperm(len(flat[0])).chunk(MINIBATCHES)
        ]:
            seen, actions, log_probs, advantages, targets = (x[part] for x in flat)
            ratio = (Normal(actor(seen), log_std.exp()).log_prob(actions).sum(-1) - log_probs).exp()
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            gain = torch.min(ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages).mean()
            optimizer.zero_grad(), (0.5 * (critic(seen).squeeze(-1) - targets).pow(2).mean() - gain).backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.5), optimizer.step()
        steps, (reward, _, arrived) = update * WORLDS * agents * ROLLOUT, tally / max(tally[1], 1)
        note = "" if update else " (random actions)"
        print(f"{steps:9,d} steps: return {reward:6.2f}, solved {arrived:4.0%}{note}", flush=True)


if __name__ == "__main__":
    main()
