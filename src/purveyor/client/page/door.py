"""What may pass the door of the agent's page, and with what every answer goes out. Pure.

The page is reached from this machine alone, but a browser on this machine shows other pages too. So a request counts only when it
names this page as its host (a foreign name that leads here is refused), and a change only when this page itself sent it and it
carries the token of its user.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

from purveyor.wire.errors import PurveyorError, RefusedError

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
BODY_LIMIT_BYTES = 8192
TARGET_LIMIT = 2048
FIELD_LIMIT = 32
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_READING = frozenset({"GET", "HEAD"})
_FROM_HERE = frozenset({"same-origin", "none"})

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What goes out with every answer: no scripts, no other servers, no frames, nothing kept."""


class DoorError(PurveyorError):
    """A request that is not answered. `status` is that of HTTP."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in. Shape: names of headers in lower case; a header that came twice has both values."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's only value; empty when there is none. Errors: DoorError when there are several."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise DoorError(HTTPStatus.BAD_REQUEST, f"the header {name} is there twice")
        return values[0].strip() if values else ""

    @property
    def kind(self) -> str:
        """The media type of the body."""
        return self.header("content-type").partition(";")[0].strip().lower()


def check_origin(request: Request, port: int) -> None:
    """Lets pass what asks for this page by its own name, and a change only where this page sent it.

    Errors: DoorError.
    """
    host = request.header("host").lower()
    if host not in {f"{name}:{port}" for name in NAMES}:
        raise DoorError(HTTPStatus.MISDIRECTED_REQUEST, f"this page is reached as http://{HOST}:{port} only")
    site = request.header("sec-fetch-site").lower()
    if request.method in _READING:
        if site not in _FROM_HERE | {""} and request.path.startswith("/api/"):
            raise DoorError(HTTPStatus.FORBIDDEN, "another page may not ask this")
        return
    origin = request.header("origin").lower()
    if (origin and origin != f"http://{host}") or (site and site not in _FROM_HERE):
        raise DoorError(HTTPStatus.FORBIDDEN, "another page may not ask for a change")
    if not origin and site != "same-origin":
        raise DoorError(HTTPStatus.FORBIDDEN, "it cannot be told which page asks for this change")


def token_of(key: bytes, user_id: int) -> str:
    """What a form of this page carries when this user asks for something."""
    return hmac.new(key, f"page of user {user_id}".encode(), hashlib.sha256).hexdigest()


def check_token(token: str, key: bytes, user_id: int) -> None:
    """Lets pass what carries the token of its user. Errors: DoorError."""
    if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), token_of(key, user_id).encode()):
        raise DoorError(HTTPStatus.FORBIDDEN, "this form is not one of this page for this user; open the page again")


def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form. Errors: DoorError when the body is no form."""
    if request.kind != FORM:
        raise DoorError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a form is expected")
    try:
        pairs = parse_qsl(
            request.body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELD_LIMIT, errors="strict", strict_parsing=True
        )
    except ValueError as error:
        raise DoorError(HTTPStatus.BAD_REQUEST, "this is not a form that can be read") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise DoorError(HTTPStatus.BAD_REQUEST, "a field of this form is there twice")
    return fields


def status_of(error: PurveyorError) -> HTTPStatus:
    """The status with which an expected error is answered."""
    match error:
        case DoorError(status=status):
            return status
        case RefusedError():
            return HTTPStatus.CONFLICT
        case _:
            return HTTPStatus.SERVICE_UNAVAILABLE
