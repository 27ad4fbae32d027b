r"""Accounts of users and groups as administrators write them and clients compare them: the name with its own domain.

`alice` is an account of the machine itself, `CORP\alice` and `alice@corp.example` are accounts of a domain. Two accounts are the
same only when both parts are: where the machine itself belongs does not matter (Q235740). Pure.
"""

from typing import NamedTuple

from purveyor.wire.errors import RejectedError

LENGTH_LIMIT = 256
_FORBIDDEN = frozenset('"/[]:;|=,+*?<>\n\r\t\0')


class AccountName(NamedTuple):
    """A name and its domain, as they are compared; the domain of the machine's own accounts is empty."""

    name: str
    domain: str


def account_name(text: str) -> AccountName:
    """The account in a text. Names in a domain are compared without case, the machine's own with it.

    Errors: RejectedError, with an example.
    """
    written = text.strip()
    if "\\" in written:
        domain, _, name = written.partition("\\")
        is_complete = bool(domain)
    else:
        name, at, domain = written.rpartition("@") if "@" in written else (written, "", "")
        is_complete = bool(domain) or not at
    if not name or not is_complete or "\\" in name or len(written) > LENGTH_LIMIT or _FORBIDDEN & set(written):
        raise RejectedError(f"{text[:80]!r} names no account: write alice, CORP\\\\alice or alice@corp.example")
    return AccountName(name.casefold() if domain else name, domain.casefold())


def is_same(one: str, other: str) -> bool:
    """Whether two texts name the same account; one that names none is the same as none."""
    try:
        return account_name(one) == account_name(other)
    except RejectedError:
        return False
