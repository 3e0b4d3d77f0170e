"""What a request must bring to be answered: the token, a known host, and no other site behind it.

The studio listens on this machine, where any web page that the user visits can send it requests too. So:

- `Host` must be a name of this machine (a page can make its own name lead here: DNS rebinding).
- `Origin`, where the browser sends one, must be the studio itself, and so must `Sec-Fetch-Site`
  (W3C Fetch Metadata).
- Every request needs the token: in a cookie that the link of `riffcompose studio` sets, or as
  `Authorization: Bearer`; for `POST /run_inference/`, whose clients send no headers, also as `?token=`.
- Bodies are limited, and answers carry a content security policy without inline code.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 1 << 20
LARGER_BODIES = {"/api/v1/uploads": (32 << 20) + 1}
"""Most bytes of a request whose body is a file: one more than a file may have, whose own limit answers."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TOKEN_IN_QUERY = ("/", "/run_inference/", "/run_inference")


def policy(nonce: str) -> str:
    """The content security policy (W3C CSP 3) of the page.

    Args:
        nonce: Lets the editor insert its own style sheets, which it makes as the page runs.
    """
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@dataclass(frozen=True)
class Rules:
    """What the guard compares requests with.

    Attributes:
        token: The session's token.
        port: The port that the server listens on.
        hosts: Further names of this machine, if it listens beyond loopback.
        any_address: Whether an IP address as `Host` is fine too; a page cannot make one lead elsewhere.
    """

    token: str
    port: int
    hosts: tuple[str, ...] = ()
    any_address: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name; another port is another studio."""
        return f"riffcomposer-studio-{self.port}"

    def knows_host(self, host: str) -> bool:
        """Whether a `Host` header names this server."""
        name, _, port = host.lower().rpartition(":") if not host.endswith("]") else (host, "", "")
        if port != str(self.port):
            return False
        if name in LOOPBACK or name in self.hosts:
            return True
        return self.any_address and _is_address(name.strip("[]"))

    def knows_origin(self, origin: str) -> bool:
        """Whether an `Origin` header names this server; `null` does not."""
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and self.knows_host(host)

    def knows_token(self, token: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())


class Guard:
    """Wraps an ASGI application; answers only what comes from the studio's own user."""

    def __init__(self, app: App, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        refusal = self._refusal(scope["path"], headers, query)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        if scope["path"] == "/" and "token" in query:
            # The token leaves the address bar, the history and the referrer.
            cookie = f"{self._rules.cookie}={self._rules.token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(send, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return
        scope.setdefault("state", {})["nonce"] = nonce = secrets.token_urlsafe(16)
        too_long, most = {"seen": 0}, body_limit(scope["path"])

        async def limited() -> Message:
            message = await receive()
            too_long["seen"] += len(message.get("body", b""))
            if too_long["seen"] > most:
                raise BodyTooLong
            return message

        began = False

        async def marked(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                message["headers"] = [*message.get("headers", []), *_headers(nonce)]
            await send(message)

        try:
            await self._app(scope, limited, marked)
        except BodyTooLong:
            if began:
                raise
            await _answer(send, 413, f"this request may have at most {most >> 10} KiB")

    def _refusal(
        self, path: str, headers: dict[str, str], query: dict[str, list[str]]
    ) -> tuple[int, str] | None:
        """The status and the reason if the request is not answered."""
        rules = self._rules
        if not rules.knows_host(headers.get("host", "")):
            return 421, "unknown host"
        if "origin" in headers and not rules.knows_origin(headers["origin"]):
            return 403, "a request from another site"
        # A link from elsewhere may open the page itself and nothing else.
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and path != "/":
            return 403, "a request from another site"
        length, most = headers.get("content-length", "0"), body_limit(path)
        if length.isdigit() and int(length) > most:
            return 413, f"this request may have at most {most >> 10} KiB"
        given = [headers.get("authorization", "").removeprefix("Bearer "), _cookie(headers, rules.cookie)]
        if path in TOKEN_IN_QUERY:
            given += query.get("token", [])
        if not any(rules.knows_token(token) for token in given if token):
            return 401, "open the address that `riffcompose studio` printed: it holds the token"
        return None


def body_limit(path: str) -> int:
    """The most bytes that the body of a request to a path may have."""
    return LARGER_BODIES.get(path, MAX_BODY_BYTES)


class BodyTooLong(Exception):
    """More bytes came than a request may have."""


def _cookie(headers: dict[str, str], name: str) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _headers(nonce: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-security-policy", policy(nonce).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    ]


async def _answer(send: Send, status: int, text: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_headers("none")]})
    await send({"type": "http.response.body", "body": text.encode()})
