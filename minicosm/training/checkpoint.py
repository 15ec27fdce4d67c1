"""Whole runs on disk: written so that a crash at any moment leaves the last checkpoint usable, and read with care.

A run's folder holds `run.json` (the world and the config), `curve.jsonl` (see `curves`) and `checkpoints/N` after N
updates, each with `params`, `rest` (optimiser, worlds, keys) and `files.json`, the SHA-256 of every file in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.curricula import Curriculum
from minicosm.envs.environment import Environment
from minicosm.training import shipped
from minicosm.training.config import NetworkConfig, PPOConfig
from minicosm.training.describe import from_json, to_json, to_text

_KEPT = 2  # newest checkpoints that stay
_HARMLESS = ("updates_per_chunk", "chunks_per_checkpoint")  # settings that do not change what is learnt


def curve_path(run_dir: Path) -> Path:
    """Where a run's learning curve is."""
    return run_dir / "curve.jsonl"


def begin_run(
    run_dir: Path, env: Environment[Any, Any], config: PPOConfig, curriculum: Curriculum | None = None
) -> None:
    """Make a run's folder; a run that ended before its first checkpoint gives way.

    Raises ValueError when the folder holds another run, OSError where it cannot be written.
    """
    described = run_dir / "run.json"
    is_of_params = (run_dir / shipped.PARAMS).exists()  # as a clone is
    if _checkpoints(run_dir) or is_of_params:
        instead = "begin another from it" if is_of_params else "resume it"
        raise ValueError(f"{str(run_dir)!r} holds a run already: {instead}, or choose another folder")
    with _tell(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        curve_path(run_dir).unlink(missing_ok=True)
        part = run_dir / f".run.json.{os.getpid()}.part"
        part.write_text(json.dumps(_description(env, config, curriculum), indent=1) + "\n")
        part.replace(described)


def require_same_run(
    run_dir: Path, env: Environment[Any, Any], config: PPOConfig, curriculum: Curriculum | None = None
) -> None:
    """Raise ValueError, naming what differs, unless the run in `run_dir` is of this world, config and curriculum."""
    described = _read_description(run_dir)
    asked = json.loads(json.dumps(_description(env, config, curriculum)))
    if described["world"] != asked["world"]:
        raise ValueError(
            f"cannot resume {str(run_dir)!r}: it is of another world, {to_text(described['world'])}, not {env!r}; "
            "choose another folder for a new run"
        )
    if described.get("curriculum") != asked["curriculum"]:
        was, now = (to_text(x.get("curriculum")) for x in (described, asked))
        raise ValueError(
            f"cannot resume {str(run_dir)!r}: its curriculum is {was}, not {now}; "
            "keep the settings as they were, or choose another folder for a new run"
        )
    was, now = (json.loads(json.dumps(dataclasses.asdict(each))) for each in (load_config(run_dir), config))
    for name in now:
        if name not in _HARMLESS and was.get(name) != now[name]:
            raise ValueError(
                f"cannot resume {str(run_dir)!r}: its {name} is {was.get(name)!r}, not {now[name]!r}; "
                "keep the setting as it was, or choose another folder for a new run"
            )


def _description(env: Environment[Any, Any], config: PPOConfig, curriculum: Curriculum | None) -> dict[str, Any]:
    return {"world": to_json(env), "config": dataclasses.asdict(config), "curriculum": to_json(curriculum)}


def load_env(run_dir: str | os.PathLike[str]) -> Environment[Any, Any]:
    """The world of the run in `run_dir`, or of the one that ships with the package by that name.

    Raises ValueError where there is none or it cannot be made again.
    """
    env: Environment[Any, Any] = from_json(_read_description(Path(run_dir))["world"])
    return env


def load_config(run_dir: str | os.PathLike[str]) -> PPOConfig:
    """The config of the run in `run_dir`, or of the one that ships by that name.

    Raises ValueError where there is none or it cannot be read.
    """
    fields = _read_description(Path(run_dir))["config"]
    try:
        network = fields["network"]
        widths = {name: tuple(value) for name, value in network.items() if isinstance(value, list)}
        if network.get("kind") in ("set", "transformer"):
            network = {"queries": 0, "controls": False, **network}  # a run from before there were any has none
        network = NetworkConfig(**{**network, **widths})
        return PPOConfig(**{**fields, "network": network})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"the config in {str(Path(run_dir) / 'run.json')!r} is damaged, or of another version of minicosm ({error})"
        ) from error


def load_params(run_dir: str | os.PathLike[str]) -> Any:
    """The net's parameters, led by the seeds, of the newest checkpoint in `run_dir` that is intact.

    `run_dir` may also be the name of a policy that ships with the package, see `shipped`. Warns of damaged ones that
    are newer. Raises ValueError where there is none, ImportError without the extra.
    """
    folder = shipped.folder_of(run_dir)
    if (folder / shipped.PARAMS).exists():
        return shipped.read(folder)
    return _restore(_newest_intact(folder) / "params", None)


def updates_done(run_dir: str | os.PathLike[str]) -> int:
    """Updates behind the newest checkpoint in `run_dir`; 0 where there is none."""
    found = _checkpoints(Path(run_dir))
    return int(found[-1].name) if found else 0


