import io
import math

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from minicosm.training import CurvePoint, PPOConfig, ProgressBar, plot_curves, read_points
from minicosm.training.curves import append_point, point_of, write_points
from minicosm.training.progress import describe


def point(update, success, returned=0.5):
    values = {
        "success": success,
        "collision": [0.1] * len(success),
        "return": [returned] * len(success),
        "length": [9.0] * len(success),
    }
    return CurvePoint(update, update * 100, update * 2.0, update * 3.0, values)


POINTS = [point(1, [0.1, None]), point(2, [0.3, 0.5]), point(3, [0.6, 0.8])]


def test_sums_become_means_over_episodes_and_minibatches():
    sums = {
        "episodes": np.array([4.0, 0.0]), "success": np.array([3.0, 0.0]), "return": np.array([2.0, 0.0]),
        "minibatches": np.array([8.0, 8.0]), "kl": np.array([0.4, 0.8]),
    }  # fmt: skip
    found = point_of(sums, {"update": 1, "steps": 10, "seconds": 0.1, "cpu_seconds": 0.2})
    assert found.values == {
        "episodes": [4.0, 0.0], "success": [0.75, None], "return": [0.5, None],
        "kl": [pytest.approx(0.05), pytest.approx(0.1)],
    }  # fmt: skip
    assert found.mean("success") == 0.75
    assert math.isnan(found.mean("collision"))


def test_points_survive_the_file_and_a_cut_last_line_is_left_out(tmp_path):
    path = tmp_path / "curve.jsonl"
    write_points(path, POINTS[:2])
    append_point(path, POINTS[2])
    assert read_points(path) == POINTS
    text = path.read_text()
    path.write_text(text[:-20])
    assert read_points(path) == POINTS[:2]
    path.write_text(text.replace('"update": 2', '"udpate": 2'))
    with pytest.raises(ValueError, match=r"line 2 of .* is not a point of a learning curve"):
        read_points(path)


def test_a_full_disk_is_told(tmp_path):
    full = tmp_path / "curve.jsonl"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"cannot write .*curve.jsonl' \(No space left on device\); free some space"):
        append_point(full, POINTS[0])


def test_the_plot_is_a_picture_with_lines(tmp_path):
    path = plot_curves(POINTS, tmp_path / "new" / "curve.png", title="nav")
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert picture.shape[1] > 2 * picture.shape[0] > 600
    blue = (picture[..., 2] - picture[..., 0]) > 60
    red = (picture[..., 0] - picture[..., 2]) > 100
    assert blue.sum() > 500 and red.sum() > 50
    with pytest.raises(ValueError, match=r"no points to plot"):
        plot_curves([], tmp_path / "curve.png")


def test_progress_tells_rates_speed_and_time():
    assert describe(POINTS[1], POINTS[0], 2) == "solved 40%  return +0.50  100 steps/s"
    assert describe(POINTS[0], None, 1) == "solved 10%  return +0.50  50 steps/s"
    nothing = CurvePoint(1, 100, 1.0, 1.0, {"success": [None]})
    assert describe(nothing, None, 1) == "100 steps/s"


def test_the_bar_shows_the_last_point():
    told = io.StringIO()
    config = PPOConfig(num_envs=1, num_steps=100, total_steps=300, num_seeds=2)
    with ProgressBar(config, Console(file=told, force_terminal=True, width=120)) as bar:
        for each in POINTS:
            assert bar(each) is None
    assert "solved 70%" in told.getvalue() and "100%" in told.getvalue()
