"""Who may talk to the server: checked before any of the application's code sees a request.

The page is for the person who started the server. Other web pages that this person has open must not reach it, neither
directly (`Origin`, `Sec-Fetch-Site`) nor by giving their own name this machine's address (`Host`). Where other machines
can reach it, a secret is needed besides.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response

from minicosm.studio.config import LOOPBACK, StudioConfig
from minicosm.studio.rates import Buckets

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "minicosm_studio"
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that refuses what is not from the page itself, and puts the protective headers on answers."""

    def __init__(self, app: Application, config: StudioConfig) -> None:
        self._app, self._config = app, config
        self._asked = Buckets(config.limits.requests_per_second, config.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._refusal(scope, headers) or self._sign_in(scope)
        if answer is None and scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send))
        elif answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, _with_headers(send))
        else:
            await receive()  # the handshake, which is answered by 403
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_known(host):
            return _refused(
                400, f"the request is for host {host!r:.80}, which this server is not: open the address it printed"
            )
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return _refused(403, f"the request comes from another page, {origin!r:.80}: only this server's own may ask")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") == "GET"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not is_visit:
            return _refused(403, "the request comes from another site: only this server's own page may ask")
        if not self._is_let_in(scope, headers):
            return _refused(
                401, "the token is missing or wrong: open the address that the server printed, token included"
            )
        visitor = (scope.get("client") or ("", 0))[0]
        if scope["type"] == "http" and not self._asked.take(visitor):
            return _refused(429, "too many requests at once: wait a second")
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name is None:
            return False
        config = self._config
        if config.is_local:
            return name in LOOPBACK or name == config.host
        return config.host in ("0.0.0.0", "::") or name in (*LOOPBACK, config.host)  # else the token has to do

    def _is_let_in(self, scope: Scope, headers: dict[str, str]) -> bool:
        token = self._config.token
        if token is None:
            return True
        given = [_of_query(scope), headers.get("authorization", "").removeprefix("Bearer ")]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
            given.append(cookie.value if cookie else "")
        except CookieError:
            pass
        return any(hmac.compare_digest(one.encode(), token.encode()) for one in given)

    def _sign_in(self, scope: Scope) -> Response | None:
        """A visit whose address holds the right token: it moves to a cookie, out of the history and the screen."""
        if self._config.token is None or scope["type"] != "http" or scope["path"] != "/" or not _of_query(scope):
            return None
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._config.token, httponly=True, samesite="strict")
        return answer

    @property
    def _cookie(self) -> str:
        return f"{COOKIE}_{self._config.port}"


def _of_query(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _refused(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)


def _with_headers(send: Send) -> Send:
    async def wrapped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            have = {name.lower() for name, _ in message["headers"]}
            extra = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in have]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return wrapped
