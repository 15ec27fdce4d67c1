"""The `minicosm` command: finds the command asked for, and turns what a user can mend into one line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence

import minicosm

_COMMANDS = {
    "list": "show every registered world: its agents, spaces and names in other interfaces",
    "demo": "train a robot to navigate, compare speeds, write a GIF and a learning curve",
    "train": "train a policy in a world, on the device",
    "pretrain": "train one agent for many tasks, on generated levels of the physics world",
    "finetune": "train a pre-trained agent further on one hand-made level",
    "demos": "roll replays, recorded plays and trained policies out into a data set to learn from",
    "clone": "train an agent to do what demonstrations do, as a start for more training",
    "evaluate": "measure trained policies on levels that they have not seen, and compare runs",
    "study": "regret: do curricula's scores track what can be learned? transfer: what is pre-training worth?",
    "render": "record a rollout as GIF or MP4",
    "bench": "measure environment steps per second through each interface, or compare two measurements",
    "edit": "draw and play physics levels on a local web page",
    "play": "play a physics level on a local web page, with the keys",
    "watch": "see a trained run play the level that you draw, live, on a local web page",
    "solve": "look for actions that win a physics level, and keep them as a replay",
    "import": "turn level files of other projects into our own",
}
_HELP = f"""usage: minicosm COMMAND [--help] ...

Batched reinforcement-learning worlds on one device.

{chr(10).join(f"  {name:10}{summary}" for name, summary in _COMMANDS.items())}

`minicosm COMMAND --help` tells what a command takes; `minicosm list` names the worlds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, or 2 for what a user can mend, told in one line."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(arguments)
    except ImportError as error:
        needs = 'the command line needs packages that are not installed: run pip install "minicosm[demo]"'
        return _fail(str(error) if "minicosm[" in str(error) else f"{needs} ({error})")
    except (ValueError, OSError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", status=130)


def _run(arguments: list[str]) -> int:
    name, *rest = arguments or ["help"]
    if name in ("-V", "--version"):
        print(f"minicosm {minicosm.__version__}")
        return 0
    if name in ("-h", "--help", "help"):
        print(_HELP)
        return 0
    if name not in _COMMANDS:
        close = difflib.get_close_matches(name, _COMMANDS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no command is named {name!r}{hint} (known: {', '.join(_COMMANDS)})")
    from minicosm import commands  # loads JAX and the command line's packages

    commands.run(name, rest)
    return 0


def _fail(message: str, status: int = 2) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
