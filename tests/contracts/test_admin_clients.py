"""Collections, clients, tokens, join codes, settings and status as an administrator handles them, over every database."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select, update

from purveyor.site_server.admin import (
    advertisements,
    collections,
    join_codes,
    packages,
    programs,
    resources,
    settings,
    status,
    tokens,
)
from purveyor.site_server.database import schema
from purveyor.site_server.database import settings as stored_settings
from purveyor.wire.errors import ConfirmationNeededError, NotAllowedError, RefusedError
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.join_code import secret_digest
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.status_messages import Severity
from site_rows import (
    ANNA,
    NOW,
    add_clients,
    add_site,
    client_id_at,
    meet_all_wants,
    members_of,
    number_of,
    report,
    wanted_shards,
    wants,
)

ALL = CollectionId("S0110001")
LATER = NOW + timedelta(hours=1)
ONE = ProgramNumber(1)


@pytest.fixture(autouse=True)
def five_clients(tx: Connection) -> None:
    """Every test has a site with five clients, `pc-1` to `pc-5`."""
    add_site(tx)
    add_clients(tx, 5)


def _collection(tx: Connection, *members: str, name: str = "Pilot") -> CollectionId:
    return collections.add(tx, name=name, members=members, by=ANNA, now=NOW)


def _advertised(tx: Connection, collection: CollectionId) -> tuple[PackageId, AdvertisementId]:
    package = packages.add(tx, name="Tool", by=ANNA, now=NOW)
    programs.add(tx, package, name="install", command="x", by=ANNA, now=NOW)
    return package, advertisements.add(
        tx, package=package, program=ONE, collection=collection, is_confirmed=True, by=ANNA, now=NOW
    )


# --- collections ------------------------------------------------------------------------------------------------------


def test_a_collection_is_found_by_id_in_any_case_and_by_name(tx: Connection) -> None:
    pilot = _collection(tx)
    assert {collections.find(tx, text) for text in (pilot, pilot.lower(), "Pilot", " PILOT ")} == {pilot}
    assert collections.find(tx, "All Systems") == ALL
    for text in ("Absent", "S0110099", "S0100001"):
        with pytest.raises(RefusedError, match="there is no collection"):
            collections.find(tx, text)


def test_names_of_standing_collections_differ(tx: Connection) -> None:
    pilot = _collection(tx)
    for name in ("pilot", "S0110077", "", "All systems"):
        with pytest.raises(RefusedError):
            _collection(tx, name=name)
    collections.delete(tx, pilot, by=ANNA, now=NOW)
    other = _collection(tx, name="Pilot")
    assert other != pilot
    assert collections.edit(tx, other, name="PILOT", by=ANNA, now=NOW).name == "PILOT"


def test_members_are_given_by_id_or_name(tx: Connection) -> None:
    pilot = _collection(tx, client_id_at(1).upper(), "PC-2", " pc-3 ")
    assert [one.name for one in collections.shown(tx, pilot).direct] == ["pc-1", "pc-2", "pc-3"]
    assert {one.id for one in collections.members(tx, pilot)} == {client_id_at(position) for position in (1, 2, 3)}
    for text in ("pc-99", "f" * 32):
        with pytest.raises(RefusedError, match="there is no resource"):
            _collection(tx, text, name="Other")


def test_included_members_come_and_excluded_ones_go(tx: Connection) -> None:
    pilot = _collection(tx, "pc-1", "pc-2")
    rest = collections.add(tx, name="Rest", includes=["All Systems"], excludes=[pilot], by=ANNA, now=NOW)
    assert len(members_of(tx, rest)) == 3
    collections.edit(tx, pilot, remove_members=["pc-1"], by=ANNA, now=NOW)
    assert len(members_of(tx, rest)) == 4
    view = collections.edit(tx, rest, add_excludes=["All Systems"], remove_includes=["All Systems"], by=ANNA, now=NOW)
    assert ([one.name for one in view.excludes], view.members) == (["All Systems", "Pilot"], 0)
    assert [one.name for one in collections.shown(tx, pilot).named_by] == ["Rest"]


def test_a_collection_does_not_come_to_depend_on_itself(tx: Connection) -> None:
    a = _collection(tx, name="A")
    b = collections.add(tx, name="B", includes=["A"], by=ANNA, now=NOW)
    c = collections.add(tx, name="C", excludes=["B"], by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match=r"A \(S0110002\) → C \(S0110004\) → B \(S0110003\) → A"):
        collections.edit(tx, a, add_includes=[c], by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="itself"):
        collections.edit(tx, b, add_excludes=["B"], by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="at once"):
        collections.edit(tx, c, add_includes=["B"], by=ANNA, now=NOW)
    assert collections.shown(tx, a).includes == ()


def test_all_systems_is_neither_changed_nor_deleted(tx: Connection) -> None:
    with pytest.raises(RefusedError, match="neither changed nor deleted"):
        collections.edit(tx, ALL, name="x", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="neither changed nor deleted"):
        collections.delete(tx, ALL, is_confirmed=True, by=ANNA, now=NOW)


def test_advertisements_that_would_newly_reach_many_want_confirming_and_change_nothing_before(tx: Connection) -> None:
    stored_settings.change_setting(tx, "confirm_above", 2)
    pilot = _collection(tx, "pc-1")
    wide = collections.add(tx, name="Wide", includes=["Pilot"], by=ANNA, now=NOW)
    _advertised(tx, wide)
    with pytest.raises(ConfirmationNeededError, match=r"newly reach 3 clients \(Wide \+3\)"):
        collections.edit(tx, pilot, add_members=["pc-2", "pc-3", "pc-4"], by=ANNA, now=NOW)
    assert len(members_of(tx, pilot)) == 1
    collections.edit(tx, pilot, add_members=["pc-2", "pc-3"], remove_members=["pc-1"], by=ANNA, now=NOW)
    with pytest.raises(ConfirmationNeededError, match="3 clients"):
        collections.edit(tx, wide, add_includes=["All Systems"], by=ANNA, now=NOW)
    collections.edit(tx, wide, add_includes=["All Systems"], is_confirmed=True, by=ANNA, now=NOW)
    assert len(members_of(tx, wide)) == 5


def test_growing_a_collection_without_advertisements_wants_no_confirming(tx: Connection) -> None:
    stored_settings.change_setting(tx, "confirm_above", 0)
    collections.edit(tx, _collection(tx), add_members=["pc-1", "pc-2"], by=ANNA, now=NOW)


def test_a_collection_in_use_is_deleted_only_when_that_is_confirmed(tx: Connection) -> None:
    pilot = _collection(tx, "pc-1")
    wide = collections.add(tx, name="Wide", includes=["All Systems"], excludes=["Pilot"], by=ANNA, now=NOW)
    package, advertisement = _advertised(tx, pilot)
    with pytest.raises(ConfirmationNeededError, match=f"1 advertisements .*{advertisement}.*rules of {wide}"):
        collections.delete(tx, pilot, by=ANNA, now=NOW)
    meet_all_wants(tx)
    collections.delete(tx, pilot, is_confirmed=True, by=ANNA, now=LATER)
    assert advertisements.listed(tx) == ()
    assert (members_of(tx, pilot), len(members_of(tx, wide))) == (set(), 5)
    assert (wants(tx), wanted_shards(tx)) == ({("offers", pilot)}, {0})
    assert packages.preview_deletion(tx, package).holder_count == 1
    with pytest.raises(RefusedError, match=r"\(Pilot\) was deleted at 2026-12-01 10:00Z"):
        collections.shown(tx, pilot)


def test_a_list_of_collections_counts_members_and_advertisements(tx: Connection) -> None:
    _advertised(tx, _collection(tx, "pc-1", "pc-2"))
    rows = [(one.name, one.members, one.advertisements) for one in collections.listed(tx)]
    assert rows == [("All Systems", 5, 0), ("Pilot", 2, 1)]


def test_more_members_than_a_statement_takes_values_are_named_at_once(tx: Connection) -> None:
    """Units: SQLite takes 32,766 values, PostgreSQL 65,535."""
    ids = add_clients(tx, 66_000, first=6)
    pilot = collections.add(tx, name="Half", members=ids, by=ANNA, now=NOW)
    assert collections.shown(tx, pilot).members == 66_000
    collections.edit(tx, pilot, remove_members=ids[::2], by=ANNA, now=NOW)
    assert collections.shown(tx, pilot).members == 33_000


# --- clients ----------------------------------------------------------------------------------------------------------


def test_a_client_is_found_by_id_or_by_a_name_that_only_it_has(tx: Connection) -> None:
    assert resources.find(tx, "PC-1") == resources.find(tx, client_id_at(1).upper()) == client_id_at(1)
    tx.execute(update(schema.client).where(schema.client.c.id == client_id_at(2)).values(name="pc-1"))
    with pytest.raises(RefusedError, match="more than one") as caught:
        resources.find(tx, "pc-1")
    assert client_id_at(1) in str(caught.value)
    assert client_id_at(2) in str(caught.value)


def test_an_exact_name_wins_over_one_that_differs_by_case(tx: Connection) -> None:
    tx.execute(update(schema.client).where(schema.client.c.id == client_id_at(2)).values(name="PC-1"))
    assert (resources.find(tx, "pc-1"), resources.find(tx, "PC-1")) == (client_id_at(1), client_id_at(2))
    with pytest.raises(RefusedError, match="more than one"):
        resources.find(tx, "Pc-1")
    pilot = _collection(tx, "PC-1", "pc-3")
    assert {one.id for one in collections.members(tx, pilot)} == {client_id_at(2), client_id_at(3)}


def test_a_waiting_client_belongs_nowhere_until_it_is_approved(tx: Connection) -> None:
    (waiting,) = add_clients(tx, 1, state="waiting", first=6)
    number = number_of(tx, waiting)
    assert number not in members_of(tx, ALL)
    meet_all_wants(tx)
    view = resources.approve(tx, waiting, by=ANNA, now=NOW)
    assert (view.state, [one.name for one in view.collections]) == ("member", ["All Systems"])
    assert wanted_shards(tx) == {0}
    with pytest.raises(RefusedError, match="does not wait"):
        resources.approve(tx, waiting, by=ANNA, now=NOW)


def test_a_blocked_client_is_told_why_and_comes_back_where_it_was(tx: Connection) -> None:
    client, pilot = client_id_at(1), _collection(tx, "pc-1")
    view = resources.block(tx, client, reason="lost laptop", by=ANNA, now=NOW)
    assert (view.state, view.reason, view.collections) == ("blocked", "lost laptop", ())
    with pytest.raises(RefusedError, match="cannot be blocked"):
        resources.block(tx, client, by=ANNA, now=NOW)
    assert [one.id for one in resources.unblock(tx, client, by=ANNA, now=NOW).collections] == [ALL, pilot]
    with pytest.raises(RefusedError, match="is not blocked"):
        resources.unblock(tx, client, by=ANNA, now=NOW)


def test_a_removed_client_leaves_its_collections_and_frees_its_name(tx: Connection) -> None:
    client, pilot = client_id_at(1), _collection(tx, "pc-1")
    resources.remove(tx, client, by=ANNA, now=NOW)
    assert (members_of(tx, pilot), collections.shown(tx, pilot).direct) == (set(), ())
    view = resources.shown(tx, client)
    assert (view.state, view.reason) == ("removed", "removed by anna at 2026-12-01 09:00Z")
    assert client not in [one.id for one in resources.listed(tx)]
    assert [one.id for one in resources.listed(tx, state="removed")] == [client]
    with pytest.raises(RefusedError, match="there is no resource"):
        resources.find(tx, "pc-1")
    with pytest.raises(RefusedError, match="was removed already"):
        resources.remove(tx, client, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="there is no resource"):
        collections.edit(tx, pilot, add_members=[client], by=ANNA, now=NOW)


def test_clients_are_listed_in_pages_by_state_and_by_part_of_a_name(tx: Connection) -> None:
    add_clients(tx, 1, state="waiting", first=6)
    first = resources.listed(tx, limit=4)
    rest = resources.listed(tx, after=first[-1].id, limit=4)
    assert sorted(one.name for one in first + rest) == [f"pc-{position}" for position in range(1, 7)]
    assert [one.name for one in resources.listed(tx, state="waiting")] == ["pc-6"]
    assert [one.name for one in resources.listed(tx, containing="C-3")] == ["pc-3"]
    assert resources.listed(tx, containing="%") == ()
    assert resources.counts(tx) == {"member": 5, "waiting": 1}


def test_a_clone_is_shown_until_it_is_settled(tx: Connection) -> None:
    client = client_id_at(1)
    tx.execute(update(schema.client).where(schema.client.c.id == client).values(fork='{"sequence":7,"digests":["a","b"]}'))
    view = resources.shown(tx, client)
    assert (view.is_forked, view.fork) == (True, {"sequence": 7, "digests": ["a", "b"]})
    resources.block(tx, client, by=ANNA, now=NOW)
    assert not resources.unblock(tx, client, by=ANNA, now=NOW).is_forked


# --- tokens, join codes, settings -------------------------------------------------------------------------------------


def test_a_token_opens_until_it_is_revoked(tx: Connection) -> None:
    first = tokens.create(tx, name="first", role=tokens.Role.ADMIN, random=b"a" * 32, by=ANNA, now=NOW)
    reader = tokens.create(tx, name="wall", role=tokens.Role.READER, random=b"b" * 32, by=ANNA, now=NOW)
    actor = tokens.authenticate(tx, reader.secret, NOW)
    assert (actor.name, actor.may_change) == ("wall", False)
    assert tokens.authenticate(tx, first.secret, NOW).may_change
    tokens.revoke(tx, reader.id, by=ANNA, now=LATER)
    for presented in (reader.secret, "", "pvt_x", "ü" * 10, "x" * 10_000):
        with pytest.raises(NotAllowedError):
            tokens.authenticate(tx, presented, NOW)
    with pytest.raises(RefusedError, match="revoked already"):
        tokens.revoke(tx, reader.id, by=ANNA, now=LATER)
    with pytest.raises(RefusedError, match="the last with the role admin"):
        tokens.revoke(tx, first.id, by=ANNA, now=LATER)


def test_secrets_are_neither_stored_nor_shown(tx: Connection) -> None:
    token = tokens.create(tx, name="first", role=tokens.Role.ADMIN, random=b"a" * 32, by=ANNA, now=NOW)
    code = join_codes.create(tx, uses=1, expires_at=None, needs_approval=False, random=b"c" * 10, by=ANNA, now=NOW)
    rows = [tx.execute(select(table)).all() for table in (schema.token, schema.join_code, schema.audit)]
    for secret in (token.secret, code.secret):
        assert secret not in str(rows) + repr(token) + repr(code) + repr(tokens.listed(tx)) + repr(join_codes.listed(tx, NOW))


def test_the_use_of_a_token_is_noted_now_and_then(tx: Connection) -> None:
    token = tokens.create(tx, name="first", role=tokens.Role.ADMIN, random=b"a" * 32, by=ANNA, now=NOW)
    actor = tokens.authenticate(tx, token.secret, NOW)
    for minutes, noted in ((0, 0), (3, 0), (6, 6)):
        tokens.note_use(tx, actor, NOW + timedelta(minutes=minutes))
        assert tokens.listed(tx)[0].last_used_at == NOW + timedelta(minutes=noted)


def test_names_of_standing_tokens_differ(tx: Connection) -> None:
    tokens.create(tx, name="one", role=tokens.Role.ADMIN, random=b"a" * 32, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="already"):
        tokens.create(tx, name="one", role=tokens.Role.ADMIN, random=b"b" * 32, by=ANNA, now=NOW)


def test_a_join_code_is_stored_as_the_client_will_present_it(tx: Connection) -> None:
    made = join_codes.create(tx, uses=2, expires_at=LATER, needs_approval=True, random=b"c" * 10, by=ANNA, now=NOW)
    row = tx.execute(select(schema.join_code)).one()
    assert (row.digest, row.uses_left, row.expires_at, row.needs_approval) == (secret_digest(made.secret), 2, LATER, True)
    assert [one.is_usable for one in join_codes.listed(tx, NOW)] == [True]
    assert [one.is_usable for one in join_codes.listed(tx, LATER)] == [False]


def test_a_join_code_that_nobody_can_use_is_not_made_and_one_that_is_revoked_stays_so(tx: Connection) -> None:
    for uses, expires_at in ((0, None), (-1, None), (None, NOW), (None, NOW + timedelta(days=1000))):
        with pytest.raises(RefusedError):
            join_codes.create(tx, uses=uses, expires_at=expires_at, needs_approval=False, random=b"c" * 10, by=ANNA, now=NOW)
    made = join_codes.create(tx, uses=None, expires_at=None, needs_approval=False, random=b"c" * 10, by=ANNA, now=NOW)
    join_codes.revoke(tx, made.id, by=ANNA, now=NOW)
    for code in (made.id, 99):
        with pytest.raises(RefusedError):
            join_codes.revoke(tx, code, by=ANNA, now=NOW)


def test_settings_are_shown_with_their_defaults_and_agents_are_told_of_changes(tx: Connection) -> None:
    meet_all_wants(tx)
    view = settings.change(tx, "poll_interval_seconds", 60, by=ANNA, now=NOW)
    assert (view.value, view.default) == (60, 3600)
    assert view in settings.shown(tx)
    assert wants(tx) == {("settings", "all")}
    with pytest.raises(RefusedError, match="there is no setting"):
        settings.change(tx, "polling", 60, by=ANNA, now=NOW)


# --- status -----------------------------------------------------------------------------------------------------------


def _message(
    tx: Connection,
    client: ClientId,
    sequence: int,
    package: PackageId | None,
    severity: Severity,
    advertisement: AdvertisementId | None = None,
) -> None:
    tx.execute(
        insert(schema.status_message).values(
            client=number_of(tx, client),
            sequence=sequence,
            position=0,
            arrived_at=NOW,
            at=NOW,
            status=10005,
            severity=severity,
            package=package,
            program=None if package is None else 1,
            advertisement=advertisement,
            occurrence="",
            source_version=1,
            text=f"message {sequence}",
        )
    )


def test_states_are_counted_and_members_without_a_word_are_counted_too(tx: Connection) -> None:
    pilot = _collection(tx, "pc-1", "pc-2", "pc-3")
    package, advertisement = _advertised(tx, pilot)
    report(tx, client_id_at(1), package, 1, JobState.SUCCEEDED)
    report(tx, client_id_at(2), package, 1, JobState.FAILED)
    report(tx, client_id_at(5), package, 1, JobState.SUCCEEDED)
    of_members = status.of_advertisement(tx, advertisement).counts
    assert (of_members.clients, of_members.no_word_yet) == (3, 1)
    assert of_members.states == {JobState.SUCCEEDED: 1, JobState.FAILED: 1}
    of_all = status.of_package(tx, package).programs[0].counts
    assert (of_all.clients, of_all.no_word_yet, of_all.states[JobState.SUCCEEDED]) == (4, 1, 2)
    of_collection = status.of_collection(tx, pilot)
    assert [one.counts for one in of_collection.advertisements] == [of_members]
    assert status.of_program(tx, ProgramKey(package, ONE)).counts == of_all


def test_a_program_nobody_is_offered_has_no_counts(tx: Connection) -> None:
    package, advertisement = _advertised(tx, _collection(tx))
    counts = status.of_advertisement(tx, advertisement).counts
    assert (counts.clients, counts.states, counts.no_word_yet) == (0, {}, 0)
    advertisements.delete(tx, advertisement, by=ANNA, now=NOW)
    assert status.of_package(tx, package).programs[0].counts == counts


def test_a_client_shows_its_jobs_and_what_it_has_not_spoken_of(tx: Connection) -> None:
    pilot = _collection(tx, "pc-1")
    package, _ = _advertised(tx, pilot)
    other, silent = _advertised(tx, pilot)
    report(tx, client_id_at(1), package, 1, JobState.RUNNING)
    jobs = status.of_client(tx, client_id_at(1)).jobs
    assert [(job.package, job.state, job.program_name) for job in jobs] == [
        (package, JobState.RUNNING, "install"),
        (other, None, "install"),
    ]
    assert jobs[1].advertisement == silent


def test_the_clients_behind_a_count_are_listed(tx: Connection) -> None:
    package, advertisement = _advertised(tx, _collection(tx, "pc-1", "pc-2", "pc-3"))
    report(tx, client_id_at(1), package, 1, JobState.FAILED)
    report(tx, client_id_at(5), package, 1, JobState.FAILED)

    def names(state: str | None) -> list[str]:
        return sorted(job.client_name for job in status.clients_of_advertisement(tx, advertisement, state=state))

    assert (names("failed"), names("silent"), names(None)) == (["pc-1"], ["pc-2", "pc-3"], ["pc-1", "pc-2", "pc-3"])
    found = status.clients_of_package(tx, package, program=ONE, state="failed")
    assert sorted(job.client_name for job in found) == ["pc-1", "pc-5"]
    with pytest.raises(RefusedError, match="no state of a job"):
        names("done")


def test_a_client_that_was_removed_counts_no_more_and_its_history_stays(tx: Connection) -> None:
    package, _ = _advertised(tx, _collection(tx, "pc-1", "pc-2", "pc-3"))
    for number in (1, 2, 3):
        report(tx, client_id_at(number), package, 1, JobState.RUNNING)
    resources.remove(tx, client_id_at(1), by=ANNA, now=NOW)
    assert status.of_program(tx, ProgramKey(package, ONE)).counts.states == {JobState.RUNNING: 2}
    assert sorted(job.client_name for job in status.clients_of_package(tx, package, state="running")) == ["pc-2", "pc-3"]
    assert packages.preview_deletion(tx, package).running_count == 2
    assert [job.state for job in status.of_client(tx, client_id_at(1)).jobs] == [JobState.RUNNING]


def test_messages_are_read_newest_first_in_pages_and_by_what_they_are_about(tx: Connection) -> None:
    package, _ = _advertised(tx, _collection(tx))
    for sequence in range(1, 6):
        _message(tx, client_id_at(1), sequence, package, Severity.INFORMATION)
    _message(tx, client_id_at(2), 1, None, Severity.ERROR)
    first = status.messages(tx, limit=4)
    assert [one.text for one in first] == ["message 1", "message 5", "message 4", "message 3"]
    assert [one.sequence for one in status.messages(tx, before_id=first[-1].id)] == [2, 1]
    (nameless,) = status.messages(tx, severities=[Severity.ERROR])
    assert (nameless.client_name, nameless.package_name, nameless.program_name) == ("pc-2", "", "")
    assert len(status.messages(tx, client=client_id_at(1), package=package, program=ONE)) == 5
    assert status.messages(tx, advertisement=AdvertisementId("S0120009")) == ()
    for limit in (0, 1001):
        with pytest.raises(RefusedError):
            status.messages(tx, limit=limit)


def test_a_message_names_what_its_numbers_stand_for(tx: Connection) -> None:
    package, advertisement = _advertised(tx, _collection(tx))
    _message(tx, client_id_at(1), 1, package, Severity.INFORMATION, advertisement)
    (told,) = status.messages(tx)
    names = (told.status_name, told.package_name, told.program_name, told.advertisement_name)
    assert names == ("PROGRAM_STARTED", "Tool", "install", advertisements.shown(tx, advertisement).name)


# --- clones whose place was taken -------------------------------------------------------------------------------------


def _clones(tx: Connection, *said: tuple[str, str, int | None]) -> list[ClientId]:
    """Clones of pc-1, in the order in which they joined. Shape: name, machine id, how many days ago the last word was."""
    found = add_clients(tx, len(said), first=11)
    origin = client_id_at(1)
    for client, (name, machine, days) in zip(found, said, strict=True):
        seen = None if days is None else NOW - timedelta(days=days)
        values = {"name": name, "machine": machine, "was": origin, "last_seen_at": seen, "joined_at": seen or NOW}
        tx.execute(update(schema.client).where(schema.client.c.id == client).values(values))
    return found


def _states(tx: Connection, found: list[ClientId]) -> list[str]:
    return [resources.shown(tx, client).state for client in found]


def test_clones_in_whose_place_others_came_are_removed_and_told_to_join_again(tx: Connection) -> None:
    found = _clones(tx, ("vdi-1", "", 9), ("vdi-2", "m2", 9), ("vdi-1", "", 5), ("renamed", "m2", 5), ("vdi-1", "", 0))
    collections.add(tx, name="Named", members=[found[0]], by=ANNA, now=NOW)
    meet_all_wants(tx)
    with pytest.raises(ConfirmationNeededError, match=r"3 of 5 clones of .*: vdi-1, vdi-2"):
        resources.remove_clones(tx, client_id_at(1), by=ANNA, now=NOW)
    assert _states(tx, found) == ["member"] * 5
    assert resources.remove_clones(tx, client_id_at(1), is_confirmed=True, by=ANNA, now=NOW).count == 3
    assert _states(tx, found) == ["removed", "removed", "removed", "member", "member"]
    assert wanted_shards(tx), "they hear of it, if they speak again"
    assert resources.remove_clones(tx, client_id_at(1), is_confirmed=True, by=ANNA, now=NOW).count == 0


def test_silence_alone_removes_no_clone(tx: Connection) -> None:
    """One that is on leave, one whose follower is silent for longer, a blocked one, one that spoke just now, others' clones."""
    found = _clones(
        tx, ("vdi-1", "m1", 300), ("vdi-2", "m2", 10), ("vdi-2", "m2", 20), ("vdi-3", "", 9), ("vdi-3", "", 1), ("pc-2", "", 1)
    )
    resources.block(tx, found[3], by=ANNA, now=NOW)
    before = _states(tx, found)
    assert resources.remove_clones(tx, client_id_at(1), is_confirmed=True, by=ANNA, now=NOW).count == 0
    assert resources.remove_clones(tx, client_id_at(2), is_confirmed=True, by=ANNA, now=NOW).count == 0
    assert _states(tx, found) == before
    with pytest.raises(RefusedError, match="longer"):
        resources.remove_clones(tx, client_id_at(1), silent_seconds=60, is_confirmed=True, by=ANNA, now=NOW)


def test_a_clock_in_doubt_makes_nobody_silent(tx: Connection) -> None:
    found = _clones(tx, ("vdi-1", "", 1), ("vdi-1", "", 0))
    stored_settings.set_settled(tx, NOW)
    year = timedelta(days=365)
    assert resources.remove_clones(tx, client_id_at(1), is_confirmed=True, by=ANNA, now=NOW + year).count == 0
    stored_settings.set_settled(tx, NOW + year)
    assert resources.remove_clones(tx, client_id_at(1), is_confirmed=True, by=ANNA, now=NOW + year).count == 1
    assert _states(tx, found) == ["removed", "member"]
