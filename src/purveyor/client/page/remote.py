"""The agent's page as commands speak to it: how people who may not read the agent's state see and ask what the page shows them.

Speaks to this machine alone. Sends no name: the page knows by itself who asks.
"""

import http.client
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from purveyor.client.page import door
from purveyor.client.page.answers import API_PROGRAMS, API_WISHES, TOKEN_HEADER
from purveyor.client.page.shown import Shown
from purveyor.client.page.wishes import Wish
from purveyor.transport.http.reasons import reason_of
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes, to_bytes

T = TypeVar("T")

ANSWER_SECONDS = 30.0
ANSWER_LIMIT_BYTES = 8_000_000


class Listed(msgspec.Struct, frozen=True):
    """What the page lists, with the token that wishes of this user carry."""

    token: str
    shown: Shown


class Said(msgspec.Struct, frozen=True):
    """What the page says of a wish: that it was taken, or why it was not."""

    said: str = ""
    error: str = ""


class PageDesk:
    """The agent's page at an address of this machine."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in door.NAMES or parts.path not in ("", "/"):
            raise RefusedError(f"{url!r} is no address of an agent's page: one such as http://127.0.0.1:8475 is expected")
        self._host = f"{parts.hostname}:{parts.port or 80}"

    def look(self) -> Shown:
        """What is shown to whoever runs this. Errors: RefusedError, UnavailableError."""
        return self._listed().shown

    def ask(self, wish: Wish) -> str:
        """Asks for something. Shape: what the user is told. Errors: RefusedError, UnavailableError."""
        headers = {"Content-Type": door.JSON, "Origin": f"http://{self._host}", TOKEN_HEADER: self._listed().token}
        return read_answer(self._answer("POST", API_WISHES, to_bytes(wish), headers), Said).said

    def _listed(self) -> Listed:
        return read_answer(self._answer("GET", API_PROGRAMS, b"", {}), Listed)

    def _answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection(self._host, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body=body or None, headers={"Host": self._host, **headers})
            response = connection.getresponse()
            content = response.read(ANSWER_LIMIT_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            hint = "it is there while the agent runs, at the port that the site's setting page_port names"
            raise UnavailableError(
                f"the agent's page at http://{self._host} does not answer: {reason_of(error)}; {hint}"
            ) from error
        finally:
            connection.close()
        if response.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return content
        reason = reason_in(content) or f"the agent's page answered {response.status}"
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise UnavailableError(reason)
        raise RefusedError(reason)


def read_answer(content: bytes, shape: type[T]) -> T:
    """What the page answered. Errors: UnavailableError when it is no agent's page of this version."""
    try:
        return from_bytes(content, shape)
    except RejectedError as error:
        raise UnavailableError(f"what answers there is no agent's page of this version: {error}") from error


def reason_in(content: bytes) -> str:
    """Why the page refused something; empty where it does not say."""
    try:
        return from_bytes(content, Said).error
    except RejectedError:
        return ""
