"""Why a request got no answer is said in words, whatever the library wrapped around it."""

import socket
import ssl
from http.client import RemoteDisconnected
from typing import Any

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError, SSLError

from purveyor.transport.http.reasons import LIMIT, reason_of

CONNECTION = HTTPConnection("site.example", 8470)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def of_tls(kind: type[ssl.SSLError], **said: Any) -> ssl.SSLError:
    error = kind("odd")
    for name, value in said.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            caused(NewConnectionError(CONNECTION, "no"), ConnectionRefusedError(111, "Connection refused")),
            "connection refused: does it run, and is that its address?",
        ),
        (
            caused(NameResolutionError("x", CONNECTION, socket.gaierror(-2, "?")), socket.gaierror(-2, "Name not known")),
            "no address is known for that name",
        ),
        (ConnectTimeoutError(CONNECTION, "slow"), "it does not answer in time"),
        (caused(ConnectTimeoutError(CONNECTION, "slow"), TimeoutError("timed out")), "it does not answer in time"),
        (caused(ConnectTimeoutError(CONNECTION, "slow"), TimeoutError("the server only drips")), "the server only drips"),
        (caused(NewConnectionError(CONNECTION, "no"), TimeoutError(110, "Connection timed out")), "Connection timed out"),
        (caused(NewConnectionError(CONNECTION, "no"), OSError(113, "No route to host")), "No route to host"),
        (SSLError(of_tls(ssl.SSLError, reason="WRONG_VERSION_NUMBER")), "it does not speak HTTPS there: is http:// meant?"),
        (
            SSLError(of_tls(ssl.SSLCertVerificationError, verify_message="self-signed certificate")),
            "its certificate is not trusted here: self-signed certificate",
        ),
        (
            ProtocolError("Connection aborted.", RemoteDisconnected("closed")),
            "it ended the connection without an answer: is https:// meant, or another address?",
        ),
        (ProtocolError("odd"), "ProtocolError: odd"),
    ],
)
def test_what_is_behind_an_error_is_said(error: Exception, words: str) -> None:
    assert reason_of(error) == words


def test_a_reason_is_short_whatever_a_server_says() -> None:
    assert len(reason_of(ProtocolError("x" * 5000))) == LIMIT
