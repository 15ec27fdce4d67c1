"""A run at work on the level that is drawn: its policy acts, and its success is measured."""

import dataclasses

import jax
import numpy as np
import pytest
from studio_server import plain, running

import minicosm
from minicosm.studio.drivers import Trained
from minicosm.studio.episode import Episode
from minicosm.studio.studio import Opening
from minicosm.studio.watching import ROLLOUTS, Run
from minicosm.training import NetworkConfig, default_config


@pytest.fixture(scope="module")
def run():
    """A net that was never trained: what it does is of no matter here."""
    from minicosm.training.networks import Agent

    env = minicosm.make("physics-s", max_steps=40)
    config = dataclasses.replace(default_config(env), network=NetworkConfig(hidden=(8,)))
    return Run("fresh", env, Agent.of(env, config.network).init(jax.random.key(0)), config)


def test_a_policy_acts_once_in_a_step(run):
    from minicosm.envs.physics.format import LevelFile

    episode = Episode(run.stage, LevelFile.model_validate(plain("unicycle_right")), Trained(run.physics, run.policy(1)))
    for _ in range(10):
        episode.tick()
    assert len(episode.actions) == 5
    assert np.ptp([action[0] for action in episode.actions]) > 0  # drawn, not always the same
    assert all(np.abs(action).max() <= 1 for action in episode.actions)


def test_the_page_sees_the_agent_and_its_rate(run, tmp_path):
    level = plain("unicycle_right")
    with running(tmp_path / "levels", Opening("watch", None, run)) as server:
        about = server.ask("/api/hello").json
        assert about["mode"] == "watch" and about["run"] == {
            "name": "fresh",
            "world": "physics",
            "size": "s",
        }
        with server.socket("/socket/watch") as link:
            link.hear("ready")
            link.say(type="load", level=level, playing=True)
            link.hear("scene")
            rate = link.hear("rate")
            assert rate["rollouts"] == ROLLOUTS and 0 <= rate["won"] <= 1 and rate["seconds"] <= 40 / 30 + 1e-6
            first = np.frombuffer(link.frame(), "<f4")
            assert np.frombuffer(link.frame(), "<f4")[0] == first[0] + 1
            link.say(type="load", level=plain("lunar_lander"), playing=True)  # of size M
            assert "has room for 1" in link.hear("error")["text"]
            link.say(type="load", level=level, playing=True)
            link.hear("restarted")  # an episode whose time is up begins again
