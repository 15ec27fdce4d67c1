"""One open page that plays or watches: its clock, what it asks for, and the limits that it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from minicosm.studio import messages
from minicosm.studio.config import Limits
from minicosm.studio.game import Game, Playable
from minicosm.studio.rates import Bucket
from minicosm.studio.recording import runs_of

_AFTERMATH = 1.25  # s for which a level is shown to move on after its end
_BEHIND = 0.2  # s by which the clock may lag before it gives that time up
_TOO_BIG, _TRY_LATER, _REFUSED = 1009, 1013, 1008  # reasons for closing a socket, as RFC 6455 numbers them

OnLoad = Callable[[Any], None]


class Session:
    """Plays levels of `game` at the pace of life.

    With `loop_ticks`, an episode begins again when it has ended or lasted so long.
    """

    def __init__(self, socket: WebSocket, game: Game, limits: Limits, loop_ticks: int = 0) -> None:
        self._socket, self._game, self._limits, self._loop_ticks = socket, game, limits, loop_ticks
        self._episode: Playable | None = None
        self._playing, self._speed = False, 1.0
        self._wake = asyncio.Event()
        self.on_load: OnLoad | None = None  # called with each level that is played

    async def run(self) -> None:
        """Serve the page until it leaves, or a limit is reached."""
        await self._warmed()
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._clock())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception) and not self._has_left(error):
                raise error

    def _has_left(self, error: Exception) -> bool:
        """The error is but the page's leaving, which sending and receiving meet as one of these two."""
        has_closed = WebSocketState.DISCONNECTED in (self._socket.client_state, self._socket.application_state)
        return isinstance(error, WebSocketDisconnect) or (has_closed and isinstance(error, RuntimeError))

    async def tell(self, kind: str, **what: Any) -> None:
        """Send a message; nobody may be there any more."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.send_text(json.dumps({"type": kind, **what}))

    async def _warmed(self) -> None:
        if not self._game.ready.is_set():
            await self.tell("warming")
            while not self._game.ready.is_set():
                await asyncio.sleep(0.05)
        await self.tell("ready", signals=self._game.num_signals)

    async def _read(self) -> None:
        limits, ends = self._limits, time.monotonic() + self._limits.session_seconds
        bucket = Bucket(limits.messages_per_second, limits.burst)
        while True:
            wait = min(limits.idle_seconds, ends - time.monotonic())
            try:
                text = await asyncio.wait_for(self._socket.receive_text(), max(wait, 0.01))
            except asyncio.TimeoutError:
                await self._close(_TRY_LATER, "nothing was asked for a long time: reload the page to go on")
                return
            except (KeyError, UnicodeDecodeError):  # bytes where text was expected
                await self.tell("error", text="the message is binary; expected JSON as text")
                continue
            if len(text) > limits.message_bytes:
                await self._close(
                    _TOO_BIG, f"a message has {len(text)} letters; expected at most {limits.message_bytes}"
                )
                return
            if not bucket.take():
                await self._close(
                    _REFUSED, f"more than {limits.messages_per_second:g} messages a second: reload the page"
                )
                return
            try:
                await self._handle(messages.read(text))
            except ValueError as error:
                await self.tell("error", text=str(error))

    async def _close(self, code: int, reason: str) -> None:
        await self.tell("closed", text=reason)
        with contextlib.suppress(RuntimeError):
            await self._socket.close(code, reason[:120])

    async def _handle(self, message: messages.Message) -> None:
        if isinstance(message, messages.Load):
            await self._load(message)
        elif isinstance(message, messages.Act):
            self._game.hold(message.signals)
        elif isinstance(message, messages.Drive):
            self._game.drive(message.robot)
        elif isinstance(message, messages.Speed):
            self._speed = message.value
        else:
            await self._control(message, self._loaded())

    async def _control(self, message: messages.Message, episode: Playable) -> None:
        if isinstance(message, messages.Run):
            self._set_playing(message.playing)
            await self.tell("running", playing=message.playing)
        elif isinstance(message, messages.Step):
            self._set_playing(False)
            for _ in range(episode.frame_skip - episode.ticks % episode.frame_skip):
                await self._advance(episode)
        elif isinstance(message, messages.Seek):
            self._set_playing(False)
            episode.seek(message.step)
            await self.tell("sought", step=message.step)
            await self._socket.send_bytes(episode.frame())
        else:
            await self.tell("recording", runs=runs_of(episode.actions), frame_skip=episode.frame_skip)

    def _loaded(self) -> Playable:
        if self._episode is None:
            raise ValueError('no level is loaded: send one first, as {"type": "load", "level": {...}}')
        return self._episode

    async def _load(self, message: messages.Load) -> None:
        episode = self._game.open(message.level)
        self._set_playing(False)
        self._episode = episode
        await self.tell("scene", **episode.scene(), frame_skip=episode.frame_skip)
        await self._socket.send_bytes(episode.frame())
        self._set_playing(message.playing)
        if self.on_load is not None:
            self.on_load(episode.file)

    def _set_playing(self, playing: bool) -> None:
        self._playing = playing
        if playing:
            self._wake.set()
        else:
            self._wake.clear()

    async def _clock(self) -> None:
        """Tick at 60 Hz. A machine that cannot keep up plays slower, rather than in leaps."""
        due = time.monotonic()
        while True:
            if not self._playing or self._episode is None:
                await self._wake.wait()
                due = time.monotonic()
            assert self._episode is not None
            await self._advance(self._episode)
            due += self._game.dt / self._speed
            early = due - time.monotonic()
            if early < -_BEHIND:
                due = time.monotonic()
            await asyncio.sleep(max(0.0, early))

    async def _advance(self, episode: Playable) -> None:
        """One tick, told to the page."""
        just_ended = episode.tick()
        await self._socket.send_bytes(episode.frame())
        if just_ended:
            await self.tell("ended", tick=episode.ticks, **episode.result())
        is_over = episode.ended_at is not None and episode.ticks >= episode.ended_at + _AFTERMATH / self._game.dt
        too_long = episode.ticks >= self._limits.recording_ticks
        if self._loop_ticks and (is_over or episode.ticks >= self._loop_ticks):
            episode.restart()
            await self.tell("restarted")
        elif is_over or too_long:
            self._set_playing(False)
            why = "ended" if is_over else "this recording is as long as one may be: start again"
            await self.tell("running", playing=False, why=why)
