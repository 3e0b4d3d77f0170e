"""Only the studio's own page and its user's programs are answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from riffcomposer.studio.guard import MAX_BODY_BYTES, Guard, Rules, policy

RULES = Rules("secret-token", 8350)
HOST = "127.0.0.1:8350"
GOOD = {"host": HOST, "authorization": "Bearer secret-token"}


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})


def request(
    headers: dict[str, str],
    path: str = "/api/v1/songs",
    *,
    query: str = "",
    chunks: tuple[bytes, ...] = (b"",),
    rules: Rules = RULES,
) -> tuple[int, dict[str, str]]:
    """Returns status and headers of the guard's answer."""
    waiting = [{"body": chunk, "more_body": at + 1 < len(chunks)} for at, chunk in enumerate(chunks)]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", **waiting.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "query_string": query.encode(), "headers": named}
    asyncio.run(Guard(_echo, rules)(scope, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_a_request_with_the_token_is_answered() -> None:
    status, headers = request(GOOD)
    assert status == 200
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_policy_allows_no_inline_script_and_nothing_from_elsewhere() -> None:
    directives = dict(part.strip().split(" ", 1) for part in policy("n").split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert "unsafe" not in policy("n")
    assert "http" not in policy("n")


@pytest.mark.parametrize(
    "host", ["evil.example:8350", "127.0.0.1:9999", "127.0.0.1", "", "127.0.0.1.evil.example:8350"]
)
def test_an_unknown_host_is_refused(host: str) -> None:
    assert request(GOOD | {"host": host})[0] == 421


@pytest.mark.parametrize("host", ["localhost:8350", "[::1]:8350", "LOCALHOST:8350"])
def test_the_names_of_this_machine_are_known(host: str) -> None:
    assert request(GOOD | {"host": host})[0] == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8000", "file://", "http://localhost"]
)
def test_another_origin_is_refused(origin: str) -> None:
    assert request(GOOD | {"origin": origin})[0] == 403


def test_the_own_origin_is_known() -> None:
    assert request(GOOD | {"origin": "http://127.0.0.1:8350"})[0] == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_embeds_is_refused(site: str) -> None:
    assert request(GOOD | {"sec-fetch-site": site})[0] == 403
    assert request(GOOD | {"sec-fetch-site": site}, "/")[0] == 200


@pytest.mark.parametrize("header", ["", "Bearer wrong", "secret-token-and-more", "Bearer "])
def test_without_the_token_nothing_is_answered(header: str) -> None:
    assert request({"host": HOST, "authorization": header})[0] == 401


def test_the_link_sets_a_cookie_and_hides_the_token() -> None:
    status, headers = request({"host": HOST}, "/", query="token=secret-token")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    named = cookie.split(";")[0]
    assert request({"host": HOST, "cookie": f"other=1; {named}"})[0] == 200


def test_a_token_in_the_query_opens_the_page_and_riffusions_request_only() -> None:
    assert request({"host": HOST}, "/run_inference/", query="token=secret-token")[0] == 200
    assert request({"host": HOST}, query="token=secret-token")[0] == 401


def test_a_body_is_limited_by_its_stated_and_by_its_real_length() -> None:
    assert request(GOOD | {"content-length": str(MAX_BODY_BYTES + 1)})[0] == 413
    assert request(GOOD, chunks=(b"x" * MAX_BODY_BYTES, b"x"))[0] == 413
    assert request(GOOD, chunks=(b"x" * MAX_BODY_BYTES,))[0] == 200


def test_beyond_loopback_an_address_is_known_and_a_name_is_not() -> None:
    rules = Rules("secret-token", 8350, ("box.lan",), any_address=True)
    assert request(GOOD | {"host": "192.168.1.7:8350"}, rules=rules)[0] == 200
    assert request(GOOD | {"host": "box.lan:8350"}, rules=rules)[0] == 200
    assert request(GOOD | {"host": "evil.example:8350"}, rules=rules)[0] == 421
    assert request(GOOD | {"host": "192.168.1.7:8350"})[0] == 421
