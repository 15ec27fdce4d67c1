"""What TensorBoard is shown of a run."""

import struct
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event

from minicosm.training import CurvePoint, TensorBoardLog


def scalars(folder):
    """(name, step, value) of each scalar in the event files of `folder`: length, checksum, event, checksum, …"""
    found = []
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            data = data[16 + length :]
    return found


def test_every_seed_is_a_run_of_scalars(tmp_path):
    first = CurvePoint(1, 100, 2.5, 3.0, {"success": [0.25, None], "curriculum/buffer_score": [1.0, 2.0]})
    second = CurvePoint(2, 200, 4.5, 6.0, {"success": [0.5, 0.75]})
    with TensorBoardLog(tmp_path / "tb") as log:
        log(first)
    with TensorBoardLog(tmp_path / "tb") as log:  # as after a resumption
        log(second)
    assert set(scalars(tmp_path / "tb" / "seed_0")) == {
        ("train/success", 100, 0.25), ("curriculum/buffer_score", 100, 1.0), ("time/seconds", 100, 2.5),
        ("train/success", 200, 0.5), ("time/seconds", 200, 4.5),
    }  # fmt: skip
    assert set(scalars(tmp_path / "tb" / "seed_1")) == {
        ("curriculum/buffer_score", 100, 2.0), ("time/seconds", 100, 2.5),
        ("train/success", 200, 0.75), ("time/seconds", 200, 4.5),
    }  # fmt: skip


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "minicosm\[tensorboard\]"'):
        TensorBoardLog(tmp_path)
