"""Without a library, its adapter says what to install, and only when it is asked for."""

import importlib
import sys

import pytest

import minicosm.wrappers


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("SB3VecEnv", "to_sb3", "sb3"),
        ("TorchRLEnv", "to_torchrl", "torchrl"),
        ("TianshouVectorEnv", "to_tianshou", "tianshou"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(monkeypatch, name, module, extra):
    monkeypatch.delitem(sys.modules, f"minicosm.wrappers.{module}", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=rf'{name} needs .*pip install "minicosm\[{extra}\]"'):
        getattr(minicosm.wrappers, name)
    monkeypatch.undo()
    assert importlib.util.find_spec("jax")
