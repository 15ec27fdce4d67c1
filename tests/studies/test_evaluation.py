"""`minicosm evaluate`, end to end on tiny runs, and what it says where something is wrong."""

import csv
import dataclasses
import json
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm import cli
from minicosm.envs.environment import Environment, TimeStep
from minicosm.envs.maze import solve
from minicosm.envs.spaces import Box, Discrete
from minicosm.studies import evaluation, extremes, film, held_out, statistics
from minicosm.studies.evaluation import EvaluationConfig
from minicosm.training import NetworkConfig, PPOConfig, train
from minicosm.training.networks import Agent

TINY = PPOConfig(
    num_envs=4, num_steps=8, minibatches=2, epochs=1, total_steps=4 * 8 * 3, network=NetworkConfig(hidden=(4,)),
    num_seeds=2,
)  # fmt: skip
FLAGS = ["--episodes", "2", "--fresh", "12", "--rollouts", "2", "--chunk", "40"]


@dataclasses.dataclass(frozen=True)
class Fated(Environment[jax.Array, jax.Array]):
    """Two agents, one tick: each succeeds with the probability that the level f32[A] says, whatever it does."""

    chance: float | None = None  # of every sampled level; None: 0 or 1, drawn

    @property
    def agents(self):
        return ("one", "other")

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
        drawn = jax.random.bernoulli(key, 0.5, (2,)).astype(jnp.float32)
        return drawn if self.chance is None else jnp.full((2,), self.chance)

    def reset(self, key, level):
        return level, level[:, None]

    def step(self, key, state, action):
        success = jax.random.uniform(key, (2,)) < state
        over = jnp.ones((2,), bool)
        return state, TimeStep(state[:, None], success.astype(jnp.float32), over, ~over, {"success": success})


