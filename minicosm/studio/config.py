"""Settings of the studio's server, and the limits that keep one visitor from spoiling it for the others."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORT = 8642  # the same each time: a browser keeps what was drawn by address


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one visitor may ask for. Everything beyond is refused with a reason, and nobody else notices."""

    message_bytes: int = 256 * 1024  # of one message on a socket
    body_bytes: int = 4 * 2**20  # of one request
    messages_per_second: float = 120.0  # of one socket, lasting
    requests_per_second: float = 40.0  # of one address, lasting
    burst: float = 200.0  # messages or requests at once
    sessions: int = 16  # open sockets
    idle_seconds: float = 900.0  # without a message
    session_seconds: float = 4 * 3600.0
    recording_ticks: int = 36_000  # ten minutes at 60 Hz
    files: int = 2000  # in the folder of levels

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise ValueError(f"Limits.{field.name} is {value!r}; expected a number above 0")


@dataclasses.dataclass(frozen=True)
class StudioConfig:
    """Where the studio listens and what it may touch. Raises ValueError, naming the field, for what cannot work."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None  # needed at any address but this machine's own
    levels: Path = Path("levels")  # the only folder in which level files are read and written
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port!r}; expected a whole number from 0 (any free one) to 65535")
        if not self.host or any(c in self.host for c in "/ @?#"):
            raise ValueError(f"host is {self.host!r}; expected a name or an address, such as 127.0.0.1")
        if not self.is_local and not self.token:
            raise ValueError(
                f"host is {self.host!r}, which others can reach, and there is no token: add --token with a secret of "
                "at least 8 letters, or leave --host out to serve this machine alone"
            )
        if self.token is not None and not (
            8 <= len(self.token) <= 256 and self.token.isascii() and _is_plain(self.token)
        ):
            raise ValueError(
                f"token has {len(self.token)} characters; expected 8 to 256 letters, digits, dots, dashes, underscores"
            )
        if self.levels.exists() and not self.levels.is_dir():
            raise ValueError(f"levels is {str(self.levels)!r}, which is a file; expected a folder")

    @property
    def is_local(self) -> bool:
        """Only this machine can reach it."""
        if self.host in LOOPBACK:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _is_plain(text: str) -> bool:
    return all(c.isalnum() or c in "._-" for c in text)