def save_state(run_dir: Path, state: Any, update: int) -> None:
    """Write a checkpoint of `state`, a `TrainState`, as a whole or not at all; older ones but one are removed.

    Raises OSError, saying why, where it cannot be written; ImportError without the extra.
    """
    checkpointer = _checkpointer()
    folder = run_dir.resolve() / "checkpoints"
    part, final = folder / f".{update:08d}.part", folder / f"{update:08d}"
    plain = _plain(state)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        checkpointer.save(part / "params", plain.params)
        checkpointer.save(part / "rest", dataclasses.replace(plain, params=None))
        checkpointer.wait_until_finished()
        (part / "files.json").write_text(json.dumps(_hashes(part), indent=1) + "\n")
        shutil.rmtree(final, ignore_errors=True)
        part.replace(final)
    except Exception as error:  # whatever storage library fails underneath, the cause is the disk
        shutil.rmtree(part, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise OSError(
            f"cannot write checkpoint {str(final)!r} ({reason}); make room or choose another folder, then resume"
        ) from error
    finally:
        checkpointer.close()
    for old in _checkpoints(run_dir)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def load_state(run_dir: Path, like: Any) -> Any:
    """The `TrainState` of the newest intact checkpoint; `like` has the same structure and shapes, abstract or not.

    Warns of damaged ones that are newer. Raises ValueError where there is none, or it is of other shapes; ImportError
    without the extra.
    """
    newest = _newest_intact(run_dir)
    plain = jax.eval_shape(_plain, like)
    params = _restore(newest / "params", plain.params)
    rest = _restore(newest / "rest", dataclasses.replace(plain, params=None))
    return jax.tree.map(_as_it_was, dataclasses.replace(rest, params=params), like)


def _restore(path: Path, like: Any) -> Any:
    checkpointer = _checkpointer()
    try:
        return checkpointer.restore(path, like)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"checkpoint {str(path)!r} does not fit this world and net ({reason}); "
            "resume with the version of minicosm that wrote it, or choose another folder for a new run"
        ) from error
    finally:
        checkpointer.close()


def _checkpointer() -> Any:
    try:
        module = importlib.import_module("orbax.checkpoint")
    except ImportError as error:
        raise ImportError(
            'checkpoints need orbax-checkpoint, which is not installed: run pip install "minicosm[train]"'
        ) from error
    if jax.process_count() == 1:
        return module.StandardCheckpointer()
    # the first of several processes reads and writes, and does not wait for the others
    alone = module.options.MultiprocessingOptions(
        primary_host=0, active_processes={0}, barrier_sync_key_prefix="minicosm"
    )
    return module.StandardCheckpointer(multiprocessing_options=alone)


def _is_key(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jax.dtypes.prng_key))


def _plain(tree: Any) -> Any:
    """`tree` as orbax can store it: PRNG keys as numbers, and one number in place of an array without any."""

    def plain(x: Any) -> Any:
        if _is_key(x):
            return jax.random.key_data(x)
        zeros = np.zeros if isinstance(x, np.ndarray) else jnp.zeros
        return x if x.size > 0 else zeros((1,), x.dtype)

    return jax.tree.map(plain, tree)


def _as_it_was(stored: jax.Array, like: Any) -> jax.Array:
    """One leaf of a tree that went through `_plain`."""
    if _is_key(like):
        key: jax.Array = jax.random.wrap_key_data(stored)
        return key
    return stored if like.size > 0 else jnp.zeros(like.shape, like.dtype)


def _checkpoints(run_dir: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    folder = run_dir.resolve() / "checkpoints"
    return sorted(p for p in folder.glob("*") if p.name.isdigit()) if folder.is_dir() else []


def _newest_intact(run_dir: Path) -> Path:
    found = _checkpoints(run_dir)
    if not found:
        raise ValueError(
            f"{str(run_dir)!r} holds no checkpoint: expected the folder of a training run that reached its first; "
            "start a new run there, without resuming"
        )
    for older in reversed(found[1:]):
        try:
            _require_intact(older)
        except ValueError as error:
            warnings.warn(f"{error}: the checkpoint before it is used", stacklevel=4)
        else:
            return older
    _require_intact(found[0])
    return found[0]


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "files.json")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _require_intact(checkpoint: Path) -> None:
    """Raise ValueError unless every file of `checkpoint` is as it was written."""
    try:
        written = json.loads((checkpoint / "files.json").read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"checkpoint {str(checkpoint)!r} is damaged (no list of its files)") from error
    found = _hashes(checkpoint)
    wrong = sorted(name for name in {*written, *found} if written.get(name) != found.get(name))
    if wrong:
        raise ValueError(f"checkpoint {str(checkpoint)!r} is damaged ({wrong[0]} is not as it was written)")


def _read_description(run_dir: Path) -> dict[str, Any]:
    path = shipped.folder_of(run_dir) / "run.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if not {"world", "config"} <= set(described):
            raise ValueError("it lacks the world or the config")
    except FileNotFoundError:
        raise ValueError(
            f"{str(run_dir)!r} holds no run: expected the folder of a training run{shipped.hint()}"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{str(path)!r} cannot be read ({error}): start a new run in another folder") from error
    result: dict[str, Any] = described
    return result


@contextlib.contextmanager
def _tell(path: Path) -> Any:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot write to {str(path)!r} ({reason}); choose a folder that you may write to") from error
