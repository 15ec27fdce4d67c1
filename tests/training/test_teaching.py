"""Training with a curriculum."""

import jax
import numpy as np
import pytest
from test_train import assert_same_bits, values_of

from minicosm import curricula
from minicosm.envs.maze import Maze, MazeConfig
from minicosm.training import NetworkConfig, PPOConfig, load_env, train
from minicosm.training.networks import Agent
from minicosm.training.ppo import Learner
from minicosm.wrappers import AutoReplay, EpisodeStats

MAZE = Maze(MazeConfig(height=5, width=5, num_walls=6, max_steps=16, view_kind="flat"))
SMALL = {
    "dr": {},
    "plr": {"capacity": 8},
    "robust_plr": {"capacity": 8},
    "accel": {"capacity": 8, "num_edits": 2},
    "sfl": {"num_batches": 2, "batch_size": 8, "num_steps": 32, "num_kept": 4, "refresh": 2},
}


def config(**changes):
    settings = {
        "num_envs": 6, "num_steps": 8, "minibatches": 2, "epochs": 2, "total_steps": 6 * 8 * 8, "updates_per_chunk": 2,
        "chunks_per_checkpoint": 1, "network": NetworkConfig(hidden=(8,), recurrent=True, memory=5),
    }  # fmt: skip
    return PPOConfig(**{**settings, **changes})


def made(name, **settings):
    return curricula.make(name, MAZE, 6, **{**SMALL[name], **settings})


@pytest.mark.parametrize("name", ["accel", "sfl"])
def test_a_run_with_a_curriculum_resumes_bit_for_bit(name, tmp_path):
    whole = train(MAZE, config(), curriculum=made(name))
    assert whole.curve[-1].update == 8
    assert any(key.startswith("curriculum/") for key in whole.curve[-1].values)
    first = train(MAZE, config(), tmp_path / "run", callback=lambda p: p.update == 4, curriculum=made(name))
    assert first.curve[-1].update == 4
    resumed = train(MAZE, config(), tmp_path / "run", resume=True, curriculum=made(name))
    assert_same_bits(whole.state, resumed.state)
    assert values_of(whole.curve) == values_of(resumed.curve)
    assert load_env(tmp_path / "run") == MAZE


@pytest.mark.parametrize("name", ["dr", "accel", "sfl"])
def test_updates_leave_the_types_that_they_were_given(name):
    """Weak types included: otherwise the second chunk of updates would compile all anew, which can take minutes."""
    env = EpisodeStats(AutoReplay(MAZE, 6))
    learner = Learner(env, Agent.of(MAZE, config().network), config(), made(name))
    before = jax.eval_shape(learner.init, jax.random.key(0))
    after, _ = jax.eval_shape(lambda state: learner.update(state, 0), before)
    types = [jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), state) for state in (before, after)]
    assert types[0] == types[1]


def test_levels_stay_until_every_world_has_ended_an_episode():
    seen = []
    result = train(MAZE, config(updates_per_chunk=1), callback=lambda p: seen.append(p), curriculum=made("dr"))
    assert config().updates_per_proposal_in(MAZE) == 2
    teaching = jax.tree.map(lambda x: x[0], result.state.teaching)
    assert (np.asarray(teaching.tally.episodes) >= 1).all()  # 16 ticks are the longest episode
    assert sum(p.values["episodes"][0] for p in seen) >= 6 * 4


def test_robust_plr_learns_nothing_before_its_first_replay():
    short = config(total_steps=6 * 8 * 2)  # one proposal, and it is new
    untouched = train(MAZE, short, curriculum=made("robust_plr")).params
    learned = train(MAZE, short, curriculum=made("plr")).params
    start = train(MAZE, config(total_steps=1, learning_rate=1e-30), curriculum=made("plr")).params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-20), untouched, start)
    assert any(
        (np.asarray(a) != np.asarray(b)).any() for a, b in zip(*map(jax.tree.leaves, (learned, start)), strict=True)
    )


def test_seeds_side_by_side_are_those_of_runs_alone():
    both = train(MAZE, config(num_seeds=2), curriculum=made("sfl"))
    alone = train(MAZE, config(seed=1), curriculum=made("sfl"))
    scored = [result.state.teaching.state.num_scored for result in (both, alone)]
    assert scored[0].tolist() == [scored[1][0]] * 2 == [2 * 16] * 2
    for a, b in zip(jax.tree.leaves(both.params), jax.tree.leaves(alone.params), strict=True):
        np.testing.assert_allclose(a[1], b[0], atol=2e-3)


def test_what_does_not_fit_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"made for 6 worlds .* not for num_envs 4"):
        train(MAZE, config(num_envs=4), curriculum=made("dr"))
    with pytest.raises(ValueError, match=r"updates_per_proposal x num_steps = 8 ticks, less than the 16"):
        train(MAZE, config(updates_per_proposal=1), curriculum=made("dr"))
    train(MAZE, config(total_steps=1), tmp_path / "run", curriculum=made("dr"))
    with pytest.raises(ValueError, match=r"its curriculum is DomainRandomization.*not PLR"):
        train(MAZE, config(total_steps=1), tmp_path / "run", resume=True, curriculum=made("plr"))
    with pytest.raises(ValueError, match=r"its curriculum is DomainRandomization.*not None"):
        train(MAZE, config(total_steps=1), tmp_path / "run", resume=True)
