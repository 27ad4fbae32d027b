"""Who is at the other end of a connection on the loopback address: the user whose program opened it, as the system says.

What identd does for others: the kernel's table of connections names the user of each socket. Trusts nothing that the other side
says of itself. Knows no request and no page.
"""

import os
import pwd
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from purveyor.wire.errors import RefusedError

TABLES = Path("/proc/net")
_ESTABLISHED = "01"
_NO_INODE = "0"
_LOCAL, _REMOTE, _STATE, _UID, _INODE = 1, 2, 3, 7, 9
_MAPPED = "0000000000000000FFFF0000"
"""How the table of version 6 begins an address of version 4."""
ROOT = 0


class End(NamedTuple):
    """One end of a connection: an IPv4 address and a port."""

    host: str
    port: int


class Opener(NamedTuple):
    """Whose socket a connection is, and which one."""

    user_id: int
    inode: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """The user of this machine who asks, by the name that the system gives them."""

    user_id: int
    name: str
    is_administrator: bool = False
    """Whether this is the administrator of the machine, who sees what is offered to anybody."""


class Peers(Protocol):
    """Tells who is at the other end of a connection."""

    def opener(self, theirs: End, ours: End) -> Opener | None:
        """Whose socket the other end is; None when that cannot be said for certain."""

    def visitor(self, opener: Opener) -> Visitor:
        """The account of that user. Errors: RefusedError when there is none."""


class RealPeers:
    """Implements `Peers` by the system's own tables."""

    def opener(self, theirs: End, ours: End) -> Opener | None:
        """Whose socket the other end is; None when that cannot be said for certain."""
        for name, prefix in (("tcp", ""), ("tcp6", _MAPPED)):
            try:
                with (TABLES / name).open(encoding="ascii", errors="replace") as rows:
                    found = opener_in(rows, theirs, ours, prefix=prefix)
            except OSError:
                continue
            if found is not None:
                return found
        return None

    def visitor(self, opener: Opener) -> Visitor:
        """The account of that user. Errors: RefusedError when there is none."""
        try:
            entry = pwd.getpwuid(opener.user_id)
        except KeyError as error:
            raise RefusedError(f"no account of this machine has the number {opener.user_id}") from error
        return Visitor(opener.user_id, entry.pw_name, is_administrator=opener.user_id == ROOT)


def own_visitor(*, user: str = "") -> Visitor:
    """Whoever runs this command, who may read the agent's state and so sees all; or on whose behalf."""
    if user:
        return Visitor(-1, user)
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return Visitor(os.geteuid(), name, is_administrator=True)


def opener_in(rows: Iterable[str], theirs: End, ours: End, *, prefix: str = "") -> Opener | None:
    """Whose socket in a table of connections goes from their end to ours; `prefix` begins its addresses.

    Only one that stands counts: the row of a socket that was closed names root, whoever had it.
    Source: proc(5), /proc/net/tcp.
    """
    wanted = (prefix + table_end(theirs), prefix + table_end(ours), _ESTABLISHED)
    for row in rows:
        fields = row.split(maxsplit=_INODE + 1)
        if len(fields) <= _INODE or (fields[_LOCAL], fields[_REMOTE], fields[_STATE]) != wanted:
            continue
        user_id, inode = fields[_UID], fields[_INODE]
        if user_id.isascii() and user_id.isdigit() and inode != _NO_INODE:
            return Opener(int(user_id), inode)
    return None


def table_end(end: End) -> str:
    """An end as the kernel's table writes it: the address as this processor keeps it in memory, and the port."""
    number = int.from_bytes(socket.inet_aton(end.host), sys.byteorder)
    return f"{number:08X}:{end.port:04X}"
