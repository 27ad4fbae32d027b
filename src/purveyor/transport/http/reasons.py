"""Why a request over HTTP got no answer, in words for whoever has to mend it. Pure."""

import socket
import ssl
from collections.abc import Iterator
from http.client import RemoteDisconnected

from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as TookTooLong

LIMIT = 300
_OTHER_SPEECH = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")


def reason_of(error: Exception) -> str:
    """The first thing behind an error that says more than that there was one."""
    behind = list(_behind(error))
    said = next(filter(None, map(_words, behind)), "")
    return (said or f"{type(error).__name__}: {behind[-1]}")[:LIMIT]


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the outermost first. Shape: a few."""
    yield error
    inner = error.__cause__ or next((one for one in error.args if isinstance(one, BaseException)), None)
    if inner is not None and inner is not error:
        yield from _behind(inner)


def _words(error: BaseException) -> str:
    match error:
        case TimeoutError() if error.errno is None:
            return "it does not answer in time" if str(error) in ("", "timed out") else str(error)
        case NewConnectionError():
            return ""  # a kind of those below, whatever is behind it
        case TookTooLong() if not isinstance(error.__cause__, TimeoutError):
            return "it does not answer in time"
        case socket.gaierror():
            return "no address is known for that name"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted here: {error.verify_message}"
        case ssl.SSLError() if error.reason in _OTHER_SPEECH:
            return "it does not speak HTTPS there: is http:// meant?"
        case ssl.SSLError():
            return f"HTTPS: {error.reason or error}"
        case RemoteDisconnected():
            return "it ended the connection without an answer: is https:// meant, or another address?"
        case ConnectionRefusedError():
            return "connection refused: does it run, and is that its address?"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return ""
