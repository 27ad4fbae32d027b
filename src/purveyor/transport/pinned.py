"""HTTPS to a server that is known by pins of its key, for `http.py`: what is read is taken from anybody, what is sent is not.

Where pins are known, no CA is asked and neither name nor time of the certificate counts: the leaf's key is one of the pinned, or
it is not. With another key files may still be read, as whoever reads judges them by signatures and digests; an upload is refused
after the handshake, before a byte of it was sent. Where none are known, the CAs of the system decide, as for everybody else.
Source: RFC 7469 2.6; docs/adr/0012 says why reading goes on.
"""

import ssl
from collections.abc import Callable, Collection
from typing import Any

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from purveyor.wire.errors import RejectedError
from purveyor.wire.pins import pin_of_certificate

Pins = Callable[[], Collection[str]]
"""The pins that count now; none: the system's CAs decide."""


class Seen:
    """What the server of a point showed last: the pin of its key (empty: no certificate was seen), its certificate in DER."""

    __slots__ = ("certificate", "pin")

    def __init__(self) -> None:
        self.pin, self.certificate = "", b""


class UnpinnedError(urllib3.exceptions.HTTPError):
    """The server's key is not one of the pinned; nothing was sent."""


class PinnedConnection(HTTPSConnection):
    """A connection that knows whose key it ends at."""

    pins: Pins
    seen: Seen
    _pin = ""
    _is_checked = False
    """Whether a CA of the system vouched for the server."""

    def connect(self) -> None:
        """Connects, and notes what the server shows. Errors: as the library's; SSLError where the CAs decide against it."""
        has_pins = bool(self.pins())
        if has_pins:
            self.ssl_context, self.cert_reqs, self.assert_hostname = _any_certificate(), ssl.CERT_NONE, False
        super().connect()
        self._is_checked = not has_pins
        self.is_verified = True  # by a CA, by a pin, or what is read by its signatures: the library has nothing to warn of
        certificate = self.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]  # after a handshake it is there
        try:
            self._pin = pin_of_certificate(certificate or b"")
        except RejectedError:
            self._pin = "a key that cannot be read"
        self.seen.pin, self.seen.certificate = self._pin, certificate or b""

    def request(self, method: str, url: str, *args: Any, **options: Any) -> None:
        """Sends a request; one with content only where the server may have it. Errors: UnpinnedError, and the library's."""
        if self.sock is None:
            self.connect()
        pins = self.pins()
        self.seen.pin = self._pin
        if method not in ("GET", "HEAD") and (self._pin not in pins if pins else not self._is_checked):
            raise UnpinnedError("its key is not one of those that the site has named, so nothing is sent there")
        super().request(method, url, *args, **options)


class PinnedPool(HTTPSConnectionPool):
    """Kept connections of one point."""

    ConnectionCls = PinnedConnection

    def __init__(self, pins: Pins, seen: Seen, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pins, self._seen = pins, seen

    def _new_conn(self) -> PinnedConnection:
        connection = super()._new_conn()
        assert isinstance(connection, PinnedConnection)
        connection.pins, connection.seen = self._pins, self._seen
        return connection


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
