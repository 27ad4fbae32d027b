"""The questions behind `why`, over every database: each gives the rows that are meant, and an explanation comes of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, event, insert, update

from purveyor.site_server.admin import advertisements, collections, packages, programs, requests, resources, why, windows
from purveyor.site_server.database import publication, refusals, schema
from purveyor.site_server.database import why as stored
from purveyor.site_server.database.refusals import Refused
from purveyor.site_server.model.why.chain import Explanation
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.package_info import ProgramKey, Superseded
from purveyor.wire.shards import ClientState, Entry, Shard, encode
from purveyor.wire.status_messages import StatusId
from site_rows import ANNA, NOW, add_clients, add_manifest, add_site, client_id_at, number_of, report

TOOL, OTHER = PackageId("S0100001"), PackageId("S0100002")
KEY = ProgramKey(TOOL, ProgramNumber(1))
STATEMENTS = 60
"""So many statements an explanation takes at most, however large the site is."""


@pytest.fixture(autouse=True)
def three_clients(tx: Connection) -> None:
    """Every test has a site with three clients, and a program that is advertised to the first two of them."""
    add_site(tx)
    add_clients(tx, 3)
    packages.add(tx, name="Tool", by=ANNA, now=NOW)
    programs.add(tx, TOOL, name="install", command="x", by=ANNA, now=NOW)
    pilot = collections.add(tx, name="Pilot", members=["pc-1", "pc-2"], by=ANNA, now=NOW)
    _advertise(tx, pilot)
    publication.store_role(tx, name="snapshot", version=9, content=b"", expires_at=NOW)


def _advertise(tx: Connection, collection: CollectionId, key: ProgramKey = KEY) -> AdvertisementId:
    return advertisements.add(
        tx,
        package=key.package,
        program=key.program,
        collection=collection,
        assignments=["asap"],
        is_confirmed=True,
        by=ANNA,
        now=NOW,
    )


def _explained(tx: Connection, client: str = "pc-1", program: str = "1") -> Explanation:
    (explanation,) = why.why(tx, client, TOOL, program, now=NOW).explanations
    return explanation


def _message(tx: Connection, client: str, sequence: int, status: StatusId, **given: object) -> None:
    values = {
        "client": number_of(tx, client_id_at(int(client[-1]))),
        "sequence": sequence,
        "position": 0,
        "arrived_at": NOW,
        "at": NOW,
        "status": int(status),
        "severity": "information",
        "package": TOOL,
        "program": 1,
        "occurrence": "",
        "source_version": 1,
        "text": "",
        **given,
    }
    tx.execute(insert(schema.status_message).values(**values))


def _down_file(tx: Connection, path: str, at: datetime) -> None:
    tx.execute(insert(schema.down_file).values(path=path, content=b"", written_at=at))


@contextmanager
def _counted(tx: Connection) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    event.listen(tx.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(tx.engine, "before_cursor_execute", note)


def test_membership_is_told_by_its_rule(tx: Connection) -> None:
    links = {link.name: link for link in _explained(tx).links}
    assert links["membership"].says == "a member of S0110002 (Pilot) by its direct rule"
    assert _explained(tx, "pc-3").missing == "membership"


def test_an_include_and_an_exclude_are_told_with_the_collection_that_they_name(tx: Connection) -> None:
    servers = collections.add(tx, name="Servers", members=["pc-3"], by=ANNA, now=NOW)
    row = {rule.kind: rule for rule in stored.rules(tx, [servers], number_of(tx, client_id_at(3)))}
    assert bool(row["direct"].holds)
    most = collections.add(tx, name="Most", includes=["All Systems"], excludes=["Servers"], by=ANNA, now=NOW)
    rules = stored.rules(tx, [most], number_of(tx, client_id_at(3)))
    assert {(rule.kind, rule.other_name, bool(rule.holds)) for rule in rules} == {
        ("include", "All Systems", True),
        ("exclude", "Servers", True),
    }
    others = stored.rules(tx, [most], number_of(tx, client_id_at(1)))
    assert {(rule.kind, bool(rule.holds)) for rule in others} == {("include", True), ("exclude", False)}


def test_what_a_client_told_last_is_found_with_the_message_that_said_so(tx: Connection) -> None:
    report(tx, client_id_at(1), TOOL, 1, JobState.FAILED)
    tx.execute(update(schema.job_state).values(order=7000, exit_code=5, text="exit code 5"))
    _message(tx, "pc-1", 6, StatusId.PROGRAM_STARTED)
    _message(tx, "pc-1", 7, StatusId.FAILED_BY_EXIT_CODE, advertisement="S0120001", text="exit code 5")
    _message(tx, "pc-2", 9, StatusId.SUCCEEDED_BY_EXIT_CODE)
    number = number_of(tx, client_id_at(1))
    assert [row.sequence for row in stored.messages(tx, number, KEY, 10)] == [7, 6]
    assert [row.sequence for row in stored.messages(tx, number, KEY, 1)] == [7]
    assert stored.heard_of(tx, number, AdvertisementId("S0120001")) == NOW
    seen = _explained(tx)
    assert "its run failed (exit code 5): exit code 5" in next(link for link in seen.links if link.name == "run").says


def test_the_snapshot_that_is_needed_is_the_first_one_written_with_the_offers(tx: Connection) -> None:
    digest = "a" * 64
    for version, hours in ((7, 5), (8, 3), (9, 1)):
        _down_file(tx, f"clidata.box/{version}.snapshot.json", NOW - timedelta(hours=hours))
    _down_file(tx, f"offerinf.box/{digest}.S0110002.ofr", NOW - timedelta(hours=3))
    _down_file(tx, f"pkginfo.box/{digest}.S0100001.pkg", NOW - timedelta(hours=5))
    assert stored.snapshots(tx).newest == 9
    assert [version for version, _ in stored.snapshots(tx).written] == [7, 8, 9]
    assert stored.written_at(tx, ["offerinf.box/S0110002.ofr", "pkginfo.box/S0100001.pkg"]) == NOW - timedelta(hours=3)
    delivery = next(link for link in _explained(tx).links if link.name == "delivery")
    assert any("has applied snapshot 0; needed is 8" in one.text for one in delivery.evidence)


def test_what_is_to_be_published_is_told_with_its_revision(tx: Connection) -> None:
    rows = stored.unpublished(tx, [TOOL], CollectionId("S0110002"))
    assert {row.kind for row in rows} == {"naming", "offers", "package"}
    tx.execute(update(schema.wanted).values(published=schema.wanted.c.wanted))
    assert not stored.unpublished(tx, [TOOL], CollectionId("S0110002"))


@pytest.mark.parametrize(
    ("state", "collections", "is_behind"),
    [
        (ClientState.MEMBER, ["S0110002"], False),
        (ClientState.MEMBER, ["S0110001"], True),
        (ClientState.WAITING, ["S0110002"], True),
    ],
)
def test_a_shard_that_is_to_be_written_anew_is_missing_only_where_it_lacks_the_collection(
    tx: Connection, state: ClientState, collections: list[str], is_behind: bool
) -> None:
    tx.execute(update(schema.wanted).values(published=schema.wanted.c.wanted))

    def says() -> bool:
        publication_link = next(link for link in _explained(tx).links if link.name == "publication")
        return "the lookup shard of this client is not written yet" in publication_link.says

    tx.execute(update(schema.shard).values(is_wanted=True, is_written=False))
    assert says(), "nothing was ever written"
    entry = Entry(state=state, collections=tuple(CollectionId(one) for one in collections))
    written = Shard(
        generation=1, number=0, publication=1, snapshot=1, issued_at=NOW, expires_at=NOW, entries={client_id_at(1): entry}
    )
    content = encode(written, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    tx.execute(update(schema.shard).values(content=content, is_wanted=True, is_written=True))
    assert says() is is_behind, "another client's word has it written anew, too"
    tx.execute(update(schema.shard).values(is_wanted=False))
    assert not says()


def test_copies_and_the_version_that_clients_can_have_are_told_by_point(tx: Connection) -> None:
    first, second = add_manifest(tx, "a" * 64), add_manifest(tx, "b" * 64)
    packages.update(tx, TOOL, manifest=first, by=ANNA, now=NOW)
    packages.update(tx, TOOL, manifest=second, by=ANNA, now=NOW)
    tx.execute(insert(schema.content_copy).values(point="dp1", manifest=first, state="verified", since=NOW))
    tx.execute(
        insert(schema.content_copy).values(
            point="dp1", manifest=second, state="waiting", since=NOW, failures=2, problem="no route to it"
        )
    )
    assert stored.served_versions(tx, [TOOL]) == {TOOL: 2}
    content = next(link for link in _explained(tx).links if link.name == "content")
    assert content.says == "version 2 of S0100001 is on a point; of 3 clients hear when it is on one"
    assert any("2 tries failed, the last: no route to it" in one.text for one in content.evidence)


def test_requests_are_told_to_those_that_they_name_with_their_answers(tx: Connection) -> None:
    made = requests.ask(tx, RequestKind.CANCEL, AdvertisementId("S0120001"), clients=["pc-2"], by=ANNA, now=NOW)
    answer = {"request": made.number, "client": number_of(tx, client_id_at(2)), "outcome": "done", "text": "called off"}
    tx.execute(insert(schema.request_answer).values(**answer, at=NOW, arrived_at=NOW, order=1))
    seen = next(link for link in _explained(tx, "pc-2").links if link.name == "request")
    assert "anna (request 1) cancelled it before it began" in seen.says
    assert next(link for link in _explained(tx, "pc-1").links if link.name == "request").evidence == ()


def test_a_replacing_program_counts_where_it_is_offered(tx: Connection) -> None:
    packages.add(tx, name="Better", by=ANNA, now=NOW)
    programs.add(tx, OTHER, name="install", command="y", supersedes=[Superseded(key=KEY)], by=ANNA, now=NOW)
    assert _explained(tx).missing != "replaced"
    one = collections.add(tx, name="One", members=["pc-1"], by=ANNA, now=NOW)
    _advertise(tx, one, ProgramKey(OTHER, ProgramNumber(1)))
    assert _explained(tx, "pc-1").missing == "replaced"
    assert _explained(tx, "pc-2").missing != "replaced"


def test_a_program_that_is_only_depended_on_is_explained_by_what_depends_on_it(tx: Connection) -> None:
    library = programs.add(tx, TOOL, name="library", command="z", by=ANNA, now=NOW)
    programs.edit(tx, KEY, depends_on=ProgramKey(TOOL, library.number), by=ANNA, now=NOW)
    links = {link.name: link for link in _explained(tx, program="library").links}
    assert links["advertisement"].says == "S0120001 (install to Pilot) offers S0100001/1, which depends on it"


def test_without_a_program_those_that_reach_the_client_are_explained(tx: Connection) -> None:
    programs.add(tx, TOOL, name="repair", command="z", by=ANNA, now=NOW)
    assert [one.program for one in why.why(tx, "pc-1", TOOL, now=NOW).explanations] == [1]
    report(tx, client_id_at(1), TOOL, 2, JobState.SUCCEEDED)
    seen = why.why(tx, "pc-1", TOOL, now=NOW)
    assert ([one.program for one in seen.explanations], seen.is_there) == ([1, 2], False)


def test_refused_and_removed_machines_are_found_by_name_and_strangers_are_not(tx: Connection) -> None:
    refusals.store(tx, [Refused(client_id_at(9), "the join code was used up", "pc-9", 1)], NOW)
    for text in ("pc-9", client_id_at(9)):
        assert _explained(tx, text).sentence.startswith("It is not there because the machine pc-9 was refused: the join code")
    resources.remove(tx, client_id_at(1), by=ANNA, now=NOW)
    assert (_explained(tx, "pc-1").missing, _explained(tx, "pc-1").client) == ("client", client_id_at(1))
    for text in ("pc-7", "f" * 32, ""):
        with pytest.raises(RefusedError):
            _explained(tx, text)


def test_a_deleted_package_and_a_deleted_program_are_explained_by_their_number(tx: Connection) -> None:
    packages.add(tx, name="Better", by=ANNA, now=NOW)
    packages.delete(tx, TOOL, replaced_by=OTHER, is_confirmed=True, by=ANNA, now=NOW)
    assert "was retired on 2026-12-01 09:00Z by anna, replaced by S0100002 (Better)" in _explained(tx).sentence
    added = programs.add(tx, OTHER, name="install", command="y", by=ANNA, now=NOW)
    programs.delete(tx, ProgramKey(OTHER, added.number), is_confirmed=True, by=ANNA, now=NOW)
    (seen,) = why.why(tx, "pc-1", OTHER, str(added.number), now=NOW).explanations
    assert seen.missing == "program"


def test_an_explanation_takes_few_statements(tx: Connection) -> None:
    windows.add(tx, CollectionId("S0110002"), rule="FREQ=DAILY", duration_seconds=7200, by=ANNA, now=NOW)
    with _counted(tx) as statements:
        _explained(tx)
    assert len(statements) <= STATEMENTS
