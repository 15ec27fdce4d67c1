"""The command line, as a newcomer meets it."""

import json
import runpy
import subprocess
import sys

import pytest

from minicosm import cli
from minicosm.commands.settings import world_settings

SMALL = ["--set", "num_beams=8", "height=7", "width=7", "max_steps=30"]


def run(capsys, *arguments):
    status = cli.main(arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_help_names_every_command(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(name in out for name in ("list", "demo", "train", "evaluate", "render", "bench"))
    assert run(capsys)[1] == out


def test_version(capsys):
    assert run(capsys, "--version")[1].startswith("minicosm 0.")


def test_python_finds_the_command_as_a_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["minicosm", "--version"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("minicosm", run_name="__main__")
    assert stop.value.code == 0 and capsys.readouterr().out.startswith("minicosm 0.")


@pytest.mark.parametrize(
    "command", ["list", "demo", "train", "demos", "clone", "evaluate", "render", "bench", "edit", "play", "watch"]
)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"minicosm {command}" in capsys.readouterr().out


def test_list_shows_worlds_with_their_spaces(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(capsys, "list")
    assert status == 0
    for text in ("nav-multi", "minicosm/Nav-v0", "Box[206]", "Box[2] -1 … 1", "500"):
        assert text in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "no command is named 'trian'; did you mean 'train'"),
        (["render", "nva"], "no world is named 'nva'; did you mean 'nav'"),
        (["render", "--set", "num_robots"], "is not of the form name=value"),
        (["render", "--set", "num_robots=99"], "num_robots is 99; expected 1 to 32"),
        (["render", "--out", "film.avi", *SMALL, "--worlds", "1"], "must end in .gif or .mp4"),
        (["render", "--worlds", "0"], "worlds is 0; expected at least 1"),
        (["render", "--run", "nowhere", *SMALL], "'nowhere' holds no run"),
        (["render", "--level", "cathedrl"], "there is no library level 'cathedrl'"),
        (["render", "--level", "missing.txt"], "missing.txt"),
        (["bench", "--num-envs", "0"], "num_envs is 0; expected"),
        (["demo", "--seconds", "-1"], "seconds is -1.0"),
        (["edit", "--host", "0.0.0.0"], "there is no token"),
        (["play", "cart_pol"], "did you mean 'cart_pole'"),
        (["play", "missing.json"], "missing.json"),
        (["watch", "nowhere"], "'nowhere' holds no run"),
        (["edit", "--port", "1", "--host", "192.0.2.1", "--token", "12345678"], "cannot listen at 192.0.2.1 port 1"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert "Traceback" not in err


def test_render_writes_a_film(capsys, tmp_path):
    path = tmp_path / "film.gif"
    status, out, _ = run(capsys, "render", "nav", "--out", str(path), "--worlds", "2", *SMALL)
    assert status == 0 and str(path) in out
    assert path.read_bytes()[:6] == b"GIF89a"


def test_render_grows_the_map_to_a_hand_made_level(capsys, tmp_path):
    path = tmp_path / "film.mp4"
    flags = ["--level", "slalom", "spiral", "--set", "num_beams=8", "max_steps=10"]
    status, _, err = run(capsys, "render", "nav", "--out", str(path), *flags)
    assert status == 0, err
    assert path.stat().st_size > 1000


def test_train_keeps_a_run_that_render_plays(capsys, tmp_path):
    folder = tmp_path / "run"
    flags = ["--run", str(folder), "--total-steps", "2048", "--num-envs", "16", "--num-steps", "32", "--levels", "20"]
    status, out, err = run(capsys, "train", "nav", *flags, *SMALL)
    assert status == 0, err
    assert "of 20 fresh levels" in out
    assert (folder / "curve.png").exists() and (folder / "curve.jsonl").exists()
    film = tmp_path / "film.gif"
    status, _, err = run(capsys, "render", "--run", str(folder), "--out", str(film), "--worlds", "1")
    assert status == 0, err
    assert film.exists()
    status, _, err = run(capsys, "train", "nav", *flags, *SMALL)
    assert status == 2 and "holds a run already" in err


def test_train_reads_a_file_and_tells_of_wrong_curricula(capsys, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'world = "maze"\ncurriculum = "robust_plr"\n[settings]\nheight = 5\nwidth = 5\nmax_steps = 16\n'
        "[curriculum_settings]\ncapacity = 16\n[ppo]\nnum_envs = 8\nnum_steps = 16\ntotal_steps = 512\n"
    )
    folder = tmp_path / "run"
    flags = ["--config", str(path), "--run", str(folder), "--seeds", "2", "--teach", "min_filled=0.25"]
    status, out, err = run(capsys, "train", *flags, "--levels", "10")
    assert status == 0, err
    assert "seed 1: solves" in out
    kept = json.loads((folder / "run.json").read_text())
    settings = kept["curriculum"]["fields"]["config"]["fields"]
    assert (settings["capacity"], settings["min_filled"], kept["config"]["num_seeds"]) == (16, 0.25, 2)
    for wrong, said in (
        (["--curriculum", "slf"], "did you mean 'sfl'"),
        (["--teach", "capacity=3"], "none is chosen: say --curriculum, one of dr, plr"),
        (["--curriculum", "dr", "--teach", "nonsense"], "--teach 'nonsense' is not of the form name=value"),
        (["--config", str(tmp_path / "none.toml")], "expected a TOML file"),
    ):
        status, _, err = run(capsys, "train", "nav", *wrong)
        assert status == 2 and err.startswith("error: ") and said in err


def test_bench_prints_a_table_and_keeps_it(capsys, tmp_path):
    kept = tmp_path / "speeds.json"
    flags = ["--num-envs", "2", "--turns", "1", "--out", str(kept)]
    status, out, _ = run(capsys, "bench", "nav", *flags, *SMALL)
    assert status == 0 and f"written: {kept}" in out
    assert run(capsys, "bench", "--compare", str(kept), str(kept))[0] == 0
    for text in ("native JAX", "Gymnasium VectorEnv", "this task, plain Python loop", "PettingZoo"):
        assert text in out


def test_settings_are_literals_or_words():
    pairs = ["num_robots=4", "level_kind=rooms", "lidar_range=3.5", "lifelong=True"]
    assert world_settings(pairs) == {"num_robots": 4, "level_kind": "rooms", "lidar_range": 3.5, "lifelong": True}


def test_the_installed_command_runs():
    done = subprocess.run(
        [sys.executable, "-m", "minicosm.cli", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.startswith("error: no command is named 'nonsense'")
