"""The process of a moment that looks for the sentinel whether something is new on a share."""

import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from purveyor.client import asking_share, sentinel, share_credentials
from purveyor.client.waiting import command
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.open_point import Points
from samba_server import Samba

TIMESTAMP = "clidata.box/timestamp.json"


@dataclass(frozen=True)
class Waiting:
    """An agent's folder with credentials, and a share with one published file."""

    folder: Path
    samba: Samba
    shelf: FolderShelf

    @property
    def url(self) -> str:
        """The file's address."""
        return f"{self.samba.url}/{TIMESTAMP}"

    def tag(self) -> str:
        """The file's tag, as a pass saw it."""
        answer = Points(lambda: self.samba.credentials).at(self.samba.url).read(TIMESTAMP, limit_bytes=100)
        assert answer is not None
        return answer.tag

    def asked(self, *polls: tuple[str, str]) -> int:
        """The exit code of the asker."""
        return asking_share.main([str(self.folder), json.dumps([{"url": url, "tag": tag} for url, tag in polls])])


@pytest.fixture
def waiting(samba: Samba, tmp_path: Path) -> Waiting:
    """An agent that waits."""
    shelf = FolderShelf(samba.folder)
    shelf.make_boxes()
    shelf.replace(TIMESTAMP, b"first")
    share_credentials.keep(tmp_path, samba.credentials)
    return Waiting(tmp_path, samba, shelf)


def test_what_is_unchanged_is_said_to_be_so_and_what_changed_is_not(waiting: Waiting) -> None:
    tag = waiting.tag()
    assert waiting.asked((waiting.url, tag)) == 0
    assert waiting.asked((waiting.url, tag), (waiting.url, tag)) == 0
    waiting.shelf.replace(TIMESTAMP, b"other")
    assert waiting.asked((waiting.url, tag)) == 1
    assert waiting.asked((waiting.url, waiting.tag()), (waiting.url, tag)) == 1


def test_what_cannot_be_told_is_not_unchanged(waiting: Waiting) -> None:
    tag = waiting.tag()
    assert waiting.asked() == 1
    assert waiting.asked((waiting.url, "")) == 1
    assert waiting.asked((f"{waiting.url}x", tag)) == 1
    assert waiting.asked(("smb://127.0.0.1:1/CAP_S01/x", tag)) == 1
    assert waiting.asked(("smb://nothing", tag)) == 1
    assert asking_share.main([str(waiting.folder), "no JSON"]) == 1
    share_credentials.keep(waiting.folder, waiting.samba.credentials._replace(password="wrong"))
    assert waiting.asked((waiting.url, tag)) == 1
    share_credentials.forget(waiting.folder)
    assert waiting.asked((waiting.url, tag)) == 1


@pytest.fixture
def as_a_sentinel() -> Iterator[None]:
    """Signals wait until they are looked for, as in a sentinel."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, sentinel._SIGNALS)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.usefixtures("as_a_sentinel")
def test_the_sentinel_has_shares_asked_for_by_the_asker_and_nothing_else(waiting: Waiting) -> None:
    asker = [sys.executable, "-m", "purveyor.client.asking_share", str(waiting.folder)]
    share = sentinel.Poll(waiting.url, waiting.tag())
    assert sentinel.are_unchanged([share], lambda: None, asker)
    assert not sentinel.are_unchanged([share], lambda: None), "the small one knows no shares"
    place = str(waiting.samba.folder / TIMESTAMP)
    plain = sentinel.Poll(place, sentinel.tag_of(place))
    assert sentinel.are_unchanged([plain], lambda: None, ["/bin/false"]), "the asker costs more, and is left alone"
    assert sentinel.are_unchanged([plain, share], lambda: None, asker)


def test_the_words_of_a_sentinel_are_parted_as_they_were_put_together() -> None:
    words = command("python", "/state", ["worker", "a"], ["page"], ["asker", "b"])
    worker, rest = sentinel._parted(words[words.index("--") + 1 :])
    assert (worker, *sentinel._parted(rest)) == (["worker", "a"], ["page"], ["asker", "b"])
    short = command("python", "/state", ["worker"])
    assert sentinel._parted(short[short.index("--") + 1 :]) == (["worker"], [])
