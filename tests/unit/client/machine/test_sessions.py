"""Who is logged on, by the files that logind or the login programs leave."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from built_root import Asked, Root
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.interface import Session
from purveyor.client.machine.sessions import LOGIND, sessions, watched_paths
from purveyor.wire.accounts import is_same
from purveyor.wire.errors import UnavailableError

ALICE = "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def seen(root: Root, ask: Asked | None = None) -> tuple[Session, ...]:
    ask = ask or Asked()
    return sessions(root.path, Directory(root.path, ask=ask), ask=ask)


def test_where_nothing_is_written_down_nobody_is_logged_on(root: Root) -> None:
    assert seen(root) == ()


def test_a_user_at_a_terminal_is_a_session_with_name_time_and_groups(root: Root) -> None:
    root.logs_on("2", "alice")
    ask = Asked()
    ask.say("getent passwd alice", ALICE)
    ask.say("id -G -- alice", "1000 27\n")
    ask.say("getent group", "alice:x:1000:\nsudo:x:27:alice\n")
    [session] = seen(root, ask)
    assert session.user == "alice"
    assert session.groups == ("alice", "sudo")
    assert session.since == datetime(2026, 1, 5, 9, 14, 56, 789012, tzinfo=UTC)
    assert session.is_active


@pytest.mark.parametrize(
    "kind", [{"TYPE": "wayland", "SEAT": "seat0"}, {"REMOTE": "1", "REMOTE_HOST": "10.0.0.9", "TTY": "pts/3"}, {"TYPE": "x11"}]
)
def test_graphical_and_remote_sessions_count_as_any_other(root: Root, kind: dict[str, str]) -> None:
    root.logs_on("c7", "alice", 4711, **kind)
    assert [session.user for session in seen(root)] == ["alice"]


@pytest.mark.parametrize(
    "kind", ["greeter", "lock-screen", "manager", "manager-early", "background", "background-light", "user-incomplete", "none"]
)
def test_greeters_lock_screens_and_services_are_nobody(root: Root, kind: str) -> None:
    root.logs_on("c1", "gdm", CLASS=kind)
    assert seen(root) == ()


def test_root_who_logs_on_early_is_a_user(root: Root) -> None:
    root.logs_on("1", "root", CLASS="user-early")
    assert [session.user for session in seen(root)] == ["root"]


def test_who_has_logged_off_is_gone_though_a_process_of_theirs_goes_on(root: Root) -> None:
    root.logs_on("2", "alice", STATE="closing")
    assert seen(root) == ()


def test_a_session_whose_first_process_is_gone_is_none(root: Root) -> None:
    root.logs_on("2", "alice", leader=4711)
    root.logs_on("3", "bob", leader=4712)
    (root.path / "proc/4711/stat").unlink()
    root.runs(4712, state="Z")
    assert seen(root) == ()


def test_a_process_that_was_given_the_number_later_is_not_the_first_of_the_session(root: Root) -> None:
    root.logs_on("2", "alice", leader=4711, MONOTONIC="50000000")
    root.runs(4711, started_ticks=49 * 100)
    assert len(seen(root)) == 1
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    root.runs(4711, started_ticks=int((60 + slept) * 100))
    assert seen(root) == ()


def test_a_session_that_says_nothing_of_its_first_process_is_believed(root: Root) -> None:
    root.logs_on("2", "alice", LEADER="-", MONOTONIC="-", REALTIME="-")
    [session] = seen(root)
    assert session.since is None


def test_an_id_is_not_given_again_after_logind_began_to_count_anew(root: Root) -> None:
    root.logs_on("c1", "alice")
    [before] = seen(root)
    root.logs_on("c1", "alice", MONOTONIC="6000000")
    [after] = seen(root)
    assert before.id != after.id


def test_a_session_in_the_background_or_with_a_locked_screen_is_not_active(root: Root) -> None:
    root.logs_on("1", "alice", ACTIVE="0", STATE="online")
    root.logs_on("2", "bob", TYPE="wayland", REALTIME="1767604496789013")
    root.logs_on("3", "carol", TYPE="x11", REALTIME="1767604496789014")
    ask = Asked()
    ask.say("loginctl show-session", "yes\n\nno\n")
    assert [session.is_active for session in seen(root, ask)] == [False, False, True]


@pytest.mark.parametrize("answer", [None, 1, "", "yes\nno\nyes\n"])
def test_a_screen_of_which_nothing_can_be_told_is_not_locked(root: Root, answer: str | int | None) -> None:
    root.logs_on("2", "bob", TYPE="wayland")
    ask = Asked()
    ask.say("loginctl show-session", answer)
    assert [session.is_active for session in seen(root, ask)] == [True]


@pytest.mark.parametrize("name", ["CORP\\alice", "alice@corp.example", "CORP\\domain admin"])
def test_names_of_a_domain_are_kept_as_the_system_writes_them(root: Root, name: str) -> None:
    root.logs_on("2", name)
    [session] = seen(root)
    assert is_same(session.user, name.upper() if "@" in name else name.swapcase())


def test_a_directory_that_is_away_takes_no_session_away(root: Root) -> None:
    root.logs_on("2", "CORP\\alice")
    root.logs_on("3", "", UID="4000001")
    ask = Asked()
    ask.say("getent", None)
    found = {session.user: session.groups for session in seen(root, ask)}
    assert found == {"CORP\\alice": (), "4000001": ()}


def test_a_name_that_is_not_written_down_is_looked_up_by_its_number(root: Root) -> None:
    root.logs_on("2", "-", UID="1000")
    ask = Asked()
    ask.say("getent passwd 1000", ALICE)
    assert [session.user for session in seen(root, ask)] == ["alice"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"USER\nUID", b"LEADER=-1\nUSER=x\nREALTIME=99999999999999999999\n", b"=" * 100_000]
)
def test_what_is_no_session_s_file_does_no_harm(root: Root, content: bytes) -> None:
    root.logs_on("2", "alice")
    root.write("run/systemd/sessions/3", content)
    root.write("run/systemd/sessions/2.ref", b"")
    root.write("run/systemd/sessions/.#2xYz", content)
    assert "alice" in [session.user for session in seen(root)]


def test_that_nobody_can_tell_is_an_error_and_not_nobody(root: Root) -> None:
    root.logs_on("2", "alice")
    (root.path / LOGIND / "2").unlink()
    (root.path / LOGIND / "2").mkdir()
    with pytest.raises(UnavailableError, match="who is logged on"):
        seen(root)


def test_who_came_first_comes_first(root: Root) -> None:
    root.logs_on("9", "late", REALTIME="1767604496789013")
    root.logs_on("10", "early", REALTIME="1767604496789012")
    assert [session.user for session in seen(root)] == ["early", "late"]


# --- utmp ---


@pytest.mark.parametrize("is_long", [False, True])
def test_without_logind_utmp_tells(root: Root, is_long: bool) -> None:
    root.runs(700)
    root.utmp(
        (2, 0, "~", "reboot", 1767600000),
        (6, 600, "tty1", "LOGIN", 1767600000),
        (7, 700, "pts/0", "alice", 1767604496),
        (8, 800, "pts/1", "", 1767600000),
        is_long=is_long,
    )
    [session] = seen(root)
    assert (session.user, session.id) == ("alice", "pts-0-700-1767604496")
    assert session.since == datetime(2026, 1, 5, 9, 14, 56, tzinfo=UTC)


def test_an_entry_of_utmp_that_was_left_behind_is_nobody(root: Root) -> None:
    root.utmp((7, 700, "pts/0", "alice", 1767604496))
    assert seen(root) == ()


def test_a_utmp_that_is_cut_off_is_read_as_far_as_it_goes(root: Root) -> None:
    root.runs(700)
    root.utmp((7, 700, "pts/0", "alice", 1767604496), (7, 700, "pts/1", "bob", 1767604497))
    whole = (root.path / "run/utmp").read_bytes()
    root.write("run/utmp", whole[:-100])
    assert "bob" not in [session.user for session in seen(root)]
    root.write("run/utmp", b"\xff" * 5000)
    assert seen(root) == ()


def test_utmp_is_not_asked_where_logind_is(root: Root) -> None:
    root.runs(700)
    root.utmp((7, 700, "pts/0", "alice", 1767604496))
    (root.path / LOGIND).mkdir(parents=True)
    assert [session.user for session in seen(root)] == ["alice"], "an empty folder is left by the package alone"
    root.write("run/systemd/seats/seat0", "IS_SEAT0=1\n")
    assert seen(root) == ()


def test_what_is_watched_changes_when_somebody_comes(root: Root) -> None:
    assert watched_paths(root.path) == (str(root.path / "run/systemd/sessions"), str(root.path / "run/utmp"))
    root.logs_on("2", "alice")
    assert watched_paths(root.path) == (str(root.path / "run/systemd/sessions"),)