def tiny_run(env):
    """Three seeds that share a small untrained net."""
    config = PPOConfig(network=NetworkConfig(hidden=(2,)))
    params = Agent.of(env, config.network).init(jax.random.key(0))
    return evaluation.Run("tiny", None, env, config, jax.tree.map(lambda x: jnp.stack([x, x, x]), params))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of runs: two in `nav`, of two seeds and of one, and one in `maze`."""
    folder = tmp_path_factory.mktemp("runs")
    nav = minicosm.make("nav", num_beams=8, max_steps=30)
    maze = minicosm.make("maze", max_steps=60, height=14)
    train(nav, TINY, folder / "nav")
    train(nav, PPOConfig(**{**vars(TINY), "num_seeds": 1, "seed": 7}), folder / "single")
    train(maze, TINY, folder / "maze")
    return folder


def run(capsys, *arguments):
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:  # of the parser of flags
        status = stop.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_run_is_measured_end_to_end(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    folder = shutil.copytree(runs / "nav", tmp_path / "nav")
    status, out, err = run(capsys, "evaluate", folder, *FLAGS)
    assert status == 0, err
    written = folder / "evaluation"
    data = json.loads((written / "evaluation.json").read_text())
    assert data["settings"]["episodes"] == 2 and data["confidence"] == 0.95
    names, left_out = data["library"]["levels"], data["library"]["left_out"]
    assert set(names) | set(left_out) == set(held_out.nav_library.names()) and "cathedral" in left_out
    assert "more than the config's" in left_out["cathedral"] and "cathedral" in out
    (found,) = data["runs"]
    assert (found["name"], found["seeds"]) == ("nav", [0, 1])
    assert list(found["library"]["levels"]) == names
    successes = np.load(written / "successes.npz")
    assert successes["library_0"].shape == (2, len(names), 2) and successes["scoring_0"].shape == (2, 12, 2)
    assert found["library"]["mean"]["value"] == pytest.approx(successes["library_0"].mean())
    assert found["risk"]["percent"][-1] == 100 and len(found["risk"]["seeds"]) == 2
    assert found["risk"]["value"][-1] == pytest.approx(successes["scoring_0"].mean())
    with (written / "levels.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["level", "nav", "nav low", "nav high"] and [row[0] for row in rows[1:]] == names
    assert f"| {names[0]} |" in (written / "levels.md").read_text()
    assert (written / "evaluation.png").read_bytes()[:4] == b"\x89PNG"
    assert "IQM" in out and "2 seeds" in out and "95% bootstrap interval over seeds" in out and "all solvable" in out


def test_runs_are_compared(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "evaluate", runs / "nav", runs / "single", *FLAGS)
    assert status == 0, err
    written = tmp_path / "evaluation"
    several, single = json.loads((written / "evaluation.json").read_text())["runs"]
    assert several["library"]["iqm"]["low"] <= several["library"]["iqm"]["value"] <= several["library"]["iqm"]["high"]
    assert (single["seeds"], single["library"]["iqm"]["low"], single["risk"]["high"]) == ([7], None, None)
    assert "one seed only, so no interval: single" in out
    for text in ("nav ", "single ", "2 seeds", "1 seed "):  # a terminal of 80 columns hides no name
        assert text in out


def test_a_maze_run_meets_mazes_that_have_a_way_and_is_filmed(runs, tmp_path, capsys, monkeypatch):
    drawn = {}  # drawing is tested elsewhere, and slow
    monkeypatch.setattr(film, "save_animation", lambda frames, path: drawn.update({path.name: frames}))
    flags = ["--out", tmp_path / "new" / "out", "--greedy", "--videos"]
    status, _, err = run(capsys, "evaluate", runs / "maze", *FLAGS, *flags)
    assert status == 0, err
    films = {f"{where}_{which}.gif" for where in ("library", "fresh") for which in ("worst", "best")}
    assert films == set(drawn)
    data = json.loads((tmp_path / "new" / "out" / "evaluation.json").read_text())
    assert "four_rooms" in data["library"]["levels"]
    assert "more than the world's max_steps, 60" in data["library"]["left_out"]["labyrinth"]
    assert data["fresh"] == {"levels": 12, "are": "all solvable within the time limit, by search"}
    assert data["runs"][0]["library"]["mean"]["value"] <= 1


def test_successes_come_by_seed_level_and_episode(monkeypatch):
    """In `Fated` a level can decide alone who succeeds: then every episode of it tells the same, whatever the chunk."""
    levels = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [0, 1]], np.float32)
    monkeypatch.setattr(evaluation, "library_of", lambda env: held_out.Library(tuple("abcde"), levels, {}))
    for chunk in (4, 1000):
        told = []
        config = EvaluationConfig(episodes=3, fresh=6, rollouts=2, chunk=chunk)
        measured = evaluation.measure([tiny_run(Fated())], config, lambda *what, told=told: told.append(what))
        (played,) = measured.runs
        expected = np.array([1.0, 0.5, 0.0, 1.0, 0.5])
        np.testing.assert_array_equal(played.library, np.broadcast_to(expected[None, :, None], (3, 5, 3)))
        expected = np.mean(measured.fresh, axis=1)
        assert 0 < expected.mean() < 1
        for found in (played.ranking, played.scoring):
            np.testing.assert_array_equal(found, np.broadcast_to(expected[None, :, None], (3, 6, 2)))
        assert told[-1][1:] == (len(told) - 3, len(told) - 2)  # two of them tell of the levels


def test_films_show_the_worst_and_the_best_levels(monkeypatch):
    levels = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [0, 0], [0, 1]], np.float32)
    monkeypatch.setattr(evaluation, "library_of", lambda env: held_out.Library(tuple("abcdef"), levels, {}))
    measured = evaluation.measure([tiny_run(Fated()), tiny_run(Fated())], EvaluationConfig(episodes=3, fresh=0))
    films = list(extremes.films(measured, pathlib.Path("out")))
    assert [path.name for path, _ in films] == [
        f"{run}_library_{which}.gif" for run in "01" for which in ("worst", "best")
    ]
    worst, best = (np.asarray(frames.rollout.states[0]) for _, frames in films[:2])
    np.testing.assert_array_equal(worst, levels[[2, 4, 1, 5]])
    np.testing.assert_array_equal(sorted(best.sum(axis=1)), [1, 1, 2, 2])


def test_the_worst_coin_flips_score_about_a_half():
    """Were levels ranked and scored by the same rollouts, the worst tenth would score 0."""
    (played,) = evaluation.measure([tiny_run(Fated(chance=0.5))], EvaluationConfig(fresh=1000, rollouts=4)).runs
    for seed in range(3):
        assert not np.array_equal(played.ranking[seed], played.scoring[seed])
    curve = statistics.risk_curve(played.ranking, played.scoring, [10])
    assert curve.mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_array_less(statistics.risk_curve(played.ranking, played.ranking, [10]), 0.3)


def test_fresh_mazes_can_be_solved_and_do_not_depend_on_the_chunk():
    env = minicosm.make("maze")
    levels = held_out.fresh_levels(env, jax.random.key(0), 60, chunk=25)
    assert levels.walls.shape == (60, 13, 13)
    assert np.all(jax.vmap(lambda level: solve.solve(level, env.config).solvable)(levels))
    again = held_out.fresh_levels(env, jax.random.key(0), 60, chunk=100)
    jax.tree.map(np.testing.assert_array_equal, levels, again)
    drawn = jax.vmap(lambda i: env.sample_level(jax.random.fold_in(jax.random.key(0), i)))(jnp.arange(60))
    assert not np.array_equal(drawn.walls, levels.walls)  # some of those had no way


def test_a_maze_in_a_larger_map_plays_the_same():
    small, large = (held_out.library_of(minicosm.make("maze", height=size, width=size)) for size in (13, 17))
    assert small.names == large.names == held_out.maze_library.names()
    assert large.levels.walls.shape[1:] == (17, 17)
    few = jax.tree.map(lambda x: jnp.asarray(x[:8]), (small.levels, large.levels))
    actions = [jax.vmap(solve.num_actions)(levels) for levels in few]
    np.testing.assert_array_equal(*actions)


@pytest.mark.parametrize(
    ("name", "settings", "note"),
    [
        ("library-s", {}, "not held out"),
        ("physics-s", {}, ""),
        ("physics-s", {"levels": "random:0.5,library:0.5"}, "not held out"),
    ],
)
def test_physics_says_when_the_library_was_trained_on(name, settings, note):
    library = held_out.library_of(minicosm.make(name, **settings))
    assert note in library.note and bool(library.note) == bool(note)
    assert set(held_out.physics_library.names("s")) <= set(library.names)
    assert set(library.names) | set(library.left_out) == set(held_out.physics_library.names())


def test_other_worlds_have_no_library():
    library = held_out.library_of(Fated())
    assert library.levels is None and "Fated has no library" in library.note
    assert "may be impossible" in held_out.what_is_fresh(Fated())
    assert held_out.fresh_levels(Fated(), jax.random.key(0), 7, chunk=3).shape == (7, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no run to evaluate: name the folder"),
        (["nowhere"], "'nowhere' holds no run: expected a folder made by minicosm train --run nowhere"),
        (["empty"], "'empty' holds no checkpoint"),
        (["nav", "nav"], "is named 2 times; expected different runs"),
        (["nav", "maze"], "'maze' is a run of another world than 'nav': it is Maze, not Nav"),
        (["nav", "longer"], "its max_steps is 31, not 30"),
        (["nav", "--episodes", "0"], "episodes is 0; expected a whole number, at least 1"),
        (["nav", "--fresh", "-1"], "fresh is -1; expected"),
        (["nav", "--rollouts", "0"], "rollouts is 0; expected"),
        (["nav", "--chunk", "0"], "chunk is 0; expected"),
        (["nav", "--seed", "-3"], "seed is -3; expected"),
        (["nav", "--fresh", "999999999"], "take 136 GiB; expected at most 4 GiB: ask for at most"),
        (["small", "--fresh", "0"], "there is nothing to play: no level of a library fits"),
        (["nav", "--out", "nav/run.json"], "run.json"),
    ],
)
def test_mistakes_are_told_in_one_line(runs, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("nav", "maze"):
        shutil.copytree(runs / name, name)
    for name, setting, was, now in (("longer", "max_steps", 30, 31), ("small", "width", 11, 6)):
        shutil.copytree("nav", name)
        file = tmp_path / name / "run.json"
        file.write_text(file.read_text().replace(f'"{setting}": {was}', f'"{setting}": {now}'))
    shutil.copytree("nav", "empty")
    shutil.rmtree(tmp_path / "empty" / "checkpoints")
    status, _, err = run(capsys, "evaluate", *arguments)
    assert status == 2
    assert "error" in err.casefold() and message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_a_world_of_hopeless_levels_is_given_up(monkeypatch):
    monkeypatch.setattr(held_out, "_is_good", lambda env, level: jnp.zeros((), bool))
    held_out._drawn.clear_cache()
    with pytest.raises(ValueError, match="only 0 of 6000 levels drawn can be solved"):
        held_out.fresh_levels(minicosm.make("maze", height=5, width=5), jax.random.key(0), 10, chunk=3000)
    held_out._drawn.clear_cache()
