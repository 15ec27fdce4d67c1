"""What the commands do. Their arguments are the functions' own: tyro makes the flags and the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tyro

from minicosm.commands import generalist, imitation, levels, studies, training, worlds

_STUDIES: dict[str, Any] = {"regret": studies.regret, "transfer": generalist.transfer}
_COMMANDS: dict[str, Any] = {
    "list": worlds.list_worlds,
    "demo": worlds.demo,
    "render": worlds.render,
    "bench": worlds.bench,
    "evaluate": studies.evaluate_runs,
    "pretrain": generalist.pretrain,
    "finetune": generalist.finetune,
    "demos": imitation.demos,
    "clone": imitation.clone,
    "solve": levels.solve,
    "import": levels.import_levels,
}


def run(name: str, arguments: Sequence[str]) -> None:
    """Run the command called `name`."""
    if name == "train":
        training.train(list(arguments))
    elif name == "study":
        tyro.extras.subcommand_cli_from_dict(_STUDIES, prog="minicosm study", args=arguments)
    else:
        command = _COMMANDS[name] if name in _COMMANDS else _of_studio(name)
        tyro.cli(command, prog=f"minicosm {name}", args=arguments)


def _of_studio(name: str) -> Any:
    """The command of that name. Raises ImportError where the extra is missing."""
    try:
        from minicosm.studio import commands as of_studio
    except ImportError as error:
        needs = 'the studio needs packages that are not installed: run pip install "minicosm[studio]"'
        raise ImportError(f"{needs} ({error})") from error
    return getattr(of_studio, name)
