"""`minicosm study transfer`: numbers of made-up curves, a small study whose levels share one program, the commands."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest

from minicosm import cli
from minicosm.envs.physics import Physics, PhysicsConfig
from minicosm.studies import transfer_report, transfer_study
from minicosm.studies.transfer_study import Arm, Trained, TransferConfig, TransferStudy
from minicosm.training import CurvePoint, NetworkConfig, PPOConfig, load_config, load_env, shipped
from minicosm.training.checkpoint import begin_run
from minicosm.training.networks import Agent
from minicosm.training.train import _several_updates

ENV = Physics(PhysicsConfig(observation_kind="entities", action_kind="multi_discrete", max_steps=40))
PPO = PPOConfig(num_envs=8, num_steps=8, minibatches=2, network=NetworkConfig(kind="set", hidden=(8,), width=8))
LEVELS = ("lift_off", "pendulum_swing_up")


def made_up(level, tuned, scratch):
    """Curves at 100, 200, 300 steps, one seed; the first number is of before, the last also the final rate."""

    def arm(values):
        return Arm(np.array(values[:1]), np.array(values[-1:]), np.array([values[1:]]))

    return Trained(level, np.array([100, 200, 300]), {"fine-tuned": arm(tuned), "scratch": arm(scratch)})


MADE_UP = [
    made_up("known", [0.6, 0.8, 1.0, 1.0], [0.0, 0.2, 0.6, 1.0]),
    made_up("opened", [0.0, 0.2, 0.6, 0.8], [0.0, 0.0, 0.0, 0.0]),
    made_up("spoilt", [0.0, 0.0, 0.4, 0.4], [0.0, 0.5, 0.9, 0.9]),
    made_up("hopeless", [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
]


def test_summaries_of_known_curves():
    arms = transfer_report.summarize(MADE_UP[0])
    tuned, scratch = arms["fine-tuned"], arms["scratch"]
    assert tuned.steps_to == (0, 200) and scratch.steps_to == (200, 300)
    assert tuned.area == pytest.approx((0.7 + 0.9 + 1.0) / 3) and scratch.area == pytest.approx((0.1 + 0.4 + 0.8) / 3)
    assert transfer_report.summarize(MADE_UP[1])["scratch"].steps_to == (math.inf, math.inf)
    verdict = transfer_report.judge(MADE_UP)
    assert (verdict.sooner, verdict.later, verdict.neither) == (("known", "opened"), ("spoilt",), ("hopeless",))
    assert verdict.only_pretrained == verdict.from_zero == ("opened",) and verdict.only_scratch == ("spoilt",)


def test_a_curve_waits_for_the_longest_episodes():
    def point(steps, episodes, success):
        return CurvePoint(0, steps, 0.0, 0.0, {"episodes": episodes, "success": success})

    # two seeds; the second ends no episode for long
    curve = (
        point(100, [3.0, 0.0], [1.0, None]),  # these few were over at once
        point(200, [9.0, 0.0], [0.0, None]),
        point(300, [1.0, 0.0], [1.0, None]),
        point(400, [4.0, 5.0], [0.75, 0.2]),
    )
    found = transfer_study._trailing(curve, np.array([0.5, 0.1]), window=200)
    np.testing.assert_allclose(found, [[0.5, 3 / 12, 1 / 10, 4 / 5], [0.1, 0.1, 0.1, 0.2]])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    params = jax.vmap(Agent.of(ENV, PPO.network).init)(jax.random.split(jax.random.key(3), 3))
    config = TransferConfig(steps=8 * 8 * 6, seeds=2, episodes=20, points=3)
    return TransferStudy(ENV, PPO, params, config, tmp_path_factory.mktemp("study") / "s")


@pytest.fixture(scope="module")
def trained(study):
    return study.run(LEVELS)


def test_levels_are_data_and_share_one_program(study, trained):
    compiled = _several_updates._cache_size()
    lift_off, swing_up = trained
    for found in trained:
        assert found.steps.tolist() == [128, 256, 384]
        for arm in found.arms.values():
            assert arm.before.shape == arm.after.shape == (2,) and arm.curve.shape == (2, 3)
            assert np.all((arm.curve >= 0) & (arm.curve <= 1))
    # untrained nets win the one at times and the other never: the levels are those that they are called
    assert lift_off.arms["scratch"].curve.max() > 0.0
    assert all(arm.curve.max() == arm.after.max() == 0.0 for arm in swing_up.arms.values())
    level = jax.tree.map(lambda leaf: leaf[0], study.library(("cue_ball",)).levels)
    study.train_on("cue_ball", level)
    assert _several_updates._cache_size() == compiled


def test_a_study_goes_on_with_the_levels_that_are_missing(study, trained, monkeypatch):
    (study.folder / "level_pendulum_swing_up.npz").unlink()
    heard = []
    again = study.run(LEVELS, told=heard.append, resume=True)
    assert heard == ["level 2 of 2: pendulum_swing_up"]
    for one, other in zip(trained, again, strict=True):
        for name, arm in one.arms.items():
            np.testing.assert_array_equal(arm.curve, other.arms[name].curve)
    with pytest.raises(ValueError, match="holds a study: say resume"):
        study.run(LEVELS)
    other = dataclasses.replace(study, config=dataclasses.replace(study.config, episodes=21))
    with pytest.raises(ValueError, match="with other settings"):
        other.run(LEVELS, resume=True)
    path = study.folder / "level_lift_off.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(ValueError, match=r"level_lift_off.npz' is damaged .* delete it"):
        study.run(LEVELS, resume=True)
    path.write_bytes(whole)


def test_the_levels_are_those_of_the_size(study):
    assert len(study.library().names) == 13
    medium = dataclasses.replace(study, env=Physics(dataclasses.replace(ENV.config, size="m")))
    assert "lunar_lander" in medium.library().names and "cue_ball" not in medium.library().names
    assert medium.library(("cue_ball",)).names == ("cue_ball",)
    with pytest.raises(ValueError, match="there is no level 'lunar_lander' for this world"):
        study.library(("lunar_lander",))


def test_the_report_says_what_was_found(study, tmp_path):
    study = dataclasses.replace(study, folder=tmp_path)
    for path in transfer_report.write(study, MADE_UP, "made up"):
        assert path.stat().st_size > 0
    report = (study.folder / "report.md").read_text()
    assert "| known | 60% | 100% / 100% | 0 k / 0 k | 0 k / 0 k | 0.87 / 0.43 |" in report
    assert (
        "by fine-tuning on 2 levels, from scratch on 1" in report
        and "alone: opened; from scratch alone: spoilt" in report
    )
    numbers = json.loads((study.folder / "numbers.json").read_text())
    assert numbers["levels"][1]["scratch"]["steps_to"] == [None, None]
    assert numbers["verdict"]["from_zero"] == ["opened"]


@pytest.mark.parametrize("field", ["steps", "seeds", "episodes", "points", "seed"])
def test_settings_are_checked(field):
    with pytest.raises(ValueError, match=f"{field} is -1; expected a whole number"):
        TransferConfig(**{field: -1})


def test_from_pre_training_to_the_study_by_commands(study, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    assert cli.main(["pretrain", "--steps", "1", "--curriculum", "dr", "--fresh", "0", "--run", "pre"]) == 0
    assert load_env("pre").config.levels == "mixed" and load_config("pre").network.kind == "set"
    begin_run(tmp_path / "small", ENV, PPO)
    shipped.write_params(tmp_path / "small", study.params)
    assert cli.main(["finetune", "small", "--level", "cue_ball", "--steps", "2048", "--run", "fine"]) == 0
    out = capsys.readouterr().out
    assert "cue_ball, before" in out and "after 2,048 steps" in out
    assert load_env("fine").config.levels == "cue_ball"
    flags = ["--steps", "2048", "--seeds", "1", "--episodes", "4", "--level", "cue_ball"]
    assert cli.main(["study", "transfer", "small", *flags]) == 0
    assert "50 % is reached in fewer steps" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "studies" / "transfer_small").iterdir()}
    assert written == {"study.json", "level_cue_ball.npz", "report.md", "numbers.json", "curves.png"}
    assert cli.main(["finetune", "small", "--level", "cue_bal"]) == 2
    assert "did you mean 'cue_ball'" in capsys.readouterr().err
