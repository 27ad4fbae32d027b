"""What went wrong in the field while clients were set up, moved and removed."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from field.words import told
from purveyor.cli.main import carry_out
from purveyor.cli.output import Output
from purveyor.client import join, waiting
from purveyor.client.main import Joined, parts_of
from purveyor.client.main import join as join_machine
from purveyor.client.programs.memory import records
from purveyor.client.sentinel import PLAN, Plan
from purveyor.client.state import published
from purveyor.client.state.identity import has_identity
from purveyor.lab.disk import SimulatedDisk
from purveyor.lab.fleet import CAP_URL, Fleet
from purveyor.lab.power import Power, PowerCut
from purveyor.lab.programs import Script
from purveyor.site_server.admin import resources, settings, status
from purveyor.site_server.model.points import PointKind
from purveyor.wire.errors import UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.shards import ClientState
from purveyor.wire.status_messages import StatusId

SETUP = "setup.exe"
FILES = {"setup.exe": b"the setup" * 1000, "part/one.dat": b"one" * 5000}


def offer(fleet: Fleet, command: str = SETUP) -> ProgramKey:
    """A package that is offered to everybody and installs itself as its command's name."""
    fleet.script(command, Script(installs=(f"{command}=1",)))
    program = fleet.admin.add_program(fleet.admin.add_package(command, FILES), "install", command)
    fleet.admin.advertise(program)
    return program


# --- setting up --------------------------------------------------------------------------------------------------------


def test_q216419_setting_up_over_something_else_changes_nothing_of_it(tmp_path: Path) -> None:
    occupied = tmp_path / "system.ini"
    occupied.write_text("[boot]")
    with pytest.raises(UnavailableError, match="cannot be used"):
        join_machine(occupied, cap="http://site.lab/cap", code="S01-1-x", wait_seconds=0, tell=print)
    assert occupied.read_text() == "[boot]"
    assert list(tmp_path.iterdir()) == [occupied]


def test_q216419_a_file_that_is_replaced_is_the_old_one_or_the_new_one_wherever_the_power_fails() -> None:
    before, after = Plan(next_poll_at=1.0), Plan(next_poll_at=2.0)
    seen = set()
    for effect in range(1, 8):
        for seed in (None, 0, 1, 2):
            power = Power()
            disk = SimulatedDisk(power)
            waiting.write_plan(disk, before)
            disk.sync_all()
            old = disk.read(PLAN)
            power.fail_at(effect)
            try:
                waiting.write_plan(disk, after)
            except PowerCut:
                disk.power_cut(seed)
                power.restore()
            seen.add(disk.read(PLAN) == old)
            assert b'"next_poll_at": 1.0' in (disk.read(PLAN) or b"") or b'"next_poll_at": 2.0' in (disk.read(PLAN) or b"")
    assert seen == {True, False}, "some of these power cuts came before the new one was there"


