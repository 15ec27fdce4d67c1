"""PPO in one file of torch, in CleanRL's manner, on navigation: 64 worlds through `gymnasium.make_vec`.

    pip install "minicosm[torch]"
    python examples/cleanrl_ppo.py --steps 600000
Prints the mean return and solve rate of the last 200 episodes, after those of random actions.
"""

import argparse

import gymnasium
import torch
from torch import nn
from torch.distributions import Normal

WORLDS, GAMMA, LAMBDA, EPOCHS, MINIBATCH, CLIP = 64, 0.99, 0.95, 4, 1024, 0.2


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def rollout(envs, observation, act, length, returns, episodes):
    """[T, worlds, ...] of `length` steps; `returns` are running sums, `episodes` gains (return, solved) of each end."""
    steps = []
    for _ in range(length):
        action = act(observation)
        following, reward, terminated, truncated, info = envs.step(action.clamp(-1, 1))  # these controls' bounds
        done, last = terminated | truncated, following
        returns += reward
        if done.any():  # mode "same_step": what the step led to is in `final_obs`
            last = torch.where(done[:, None], info["final_obs"], following)
            episodes += zip(returns[done].tolist(), info["final_info"]["success"][done].tolist(), strict=True)
            returns[done] = 0
        steps.append((observation, action, reward, last, terminated, done))
        observation = following
    return [torch.stack(part) for part in zip(*steps, strict=True)], observation


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--rollout", type=int, default=128, help="steps of each world between updates")
    args = parser.parse_args()
    torch.set_num_threads(1), torch.manual_seed(1)
    settings = {"num_envs": WORLDS, "num_beams": 32, "autoreset_mode": "same_step", "output": "torch"}
    envs = gymnasium.make_vec("minicosm:minicosm/Nav-v0", **settings)
    num_inputs, num_controls = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    actor, critic, log_std = mlp(num_inputs, num_controls), mlp(num_inputs, 1), nn.Parameter(torch.zeros(num_controls))
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std], lr=1e-3, eps=1e-5)
    sample = lambda x: Normal(actor(x), log_std.exp()).sample()
    at_random = lambda x: torch.rand(WORLDS, num_controls) * 2 - 1
    observation, returns, episodes = envs.reset(seed=0)[0], torch.zeros(WORLDS), []
    for update in range(args.steps // (WORLDS * args.rollout) + 1):  # before the first, random actions
        with torch.no_grad():
            act, length = (sample, args.rollout) if update else (at_random, 300)
            batch, observation = rollout(envs, observation, act, length, returns, episodes)
        value, solved = torch.tensor(episodes[-200:] or [(0.0, 0.0)]).mean(0)
        steps, note = update * WORLDS * args.rollout, "" if update else " (random actions)"
        print(f"{steps:9,d} steps: return {value:6.2f}, solved {solved:4.0%}{note}", flush=True)
        if not update:
            continue
        with torch.no_grad():
            seen, actions, rewards, last, terminated, done = batch
            log_probs, values = Normal(actor(seen), log_std.exp()).log_prob(actions).sum(-1), critic(seen).squeeze(-1)
            advantages = rewards + GAMMA * critic(last).squeeze(-1) * ~terminated - values
            for t in reversed(range(length - 1)):
                advantages[t] += GAMMA * LAMBDA * advantages[t + 1] * ~done[t]
        flat = [x.flatten(0, 1) for x in (seen, actions, log_probs, advantages, advantages + values)]
        for part in torch.cat([torch.randperm(WORLDS * length) for _ in range(EPOCHS)]).split(MINIBATCH):
            seen, actions, log_probs, advantages, targets = (x[part] for x in flat)
            ratio = (Normal(actor(seen), log_std.exp()).log_prob(actions).sum(-1) - log_probs).exp()
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            gain = torch.min(ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages).mean()
            optimizer.zero_grad(), (0.5 * (critic(seen).squeeze(-1) - targets).pow(2).mean() - gain).backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.5), optimizer.step()


if __name__ == "__main__":
    main()
