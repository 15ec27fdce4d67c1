"""What TorchRL asks of an environment, on a tiny world."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchrl")

from torchrl.envs import RewardSum, TransformedEnv  # noqa: E402
from torchrl.envs.utils import check_env_specs  # noqa: E402

from minicosm.wrappers import TorchRLEnv  # noqa: E402

B = 3


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"actions": "discrete", "as_dict": True},
        {"num_agents": 2},
        {"num_agents": 2, "actions": "multi", "as_dict": True},
    ],
    ids=str,
)
def test_torchrls_own_check(toy, settings):
    env = TorchRLEnv(toy(**settings), B, seed=0)
    check_env_specs(env, break_when_any_done="both")
    rollout = env.rollout(30, break_when_any_done=False)
    assert rollout.batch_size == (B, 30)
    assert rollout["next", "done"].sum() > B  # it went on after resets


def test_a_partial_reset_touches_only_the_worlds_it_names(toy):
    env = TorchRLEnv(toy(), B, seed=0)
    now = env.reset()
    for _ in range(3):
        now = env.step_mdp(env.rand_step(now))
    before = now["observation"].clone()
    now["_reset"] = torch.tensor([[False], [True], [False]])
    after = env.reset(now)
    assert after["observation"][:, 1].tolist() == [3, 0, 3]  # the world's clock
    assert torch.equal(after["observation"][[0, 2]], before[[0, 2]])


def test_the_group_of_agents(toy):
    env = TorchRLEnv(toy(num_agents=2), 8, seed=0)
    assert env.group_map == {"agents": ["walker_0", "walker_1"]}
    rollout = env.rollout(60, break_when_any_done=False)
    after, before = rollout["next"], rollout
    assert after["agents", "reward"].shape == (8, 60, 2, 1)
    torch.testing.assert_close(after["done"], after["agents", "done"].all(2))
    ended = after["agents", "done"].squeeze(-1)
    assert (ended.any(2) & ~ended.all(2)).any()  # one agent went on without the other
    waits = before["agents", "done"]
    assert (after["agents", "reward"][waits] == 0).all() and after["agents", "done"][waits].all()
    assert not before["done"].any()  # every step starts in a world that goes on


def test_a_partial_reset_keeps_who_has_ended_elsewhere(toy):
    env = TorchRLEnv(toy(num_agents=2), 8, seed=0)
    now = env.reset()
    while not (now["agents", "done"].squeeze(-1).sum(1) == 1).any():
        now = env.step_and_maybe_reset(env.rand_action(now))[1]
    half = int((now["agents", "done"].squeeze(-1).sum(1) == 1).nonzero()[0])
    was = now["agents", "done"][half].clone()
    now["_reset"] = torch.arange(8).reshape(8, 1) == (half + 1) % 8
    after = env.reset(now)
    assert torch.equal(after["agents", "done"][half], was) and not after["agents", "done"][(half + 1) % 8].any()


def test_seeds(toy):
    def rewards(env):
        torch.manual_seed(0)
        return env.rollout(20, break_when_any_done=False)["next", "reward"]

    wanted = rewards(TorchRLEnv(toy(), B, seed=7))
    env = TorchRLEnv(toy(), B)
    env.set_seed(7)
    assert torch.equal(rewards(env), wanted)
    assert not torch.equal(rewards(env), wanted)


def test_torchrls_transforms_compose(toy):
    env = TransformedEnv(TorchRLEnv(toy(), B, seed=0), RewardSum())
    rollout = env.rollout(30, break_when_any_done=False)["next"]
    done = rollout["done"].squeeze(-1)
    torch.testing.assert_close(rollout["episode_reward"][:, 0], rollout["reward"][:, 0])
    assert done.sum() > B and rollout["episode_reward"][done].abs().max() < 5


def test_what_is_refused(toy):
    env = TorchRLEnv(toy(num_agents=2), B)
    now = env.reset()
    with pytest.raises(ValueError, match="agents of a world are reset together"):
        env._mask({"_reset": torch.tensor([[True, False]] * B)})
    now["agents", "action"] = torch.full((B, 2, 2), 9.0)
    with pytest.raises(ValueError, match=r"action is 9.0 at index \(0, 0, 0\); expected float32\[3, 2, 2\]"):
        env.step(now)
