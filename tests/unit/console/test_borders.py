"""Errors become answers, bodies have limits, paths find their part: each alone, without a server."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from purveyor.console.errors import UnauthenticatedError, status_and_kind
from purveyor.console.limits import BodyLimit
from purveyor.console.server import SiteApplication
from purveyor.wire.errors import (
    AbsentError,
    ConfirmationNeededError,
    NotAllowedError,
    PurveyorError,
    RefusedError,
    RejectedError,
    UnavailableError,
)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RefusedError(""), (409, "refused")),
        (ConfirmationNeededError(""), (409, "confirmation-needed")),
        (UnauthenticatedError(""), (401, "not-allowed")),
        (NotAllowedError(""), (403, "not-allowed")),
        (RejectedError(""), (422, "rejected")),
        (UnavailableError(""), (503, "unavailable")),
        (AbsentError(""), (503, "unavailable")),
    ],
)
def test_each_error_has_its_status_and_word(error: PurveyorError, answer: tuple[int, str]) -> None:
    assert status_and_kind(error) == answer


def asked(application: ASGIApp, path: str, *bodies: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> list[Message]:
    """What an ASGI application sends."""
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": body, "more_body": place + 1 < len(bodies)} for place, body in enumerate(bodies)]

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers or [], "query_string": b""}
    asyncio.run(application(scope, receive, send))
    return sent


async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and says how much it was."""
    count = 0
    while True:
        message = await receive()
        count += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.body", "body": str(count).encode()})


def test_a_body_up_to_the_limit_passes() -> None:
    assert asked(BodyLimit(swallow, limit_bytes=10, free="/free"), "/x", b"12345", b"67890")[0]["body"] == b"10"


def test_a_declared_body_over_the_limit_is_not_even_read() -> None:
    sent = asked(BodyLimit(swallow, limit_bytes=10, free="/free"), "/x", headers=[(b"content-length", b"11")])
    assert sent[0]["status"] == 413


def test_an_undeclared_body_is_counted() -> None:
    with pytest.raises(Exception, match="10 bytes at most"):
        asked(BodyLimit(swallow, limit_bytes=10, free="/free"), "/x", b"123456", b"789012")


def test_a_length_that_is_no_number_declares_nothing() -> None:
    assert (
        asked(BodyLimit(swallow, limit_bytes=10, free="/free"), "/x", b"1", headers=[(b"content-length", b"-1")])[0]["body"]
        == b"1"
    )


def test_free_paths_count_for_themselves() -> None:
    assert asked(BodyLimit(swallow, limit_bytes=1, free="/free"), "/free/x", b"12345")[0]["body"] == b"5"


class Named:
    """An application that says its name and where it is mounted."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "said", "name": self.name, "root": scope.get("root_path", "")})

    health = metrics = __call__


@pytest.mark.parametrize(
    ("path", "name", "root"),
    [
        ("/cap/clidata.box/timestamp.json", "cap", "/cap"),
        ("/dp/manifests/x", "dp", "/dp"),
        ("/cap", "rest", ""),
        ("/capital/x", "rest", ""),
        ("/api/v1/packages", "rest", ""),
        ("/healthz", "oversight", ""),
        ("/metrics", "oversight", ""),
        ("/healthz/x", "rest", ""),
        ("/", "rest", ""),
        ("", "rest", ""),
    ],
)
def test_a_path_finds_its_part(path: str, name: str, root: str) -> None:
    oversight: Any = Named("oversight")
    requests: Counter[str] = Counter()
    application = SiteApplication(rest=Named("rest"), cap=Named("cap"), dp=Named("dp"), oversight=oversight, requests=requests)
    assert asked(application, path) == [{"type": "said", "name": name, "root": root}]
