"""Notices to a real user's bus: a `notify-send` that writes down how it was called, run with that user's rights."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from purveyor.client.machine.disk import RealDisk
from purveyor.client.machine.interface import Account, Session
from purveyor.client.machine.notices import TEXT_LIMIT, TITLE_LIMIT, RealNotices
from purveyor.wire.errors import UnavailableError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
NOBODY = Account(name="nobody", user_id=65534, group_id=65534, group_ids=(65534,), home="/nonexistent")
SESSION = Session(id="2-5000000", user="nobody")
WRITES_DOWN = """#!/bin/sh
{ printf '%s' "$(id -u) $DBUS_SESSION_BUS_ADDRESS"; for word; do printf '\\037%s' "$word"; done; printf '\\036'; } >> HERE/calls
cat HERE/answer
"""


class Desktop:
    """A user's desktop: a bus, and commands that only write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name in ("notify-send", "gdbus"):
            (folder / "bin" / name).write_text(WRITES_DOWN.replace("HERE", str(folder)))
            (folder / "bin" / name).chmod(0o755)
        (folder / "calls").touch()
        (folder / "calls").chmod(0o666)
        self.answer("17\n")
        self.bus = folder / "user" / "65534" / "bus"
        self.bus.parent.mkdir(parents=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.bus))
        os.chown(self.bus, 65534, 65534)
        self.is_known = True

    def answer(self, text: str) -> None:
        (self.folder / "answer").write_text(text)
        (self.folder / "answer").chmod(0o644)

    def account(self, user: str) -> Account | None:
        if not self.is_known:
            raise UnavailableError("away")
        return NOBODY if user == "nobody" else None

    def notices(self, **changed: Any) -> RealNotices:
        search_path = f"{self.folder}/bin:/usr/bin:/bin"
        return RealNotices(
            RealDisk(self.folder / "state"),
            self.account,
            **{"users": self.folder / "user", "search_path": search_path, **changed},
        )

    @property
    def calls(self) -> list[list[str]]:
        return [call.split("\x1f") for call in (self.folder / "calls").read_text().split("\x1e") if call]


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    folder = Path(tempfile.mkdtemp(prefix="purveyor-desktop-"))
    folder.chmod(0o755)
    made = Desktop(folder)
    yield made
    made.socket.close()
    shutil.rmtree(folder)


def test_a_notice_is_shown_on_the_user_s_own_bus_with_the_user_s_rights(desktop: Desktop) -> None:
    desktop.notices().show(SESSION, "editor", "A new program", "Editor 4.2")
    [call] = desktop.calls
    assert call == [
        f"65534 unix:path={desktop.bus}",
        "--app-name=Purveyor",
        "--print-id",
        "--",
        "A new program",
        "Editor 4.2",
    ]


def test_a_notice_of_the_same_name_replaces_the_one_before_in_a_later_pass_too(desktop: Desktop) -> None:
    desktop.notices().show(SESSION, "restart", "Restart", "in 15 minutes")
    desktop.answer("18\n")
    desktop.notices().show(SESSION, "restart", "Restart", "in 10 minutes")
    desktop.notices().show(SESSION, "other", "Other", "")
    assert ["--replace-id=17" in call for call in desktop.calls] == [False, True, False]
    assert json.loads((desktop.folder / "state" / "notices.json").read_text()) == {
        "2-5000000 nobody restart": 18,
        "2-5000000 nobody other": 18,
    }


def test_a_notice_is_closed_by_its_number_once(desktop: Desktop) -> None:
    desktop.notices().show(SESSION, "restart", "Restart", "soon")
    desktop.notices().close(SESSION, "restart")
    desktop.notices().close(SESSION, "restart")
    desktop.notices().close(SESSION, "never shown")
    assert len(desktop.calls) == 2
    assert desktop.calls[1][-2:] == ["org.freedesktop.Notifications.CloseNotification", "17"]


def test_texts_are_neither_options_nor_markup_and_have_an_end(desktop: Desktop) -> None:
    desktop.notices().show(SESSION, "x", "--help\n\x1b[31m\u202e" + "t" * 500, "<b>&amp; --icon=x</b>\nline two" + "x" * 5000)
    [call] = desktop.calls
    title, body = call[-2:]
    assert call[-3] == "--"
    assert title.startswith("--help [31m ttt")
    assert len(title) == TITLE_LIMIT
    assert body.startswith("&lt;b&gt;&amp;amp; --icon=x&lt;/b&gt;\nline two")
    assert len(body) < TEXT_LIMIT + 100


def test_what_cannot_be_shown_is_no_error(desktop: Desktop) -> None:
    desktop.is_known = False
    desktop.notices().show(SESSION, "x", "t", "b")
    desktop.is_known = True
    desktop.notices().show(Session(id="3", user="stranger"), "x", "t", "b")
    desktop.notices(search_path="/nowhere").show(SESSION, "x", "t", "b")
    desktop.notices(users=desktop.folder / "none").show(SESSION, "x", "t", "b")
    os.chown(desktop.bus, 0, 0)
    desktop.notices().show(SESSION, "x", "t", "b")
    assert desktop.calls == []
    os.chown(desktop.bus, 65534, 65534)
    for answer in ("", "no number", "-5", "9" * 900):
        desktop.answer(answer)
        desktop.notices().show(SESSION, "x", "t", "b")
    assert len(desktop.calls) == 4


def test_a_file_of_numbers_that_is_none_does_no_harm(desktop: Desktop) -> None:
    (desktop.folder / "state").mkdir()
    for content in (b"{", b"[]", b'{"x": "y"}', b"\xff"):
        (desktop.folder / "state" / "notices.json").write_bytes(content)
        desktop.notices().show(SESSION, "x", "t", "b")
    assert len(desktop.calls) == 4
