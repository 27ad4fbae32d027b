"""One kept session with a server, for all of its shares: connected at its first use, anew after a failure or when it was ended.

Always signed, and encrypted unless the credentials say that this server has no encryption. Waits for no answer for ever.
A user and password that a server has refused are not shown to it again at every try: domains lock an account after ten.
Source: MS-SMB2.
"""

import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.header import NtStatus
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from purveyor.transport.smb.address import Credentials, SmbAddress

CONNECT_SECONDS = 30
ANSWER_SECONDS = 60
"""How long a server may take for one answer; the library by itself would wait for ever."""
LOGON_PAUSE_SECONDS = 900
"""For how long a process takes a server's refusal of a user and password as its answer to them; other ones are tried at once."""
_LOCKED_OUT = 0xC0000234
_LOGON_REFUSALS = (NtStatus.STATUS_LOGON_FAILURE, NtStatus.STATUS_WRONG_PASSWORD, _LOCKED_OUT)
_refused_until: dict[tuple[str, int, Credentials], float] = {}
"""By server: what it refused, in any session of this process, and until when that counts."""
_REFUSED = "the server refuses this user or password"
_WORDS = {
    NtStatus.STATUS_LOGON_FAILURE: _REFUSED,
    NtStatus.STATUS_WRONG_PASSWORD: _REFUSED,
    NtStatus.STATUS_PASSWORD_EXPIRED: "the password has expired",
    NtStatus.STATUS_BAD_NETWORK_NAME: "the server has no such share",
    NtStatus.STATUS_DISK_FULL: "there is no room left",
    NtStatus.STATUS_ACCESS_DENIED: "access is denied",
    _LOCKED_OUT: "the server has locked this account out: too many wrong passwords were tried",
    0xC0000044: "the quota is used up",
    0xC00000A2: "it is write-protected",
}


class _PatientConnection(Connection):  # type: ignore[misc]  # the library has no types
    """A connection on which no answer is waited for longer than so, and no link that a share shows is followed."""

    def receive(self, request: Any, wait: bool = True, timeout: float | None = None, resolve_symlinks: bool = False) -> Any:  # noqa: ARG002 - as the library calls it
        """The answer. Errors: SMBException, also when there is none in time."""
        return super().receive(request, wait, ANSWER_SECONDS if timeout is None else timeout, resolve_symlinks=False)


class SmbSession:
    """A server in use by one user. May be used by several threads.

    `credentials` is asked at each connection, so that a changed password is taken up.
    """

    def __init__(
        self, host: str, port: int, credentials: Callable[[], Credentials], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._port = port
        self._credentials = credentials
        self._monotonic = monotonic
        self._session: Any = None
        self._trees: dict[str, Any] = {}
        self._lock = RLock()

    @property
    def is_live(self) -> bool:
        """Whether there is a session that neither side has ended, as far as is known here: nothing is asked."""
        return self._session is not None and bool(self._session.connection.transport.connected)

    def tree(self, share: str) -> Any:
        """The connected share. Errors: those of the library, OSError; what `credentials` raises."""
        with self._lock:
            if not self.is_live:
                self.close()  # servers end what rests for long: that is no failure of theirs
                self._session = self._connect()
            if share not in self._trees:
                tree = TreeConnect(self._session, rf"\\{self._host}\{share}")
                tree.connect()
                self._trees[share] = tree
            return self._trees[share]

    def close(self) -> None:
        """Ends the session; the next use begins another."""
        with self._lock:
            session, self._session = self._session, None
            self._trees.clear()
            if session is not None:
                _end(session.connection)

    def _connect(self) -> Any:
        said = self._credentials()
        shown = (self._host, self._port, said)
        wait_seconds = _refused_until.get(shown, 0.0) - self._monotonic()
        if wait_seconds > 0:
            raise SMBException(f"{_REFUSED}: the same are tried again in {wait_seconds / 60:.0f} minutes, others at once")
        connection = _PatientConnection(uuid.uuid4(), self._host, self._port, require_signing=True)
        try:
            connection.connect(timeout=CONNECT_SECONDS)
            session = Session(connection, said.account, said.password, require_encryption=said.is_encrypted)
            session.connect()
        except (SMBException, OSError, ValueError) as error:
            _end(connection)
            if isinstance(error, SMBResponseException) and error.status in _LOGON_REFUSALS:
                _refused_until[shown] = self._monotonic() + LOGON_PAUSE_SECONDS
            raise
        return session


def session_with(address: SmbAddress, credentials: Callable[[], Credentials]) -> SmbSession:
    """The session of an address's server, not yet connected."""
    return SmbSession(address.host, address.port, credentials)


def in_words(error: Exception) -> str:
    """What is wrong, in a line; nothing that was sent is repeated."""
    if isinstance(error, SMBResponseException):
        return _WORDS.get(error.status) or str(error.message).partition(": ")[2][:200] or f"status 0x{error.status:08x}"
    if isinstance(error, socket.gaierror):
        return "the name of the server is not known"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _end(connection: Any) -> None:
    with suppress(SMBException, OSError):
        connection.disconnect(close=False)
