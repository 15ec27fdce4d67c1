"""The studio's addresses: the page, what it asks for, and its sockets. docs/studio.md lists them."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from minicosm.envs.environment import Environment
from minicosm.envs.maze import Maze
from minicosm.envs.nav import Nav
from minicosm.envs.nav.palette import palette
from minicosm.envs.physics import Physics, level_text, library
from minicosm.envs.physics.format import LevelFile
from minicosm.envs.physics.palette import DARK, LIGHT, Theme
from minicosm.studio import checks, gallery, makers, maps, messages, recording
from minicosm.studio.guard import Guard
from minicosm.studio.studio import Studio

_STATIC = files("minicosm.studio") / "static"
Handler = Callable[[Request], Awaitable[Response]]


def make_app(studio: Studio, makers_too: bool = True) -> Any:
    """The ASGI application of `studio`, guarded; it compiles as it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.warm(makers_too)
        yield
        studio.close()

    pages = _Pages(studio)
    routes = [
        Route("/", pages.index),
        Route("/api/hello", _told(pages.hello)),
        Route("/api/check", _told(pages.check), methods=["POST"]),
        Route("/api/random", _told(pages.random), methods=["POST"]),
        Route("/api/mutate", _told(pages.mutate), methods=["POST"]),
        Route("/api/map", _told(pages.random_map), methods=["POST"]),
        Route("/api/maps", _told(pages.library_maps)),
        Route("/api/maps/{name}", _told(pages.library_map)),
        Route("/api/import", _told(pages.take_in), methods=["POST"]),
        Route("/api/export", _told(pages.export), methods=["POST"]),
        Route("/api/library", _told(pages.library)),
        Route("/api/library/{name}", _told(pages.library_level)),
        Route("/api/library/{name}/film", _told(pages.library_film)),
        Route("/api/levels", _told(pages.levels)),
        Route("/api/levels/{name:path}", _told(pages.open), methods=["GET"]),
        Route("/api/levels/{name:path}", _told(pages.save), methods=["PUT"]),
        WebSocketRoute("/socket/play", studio.play),
        WebSocketRoute("/socket/watch", studio.watch),
        Mount("/static", StaticFiles(directory=str(_STATIC)), name="static"),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), studio.config)