@pytest.mark.parametrize(
    ("standing", "code", "words"),
    [
        (join.Standing(ClientState.MEMBER, ""), 0, "is a member of site S01"),
        (join.Standing(ClientState.WAITING, ""), 0, "an administrator must approve it"),
        (join.Standing(ClientState.REFUSED, "the join code was used up"), 1, "refused: the join code was used up"),
        (join.Standing(ClientState.BLOCKED, "lost"), 1, "has blocked this client: lost"),
        (join.Standing(None, ""), 3, "has not answered yet"),
    ],
)
def test_q213270_joining_says_and_ends_with_what_it_came_to(
    standing: join.Standing, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(*_: object, **__: object) -> Joined:
        return Joined(site="S01", client="c", standing=standing)  # type: ignore[arg-type]

    monkeypatch.setattr("purveyor.client.main.join", answered)
    words_given = ("client", "join", "http://site.lab/cap", "--code", "x", "--state", "/nowhere")
    said = StringIO()
    output = Output(stdout=StringIO(), stderr=said, stdin=StringIO())
    assert carry_out(words_given, environment={}, output=output) == code
    assert words in said.getvalue()


def test_q213270_what_joining_left_open_is_told_when_it_is_decided() -> None:
    with Fleet(0) as fleet:
        client = fleet.add_client("pc1", fleet.new_join_code(needs_approval=True))
        fleet.settle()
        assert client.standing() is ClientState.WAITING
        fleet.admin.change(resources.approve, client.id)
        offer(fleet)
        fleet.settle()
        assert client.standing() is ClientState.MEMBER
        assert fleet.ran(client, SETUP) == 1


def test_q268586_an_agent_works_in_a_folder_whose_name_has_blanks_and_letters_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "  Größe 100 %, プログラム " / "a b "
    parts = parts_of(folder)
    parts.state.remember("fact", "kept")
    parts.machine.disk.append("cache/with blank", b"content")
    parts.machine.disk.rename("cache/with blank", "cache/ends with blank ")
    waiting.write_plan(parts.machine.disk, Plan(next_poll_at=5.0))
    again = parts_of(folder)
    assert again.state.fact("fact") == "kept"
    assert again.machine.disk.read("cache/ends with blank ") == b"content"
    assert again.machine.disk.names("cache") == ["ends with blank "]


def test_q304961_a_request_to_join_is_sent_until_it_is_answered_with_yes_or_a_reason() -> None:
    with Fleet(0) as fleet:
        fleet.cap.discard()
        client = fleet.add_client("slow", fleet.new_join_code())
        fleet.advance(hours=5)
        assert client.standing() is None
        fleet.cap.mend()
        fleet.advance(hours=12)
        assert client.standing() is ClientState.MEMBER
        once = fleet.new_join_code(uses=1)
        first, second = fleet.add_client("first", once), fleet.add_client("second", once)
        fleet.settle()
        held = published.held_entry(second.machine.state)
        assert first.standing() is ClientState.MEMBER
        assert held is not None and held.entry is not None
        assert (held.entry.state, held.entry.reason) == (ClientState.REFUSED, "the join code was used up")


def test_q263665_no_setting_of_the_site_keeps_a_new_machine_out() -> None:
    with Fleet(1) as fleet:
        for name, value in (
            ("poll_interval_seconds", 7 * 86400),
            ("heartbeat_interval_seconds", 30 * 86400),
            ("disk_reserve_bytes", 2**50),
            ("status_history_seconds", 86400),
        ):
            fleet.admin.change(settings.change, name, value)
        [new] = fleet.add_clients(1)
        assert new.standing() is ClientState.MEMBER


# --- content ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["is damaged there", "has no end"])
def test_q287990_content_that_never_ends_or_is_damaged_is_refused_told_and_fetched_again_and_fills_no_disk(words: str) -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        offer(fleet)
        if words == "has no end":
            fleet.dp.never_end()
        else:
            fleet.dp.corrupt_all(is_content_file)
        fleet.advance(hours=4)
        assert fleet.ran(client, SETUP) == 0
        assert any(words in text for text in told(fleet, StatusId.DOWNLOAD_WAITING))
        size_bytes = sum(len(content) for content in FILES.values())
        assert sum(len(content) for content in client.machine.disk.files().values()) < 2 * size_bytes
        fleet.dp.mend()
        fleet.advance(hours=7)
        assert fleet.ran(client, SETUP) == 1


def is_content_file(path: str) -> bool:
    """Whether a path of a distribution point is that of a file of a package."""
    return not path.startswith("manifests/")


def test_q277745_files_and_what_they_are_checked_against_are_seen_together_or_not_at_all() -> None:
    with Fleet(1) as fleet:
        client = fleet.clients[0]
        new = {name: content[::-1] for name, content in FILES.items()}
        for writes in range(5):
            fleet.cap.hold(after_writes=writes)
            fleet.admin.update_package(offer(fleet, f"{writes}.exe").package, new)
            fleet.advance_polls(1)
            fleet.cap.release()
        fleet.settle()
        ran = client.machine.programs.launches
        assert {launch.command for launch in ran} == {f"{writes}.exe" for writes in range(5)}
        assert all(launch.files in (FILES, new) for launch in ran), "a run has the files of one version, whole"


# --- leaving and moving -----------------------------------------------------------------------------------------------


def test_q288218_who_moves_keeps_software_and_history_and_what_was_not_told_yet_is_told() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        program = offer(fleet)
        before = client.id
        while fleet.ran(client, SETUP) == 0:
            fleet.advance(minutes=5)
        fleet.cap.discard()
        fleet.advance(hours=3)
        fleet.cap.mend()
        join.leave(client.machine.state, client.machine, point_for=client.point_for)
        fleet.site_turn()
        [job] = fleet.admin.ask(status.of_client, before).jobs
        assert (job.package, job.state) == (program.package, JobState.SUCCEEDED)
        assert client.machine.installed == {f"{SETUP}": "1"}
        assert list(records.histories(client.machine.state)) == [program]
        client.join(CAP_URL, fleet.new_join_code())
        fleet.settle()
        assert client.id != before
        assert client.standing() is ClientState.MEMBER
        assert fleet.ran(client, SETUP) == 1, "what it has is not installed again"


def test_q260541_who_left_is_gone_and_may_come_back_at_once() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        offer(fleet)
        fleet.settle()
        offer(fleet, "next.exe")
        before = client.id
        join.leave(client.machine.state, client.machine, point_for=client.point_for)
        fleet.site_turn()
        assert not has_identity(client.machine.state)
        for table in ("item", "message", "job", "target", "trusted", "point", "fact", "mark"):
            assert client.machine.state.connection.execute(f"select count(*) from {table}").fetchone() == (0,), table
        assert fleet.admin.ask(resources.shown, before).state == "removed"
        assert before not in {one.id for one in fleet.admin.ask(resources.listed)}
        client.join(CAP_URL, fleet.new_join_code())
        fleet.settle()
        client.machine.restart_now()
        fleet.settle()
        assert client.standing() is ClientState.MEMBER
        assert (fleet.ran(client, SETUP), fleet.ran(client, "next.exe")) == (1, 1)


def test_q242492_no_silence_and_no_nonsense_of_the_site_uninstalls_anything_or_ends_a_membership() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        offer(fleet)
        fleet.settle()
        identity, records_before = client.id, records.histories(client.machine.state)
        spoils: list[Callable[[], None]] = [fleet.cap.cut, fleet.cap.serve_nothing, lambda: fleet.cap.corrupt_all(bool)]
        for spoil in spoils:
            spoil()
            fleet.advance(hours=5)
            assert client.machine.installed == {SETUP: "1"}
            assert (client.id, records.histories(client.machine.state)) == (identity, records_before)
            fleet.cap.mend()
        fleet.advance(hours=8)
        assert client.standing() is ClientState.MEMBER
        assert fleet.ran(client, SETUP) == 1


def test_q276564_a_client_that_was_away_for_two_years_is_still_a_client() -> None:
    with Fleet(2) as fleet:
        away, _ = fleet.clients
        offer(fleet)
        fleet.settle()
        away.machine.power_cut()
        fleet.clock.advance(timedelta(days=730))
        fleet.site_turn()
        fleet.advance(hours=2)
        assert fleet.admin.ask(resources.shown, away.id).state == ClientState.MEMBER
        away.switch_on()
        offer(fleet, "later.exe")
        fleet.advance(hours=8)
        assert away.standing() is ClientState.MEMBER
        assert (fleet.ran(away, SETUP), fleet.ran(away, "later.exe")) == (1, 1)


def test_q263345_a_source_that_is_dead_or_gone_is_passed_over_and_named_no_more() -> None:
    with Fleet(1) as fleet:
        [client] = fleet.clients
        second = fleet.add_point(PointKind.DP, "http://second.lab/dp")
        fleet.settle()
        fleet.dp.cut()
        offer(fleet)
        fleet.advance(hours=6)
        assert fleet.ran(client, SETUP) == 1
        assert second.requests
        fleet.dp.mend()
