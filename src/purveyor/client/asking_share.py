"""Asks whether the files of a plan are still those that were seen, where they lie on shares: a process of a moment.

Started by the sentinel as `python -m purveyor.client.asking_share STATE_FOLDER POLLS`, in place of `asking.py`, which knows no
shares. Loads the SMB library and little else: the agent's state is not opened. Exit codes: 0 all are unchanged, 1 something is
new or cannot be told. Reads no file's bytes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from purveyor.client import asking, share_credentials
from purveyor.transport.smb.address import SmbAddress, address_of, is_share
from purveyor.transport.smb.point import SmbPoint
from purveyor.transport.smb.session import SmbSession, session_with
from purveyor.transport.smb.share import SmbShare
from purveyor.wire.errors import PurveyorError


def are_unchanged(folder: Path, polls: Sequence[tuple[str, str, str]]) -> bool:
    """Whether all files, by address, tag and certificate, are surely those of their tags. Errors: none; else it is not so."""
    sessions: dict[tuple[str, int], SmbSession] = {}
    try:
        return all(
            _is_unchanged(folder, url, tag, sessions) if is_share(url) else asking.is_unchanged(url, tag, certificate)
            for url, tag, certificate in polls
        )
    except PurveyorError:
        return False
    finally:
        for session in sessions.values():
            session.close()


def main(words: Sequence[str]) -> int:
    """Asks for all files. Exit codes: 0 all are unchanged, 1 something is new or cannot be told."""
    if len(words) != 2:
        return 1
    polls = asking.polls_in(words[1])
    return 0 if polls and are_unchanged(Path(words[0]), polls) else 1


def _is_unchanged(folder: Path, url: str, tag: str, sessions: dict[tuple[str, int], SmbSession]) -> bool:
    address, path = _parted(address_of(url))
    server = (address.host, address.port)
    if server not in sessions:
        sessions[server] = session_with(address, lambda: share_credentials.kept(folder))
    return SmbPoint(SmbShare(address, sessions[server])).is_unchanged(path, tag)


def _parted(address: SmbAddress) -> tuple[SmbAddress, str]:
    """The share itself, and the whole path in it: which of its folders is the point makes no difference here."""
    return address._replace(folder=""), address.folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