def _told(handler: Handler) -> Handler:
    """Mistakes of the one who asks become an answer of one sentence."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except FileExistsError as error:
            return JSONResponse({"error": str(error)}, status_code=409)
        except _TooLarge as error:
            return JSONResponse({"error": str(error)}, status_code=413)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except ImportError as error:
            return JSONResponse({"error": str(error)}, status_code=501)
        except OSError as error:
            reason = error.strerror or str(error)
            return JSONResponse({"error": f"the level folder cannot be used ({reason})"}, status_code=500)

    return wrapped


class _TooLarge(Exception):
    pass


class _Pages:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def index(self, request: Request) -> Response:
        return Response((_STATIC / "index.html").read_bytes(), media_type="text/html")

    async def hello(self, request: Request) -> Response:
        opening, run = self._studio.opening, self._studio.opening.run
        size_l = self._studio.size_l
        about: dict[str, Any] = {
            "mode": opening.mode,
            "level": opening.drawn,
            "ready": self._studio.stage.ready.is_set(),
            "folder": str(self._studio.config.levels),
            "themes": {"light": _theme(LIGHT), "dark": _theme(DARK)},
            "kinds": await run_in_threadpool(makers.sizes),
            "motors": size_l.num_motor_bindings,
            "thrusters": size_l.num_thruster_bindings,
            "max_steps": size_l.max_steps,
            "frame_skip": size_l.frame_skip,
        }
        if run is not None:
            about["run"] = {"name": run.name, "world": type(run.env).__name__.lower(), "hz": 1 / run.dt}
            if isinstance(run.env, Nav | Maze):
                about["run"] |= {
                    "width": run.env.config.width,
                    "height": run.env.config.height,
                    "robots": run.env.num_agents,
                }
                about["run"]["palette"] = [
                    [round(255 * c) for c in colour] for colour in palette(run.env.num_agents).tolist()
                ]
            if isinstance(run.env, Physics):
                config = run.env.config
                about["run"] |= {"size": config.size if isinstance(config.size, str) else "custom"}
                about["max_steps"], about["frame_skip"] = config.max_steps, config.frame_skip
                about["motors"], about["thrusters"] = config.num_motor_bindings, config.num_thruster_bindings
        return JSONResponse(about)

    async def check(self, request: Request) -> Response:
        file = messages.level_of(await self._asked(request))
        return JSONResponse(await run_in_threadpool(checks.check, file, self._studio.size_l))

    async def random(self, request: Request) -> Response:
        asked = await self._asked(request)
        size, kind, seed = asked.get("size", "m"), asked.get("kind", "random"), asked.get("seed")
        if size not in ("s", "m", "l"):
            raise ValueError(f"size is {size!r:.60}; expected 's', 'm' or 'l'")
        file = await self._studio.slowly(makers.random_level, size, str(kind), _seed(seed))
        return _level(file)

    async def mutate(self, request: Request) -> Response:
        asked = await self._asked(request)
        file = messages.level_of(asked.get("level"))
        return _level(await self._studio.slowly(makers.mutated, file, _seed(asked.get("seed"))))

    async def random_map(self, request: Request) -> Response:
        env, asked = self._map_env(), await self._asked(request)
        return JSONResponse({"level": await self._studio.slowly(maps.random_map, env, _seed(asked.get("seed")))})

    async def library_maps(self, request: Request) -> Response:
        return JSONResponse(await self._studio.slowly(maps.fitting, self._map_env()))

    async def library_map(self, request: Request) -> Response:
        env, name = self._map_env(), request.path_params["name"]
        return JSONResponse({"level": await self._studio.slowly(maps.library_map, name, env)})

    def _map_env(self) -> Environment[Any, Any]:
        run = self._studio.opening.run
        if run is None or run.is_physics:
            raise ValueError("no run of a world of maps is being watched: start with `minicosm watch RUN`")
        return run.env

    async def take_in(self, request: Request) -> Response:
        content = await self._body(request)
        name = request.query_params.get("name", "the file")[:80]
        return _level(await run_in_threadpool(makers.imported, content, name))

    async def export(self, request: Request) -> Response:
        asked = await self._asked(request)
        what = asked.get("what")
        made = recording.read(messages.level_of(asked.get("level")), asked.get("runs"))
        if what == "replay":
            return Response(recording.replay_file(made), media_type="application/json")
        if what == "demonstration":
            return Response(await self._studio.slowly(recording.demonstration, made), media_type="application/zip")
        if what in ("gif", "mp4"):
            media = {"gif": "image/gif", "mp4": "video/mp4"}[what]
            return Response(
                await self._studio.slowly(recording.film, made, what, bool(asked.get("dark"))), media_type=media
            )
        raise ValueError(f"what is {what!r:.60}; expected 'gif', 'mp4', 'demonstration' or 'replay'")

    async def library(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(gallery.listed))

    async def library_level(self, request: Request) -> Response:
        return _level(await run_in_threadpool(library.file, request.path_params["name"]))

    async def library_film(self, request: Request) -> Response:
        if not self._studio.stage.ready.is_set():
            return JSONResponse({"error": "the engine is warming up: ask again in a moment"}, status_code=503)
        return JSONResponse(await self._studio.slowly(self._studio.films.of, request.path_params["name"]))

    async def levels(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.folder.names))

    async def open(self, request: Request) -> Response:
        return _level(await run_in_threadpool(self._studio.folder.read, request.path_params["name"]))

    async def save(self, request: Request) -> Response:
        asked = await self._asked(request)
        file, name = messages.level_of(asked.get("level")), request.path_params["name"]
        path = await run_in_threadpool(self._studio.folder.write, name, file, asked.get("overwrite") is True)
        return JSONResponse({"written": str(path)})

    async def _asked(self, request: Request) -> dict[str, Any]:
        data = level_text.loaded(await self._body(request), "the request")
        if not isinstance(data, dict):
            raise ValueError(f"the request is {json.dumps(data):.60}; expected a JSON object")
        return data

    async def _body(self, request: Request) -> bytes:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise ValueError("the request is not application/json: send JSON, and say so in content-type")
        most, parts, size = self._studio.config.limits.body_bytes, [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _TooLarge(f"the request is too large: at most {most} bytes")
            parts.append(part)
        return b"".join(parts)


def _seed(given: Any) -> int:
    """The seed asked for, or any."""
    if given is None:
        return secrets.randbelow(10**6)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 2**31:
        raise ValueError(f"seed is {given!r:.60}; expected a whole number from 0 to {2**31 - 1}")
    return given


def _plain(file: LevelFile) -> dict[str, Any]:
    data = json.loads(level_text.text(file))
    assert isinstance(data, dict)
    return data


def _level(file: LevelFile) -> Response:
    return JSONResponse({"level": _plain(file)})


def _theme(theme: Theme) -> dict[str, Any]:
    return dataclasses.asdict(theme)
