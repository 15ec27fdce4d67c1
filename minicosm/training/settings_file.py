"""Settings of a training run in a TOML file.

world = "maze"
curriculum = "sfl"

[settings]              # of the world
level_kind = "solvable"

[curriculum_settings]
num_kept = 200

[ppo]
total_steps = 2_000_000

[ppo.network]
memory = 128
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minicosm.training.config import NetworkConfig, PPOConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclasses.dataclass(frozen=True)
class SettingsFile:
    """What a file says; what it leaves out is None or empty."""

    world: str | None = None
    curriculum: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    curriculum_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ppo: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def over(self, config: PPOConfig) -> PPOConfig:
        """`config` with the file's settings over it. Raises ValueError for one that is unknown or cannot work."""
        ppo = dict(self.ppo)
        network = ppo.pop("network", {})
        if not isinstance(network, dict):
            raise ValueError(f"network in [ppo] is {network!r}; expected a table, [ppo.network]")
        _require_known(network, NetworkConfig, "[ppo.network]")
        _require_known(ppo, PPOConfig, "[ppo]")
        network = {name: tuple(v) if isinstance(v, list) else v for name, v in network.items()}
        try:
            return dataclasses.replace(config, network=dataclasses.replace(config.network, **network), **ppo)
        except TypeError as error:
            raise ValueError(f"a setting in [ppo] = {dict(self.ppo)!r} is of the wrong kind ({error})") from error


def read(path: str | os.PathLike[str]) -> SettingsFile:
    """Read the file at `path`. Raises OSError where it cannot be read, ValueError where it makes no sense."""
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is not TOML ({error})") from error
    except OSError as error:
        raise OSError(f"cannot read {str(path)!r} ({error.strerror}): expected a TOML file of settings") from error
    _require_known(found, SettingsFile, repr(str(path)))
    for name, value in found.items():
        kind: type = str if name in ("world", "curriculum") else dict
        if not isinstance(value, kind):
            expected = "a text" if kind is str else f"a table, [{name}]"
            raise ValueError(f"{name} in {str(path)!r} is {value!r}; expected {expected}")
    return SettingsFile(**found)


def _require_known(found: Mapping[str, Any], config: type, where: str) -> None:
    known = [field.name for field in dataclasses.fields(config)]
    for name in found:
        if name not in known:
            raise ValueError(f"{where} has no setting {name!r} (settings: {', '.join(known)})")
