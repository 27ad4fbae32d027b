"""What the agent's page answers: its addresses, its forms, its JSON. Decides nothing; the desk does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

import msgspec

from purveyor.client.page import door, views
from purveyor.client.page.door import DoorError, Request
from purveyor.client.page.peers import Visitor
from purveyor.client.page.shown import Shown
from purveyor.client.page.style import STYLE
from purveyor.client.page.views import Frame
from purveyor.client.page.wishes import Postpone, PostponeRestart, RestartNow, RunNow, Wish
from purveyor.wire.errors import PurveyorError, RefusedError, RejectedError
from purveyor.wire.form import from_bytes
from purveyor.wire.schedule import Zone, instant_of, parse_time

API, API_PROGRAMS, API_WISHES = "/api/", "/api/programs", "/api/wishes"
TOKEN_HEADER = "x-purveyor-token"  # noqa: S105 - the name of a header, no secret
_HTML, _JSON = "text/html; charset=utf-8", door.JSON
_SAID = {
    "run": "It will be run.",
    "planned": "It is planned.",
    "postponed": "It is put off.",
    "restart": "The machine will restart.",
    "restart-postponed": "The restart is put off.",
}
_LONGEST_SAID = 20


class Desk(Protocol):
    """What a user sees and asks."""

    def key(self) -> bytes:
        """The secret of which the page's tokens are made; the same until the state is lost."""

    def zone(self) -> tzinfo:
        """The machine's time zone."""

    def look(self, visitor: Visitor) -> Shown:
        """All that is shown to a user now. Errors: UnavailableError, when nothing can be said yet."""

    def ask(self, visitor: Visitor, wish: Wish) -> str:
        """Takes a wish. Shape: what the user is told. Errors: RefusedError, with the reason; UnavailableError."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the page."""

    status: HTTPStatus
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Page:
    """The page of one agent."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def answer(self, request: Request, visitor: Visitor) -> Answer:
        """What a request of this user is answered with. Errors: DoorError, RefusedError, UnavailableError, RejectedError."""
        key = self._desk.key()
        token = door.token_of(key, visitor.user_id)
        match request.method, request.path:
            case "GET" | "HEAD", views.STYLE:
                return Answer(HTTPStatus.OK, "text/css; charset=utf-8", STYLE.encode())
            case "GET" | "HEAD", views.PROGRAMS:
                said = _SAID.get(request.query.get("said", "")[:_LONGEST_SAID], "")
                return _html(views.programs_page(self._frame(visitor, token), said))
            case "GET" | "HEAD", views.SCHEDULE:
                return _html(views.schedule_page(self._frame(visitor, token)))
            case "GET" | "HEAD", views.HISTORY:
                return _html(views.history_page(self._frame(visitor, token)))
            case "GET" | "HEAD", "/api/programs":
                shown = msgspec.to_builtins(self._desk.look(visitor))
                return _json(HTTPStatus.OK, {"token": token, "shown": shown})
            case "POST", "/api/wishes":
                door.check_token(request.header(TOKEN_HEADER), key, visitor.user_id)
                return _json(HTTPStatus.ACCEPTED, {"said": self._desk.ask(visitor, _wish_in(request))})
            case "POST", views.RUN | views.POSTPONE | views.RESTART | views.POSTPONE_RESTART:
                fields = door.fields_of(request)
                door.check_token(fields.get("token", ""), key, visitor.user_id)
                wish, said = self._wish_of(request.path, fields, visitor)
                self._desk.ask(visitor, wish)
                return Answer(HTTPStatus.SEE_OTHER, _HTML, b"", {"Location": f"{views.PROGRAMS}?said={quote(said)}"})
            case "GET" | "HEAD" | "POST", _:
                raise DoorError(HTTPStatus.NOT_FOUND, "there is no such page")
            case _:
                raise DoorError(HTTPStatus.METHOD_NOT_ALLOWED, "this page is read, or a form of it is sent; nothing else")

    def _frame(self, visitor: Visitor, token: str) -> Frame:
        return Frame(self._desk.look(visitor), self._desk.zone(), token)

    def _wish_of(self, path: str, fields: Mapping[str, str], visitor: Visitor) -> tuple[Wish, str]:
        """What a form asks for. Shape: with it, by which name the next page says that it was taken."""
        program = fields.get("program", "")
        match path:
            case views.RUN if fields.get("at"):
                return RunNow(program=program, at=self._moment(fields["at"])), "planned"
            case views.RUN:
                return RunNow(program=program), "run"
            case views.POSTPONE:
                return self._postponement(program, fields.get("for", ""), visitor), "postponed"
            case views.RESTART:
                return RestartNow(), "restart"
            case _:
                return PostponeRestart(), "restart-postponed"

    def _moment(self, text: str) -> datetime:
        """A time that was written into a form, on the machine's clock."""
        try:
            wall, zone = parse_time(text[:40])
        except RejectedError as error:
            raise RefusedError(f"{text[:40]!r} is no day and time") from error
        return instant_of(wall, Zone.UTC if zone is Zone.UTC else Zone.CLIENT, self._desk.zone())

    def _postponement(self, program: str, text: str, visitor: Visitor) -> Postpone:
        if text == "limit":
            shown = self._desk.look(visitor)
            until = next((one.may_postpone_until for one in shown.programs if one.id == program), None)
            return Postpone(program=program, until=until or shown.at + timedelta(seconds=1))
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise RefusedError("say for how long")
        return Postpone(program=program, seconds=int(text))


def refusal(error: PurveyorError, request: Request | None, *, is_for_program: bool = False) -> Answer:
    """The answer to a request that was not carried out."""
    status = door.status_of(error)
    if is_for_program or (request is not None and request.path.startswith(API)):
        return _json(status, {"error": str(error)})
    return Answer(status, _HTML, views.refusal_page(str(error)))


def _wish_in(request: Request) -> Wish:
    if request.kind != door.JSON:
        raise DoorError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is expected")
    try:
        return from_bytes(request.body, Wish)  # type: ignore[arg-type]  # a union of structs decodes as one
    except RejectedError as error:
        raise DoorError(HTTPStatus.BAD_REQUEST, str(error)[:200]) from error


def _html(body: bytes) -> Answer:
    return Answer(HTTPStatus.OK, _HTML, body)


def _json(status: HTTPStatus, value: object) -> Answer:
    return Answer(status, _JSON, json.dumps(value).encode())
