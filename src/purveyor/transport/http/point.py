"""A point over HTTP: kept connections, conditional reads, ranges, limits enforced while reading.

The other side is not trusted: it can be slow, endless, wrong or silent, and costs no more than the limits say. No redirect is
followed and no compression asked for: a byte received is a byte of the file. Content is judged elsewhere, by its signatures.
"""

import hashlib
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NoReturn
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from purveyor.transport.http.answers import range_start, tag_headers, tag_in, wait_seconds
from purveyor.transport.http.heads import Hurried, HurriedResponse, PlainPool
from purveyor.transport.http.pinned import PinnedPool, Pins, Seen, UnpinnedError
from purveyor.transport.http.reasons import reason_of
from purveyor.transport.interface import Answer
from purveyor.transport.paths import check_item, check_path
from purveyor.wire.errors import AbsentError, BusyError, DeniedError, RejectedError, UnavailableError

_PIECE_BYTES = 256 * 1024
_SENT_AT_ONCE_BYTES = 4 * 1024
"""A piece of an upload: the library waits for each to be on its way, and no longer for a large one than for a small one."""
_REMEMBERED_TAGS = 256
_NEVER_TAKEN = frozenset({413, 414, 422})
_BUSY = frozenset({429, 503})
_ALREADY_THERE = frozenset({409, 412})
_TAKEN = frozenset({200, 201, 202, 204})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a point may take. Units: seconds; bytes a second, on average, once `grace_seconds` of one answer are over."""

    connect_seconds: float = 10.0
    silence_seconds: float = 30.0
    head_seconds: float = 60.0
    """For all that comes before the body: however little at a time, it is not waited for longer."""
    grace_seconds: float = 30.0
    slowest_bytes_per_second: int = 1024


PATIENCE = Patience()


def plain_address(path: str) -> str:
    """How a file of a point is asked for. Errors: RejectedError for what is no path inside a point."""
    check_path(path)
    return quote(path)


class _HurriedPinnedPool(Hurried, PinnedPool):
    """Kept connections with TLS."""


class HttpPoint:
    """A CAP or DP behind an HTTP server: the built-in one, nginx, or any that serves a folder."""

    def __init__(
        self,
        url: str,
        *,
        patience: Patience = PATIENCE,
        tls: ssl.SSLContext | None = None,
        pins: Pins = tuple,
        monotonic: Callable[[], float] = time.monotonic,
        address_of: Callable[[str], str] = plain_address,
    ) -> None:
        self._url = url.rstrip("/")
        self._address_of = address_of
        self._patience = patience
        self._monotonic = monotonic
        self._tags: OrderedDict[str, str] = OrderedDict()
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=4,
            retries=False,
            timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.silence_seconds),
            headers={"User-Agent": "purveyor", "Accept-Encoding": "identity"},
            ssl_context=tls,
        )
        self._pins, self._seen = pins, Seen()
        answer = partial(HurriedResponse, patience.head_seconds, monotonic)
        pools = {"http": partial(PlainPool, answer), "https": partial(_HurriedPinnedPool, answer, pins, self._seen)}
        self._pool.pool_classes_by_scheme = pools  # type: ignore[assignment]  # only ever called

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return self._url

    @property
    def unpinned(self) -> str:
        """The pin that the server showed last, where neither pins nor a CA say that it is the right one; empty otherwise."""
        return "" if self._seen.last.is_known(self._pins()) else self._seen.last.pin

    @property
    def certificate(self) -> str:
        """The SHA-256 (hexadecimal) of the certificate that was taken for the sake of its pin; empty: the system's CAs decide."""
        shown = self._seen.last
        return hashlib.sha256(shown.certificate).hexdigest() if shown.pin and shown.pin in self._pins() else ""

    def close(self) -> None:
        """Ends the kept connections; a later request opens new ones."""
        pools = [self._pool.pools[key] for key in self._pool.pools.keys()]  # noqa: SIM118 -- it refuses to be iterated
        self._pool.clear()
        for pool in pools:
            pool.close()

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file, or None when the server says it is still the one that `tag` stands for. Errors: as `Point.read`."""
        response = self._ask("GET", self._address_of(path), tag_headers(tag))
        try:
            if response.status == 304 and tag:
                return None
            if response.status != 200:
                self._raise_for(response, path)
            self._check_plain(response, path)
            if _declared_bytes(response) > limit_bytes:
                self._raise_too_large(path, limit_bytes)
            content = bytearray()
            for piece in self._pieces(response, path, limit_bytes + 1):
                content += piece
            if len(content) > limit_bytes:
                self._raise_too_large(path, limit_bytes)
            return Answer(bytes(content), tag_in(response.headers))
        finally:
            _let_go(response)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The file's bytes from `offset` on, nothing when it ends there or before. Errors: as `Point.read_from`.

        A server that knows no ranges costs the bytes before `offset` once more. One that answers with another range, or with
        another file than an earlier call on this point saw, is not believed.
        """
        address = self._address_of(path)
        if limit_bytes <= 0:
            return
        headers = {"Range": f"bytes={offset}-{offset + limit_bytes - 1}"}
        known = self._tags.get(path, "")
        if offset and known:
            headers["If-Range"] = known
        response = self._ask("GET", address, headers)
        try:
            if response.status == 416:
                return
            skipped = self._skip_bytes(response, path, offset)
            self._remember(path, tag_in(response.headers))
            for piece in self._pieces(response, path, skipped + limit_bytes):
                if skipped >= len(piece):
                    skipped -= len(piece)
                    continue
                yield piece[skipped:] if skipped else piece
                skipped = 0
        finally:
            _let_go(response)

    def put(self, path: str, content: bytes) -> None:
        """Puts an item into an up box. One that is there under its random name already was put by us: that is success.

        Errors: as `Point.put`; a refusal for want of rights counts as unavailable, since an administrator can mend it.
        """
        check_item(path, content)
        headers = {"If-None-Match": "*", "Content-Type": "application/octet-stream", "Content-Length": str(len(content))}
        response = self._ask("PUT", self._address_of(path), headers, content)
        _let_go(response)
        status = response.status
        if status in _TAKEN or status in _ALREADY_THERE:
            return
        if status in _BUSY:
            raise BusyError(
                f"{self._url} does not take {path} now: it answers {status}", wait_seconds=wait_seconds(response.headers)
            )
        if status in _NEVER_TAKEN:
            raise RejectedError(f"{self._url} will not take {path}: it answers {status}")
        raise UnavailableError(f"{self._url} does not take {path} now: it answers {status}")

    def _ask(self, method: str, address: str, headers: dict[str, str], body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        """The answer's head; a kept connection that the server closed meanwhile is tried once more on a new one."""
        try:
            try:
                return self._send(method, address, headers, body)
            except ProtocolError:
                return self._send(method, address, headers, body)
        except UnpinnedError as error:
            raise UnavailableError(f"{self._url} is not trusted with reports: {error}") from error
        except (HTTPError, OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _send(self, method: str, address: str, headers: dict[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        """The answer is waited for while what was sent may still be on a slow line."""
        patience = self._patience
        on_its_way_seconds = len(body or b"") / patience.slowest_bytes_per_second
        return self._pool.request(
            method,
            f"{self._url}/{address}",
            body=None if body is None else _pieces_of(body),
            timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.silence_seconds + on_its_way_seconds),
            headers={**self._pool.headers, **headers},
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def _pieces(self, response: urllib3.BaseHTTPResponse, path: str, limit_bytes: int) -> Iterator[bytes]:
        """At most `limit_bytes` of the body, as they come; gives up on a server that only drips."""
        began_at = self._monotonic()
        received = 0
        try:
            while received < limit_bytes and (piece := response.read1(min(_PIECE_BYTES, limit_bytes - received))):
                received += len(piece)
                yield piece
                elapsed = self._monotonic() - began_at
                if elapsed > self._patience.grace_seconds and received < elapsed * self._patience.slowest_bytes_per_second:
                    raise UnavailableError(f"{self._url} is too slow: {received} bytes of {path} in {elapsed:.0f} seconds")
        except (HTTPError, OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _skip_bytes(self, response: urllib3.BaseHTTPResponse, path: str, offset: int) -> int:
        """How many bytes of the body come before those that were asked for."""
        if response.status not in (200, 206):
            self._raise_for(response, path)
        self._check_plain(response, path)
        if response.status == 206:
            started = range_start(response.headers.get("Content-Range", ""))
            if started != offset:
                raise RejectedError(f"{self._url} was asked for {path} from byte {offset} on and answers with another range")
            return 0
        if offset and path in self._tags and tag_in(response.headers) != self._tags[path]:
            del self._tags[path]
            raise UnavailableError(f"{path} at {self._url} is another file than before")
        return offset

    def _remember(self, path: str, tag: str) -> None:
        if tag.startswith('"'):  # only a strong entity tag may stand in If-Range (RFC 9110 13.1.5)
            self._tags[path] = tag
            self._tags.move_to_end(path)
            if len(self._tags) > _REMEMBERED_TAGS:
                self._tags.popitem(last=False)

    def _check_plain(self, response: urllib3.BaseHTTPResponse, path: str) -> None:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.strip().lower() != "identity":
            raise RejectedError(f"{self._url} sends {path} encoded, which was not asked for")

    def _raise_for(self, response: urllib3.BaseHTTPResponse, path: str) -> NoReturn:
        status = response.status
        if status in _BUSY:
            raise BusyError(
                f"{self._url} answers {status} for {path}: it has too much to do", wait_seconds=wait_seconds(response.headers)
            )
        if status in (404, 410):
            raise AbsentError(f"{self._url} has no {path}")
        if status == 403:
            raise DeniedError(f"{self._url} answers 403 for {path}")
        if 300 <= status < 400:
            raise UnavailableError(f"{self._url} sends us elsewhere for {path} ({status}); redirects are not followed")
        raise UnavailableError(f"{self._url} answers {status} for {path}")

    def _raise_too_large(self, path: str, limit_bytes: int) -> NoReturn:
        raise RejectedError(f"{path} at {self._url} is larger than the {limit_bytes} bytes that it may have")

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(f"{self._url} cannot be reached: {reason_of(error)}")


def _pieces_of(body: bytes) -> list[bytes]:
    return [body[start : start + _SENT_AT_ONCE_BYTES] for start in range(0, len(body), _SENT_AT_ONCE_BYTES)]


def _declared_bytes(response: urllib3.BaseHTTPResponse) -> int:
    declared = response.headers.get("Content-Length", "")
    return int(declared) if declared.isdecimal() and len(declared) < 20 else 0


def _let_go(response: urllib3.BaseHTTPResponse) -> None:
    """Gives the connection back when its answer is read to the end or nearly so; otherwise ends it."""
    try:
        if response.read1(_PIECE_BYTES) or response.read1(1):
            response.close()
    except (HTTPError, OSError, ValueError):
        response.close()
    response.release_conn()
