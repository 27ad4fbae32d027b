"""How errors become answers: `{"error": text for people, "kind": word for programs}` and a status.

Anything that nobody expected becomes a 500 with a short number that also stands in the log; its text goes nowhere else.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from purveyor.wire.errors import (
    ConfirmationNeededError,
    NotAllowedError,
    PurveyorError,
    RefusedError,
    RejectedError,
    UnavailableError,
)

_log = logging.getLogger(__name__)
_TROUBLES_SHOWN = 5


class Trouble(BaseModel):
    """What went wrong. `kind`: refused, confirmation-needed, not-allowed, rejected, unavailable, or fault."""

    error: str
    kind: str


class UnauthenticatedError(NotAllowedError):
    """Nobody knows who asks: no token, or one that is unknown or revoked."""


ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"model": Trouble, "description": "No token, or one that is unknown or revoked."},
    403: {"model": Trouble, "description": "The token may only read."},
    409: {"model": Trouble, "description": "Refused, or a confirmation is needed. Nothing was changed."},
    413: {"model": Trouble, "description": "More than the site takes at once. Nothing was changed."},
    422: {"model": Trouble, "description": "What was sent cannot be read or believed. Nothing was changed."},
    503: {"model": Trouble, "description": "Not possible now; the same may be possible later."},
}


def status_and_kind(error: PurveyorError) -> tuple[int, str]:
    """The HTTP status and the word for an expected error."""
    match error:
        case ConfirmationNeededError():
            return 409, "confirmation-needed"
        case RefusedError():
            return 409, "refused"
        case UnauthenticatedError():
            return 401, "not-allowed"
        case NotAllowedError():
            return 403, "not-allowed"
        case RejectedError():
            return 422, "rejected"
        case UnavailableError():
            return 503, "unavailable"
        case _:
            return 409, "refused"


def answer_to(error: PurveyorError) -> JSONResponse:
    """The answer that an expected error becomes."""
    status, kind = status_and_kind(error)
    return _answer(status, str(error), kind, {"WWW-Authenticate": "Bearer"} if status == 401 else None)


def answer_errors(application: FastAPI) -> None:
    """Makes every error of this application an answer of the one form."""

    @application.exception_handler(PurveyorError)
    async def expected(request: Request, error: PurveyorError) -> JSONResponse:
        del request
        return answer_to(error)

    @application.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        return _answer(422, _in_words(error.errors()), "rejected")

    @application.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        match error.status_code:
            case 400:  # what no parser can take; the framework does not say why
                return _answer(422, "body: no JSON: it is not UTF-8, is nested too deep, or has too long a number", "rejected")
            case 404:
                return _answer(404, f"there is nothing at {request.url.path[:200]}", "rejected")
        return _answer(error.status_code, str(error.detail), "rejected")

    application.add_middleware(Border)


class Border:
    """One of the three borders: what nobody expected in a request ends here, logged with a number that the answer names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_answering = False

        async def sending(message: Message) -> None:
            nonlocal is_answering
            is_answering = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:  # noqa: BLE001 - the HTTP request is one of the three borders
            number = secrets.token_hex(4)
            _log.exception("request failed, number %s: %s %s", number, scope.get("method"), scope.get("path"))
            if not is_answering:
                answer = _answer(500, f"the site failed at this; its log says more under the number {number}", "fault")
                await answer(scope, receive, send)


def _answer(status: int, text: str, kind: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Trouble(error=text, kind=kind).model_dump(), status_code=status, headers=headers)


def _in_words(troubles: Sequence[Any]) -> str:
    """What cannot be read, by place; the values themselves are not repeated, since they may be secret."""
    words = [_one_in_words(trouble["loc"], trouble) for trouble in troubles]
    more = f" (and {len(words) - _TROUBLES_SHOWN} more)" if len(words) > _TROUBLES_SHOWN else ""
    return "; ".join(words[:_TROUBLES_SHOWN]) + more


def _one_in_words(place: Sequence[str | int], trouble: Mapping[str, Any]) -> str:
    if trouble["type"] == "json_invalid":  # its place is where the text ceases to be JSON
        return f"body: no JSON, at character {int(place[1]) + 1}: {trouble['ctx']['error']}"
    return f"{'.'.join(str(part) for part in place[1:]) or place[0]}: {trouble['msg']}"
