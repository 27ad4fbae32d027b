"""What clients send becomes what the site knows, over every kind of database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from purveyor.site_server.admin import points
from purveyor.site_server.admin.points import AbsentRequests
from purveyor.site_server.admin.status import messages
from purveyor.site_server.database import refusals, schema
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.receive import ageing, joining, storing
from purveyor.site_server.receive.opening import UNACKNOWLEDGED_LIMIT
from purveyor.site_server.receive.rejected import KEPT_A_TURN, RING_ITEMS
from purveyor.site_server.receive.status import REQUESTS_LIMIT
from purveyor.site_server.receive.storing import NOT_KNOWN
from purveyor.wire import envelope, reports
from purveyor.wire.errors import UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Facts, Joining, Leaving
from purveyor.wire.shards import ClientState
from purveyor.wire.status_messages import Severity, StatusId
from site_rows import NOW
from upward_items import PACKAGE, SEALED_TO, SECRET, Machine, Receiving, heartbeat, status


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Receiving:
    return Receiving(database, tmp_path)


# --- joining ----------------------------------------------------------------------------------------------------------


def test_machine_with_a_join_code_becomes_a_member_of_all_systems_and_is_told(site: Receiving) -> None:
    machine = site.joined("pc-1")
    row = site.client(machine)
    assert (row.state, row.name, row.received, row.public_key) == ("member", "pc-1", 1, machine.public.hex())
    assert [(member.collection, member.client) for member in site.rows(schema.member)] == [(site.all_systems, row.number)]
    assert site.is_shard_wanted()
    assert list(site.boxes()) == []


def test_machine_waits_when_the_code_needs_approval(site: Receiving) -> None:
    site.set_code(needs_approval=True)
    machine = site.joined("pc-1")
    assert site.client(machine).state == "waiting"
    assert site.rows(schema.member) == []


@pytest.mark.parametrize(
    ("code", "secret", "reason"),
    [
        ({}, "AAAA", "the join code is not known to this site"),
        ({"expires_at": datetime(2026, 12, 1, 8, 30, tzinfo=UTC)}, SECRET, "the join code expired at 2026-12-01 08:30Z"),
        ({"uses_left": 0}, SECRET, "the join code was used up"),
    ],
)
def test_machine_whose_code_does_not_hold_is_told_why(site: Receiving, code: dict[str, object], secret: str, reason: str) -> None:
    site.set_code(**code) if code else None
    machine = Machine("pc-1")
    site.send(machine, machine.joining(secret))
    assert site.turn().refused == 1
    refusal = site.rows(schema.refusal)[0]
    assert (refusal.client_id, refusal.reason, refusal.sequence, refusal.name) == (machine.id, reason, 1, "pc-1")
    assert site.is_shard_wanted()
    assert site.rows(schema.client) == []
    assert list(site.boxes()) == []


def test_last_use_of_a_code_goes_to_one_machine_of_a_batch(site: Receiving) -> None:
    site.set_code(uses_left=1)
    for name in ("pc-1", "pc-2"):
        machine = Machine(name)
        site.send(machine, machine.joining())
    received = site.turn()
    assert (received.joined, received.refused) == (1, 1)
    assert site.rows(schema.join_code)[0].uses_left == 0
    assert site.rows(schema.refusal)[0].reason == "the join code was used up"


def test_client_that_asks_again_uses_no_code(site: Receiving) -> None:
    site.set_code(uses_left=1)
    machine = site.joined("pc-1")
    site.send(machine, machine.joining())
    assert site.turn().stored == 1
    assert site.client(machine).state == "member"
    assert (site.rows(schema.join_code)[0].uses_left, site.rows(schema.refusal)) == (0, [])


def test_blocked_client_stays_blocked_when_it_asks_again(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.set_client(machine, state="blocked")
    site.send(machine, machine.joining())
    site.turn()
    assert site.client(machine).state == "blocked"


def test_removed_client_is_taken_back_by_a_code_that_holds_and_by_no_other(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.set_client(machine, state="removed")
    site.send(machine, machine.joining("AAAA"))
    site.turn()
    assert (site.client(machine).state, site.client(machine).reason) == ("removed", "the join code is not known to this site")
    site.send(machine, machine.joining())
    assert site.turn().joined == 1
    assert (site.client(machine).state, site.client(machine).reason) == ("member", "")
    assert len(site.rows(schema.client)) == 1


def test_old_request_that_is_played_back_does_not_bring_a_removed_client_back(site: Receiving) -> None:
    machine = Machine("pc-1")
    recorded = machine.sealed(machine.joining())
    site.put("ccr.box", recorded)
    site.turn()
    site.set_client(machine, state="removed")
    site.put("ccr.box", recorded)
    received = site.turn()
    assert (received.duplicates, received.joined) == (1, 0)
    assert site.client(machine).state == "removed"


def test_refusal_is_taken_back_when_the_machine_joins(site: Receiving) -> None:
    machine = Machine("pc-1")
    site.send(machine, machine.joining("AAAA"))
    site.turn()
    site.send(machine, machine.joining(), oldest_kept=2)
    site.turn()
    assert site.rows(schema.refusal) == []
    assert (site.client(machine).received, site.client(machine).lost_items) == (2, 0)


def test_stranger_is_told_that_it_is_not_known_and_nothing_of_it_counts_as_received(site: Receiving) -> None:
    stranger = Machine("pc-9")
    site.send(stranger, status(JobState.RUNNING))
    received = site.turn()
    assert (received.stored, received.refused) == (0, 1)
    refusal = site.rows(schema.refusal)[0]
    assert (refusal.reason, refusal.sequence) == (NOT_KNOWN, 0)
    assert site.rows(schema.status_message) == []
    assert list(site.boxes()) == []


def test_shard_of_a_stranger_is_not_asked_for_again_when_it_would_say_the_same(site: Receiving) -> None:
    stranger = Machine("pc-9")
    site.send(stranger, status(JobState.RUNNING))
    site.turn()
    assert site.is_shard_wanted()
    site.send(stranger, status(JobState.SUCCEEDED))
    site.turn()
    assert not site.is_shard_wanted()


def test_old_refusals_are_forgotten(site: Receiving) -> None:
    site.send(Machine("pc-8"), status(JobState.RUNNING))
    site.turn()
    site.later(days=2)
    site.send(Machine("pc-9"), status(JobState.RUNNING))
    site.turn()
    assert [row.client_id for row in site.rows(schema.refusal)] == [Machine("pc-9").id]


def test_a_flood_of_machines_without_a_code_never_outgrows_what_is_kept(site: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "REFUSALS_KEPT", 5)
    monkeypatch.setattr(storing, "UNKNOWN_A_TURN", 10)
    for flood in range(3):
        for number in range(30):
            machine = Machine(f"flood-{flood}-{number}")
            site.send(machine, machine.joining("AAAAAAAAAAAAAAAA"))
        site.later(seconds=1)
        site.turn()
    assert len(site.rows(schema.refusal)) == 5


# --- ageing -----------------------------------------------------------------------------------------------------------


def test_old_messages_and_refusals_are_forgotten_a_batch_at_a_time_and_states_of_jobs_stay(site: Receiving) -> None:
    machine = site.joined("pc-1")
    for _ in range(3):
        site.send(machine, status(JobState.RUNNING))
    site.send(Machine("pc-9"), status(JobState.RUNNING))
    site.turn()
    site.later(days=29)
    site.send(machine, status(JobState.SUCCEEDED))
    site.turn()
    site.later(days=2)
    first = ageing.turn(database=site.database, settings=SiteSettings(), now=site.now, limit=2)
    assert (first.messages, first.is_more) == (2, True)
    assert not ageing.turn(database=site.database, settings=SiteSettings(), now=site.now, limit=2).is_more
    assert [row.state for row in site.rows(schema.status_message)] == ["succeeded"]
    assert [row.state for row in site.rows(schema.job_state)] == ["succeeded"]
    assert site.rows(schema.refusal) == []


# --- numbering --------------------------------------------------------------------------------------------------------


def test_numbers_with_gaps_are_believed_only_as_far_as_a_client_can_hold_them(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.send(machine, heartbeat(machine), sequence=UNACKNOWLEDGED_LIMIT + 1, oldest_kept=1)
    site.send(machine, heartbeat(machine), sequence=UNACKNOWLEDGED_LIMIT + 2, oldest_kept=1)
    received = site.turn()
    assert (received.stored, received.rejected) == (1, 1)


def test_item_that_comes_twice_changes_nothing_the_second_time(site: Receiving) -> None:
    machine = site.joined("pc-1")
    content = machine.sealed(status(JobState.SUCCEEDED))
    site.put("statmsgs.box", content)
    site.put("statmsgs.box", content)
    received = site.turn()
    assert (received.stored, received.duplicates) == (1, 1)
    site.put("statmsgs.box", content)
    assert site.turn().duplicates == 1
    assert len(site.rows(schema.status_message)) == 1
    assert site.client(machine).received == 2


def test_items_after_a_gap_are_stored_and_count_once_the_gap_is_filled(site: Receiving) -> None:
    machine = site.joined("pc-1")
    second, third, fourth = (machine.sealed(status(JobState.RUNNING)) for _ in range(3))
    site.put("statmsgs.box", fourth)
    site.turn()
    assert site.client(machine).received == 1
    site.put("statmsgs.box", third)
    site.turn()
    assert (site.client(machine).received, len(site.rows(schema.status_message))) == (1, 2)
    site.put("statmsgs.box", second)
    site.turn()
    assert site.client(machine).received == 4
    assert site.client(machine).lost_items == 0


def test_what_the_client_no_longer_holds_is_counted_as_lost_and_said(site: Receiving) -> None:
    machine = site.joined("pc-1")
    machine.sequence = 9
    site.send(machine, status(JobState.RUNNING), oldest_kept=8)
    site.turn()
    row = site.client(machine)
    assert (row.received, row.lost_items) == (7, 6)
    said = [message for message in site.rows(schema.status_message) if message.status == StatusId.REPORTS_LOST]
    assert [message.text for message in said] == [
        "6 items of this client, from number 2 on, were lost before they reached the site"
    ]
    assert said[0].severity == "warning"


def test_item_that_was_given_up_and_comes_after_all_is_stored(site: Receiving) -> None:
    machine = site.joined("pc-1")
    late = machine.sealed(status(JobState.RUNNING, text="late"))
    machine.sequence = 3
    site.send(machine, status(JobState.SUCCEEDED), oldest_kept=4)
    site.turn()
    assert site.client(machine).lost_items == 2
    site.put("statmsgs.box", late)
    assert site.turn().stored == 1
    assert site.client(machine).lost_items == 1
    assert "late" in [message.text for message in site.rows(schema.status_message)]
    assert site.rows(schema.job_state)[0].state == "succeeded"


def test_one_sequence_with_two_digests_is_a_fork_that_is_set_aside_and_shown(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.send(machine, status(JobState.RUNNING))
    site.turn()
    site.send(machine, status(JobState.FAILED, text="the clone"), sequence=2)
    site.send(machine, status(JobState.FAILED, text="the clone, again"), sequence=2)
    received = site.turn()
    assert (received.stored, received.rejected) == (0, 2)
    assert '"sequence":2' in site.client(machine).fork
    assert [row.state for row in site.rows(schema.job_state)] == ["running"]
    assert [(row.actor, row.action, row.object) for row in site.rows(schema.audit)] == [("site", "client.fork", machine.id)]
    assert all("used a number twice" in reason for reason in site.reasons())
    assert list(site.boxes()) == []


def test_digests_are_forgotten_far_below_what_was_received(site: Receiving) -> None:
    machine = site.joined("pc-1")
    for _ in range(400):
        site.send(machine, status())
    while site.turn().read:
        pass
    kept = sorted(row.sequence for row in site.rows(schema.upward_item))
    assert site.client(machine).received == kept[-1] == 401
    assert 256 <= len(kept) < 256 + 2 * 100
    site.send(machine, status(), sequence=5)
    assert site.turn().duplicates == 1


def test_who_is_told_of_more_received_is_every_client_of_the_batch(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.is_shard_wanted()
    site.send(machine, status(JobState.RUNNING))
    site.turn()
    assert site.is_shard_wanted()
    assert not site.turn().read
    assert not site.is_shard_wanted()


# --- what is believed -------------------------------------------------------------------------------------------------


def test_newest_message_says_the_state_of_a_job_in_whatever_order_items_come(site: Receiving) -> None:
    machine = site.joined("pc-1")
    first = machine.sealed(status(JobState.WAITING, JobState.RUNNING))
    site.send(machine, status(JobState.SUCCEEDED, source_version=2))
    site.turn()
    site.put("statmsgs.box", first)
    site.turn()
    job = site.rows(schema.job_state)[0]
    assert (job.package, job.program, job.state, job.source_version, job.succeeded_version) == (PACKAGE, 1, "succeeded", 2, 2)
    assert len(site.rows(schema.status_message)) == 3


def test_success_is_remembered_after_a_later_failure(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.send(machine, status(JobState.SUCCEEDED, source_version=3))
    site.send(machine, status(JobState.FAILED, source_version=4))
    site.turn()
    job = site.rows(schema.job_state)[0]
    assert (job.state, job.source_version, job.succeeded_version) == ("failed", 4, 3)
    site.send(machine, status(JobState.SUCCEEDED, source_version=2))
    site.turn()
    assert site.rows(schema.job_state)[0].succeeded_version == 3


@pytest.mark.parametrize("package", ["S01099ZZ", "s0100001", "", "no id at all", "x" * 300])
def test_message_about_any_package_is_history_all_the_same(site: Receiving, package: str) -> None:
    machine = site.joined("pc-1")
    site.send(machine, status(JobState.SUCCEEDED, package=package, text="nul \0 and more", at=datetime.max.replace(tzinfo=UTC)))
    assert site.turn().stored == 1
    message = site.rows(schema.status_message)[0]
    assert message.at == NOW
    assert message.text.startswith("nul  and more")
    assert len(site.rows(schema.job_state)) == (1 if package.upper().startswith("S010") else 0)


def test_newer_discovery_wins_in_whatever_order_they_come(site: Receiving) -> None:
    machine = site.joined("pc-1")
    machine.name = "old-name"
    older = machine.sealed(heartbeat(machine, absent_requests=1))
    machine.name = "new-name"
    site.send(machine, heartbeat(machine, absent_requests=3))
    site.turn()
    site.put("ddr.box", older)
    site.turn()
    row = site.client(machine)
    assert (row.name, row.absent_requests, row.discovered_sequence) == ("new-name", 3, 3)
    assert '"name":"new-name"' in row.facts


def test_requests_for_absent_files_are_kept_by_point_and_those_at_other_addresses_together(site: Receiving) -> None:
    one, other, older = site.joined("pc-1"), site.joined("pc-2"), site.joined("pc-3")
    with site.database.read() as tx:
        assert points.shown(tx, "cap1", NOW).absent_requests is None, "nothing was heard yet, which is not none"
        assert points.absent_requests(tx) == AbsentRequests(absent_requests=None, elsewhere=0, clients=0)
    site.send(one, heartbeat(one, absent_requests=5, absent_by_point={"cap1": 0, "dp1": 3}))
    site.send(other, heartbeat(other, absent_by_point={"cap1": 0}))
    site.send(older, heartbeat(older, absent_requests=7))
    site.turn()
    with site.database.read() as tx:
        seen = {view.id: (view.absent_requests, view.asked_by) for view in points.listed(tx, NOW)}
        assert seen == {"cap1": (0, 2), "dp1": (3, 1)}
        assert points.absent_requests(tx) == AbsentRequests(absent_requests=12, elsewhere=9, clients=3)
    site.send(one, heartbeat(one, absent_requests=6, absent_by_point={"cap1": 1, "dp1": 3}))
    site.turn()
    with site.database.read() as tx:
        assert points.shown(tx, "cap1", NOW).absent_requests == 1
        assert points.absent_requests(tx) == AbsentRequests(absent_requests=13, elsewhere=9, clients=3)


def test_whatever_a_client_says_of_points_only_those_of_the_site_are_kept_and_no_count_is_endless(site: Receiving) -> None:
    machine = site.joined("pc-1")
    strange = {f"cap{number}": number for number in range(2, 3000)} | {"": 5, "nul\0": 1, "x" * 500: 1}
    site.send(machine, heartbeat(machine, absent_requests=-4, absent_by_point=strange | {"cap1": 2**62, "dp1": -(2**62)}))
    site.turn()
    assert {(row.point, row.absent_requests) for row in site.rows(schema.point_asked)} == {
        ("", 0),
        ("cap1", REQUESTS_LIMIT),
        ("dp1", 0),
    }


def test_a_client_that_follows_a_site_restored_elsewhere_is_an_error_and_one_behind_is_none(site: Receiving) -> None:
    for name, incarnation in (("behind", 0), ("here", 1), ("elsewhere", 2)):
        machine = site.joined(name)
        site.send(machine, heartbeat(machine), incarnation=incarnation)
    site.turn()
    with site.database.read() as tx:
        found = [one for one in messages(tx) if one.status == StatusId.SITE_ELSEWHERE]
    assert [(one.client_name, one.severity) for one in found] == [("elsewhere", Severity.ERROR)]


def test_last_seen_is_the_clock_of_the_site_and_a_replay_does_not_move_it(site: Receiving) -> None:
    machine = site.joined("pc-1")
    content = machine.sealed(heartbeat(machine), made_at=NOW + timedelta(days=4000))
    site.later(hours=1)
    site.put("ddr.box", content)
    site.turn()
    assert site.client(machine).last_seen_at == NOW + timedelta(hours=1)
    site.later(hours=1)
    site.put("ddr.box", content)
    site.turn()
    assert site.client(machine).last_seen_at == NOW + timedelta(hours=1)


def test_blocked_client_is_heard_but_not_believed(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.set_client(machine, state=ClientState.BLOCKED.value)
    machine.name = "renamed"
    site.send(machine, heartbeat(machine))
    site.send(machine, status(JobState.SUCCEEDED))
    site.send(machine, Leaving())
    assert site.turn().stored == 3
    row = site.client(machine)
    assert (row.received, row.name, row.state, row.applied) == (4, "pc-1", "blocked", 1)
    assert (site.rows(schema.status_message), site.rows(schema.job_state)) == ([], [])


def test_client_that_leaves_is_a_member_of_nothing(site: Receiving) -> None:
    machine = site.joined("pc-1")
    before = machine.sealed(status(JobState.SUCCEEDED))
    site.send(machine, Leaving())
    site.turn()
    assert site.client(machine).state == "removed"
    assert site.rows(schema.member) == []
    site.put("statmsgs.box", before)
    site.turn()
    assert [row.state for row in site.rows(schema.job_state)] == ["succeeded"]


def test_what_a_removed_client_says_is_not_received_so_that_it_says_it_again_once_it_is_back(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.set_client(machine, state="removed")
    content = machine.sealed(status(JobState.SUCCEEDED))
    site.put("statmsgs.box", content)
    assert site.turn().refused == 1
    assert site.client(machine).received == 1
    site.send(machine, machine.joining())
    site.turn()
    site.put("statmsgs.box", content)
    site.turn()
    assert (site.client(machine).received, len(site.rows(schema.job_state))) == (3, 1)


# --- bad items --------------------------------------------------------------------------------------------------------


def test_bad_items_are_set_aside_with_a_reason_and_never_stop_a_box(site: Receiving) -> None:
    machine, other = site.joined("pc-1"), Machine("pc-2")
    good = machine.sealed(status(JobState.RUNNING))
    bad = {
        "empty": b"",
        "noise": b"\xff" * 500,
        "truncated": good[:-1],
        "for another box": envelope.seal(machine.signed(heartbeat(machine)), client=machine.id, box="ddr.box", key=SEALED_TO),
        "of the wrong kind": envelope.seal(
            machine.signed(heartbeat(machine)), client=machine.id, box="statmsgs.box", key=SEALED_TO
        ),
        "under another name": envelope.seal(other.signed(status()), client=machine.id, box="statmsgs.box", key=SEALED_TO),
        "not signed": envelope.seal(b"{}", client=machine.id, box="statmsgs.box", key=SEALED_TO),
        "impossible": machine.sealed(status(), sequence=2**60),
    }
    for content in bad.values():
        site.put("statmsgs.box", content)
    site.put("statmsgs.box", good)
    received = site.turn()
    assert (received.stored, received.rejected) == (1, len(bad))
    assert list(site.boxes()) == []
    assert len(site.reasons()) == len(bad)


def test_oversized_item_is_not_even_read(site: Receiving) -> None:
    site.put("ccr.box", b"x" * 20_000)
    assert site.turn().rejected == 1
    assert site.reasons() == ["20000 bytes are more than ccr.box takes"]


def test_flood_of_bad_items_keeps_the_ring_bounded(site: Receiving) -> None:
    for number in range(2 * KEPT_A_TURN):
        site.put("statmsgs.box", b"noise %d" % number)
    assert site.turn(limit=1000).rejected == 2 * KEPT_A_TURN
    assert len(site.reasons()) == KEPT_A_TURN <= RING_ITEMS


def test_file_that_is_no_item_is_left_alone(site: Receiving) -> None:
    site.put("statmsgs.box", b"a note", name="README.txt")
    assert site.turn().read == 0
    assert list(site.boxes()) == ["statmsgs.box/README.txt"]


def test_item_that_cannot_be_read_now_waits_and_stops_nothing(site: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = site.joined("pc-1")
    stuck = site.send(machine, status(JobState.RUNNING))
    site.send(machine, status(JobState.SUCCEEDED))
    read = site.cap.read

    def failing(path: str) -> bytes | None:
        if path == stuck:
            raise UnavailableError("the disk says no")
        return read(path)

    monkeypatch.setattr(site.cap, "read", failing)
    received = site.turn()
    assert (received.stored, received.unreadable) == (1, 1)
    assert list(site.boxes()) == [stuck]
    monkeypatch.undo()
    assert site.turn().stored == 1
    assert site.client(machine).received == 3


def test_item_that_vanishes_between_listing_and_reading_is_passed_over(site: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = site.joined("pc-1")
    site.send(machine, status(JobState.RUNNING))
    monkeypatch.setattr(site.cap, "read", lambda path: None)
    assert site.turn().read == 0


def test_names_with_anything_in_them_are_stored(site: Receiving) -> None:
    machine = Machine("pc-1")
    joining = machine.joining()
    odd = Facts(name="a\0b" + "ü" * 400, platform="linux", addresses=tuple("10.0.0.1" for _ in range(50)))
    site.send(machine, type(joining)(secret=joining.secret, facts=odd))
    assert site.turn().joined == 1
    assert site.client(machine).name == "ab" + "ü" * 253


# --- crashes and budgets ----------------------------------------------------------------------------------------------


def test_crash_after_the_commit_and_before_removal_changes_nothing_the_second_time(
    site: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = site.joined("pc-1")
    site.send(machine, status(JobState.RUNNING))
    site.send(machine, heartbeat(machine))

    class Killed(BaseException):
        pass

    def killed(path: str) -> None:
        raise Killed(path)

    monkeypatch.setattr(site.cap, "remove", killed)
    with pytest.raises(Killed):
        site.turn()
    monkeypatch.undo()
    before = (site.rows(schema.client), site.rows(schema.status_message), site.rows(schema.job_state))
    assert len(before[1]) == 1
    site.later(hours=1)
    received = site.turn()
    assert (received.stored, received.duplicates) == (0, 2)
    assert (site.rows(schema.client), site.rows(schema.status_message), site.rows(schema.job_state)) == before
    assert list(site.boxes()) == []


def test_crash_before_the_commit_leaves_every_item_in_its_box(site: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = site.joined("pc-1")
    path = site.send(machine, status(JobState.RUNNING))

    def killed(*_: object) -> None:
        raise UnavailableError("the database is full")

    with monkeypatch.context() as patched:
        patched.setattr("purveyor.site_server.database.upward.store_job_states", killed)
        with pytest.raises(UnavailableError):
            site.turn()
    assert list(site.boxes()) == [path]
    assert (site.rows(schema.status_message), site.client(machine).received) == ([], 1)
    assert site.turn().stored == 1


def test_client_that_floods_a_box_does_not_keep_others_out(site: Receiving) -> None:
    loud, quiet = site.joined("pc-1"), site.joined("pc-2")
    for _ in range(150):
        site.send(loud, status(JobState.RUNNING))
    site.send(quiet, status(JobState.SUCCEEDED))
    received = site.turn(limit=50)
    assert (received.read, received.is_more) == (50, True)
    assert site.client(quiet).received == 2


def test_flood_of_reports_does_not_keep_a_machine_from_joining(site: Receiving) -> None:
    loud = site.joined("pc-1")
    for _ in range(60):
        site.send(loud, status(JobState.RUNNING))
    machine = Machine("pc-2")
    site.send(machine, machine.joining())
    received = site.turn(limit=20)
    assert (received.read, received.joined) == (20, 1)


def test_every_batch_of_a_large_turn_is_stored_and_removed(site: Receiving) -> None:
    machine = site.joined("pc-1")
    for _ in range(1100):
        site.send(machine, status(JobState.RUNNING))
    with ThreadPoolExecutor(1) as openers:
        received = site.turn(limit=2000, openers=openers)
    assert (received.read, received.stored, received.is_more) == (1100, 1100, False)
    assert list(site.boxes()) == []
    assert site.client(machine).received == 1101


# --- holders ----------------------------------------------------------------------------------------------------------


def holder(site: Receiving, package: str) -> tuple[bool, bool]:
    with site.database.read() as tx:
        row = tx.execute(select(schema.holder).where(schema.holder.c.package == package)).one()
    return row.removed_at is not None, row.acknowledged_at is not None


def test_client_that_names_a_deleted_package_becomes_its_holder_until_it_has_forgotten_it(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.add_package(PACKAGE, state="retiring", retired_snapshot=7, retired_at=NOW)
    site.send(machine, heartbeat(machine, PACKAGE, "S0100002"), applied=6)
    site.turn()
    assert holder(site, PACKAGE) == (False, False)
    site.send(machine, heartbeat(machine, PACKAGE), applied=7, holding=(PACKAGE,))
    site.turn()
    assert holder(site, PACKAGE) == (False, False)
    site.send(machine, status(), applied=7)
    site.turn()
    assert holder(site, PACKAGE) == (False, True)
    site.send(machine, heartbeat(machine, PACKAGE), applied=8)
    site.turn()
    assert holder(site, PACKAGE) == (False, True)


def test_removal_and_forgetting_are_acknowledged_apart(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.add_package(PACKAGE, state="removing", removing_snapshot=5)
    site.send(machine, heartbeat(machine, PACKAGE), applied=9, holding=(PACKAGE,))
    site.turn()
    assert holder(site, PACKAGE) == (False, False)
    site.send(machine, status(), applied=9)
    site.turn()
    assert holder(site, PACKAGE) == (True, False)
    site.set_package(PACKAGE, state="retiring", retired_snapshot=10)
    site.send(machine, status(), applied=10)
    site.turn()
    assert holder(site, PACKAGE) == (True, True)


def test_nothing_is_acknowledged_before_the_snapshot_that_says_so_exists(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.add_package(PACKAGE, state="retiring")
    site.send(machine, heartbeat(machine, PACKAGE), applied=2**40)
    site.turn()
    assert holder(site, PACKAGE) == (False, False)


def test_nothing_more_is_awaited_of_a_client_that_left(site: Receiving) -> None:
    machine = site.joined("pc-1")
    site.add_package(PACKAGE, state="retiring", retired_snapshot=7)
    site.send(machine, heartbeat(machine, PACKAGE), applied=1)
    site.send(machine, Leaving(), applied=1)
    site.turn()
    assert holder(site, PACKAGE) == (True, True)


def test_package_of_which_no_report_came_is_remembered_from_discovery(site: Receiving) -> None:
    machine = site.joined("pc-1")
    for package in ("S0100001", "S0100002"):
        site.add_package(PackageId(package))
    site.send(machine, status(JobState.SUCCEEDED))
    site.send(machine, heartbeat(machine, "S0100001", "S0100002", "S0100009"))
    site.turn()
    assert [row.package for row in site.rows(schema.offered_before)] == ["S0100002"]
    assert site.rows(schema.holder) == []


# --- machines that came with the identity of another one ----------------------------------------------------------------


def _facts_of(machine: Machine, machine_id: str) -> Facts:
    return Facts(name=f"{machine.name}-{machine_id}", platform="linux/debian/12", machine_id=machine_id)


def _first(site: Receiving, name: str = "pc-1") -> Machine:
    """A client that joined on the machine `first`."""
    origin = Machine(name)
    site.send(origin, Joining(secret=SECRET, facts=_facts_of(origin, "first")), machine="first", boot="1")
    site.turn()
    return origin


def _cloned(site: Receiving, name: str = "pc-1") -> Machine:
    """A client of which a fork proved that another machine uses its identity."""
    origin = _first(site, name)
    site.send(origin, heartbeat(origin), machine="first", boot="1")
    site.turn()
    site.send(origin, heartbeat(origin, absent_requests=1), sequence=2, machine="second", boot="1")
    site.turn()
    return origin


def _rejoining(origin: Machine, clone: Machine, *, machine_id: str = "second", proof: str = "") -> Joining:
    return Joining(
        secret="",
        facts=_facts_of(clone, machine_id),
        was=origin.id,
        was_key=origin.public.hex(),
        proof=proof or reports.proof_of(origin.key, clone.id),
    )


def test_a_fork_of_another_machine_names_the_one_that_joined_as_keeper_and_is_told_once(site: Receiving) -> None:
    origin = _cloned(site)
    row = site.client(origin)
    assert (row.keeper, row.state) == ("first", "member")
    for number in range(3, 6):
        site.send(origin, heartbeat(origin), sequence=number, machine=f"copy-{number}", boot="1")
    site.turn()
    assert [one.status for one in site.rows(schema.status_message)] == [StatusId.CLONED]
    assert [one.action for one in site.rows(schema.audit)] == ["client.cloned"]
    assert site.client(origin).received == 2, "nothing of the others counts"


def test_a_clone_joins_by_the_code_of_the_client_that_it_was(site: Receiving) -> None:
    origin, clone = _cloned(site), Machine("clone")
    site.send(clone, _rejoining(origin, clone))
    assert site.turn().joined == 1
    row = site.client(clone)
    assert (row.state, row.was, row.machine, row.name) == ("member", origin.id, "second", "clone-second")


def test_who_only_says_that_it_is_a_clone_is_not_taken_in(site: Receiving) -> None:
    clones = [Machine(f"clone-{number}") for number in range(6)]
    unproved, removed, origin = _first(site, "pc-0"), _cloned(site, "pc-2"), _cloned(site)
    site.set_client(removed, state="removed")
    site.send(clones[0], _rejoining(unproved, clones[0]))
    site.send(clones[1], _rejoining(removed, clones[1]))
    site.send(clones[2], _rejoining(origin, clones[2], machine_id="first"))
    site.send(clones[3], _rejoining(origin, clones[3], proof="00"))
    site.send(clones[4], _rejoining(origin, clones[4], proof=reports.proof_of(clones[4].key, clones[4].id)))
    assert site.turn().joined == 0
    site.set_code(uses_left=0)
    site.send(clones[5], _rejoining(origin, clones[5]))
    assert site.turn().joined == 0
    reasons = {row.client_id: row.reason for row in site.rows(schema.refusal)}
    assert [reasons[clone.id] for clone in clones] == [
        joining.NOT_TOLD,
        joining.ORIGIN_GONE,
        joining.NOT_TOLD,
        joining.NOT_PROVEN,
        joining.NOT_PROVEN,
        joining.USED_UP_CODE,
    ]


def test_a_fork_of_the_same_machine_is_told_to_it_and_is_no_clone(site: Receiving) -> None:
    origin = _first(site)
    for _ in range(3):
        site.send(origin, heartbeat(origin), machine="first", boot="1")
    site.turn()
    for number in (2, 3):
        site.send(origin, heartbeat(origin, absent_requests=7), sequence=number, machine="first", boot="2")
    site.turn()
    row = site.client(origin)
    assert (row.keeper, row.fork) == ("", None)


def test_a_machine_whose_id_was_made_anew_and_that_went_back_keeps_its_identity(site: Receiving) -> None:
    origin = _first(site)
    site.later(hours=5)
    for hour, boot in enumerate(("2", "3"), start=1):
        site.send(origin, heartbeat(origin), machine="anew", boot=boot, made_at=NOW + timedelta(hours=hour))
    site.turn()
    again = heartbeat(origin, absent_requests=7)
    site.send(origin, again, sequence=3, machine="anew", boot="4", made_at=NOW + timedelta(hours=3))
    site.turn()
    row = site.client(origin)
    assert (row.keeper, row.fork) == ("", None)
    site.send(origin, heartbeat(origin), sequence=4, machine="first", boot="2", made_at=NOW + timedelta(hours=4))
    site.turn()
    assert site.client(origin).keeper == "first", "the one that joined is there after all"


def test_the_digest_that_a_shard_shows_is_of_what_was_stored_whoever_gave_it(site: Receiving) -> None:
    origin = _first(site)
    contents = [origin.signed(heartbeat(origin, absent_requests=number)) for number in range(3)]
    for content in (contents[2], contents[0], contents[1]):
        site.put("ddr.box", envelope.seal(content, client=origin.id, box="ddr.box", key=SEALED_TO))
        site.turn()
    joined = site.client(origin)
    first = {row.sequence: row.digest for row in site.rows(schema.upward_item)}[1]
    own = [first, *(reports.decode(content).digest for content in contents)]
    assert (joined.received, joined.received_digest) == (4, reports.digest_after("", own))


def test_what_copies_tell_again_of_one_item_counts_once_however_often_its_number_was_used(site: Receiving) -> None:
    origin = _first(site)
    lost = reports.Retold(sequence=2, digest="ff" * 32)
    for _ in range(3):
        site.send(origin, status(JobState.RUNNING), machine="first", boot="2", retold=lost)
        site.turn()
    for _ in range(2):
        again = reports.Retold(sequence=3, digest="ee" * 32)
        site.send(origin, status(JobState.RUNNING), machine="first", boot="2", retold=again)
    site.turn()
    assert site.client(origin).received == 6
    assert len(site.rows(schema.status_message)) == 2


def test_copies_whose_clocks_are_a_day_ahead_are_told_apart_as_others_are(site: Receiving) -> None:
    origin = _first(site)
    for turn, boot in enumerate("212"):
        site.later(hours=1)
        ahead = timedelta(days=1) if turn == 0 else timedelta(0)
        site.send(origin, heartbeat(origin), machine="first", boot=boot, made_at=site.now + ahead)
        site.turn()
    row = site.client(origin)
    assert (row.state, row.keeper) == ("rejoin", "nobody")


def test_what_is_told_again_counts_once(site: Receiving) -> None:
    origin = _first(site)
    told = status(JobState.RUNNING)
    content = origin.signed(told, machine="first", boot="1")
    site.put("statmsgs.box", envelope.seal(content, client=origin.id, box="statmsgs.box", key=SEALED_TO))
    site.turn()
    same = reports.Retold(sequence=2, digest=reports.decode(content).digest)
    site.send(origin, told, machine="first", boot="2", retold=same)
    site.send(origin, told, machine="first", boot="2", retold=reports.Retold(sequence=2, digest="ff" * 32))
    site.turn()
    assert site.client(origin).received == 4
    assert len(site.rows(schema.status_message)) == 2, "the one that the site had, and the one whose number another item has"
