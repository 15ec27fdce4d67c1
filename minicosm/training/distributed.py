"""Training in several processes, on one host or many, which `jax.distributed` joins.

All of them run the same program. The first, process 0, writes the run's folder and shows how it goes. If one is lost
the others cannot go on: within a minute they end, say so, and leave the run at its last checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

LOST = 3  # exit status where another process is lost and Python is told of it in time
_HEARTBEAT = 30  # seconds of silence after which a process counts as lost
_RESUME = "what was learnt up to the last checkpoint stands: start all processes again with --resume"

# Reads lines until its parent ends, and then says the last one; an empty one means that all is well.
_LAST_WORDS = """
import sys
last = ""
for line in sys.stdin:
    last = line.strip()
if last:
    sys.stderr.write(f"error: {last}\\n")
"""


@dataclasses.dataclass(frozen=True)
class Processes:
    """Which process of which run this one is. Raises ValueError for what cannot be.

    Without any of it the cluster is asked: Slurm, Open MPI, Kubernetes and Cloud TPU tell it by themselves.
    """

    coordinator: str | None = None  # HOST:PORT of the first process, by which the others find it
    count: int | None = None
    index: int | None = None  # from 0

    def __post_init__(self) -> None:
        given = (self.coordinator, self.count, self.index)
        if all(each is None for each in given):
            return
        if self.coordinator is None or self.count is None or self.index is None:
            raise ValueError(
                f"coordinator, num_processes and process_id are {given[0]!r}, {given[1]!r} and {given[2]!r}: give all "
                "three, or none where Slurm, Open MPI, Kubernetes or a TPU tells them"
            )
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            raise ValueError(f"coordinator is {self.coordinator!r}; expected HOST:PORT, e.g. 10.0.0.1:1234")
        if self.count < 1:
            raise ValueError(f"num_processes is {self.count}; expected a whole number from 1")
        if not 0 <= self.index < self.count:
            raise ValueError(f"process_id is {self.index}; expected 0 to {self.count - 1}, one less than num_processes")


@contextlib.contextmanager
def joined(processes: Processes) -> Iterator[None]:
    """Inside, JAX counts the devices of all processes as its own. To be entered before JAX is used otherwise.

    A block that fails here, or whose collectives fail because another process is lost, ends this process at once, and
    the others for that. Raises ValueError where the cluster does not tell what it is asked.
    """
    with _LastWords() as last:
        me = "this process" if processes.index is None else f"process {processes.index} of {processes.count}"
        last.would_be(f"{me} found no others: start all of them within 5 minutes, with one and the same coordinator")
        _join(processes)
        me = f"process {jax.process_index()} of {jax.process_count()}"
        last.would_be(f"{me} was cut off: another one is lost, see above, or it was itself killed; {_RESUME}")
        try:
            yield
        except BaseException as error:
            _end(error, me, last)
        # all come here at the same time, before the first goes on alone
        jax.distributed.shutdown()  # type: ignore[no-untyped-call]


def _join(processes: Processes) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    settings: dict[str, Any] = {}
    if "heartbeat_timeout_seconds" in inspect.signature(jax.distributed.initialize).parameters:  # from jax 0.7 on
        settings["heartbeat_timeout_seconds"] = _HEARTBEAT
    try:
        jax.distributed.initialize(processes.coordinator, processes.count, processes.index, **settings)
    except ValueError as error:
        raise ValueError(
            f"this process cannot find the others ({error}): give --coordinator HOST:PORT, --num-processes and "
            "--process-id"
        ) from error
    except jax.errors.JaxRuntimeError as error:
        raise ValueError(
            f"this process found no others ({_first_line(error)}): start all of them, with one and the same coordinator"
        ) from error


def _end(error: BaseException, me: str, last: _LastWords) -> None:
    """End this process without waiting for the others, which wait for it."""
    status = 1
    if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):  # a collective's may be a ValueError
        reason = _first_line(error)
        sys.stderr.write(f"error: {me} cannot go on: another one is lost, or its device failed ({reason}); {_RESUME}\n")
        status = LOST
    elif isinstance(error, (ValueError, OSError, ImportError)):
        sys.stderr.write(f"error: {error}\n")
        status = 2
    elif isinstance(error, KeyboardInterrupt):
        sys.stderr.write("error: interrupted\n")
        status = 130
    else:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    last.would_be("")
    os._exit(status)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


class _LastWords:
    """Says something when this process ends before its time, in whatever way: JAX ends it from outside of Python."""

    def __enter__(self) -> _LastWords:
        command = [sys.executable, "-S", "-E", "-c", _LAST_WORDS]
        self._speaker = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.would_be("")
        assert self._speaker.stdin is not None
        self._speaker.stdin.close()
        self._speaker.wait()

    def would_be(self, text: str) -> None:
        assert self._speaker.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._speaker.stdin.write(text + "\n")
            self._speaker.stdin.flush()


def all_devices() -> int:
    """Over how many devices `minicosm train` spreads a run unless told: all, but one of a CPU that acts as several."""
    return 1 if jax.default_backend() == "cpu" and jax.process_count() == 1 else jax.device_count()


def is_first() -> bool:
    """Whether this process is the one that writes the run's folder and shows how it goes."""
    return jax.process_index() == 0


def agree(decision: bool) -> bool:
    """The first process's decision, in all of them."""
    return decision if jax.process_count() == 1 else bool(multihost_utils.broadcast_one_to_all(np.bool_(decision)))
