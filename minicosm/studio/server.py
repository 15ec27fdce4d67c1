"""Starting the studio: a free port, the address to open, and a browser."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
import webbrowser
from collections.abc import Callable

import uvicorn

from minicosm.studio.app import make_app
from minicosm.studio.config import DEFAULT_PORT, StudioConfig
from minicosm.studio.studio import Opening, Studio

_TRIES = 10  # ports after the usual one


def serve(
    config: StudioConfig, opening: Opening | None = None, *, browser: bool = True, say: Callable[[str], None] = print
) -> None:
    """Serve until interrupted. `say` is told the address.

    Raises OSError where the port is taken or the address is not this machine's.
    """
    listener, config = listen(config)
    address = address_of(config)
    say(f"minicosm studio: {address}\n(Ctrl+C stops it)")
    settings = uvicorn.Config(
        make_app(Studio(config, opening or Opening())),
        log_level="warning",
        ws_max_size=config.limits.message_bytes,
        ws_max_queue=32,
        h11_max_incomplete_event_size=64 * 1024,
        limit_concurrency=200,
        timeout_graceful_shutdown=1,
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(settings)
    if browser:
        threading.Thread(target=_open, args=(server, address), daemon=True).start()
    server.run(sockets=[listener])


def listen(config: StudioConfig) -> tuple[socket.socket, StudioConfig]:
    """A listening socket, and the config with the port that it got: one of the next where the usual one is taken."""
    ports = [config.port]
    if config.port == DEFAULT_PORT:
        ports += [DEFAULT_PORT + i for i in range(1, _TRIES)]
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    for port in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, port))
        except OSError as error:
            listener.close()
            problem = error
            continue
        listener.listen()  # from here on who has the address is kept waiting, and not refused
        return listener, dataclasses.replace(config, port=listener.getsockname()[1])
    reason = problem.strerror or str(problem)
    raise OSError(f"cannot listen at {config.host} port {config.port} ({reason}): choose another --port or --host")


def address_of(config: StudioConfig) -> str:
    """What to open in a browser on this machine."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{config.port}/" + (f"?token={config.token}" if config.token else "")


def _open(server: uvicorn.Server, address: str) -> None:
    while not server.started:
        time.sleep(0.05)
    webbrowser.open(address)
