"""HTTPS to a server that is known by pins of its key, for `point.py`: what is read is taken from anybody, what is sent is not.

Where pins are known, no CA is asked and neither name nor time of the certificate counts: the leaf's key is one of the pinned, or
it is not. Where none are known, the CAs of the system decide, as for everybody else. A server that is not known may still be read
from, as whoever reads judges files by signatures and digests; an upload is refused after the handshake, before a byte of it was
sent. So a certificate, whatever is wrong with it, never keeps anybody from what the site says, new pins among it.
Source: RFC 7469 2.6; docs/adr/0012 says why reading goes on.
"""

import ssl
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util.ssl_match_hostname import CertificateError

from purveyor.wire.errors import RejectedError
from purveyor.wire.pins import pin_of_certificate

_NOT_PINNED = "its key is not one of those that the site has named, so nothing is sent there"
_NOT_VOUCHED_FOR = "no CA of this system knows its certificate, and the site has named no key for it, so nothing is sent there"
Pins = Callable[[], Collection[str]]
"""The pins that count now; none: the system's CAs decide."""


class Shown(NamedTuple):
    """What a server showed: the pin of its key (empty: no certificate was seen), its certificate in DER.

    `is_vouched_for`: a CA of the system was asked, and knows it.
    """

    pin: str = ""
    certificate: bytes = b""
    is_vouched_for: bool = False

    def is_known(self, pins: Collection[str]) -> bool:
        """Whether it is the server that is meant."""
        return self.pin in pins if pins else self.is_vouched_for


class Seen:
    """What the server of a point showed last."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = Shown()


class UnpinnedError(urllib3.exceptions.HTTPError):
    """The server's key is not one of the pinned, or no CA knows it where none are pinned; nothing was sent."""


class PinnedConnection(HTTPSConnection):
    """A connection that knows whose key it ends at."""

    pins: Pins
    seen: Seen
    _shown = Shown()
    _asking: tuple[Any, Any, Any] | None = None
    """How CAs are asked, as the pool said: it is for every time that this connection begins."""

    def connect(self) -> None:
        """Connects, and notes what the server shows. Errors: as the library's."""
        self._asking = self._asking or (self.ssl_context, self.cert_reqs, self.assert_hostname)
        self.ssl_context, self.cert_reqs, self.assert_hostname = self._asking
        is_vouched_for = not self.pins() and self._is_vouched_for()
        if not is_vouched_for:
            self.ssl_context, self.cert_reqs, self.assert_hostname = _any_certificate(), ssl.CERT_NONE, False
            super().connect()
        self.is_verified = True  # by a CA, by a pin, or what is read by its signatures: the library has nothing to warn of
        certificate = self.sock.getpeercert(binary_form=True) or b""  # type: ignore[union-attr]  # after a handshake it is there
        try:
            pin = pin_of_certificate(certificate)
        except RejectedError:
            pin = "a key that cannot be read"
        self._shown = self.seen.last = Shown(pin, certificate, is_vouched_for)

    def request(self, method: str, url: str, *args: Any, **options: Any) -> None:
        """Sends a request; one with content only where the server may have it. Errors: UnpinnedError, and the library's."""
        if self.sock is None:
            self.connect()
        pins = self.pins()
        self.seen.last = self._shown
        if method not in ("GET", "HEAD") and not self._shown.is_known(pins):
            raise UnpinnedError(_NOT_PINNED if pins else _NOT_VOUCHED_FOR)
        super().request(method, url, *args, **options)

    def _is_vouched_for(self) -> bool:
        """Connects where the CAs know the server. Shape: whether they do."""
        try:
            super().connect()
        except (ssl.SSLCertVerificationError, CertificateError):
            return False
        return True


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
