"""Trained policies that come with the package, by name; and runs reduced to their parameters, as these are kept.

Such a folder holds `run.json`, as any run's, `curve.jsonl`, and instead of checkpoints `params.npz`: an array for each
parameter, named by its place in the tree, led by the seeds. What `cloning` makes is kept like that too.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

PARAMS = "params.npz"
_FOLDER = Path(__file__).parent / "pretrained"


def names() -> tuple[str, ...]:
    """What may stand for the folder of a run, such as "generalist-s"."""
    if not _FOLDER.is_dir():
        return ()
    return tuple(sorted(one.name.replace("_", "-") for one in _FOLDER.iterdir() if (one / PARAMS).exists()))


def is_name(run: str | os.PathLike[str]) -> bool:
    """Whether `run` names a policy that comes with the package, and no folder of the user's."""
    return str(run) in names() and not (Path(run) / "run.json").exists()


def hint() -> str:
    """The names, for the end of an error's sentence."""
    return f", or the name of one that comes with minicosm: {', '.join(names())}" if names() else ""


def folder_of(run: str | os.PathLike[str]) -> Path:
    """The folder of `run`, which is one, or the name of a policy that comes with the package."""
    return _FOLDER / str(run).replace("-", "_") if is_name(run) else Path(run)


def write(run_dir: Path, params: Any, folder: Path) -> Path:
    """Keep the run in `run_dir`, of the trained `params`, in `folder`, without its checkpoints; returns `folder`.

    Raises OSError where it cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("run.json", "curve.jsonl"):
        shutil.copyfile(run_dir / name, folder / name)
    write_params(folder, params)
    return folder


def write_params(folder: Path, params: Any) -> None:
    """Write `params`, led by the seeds, into a folder that holds a run's description. Raises OSError."""
    arrays: dict[str, Any] = {place: np.asarray(leaf) for place, leaf in _flat(params, "").items()}
    np.savez_compressed(folder / PARAMS, **arrays)


def read(folder: Path) -> Any:
    """The parameters in `folder`, nested dicts of f32 led by the seeds. Raises ValueError for a damaged file."""
    tree: dict[str, Any] = {}
    try:
        with np.load(folder / PARAMS) as data:
            for place in data.files:
                *above, name = place.split("/")
                inner = tree
                for step in above:
                    inner = inner.setdefault(step, {})
                inner[name] = data[place]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{str(folder / PARAMS)!r} is damaged ({error}): install minicosm or clone anew") from error
    return tree


def _flat(tree: Any, above: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {above: tree}
    return {
        place: leaf
        for name, part in tree.items()
        for place, leaf in _flat(part, f"{above}/{name}" if above else str(name)).items()
    }
