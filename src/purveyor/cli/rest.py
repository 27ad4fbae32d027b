"""The REST API as the command line calls it: JSON over kept connections, and errors as they came.

Never follows a redirect (the token goes to the named site alone), never tries twice what may already have been done.
"""

import hashlib
import json
import ssl
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from purveyor import __version__
from purveyor.cli.call import Access, Call, access_of
from purveyor.transport.http.reasons import reason_of
from purveyor.transport.interface import Point
from purveyor.transport.open_point import point_for
from purveyor.wire.errors import (
    ConfirmationNeededError,
    NotAllowedError,
    PurveyorError,
    RefusedError,
    RejectedError,
    UnavailableError,
)
from purveyor.wire.pins import pin_of_certificate

PREFIX = "/api/v1"
CONNECTION_COUNT = 4
"""Connections that are kept, for as many threads at once."""
_ANSWER_LIMIT_BYTES = 256 * 2**20
_TIMEOUT = urllib3.Timeout(connect=10, read=600)
_PEM_END = "-----END CERTIFICATE-----"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ERRORS: Mapping[str, type[PurveyorError]] = {
    "refused": RefusedError,
    "confirmation-needed": ConfirmationNeededError,
    "not-allowed": NotAllowedError,
    "rejected": RejectedError,
    "unavailable": UnavailableError,
}


def rest_of(call: Call) -> "Rest":
    """The REST API of the site that this call means. Errors: as `access_of`."""
    access = access_of(call)
    place = urlsplit(access.url)
    if place.scheme == "http" and place.hostname not in _LOOPBACK:
        call.output.say(f"note: {place.hostname} is spoken to without encryption, and so is the token that is sent")
    return Rest(access)


class Rest:
    """Asks one site. Errors of every call: what the site refused, UnavailableError when it cannot be reached or failed."""

    def __init__(self, access: Access) -> None:
        self._base = access.url + PREFIX
        self._headers = {"Authorization": f"Bearer {access.token}", "User-Agent": f"purveyor/{__version__}"}
        self._pool = _pool_of(access)
        self._access = access

    @property
    def site_url(self) -> str:
        """The site's address."""
        return self._base.removesuffix(PREFIX)

    def distribution_point(self) -> Point:
        """The site's own distribution point, which answers beside the API and is known as that is. Errors: UnavailableError."""
        access = self._access
        if access.is_exact:
            pin = pin_of_certificate(_certificate_of(access))
            return point_for(f"{self.site_url}/dp", lambda: (pin,))
        return point_for(f"{self.site_url}/dp", tls=_trust_of(access) if access.certificate else None)

    def get(self, path: str, **query: object) -> Any:
        """What stands at a path."""
        return self._ask("GET", path, query)

    def post(self, path: str, body: object = None, **query: object) -> Any:
        """What comes of adding something, or of doing something to it."""
        return self._ask("POST", path, query, _encoded({} if body is None else body))

    def patch(self, path: str, body: object) -> Any:
        """What comes of changing something."""
        return self._ask("PATCH", path, {}, _encoded(body))

    def put(self, path: str, body: object) -> Any:
        """What comes of setting something."""
        return self._ask("PUT", path, {}, _encoded(body))

    def delete(self, path: str, **query: object) -> Any:
        """What comes of deleting something."""
        return self._ask("DELETE", path, query)

    def post_bytes(self, path: str, content: bytes) -> Any:
        """What comes of asking about something that is JSON already."""
        return self._ask("POST", path, {}, content)

    def put_bytes(self, path: str, content: bytes) -> Any:
        """What comes of sending something that is JSON already."""
        return self._ask("PUT", path, {}, content)

    def upload(self, path: str, pieces: Iterable[bytes], size_bytes: int) -> Any:
        """What comes of sending content, in pieces."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        return self._ask("PUT", path, {}, pieces, headers)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        url = self._base + path + _query(query)
        sent = self._headers | dict(headers or ({"Content-Type": "application/json"} if body is not None else {}))
        try:
            response = self._pool.request(method, url, body=body, headers=sent, redirect=False, preload_content=False)
            content = response.read(_ANSWER_LIMIT_BYTES + 1)
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"the site at {self.site_url} cannot be reached: {reason_of(error)}") from error
        return answer_in(response.status, content)


def _pool_of(access: Access) -> urllib3.PoolManager:
    """Connections to the site that was named, and to no other. Errors: UnavailableError when the certificate cannot be read."""
    make = partial(urllib3.PoolManager, retries=False, timeout=_TIMEOUT, maxsize=CONNECTION_COUNT)
    if not access.certificate:
        return make()
    if not access.is_exact:
        return make(ssl_context=_trust_of(access))
    shown = hashlib.sha256(_certificate_of(access)).hexdigest()
    return make(cert_reqs="CERT_NONE", assert_hostname=False, assert_fingerprint=shown)


def _trust_of(access: Access) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=access.certificate)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{access.certificate} cannot be read as certificates: {error}") from error


def _certificate_of(access: Access) -> bytes:
    try:
        content = Path(access.certificate).read_text(encoding="ascii")
        return ssl.PEM_cert_to_DER_cert(content[: content.index(_PEM_END) + len(_PEM_END)])
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{access.certificate} cannot be read as certificates: {error}") from error


def segment(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="", errors="surrogatepass")  # what was typed may be no text at all: then nothing is called so


def answer_in(status: int, content: bytes) -> Any:
    """What the site answered. Errors: what the site says went wrong; UnavailableError when no Purveyor site answers."""
    if len(content) > _ANSWER_LIMIT_BYTES:
        raise UnavailableError("the site's answer is too large")
    try:
        answer = json.loads(content) if content else None
    except (ValueError, RecursionError) as error:
        raise UnavailableError(f"what answers there ({status}) is no Purveyor site") from error
    if 200 <= status < 300:
        return answer
    if not isinstance(answer, dict) or not isinstance(answer.get("error"), str):
        raise UnavailableError(f"what answers there ({status}) is no Purveyor site")
    raise _ERRORS.get(str(answer.get("kind")), UnavailableError)(answer["error"])


def _encoded(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _query(query: Mapping[str, object]) -> str:
    given = {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value not in (None, "")
    }
    return "?" + urlencode(given, doseq=True, errors="surrogatepass") if given else ""
