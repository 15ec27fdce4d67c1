"""`minicosm bench --out` and `--compare`."""

import dataclasses
import json

import pytest

from minicosm import cli
from minicosm.studies import comparison
from minicosm.studies.throughput import Speed


def measurement(*rates, world="maze", **conditions):
    speeds = tuple(Speed("native JAX scan", 2**i, rate, 1.0) for i, rate in enumerate(rates))
    return comparison.Measurement(world, {"height": 5}, {"jax": "1", **conditions}, speeds)


def compare(capsys, tmp_path, old, new, *flags):
    files = [str(comparison.write(each, tmp_path / name)) for name, each in (("old.json", old), ("new.json", new))]
    try:
        status = cli.main(["bench", "--compare", *files, *flags])
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_what_is_written_is_read_again(tmp_path):
    measured = measurement(100.0, 200.0)
    assert comparison.read(comparison.write(measured, tmp_path / "m.json")) == measured


def test_only_losses_beyond_the_threshold_are_flagged(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    old, new = measurement(1000.0, 1000.0, 1000.0), measurement(1500.0, 850.0, 750.0)
    status, out, _ = compare(capsys, tmp_path, old, new)
    assert status == 1 and "1 of 3 ways lost more than 20% of their speed" in out
    flagged = [line for line in out.splitlines() if "slower" in line]
    assert len(flagged) == 1 and "0.75" in flagged[0] and "750" in flagged[0]
    assert "1.50" in out and "0.85" in out
    assert compare(capsys, tmp_path, old, new, "--threshold", "0.3")[0] == 0
    assert compare(capsys, tmp_path, old, old, "--threshold", "0")[0] == 0


def test_ways_that_only_one_measured_are_left_out_and_other_conditions_told(capsys, tmp_path):
    status, out, _ = compare(capsys, tmp_path, measurement(10.0, 20.0), measurement(10.0, jax="2"))
    assert status == 0 and "jax differs: 1, then 2" in out and "20" not in out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world": "nav"}, "of world 'maze', the second of 'nav'"),
        ({"settings": {}}, "of settings {'height': 5}, the second of {}"),
        ({"speeds": ()}, "no way of stepping in common"),
    ],
)
def test_what_cannot_be_compared_is_told(capsys, tmp_path, change, message):
    old = measurement(10.0)
    status, _, err = compare(capsys, tmp_path, old, dataclasses.replace(old, **change))
    assert status == 2 and message in err


def test_wrong_files_and_thresholds_are_told(capsys, tmp_path):
    old = measurement(10.0)
    status, _, err = compare(capsys, tmp_path, old, old, "--threshold", "1.5")
    assert status == 2 and "threshold is 1.5; expected" in err
    for content in (
        b"\xff",
        "{",
        "[]",
        json.dumps({"format": "other"}),
        json.dumps({"format": "minicosm-bench", "speeds": []}),
    ):
        (tmp_path / "wrong.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ValueError, match="was not written by minicosm bench --out"):
            comparison.read(tmp_path / "wrong.json")
    assert cli.main(["bench", "--compare", str(tmp_path / "none.json"), str(tmp_path / "none.json")]) == 2
    err = capsys.readouterr().err
    assert "none.json' (No such file or directory); expected a file that minicosm bench --out wrote" in err
