"""A real server in a thread, on a free port, for all tests of the studio: its programs are compiled once."""

import contextlib
import dataclasses
import json
import threading
import time
import urllib.error
import urllib.request

import pytest
from websockets.sync.client import connect

uvicorn = pytest.importorskip("uvicorn", reason='the studio needs pip install "minicosm[studio]"')

from minicosm.envs.physics import level_text, library  # noqa: E402
from minicosm.studio.app import make_app  # noqa: E402
from minicosm.studio.config import Limits, StudioConfig  # noqa: E402
from minicosm.studio.server import listen  # noqa: E402
from minicosm.studio.studio import Opening, Studio  # noqa: E402

PATIENCE = 60.0  # s: cores are shared


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Server:
    """Where it listens, and ways to talk to it as a browser would, or worse."""

    port: int
    folder: object
    studio: Studio

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, data=None, method=None, headers=None, body=None):
        if data is not None:
            body = json.dumps(data).encode()
        request = urllib.request.Request(self.address + path, data=body, method=method)
        if body is not None:
            request.add_header("content-type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        opener = urllib.request.build_opener(_StayHere)
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    @contextlib.contextmanager
    def socket(self, path="/socket/play", **options):
        with connect(f"ws://127.0.0.1:{self.port}{path}", max_size=2**24, open_timeout=PATIENCE, **options) as link:
            yield Link(link)


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Link:
    """A socket whose messages are waited for by their type; frames in between are counted and kept."""

    def __init__(self, link):
        self.raw, self.frames = link, []

    def say(self, **message):
        self.raw.send(json.dumps(message))

    def hear(self, kind):
        """The next message of that type."""
        ends = time.monotonic() + PATIENCE
        while True:
            told = self.raw.recv(timeout=max(0.1, ends - time.monotonic()))
            if isinstance(told, bytes):
                self.frames.append(told)
                continue
            message = json.loads(told)
            if message["type"] == kind:
                return message

    def frame(self):
        """The next frame."""
        while True:
            told = self.raw.recv(timeout=PATIENCE)
            if isinstance(told, bytes):
                return told


@contextlib.contextmanager
def running(folder, opening=None, limits=None, **settings):
    limits = limits or Limits()
    listener, config = listen(StudioConfig(port=0, levels=folder, limits=limits, **settings))
    studio = Studio(config, opening or Opening())
    app = make_app(studio, makers_too=False)
    options = uvicorn.Config(app, log_level="critical", ws_max_size=limits.message_bytes, timeout_graceful_shutdown=1)
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Server(config.port, folder, studio)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def plain(name):
    """A library level as the object of its file."""
    return json.loads(level_text.text(library.file(name)))
