"""`minicosm study regret`: rank correlations against SciPy's, a world whose truth is known, and the command."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from minicosm import cli
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.spaces import Box, Discrete
from minicosm.studies import regret_report, statistics
from minicosm.studies.regret_study import RegretStudy, RegretStudyConfig, Stage
from minicosm.training import NetworkConfig, PPOConfig

PPO = PPOConfig(
    num_envs=4, num_steps=8, minibatches=2, epochs=1, total_steps=4 * 8 * 4, network=NetworkConfig(hidden=(4,)),
    num_seeds=2, updates_per_chunk=1,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Fated(Environment[jax.Array, jax.Array]):
    """One tick: success, worth 1, with the probability that the level f32[1] says; 1 could be had always."""

    @property
    def agents(self):
        return ("one",)

    @property
    def max_episode_steps(self):
        return 1

    @property
    def observation_space(self):
        return Box(0.0, 1.0, (1,))

    @property
    def action_space(self):
        return Discrete(2)

    def sample_level(self, key):
        return jax.random.uniform(key, (1,))

    def reset(self, key, level):
        return level, level[:, None]

    def step(self, key, state, action):
        success = jax.random.uniform(key, (1,)) < state
        over = jnp.ones((1,), bool)
        return state, TimeStep(state[:, None], success.astype(jnp.float32), over, ~over, {"success": success})

    def optimal_return(self, level):
        return jnp.ones((1,))


def test_rank_correlations_are_those_of_scipy():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 4, (3, 2, 40)).astype(float)  # many ties
    found = statistics.rank_correlations(values)
    for a in range(3):
        for b in range(3):
            each = [spearmanr(values[a, s], values[b, s]).statistic for s in range(2)]
            assert found.value[a, b] == pytest.approx(np.mean(each))
    assert np.all(found.low <= found.value + 1e-9) and np.all(found.value <= found.high + 1e-9)


def test_what_never_varies_correlates_with_nothing():
    values = np.stack([np.zeros((1, 9)), np.arange(9.0)[None]])
    found = statistics.rank_correlations(values)
    assert np.isnan(found.value[0, 1]) and found.value[1, 1] == pytest.approx(1.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    config = RegretStudyConfig(points=2, levels=90, score_episodes=60, true_episodes=60, chunk=40)
    return RegretStudy(Fated(), PPO, config, tmp_path_factory.mktemp("study") / "fated")


@pytest.fixture(scope="module")
def stages(study):
    return study.run()


def test_scores_and_truth_are_those_of_the_levels(study, stages):
    assert [stage.steps for stage in stages] == [2 * 32, 4 * 32]
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(90))
    chance = np.asarray(jax.vmap(Fated().sample_level)(keys))[:, 0]
    for stage in stages:
        for values in (*stage.scores.values(), *stage.truths.values()):
            assert values.shape == (2, 90)
        np.testing.assert_allclose(stage.truths["success"].mean(0), chance, atol=0.2)
        np.testing.assert_allclose(stage.truths["regret"], 1 - stage.truths["success"], atol=1e-6)
        np.testing.assert_allclose(stage.scores["regret"].mean(0), 1 - chance, atol=0.2)
        np.testing.assert_allclose(stage.truths["learnability"].mean(0), chance * (1 - chance), atol=0.1)
        assert np.any(stage.scores["regret"] != stage.truths["regret"])  # other episodes
    found = regret_report.correlate(stages[-1])
    assert found["learnability"]["learnability"].value > 0.7
    assert found["regret"]["regret"].value > 0.9 and found["regret"]["success"].value < -0.9
    assert abs(found["learnability"]["success"].value) < 0.4


def test_a_study_goes_on_where_it_stopped(study, stages, tmp_path):
    """As after a kill in the second half: the second point is lost, its training done or not."""
    (study.folder / "point_1.npz").unlink()
    for again, before in zip(study.run(resume=True), stages, strict=True):
        assert again.steps == before.steps
        for name in before.scores:
            np.testing.assert_array_equal(again.scores[name], before.scores[name])
    with pytest.raises(ValueError, match="holds a study: say resume"):
        study.run()
    other = dataclasses.replace(study, config=dataclasses.replace(study.config, levels=91))
    with pytest.raises(ValueError, match=r"with other settings \(study\)"):
        other.run(resume=True)
    longer = dataclasses.replace(study, ppo=dataclasses.replace(study.ppo, total_steps=10 * study.ppo.total_steps))
    with pytest.raises(ValueError, match=r"with other settings \(ppo\)"):
        longer.run(resume=True)


def test_a_damaged_point_is_told(study, stages):
    path = study.folder / "point_0.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(ValueError, match=r"point_0.npz' is damaged .* delete it"):
        study.run(resume=True)
    path.write_bytes(whole)


def test_the_report_says_what_was_found(study, stages):
    for path in regret_report.write(study, stages, "fated"):
        assert path.stat().st_size > 0
    report = (study.folder / "report.md").read_text()
    assert "90 fresh levels" in report and "Closest to true regret: regret, exact (0.9" in report
    numbers = json.loads((study.folder / "numbers.json").read_text())
    assert len(numbers["points"]) == 2 and numbers["points"][1]["correlations"]["regret"]["regret"]["value"] > 0.9


def test_nothing_is_said_where_nothing_varies():
    rows = np.zeros((1, 5))
    stage = Stage(10, {"max_mc": rows}, {"success": rows, "learnability": rows})
    assert regret_report._cell(regret_report.correlate(stage)["max_mc"]["success"]) == "–"


def test_the_command_writes_its_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    flags = ["--steps", "600", "--levels", "8", "--true-episodes", "2", "--score-episodes", "1", "--points", "1"]
    sizes = ["--set", "max_steps=20", "num_beams=8", "--chunk", "8", "--out", str(tmp_path / "s")]
    assert cli.main(["study", "regret", "--world", "nav", *flags, *sizes]) == 0
    out = capsys.readouterr().out
    assert "MaxMC" in out and "true regret" not in out  # nav knows no optimum
    written = {path.name for path in (tmp_path / "s").iterdir()}
    assert {"report.md", "numbers.json", "correlations.png", "scatter.png", "run", "point_0.npz"} <= written
    assert cli.main(["study", "regret", "--world", "nav", *flags, *sizes]) == 2
    assert "holds a study" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["points", "levels", "score_episodes", "true_episodes", "chunk", "seed"])
def test_settings_are_checked(field):
    with pytest.raises(ValueError, match=f"{field} is -1; expected a whole number"):
        RegretStudyConfig(**{field: -1})


def test_files_that_cannot_be_written_are_told(study, stages):
    lost = dataclasses.replace(study, folder=pathlib.Path("/proc/nowhere"))
    with pytest.raises(OSError, match="cannot write"):
        regret_report.write(lost, stages, "fated")
