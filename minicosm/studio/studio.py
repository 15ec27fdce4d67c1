"""What the server holds: the stage, the levels, who is there, and one worker for what takes long."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from starlette.websockets import WebSocket

from minicosm.envs.physics import PhysicsConfig, level_text, library
from minicosm.envs.physics.format import LevelFile
from minicosm.studio import makers, maps
from minicosm.studio.config import StudioConfig
from minicosm.studio.drivers import Keys
from minicosm.studio.folder import LevelFolder
from minicosm.studio.gallery import Films
from minicosm.studio.game import PhysicsGame
from minicosm.studio.session import Session
from minicosm.studio.stage import Stage
from minicosm.studio.watching import Run, Watching, load_run

Mode = Literal["edit", "play", "watch"]
Result = TypeVar("Result")
_LOG = logging.getLogger("minicosm.studio")


@dataclasses.dataclass(frozen=True)
class Opening:
    """What the page shows first."""

    mode: Mode = "edit"
    level: LevelFile | None = None  # None: what was drawn last, or the gallery
    run: Run | None = None  # who is watched
    map: dict[str, Any] | None = None  # where, if not in physics

    @property
    def drawn(self) -> dict[str, Any] | None:
        """The level as the page draws it."""
        return self.map if self.level is None else json.loads(level_text.text(self.level))


def opening(mode: Mode, level: str | None = None, run: Path | None = None) -> Opening:
    """What `minicosm edit`, `play` and `watch` show first: a level by name or file, and the run in a folder.

    Raises ValueError or OSError, saying what is wrong with either.
    """
    watched = None if run is None else load_run(run)
    if level is not None and watched is not None and not watched.is_physics:
        return Opening(mode, None, watched, maps.load_map(level, watched.env))
    return Opening(mode, None if level is None else load_level(level), watched)


def load_level(name: str) -> LevelFile:
    """A library level by name, or a file by path. Raises ValueError or OSError, saying what is wrong."""
    is_file = name.endswith(".json") or Path(name).exists()
    return level_text.read(name) if is_file else library.file(name)


class Studio:
    """Shared by all requests and sockets. Made on the event loop's thread or before it runs."""

    def __init__(self, config: StudioConfig, opening: Opening = Opening()) -> None:
        self.config, self.opening = config, opening
        self.size_l = PhysicsConfig(size="l")
        self.stage = Stage(self.size_l)
        self.folder = LevelFolder(config.levels, config.limits.files)
        self.films = Films(self.stage)
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="studio")
        self._sessions = 0

    def warm(self, makers_too: bool = True) -> threading.Thread:
        """Compile in the background: the stage first, then what buttons will ask for."""

        def work() -> None:
            self.stage.warm()
            if self.opening.run is not None:
                self.opening.run.warm()
            if makers_too:
                makers.random_level("m", "random", 0)

        thread = threading.Thread(target=work, name="studio-warm", daemon=True)
        thread.start()
        return thread

    async def slowly(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do what takes long where it holds nobody up, one thing after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *arguments)

    def close(self) -> None:
        """Let the worker go."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def play(self, socket: WebSocket) -> None:
        """Serve a page on which a person plays."""
        driver = Keys(self.size_l.num_motor_bindings, self.size_l.num_thruster_bindings, self.size_l.frame_skip)
        await self._serve(socket, lambda: Session(socket, PhysicsGame(self.stage, driver), self.config.limits))

    async def watch(self, socket: WebSocket) -> None:
        """Serve a page on which the run plays."""
        run = self.opening.run
        if run is None:
            await socket.accept()
            await socket.send_json(
                {"type": "closed", "text": "no run is being watched: start with `minicosm watch RUN`"}
            )
            await socket.close(1008)
            return
        skip = run.physics.config.frame_skip if run.is_physics else 1
        session = Session(socket, run.game(), self.config.limits, skip * run.env.max_episode_steps)
        watching = Watching(run, session, self._workers)
        session.on_load = watching.ask
        try:
            await self._serve(socket, lambda: session)
        finally:
            watching.stop()

    async def _serve(self, socket: WebSocket, make: Callable[[], Session]) -> None:
        await socket.accept()
        most = self.config.limits.sessions
        if self._sessions >= most:
            text = f"{most} pages are playing already, the most that this server takes: close one of them"
            await socket.send_json({"type": "closed", "text": text})
            await socket.close(1013)
            return
        self._sessions += 1
        try:
            await make().run()
        except asyncio.CancelledError:
            pass  # the server is being stopped, which is no mistake to report
        except Exception:  # whatever goes wrong in one session, the others go on
            number = secrets.token_hex(3)
            _LOG.exception("session failed (%s)", number)
            text = f"the server met a mistake of its own ({number} in its log): reload the page"
            with contextlib.suppress(Exception):  # nobody may be there any more
                await socket.send_json({"type": "closed", "text": text})
        finally:
            self._sessions -= 1
