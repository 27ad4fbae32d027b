"""The attacks that Uptane names, on a whole fleet: what somebody can do who owns points, networks or keys, and what he cannot.

Each story ends with the attack, and with a fleet that is as if it had never been. `docs/trust.md` says the same in a table.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from field.words import told
from journeys.attackers import Thief
from purveyor.client import reports
from purveyor.client.programs.memory import records
from purveyor.client.state import origin
from purveyor.client.state.identity import highest_sequence, read_identity
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import settings, why
from purveyor.site_server.custody import keys as custody
from purveyor.site_server.model.why.chain import Explanation
from purveyor.site_server.model.why.link import Who
from purveyor.site_server.publish import repository
from purveyor.wire import envelope, join_code
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.ids import ProgramNumber, advertisement_id, package_id
from purveyor.wire.offers import CollectionOffers
from purveyor.wire.package_info import Command, PackageInfo, ProgramKey
from purveyor.wire.reports import StatusMessage
from purveyor.wire.settings import Point
from purveyor.wire.shards import NOBODY, ClientState, Entry, Shard
from purveyor.wire.starts import Start, signature_of
from purveyor.wire.status_messages import StatusId

FIRST, LATER, EVIL = "first.exe", "later.exe", "evil.exe"
HOURS = {
    "heartbeat_interval_seconds": 2,
    "timestamp_rhythm_seconds": 2,
    "timestamp_lifetime_seconds": 6,
    "shard_lifetime_seconds": 8,
}
"""Signatures that are renewed and expire within hours, so that a story need not last for weeks."""
ONLINE = ("offers", "settings", "snapshot", "timestamp", "lookup")


FIRST_KEY = ProgramKey(package_id("S0100001"), ProgramNumber(1))


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Two clients that have run one program. The network of the first is the attacker's, where a story says so."""
    with Fleet(2) as made:
        for name, hours in HOURS.items():
            made.admin.change(settings.change, name, hours * 3600)
        offer(made, FIRST)
        made.settle()
        assert [made.ran(client, FIRST) for client in made.clients] == [1, 1]
        yield made


def offer(fleet: Fleet, command: str) -> ProgramKey:
    """A program that all clients are to run, in a package with content."""
    program = fleet.admin.add_program(fleet.admin.add_package(command, {command: command.encode()}), "install", command)
    fleet.admin.advertise(program)
    return program


def everyone_ran_once(fleet: Fleet, *commands: str) -> None:
    """Each client ran each of these once, every run was reported once, and nobody asked for what is not there."""
    for client in fleet.clients:
        assert {command: fleet.ran(client, command) for command in commands} == dict.fromkeys(commands, 1), client.name
    runs = sum(len(client.machine.programs.launches) for client in fleet.clients)
    assert len(told(fleet, StatusId.SUCCEEDED_BY_EXIT_CODE)) == runs
    assert fleet.absent_requests() == []
    assert fleet.problems() == []


def is_over(fleet: Fleet, *rotated: str) -> None:
    """The attack ends; where keys were stolen, new ones are made. Everybody runs what is offered next, and nothing runs again."""
    fleet.cap.mend()
    fleet.dp.mend()
    if rotated:
        fleet.cap.absent.clear()  # what a thief's signature led to
        fleet.admin.change(custody.rotate, fleet.site.keys, rotated)
    offer(fleet, "after all.exe")
    fleet.advance(hours=9)
    everyone_ran_once(fleet, FIRST, "after all.exe")


def explained(fleet: Fleet, client: LabClient, program: ProgramKey) -> Explanation:
    """Why the program is there, or not."""
    with fleet.site.database.read() as tx:
        found = why.why(tx, client.name, program.package, str(program.program), keys=fleet.site.keys, now=fleet.clock.now())
    [explanation] = found.explanations
    return explanation


def problems_of(client: LabClient) -> str:
    """What the last poll could not read or believe, as `client check` shows it."""
    return client.machine.state.fact("problems")


# --- an access point, a distribution point, a network: no key ---


def test_an_eavesdropper_learns_of_clients_their_ids_and_of_the_site_what_it_offers(fleet: Fleet) -> None:
    """He reads all boxes, up and down. Of names, facts, users, results and the join code he finds nothing."""
    client = fleet["pc1"]
    client.machine.people.log_on("CORP\\alice")
    fleet.script(LATER, Script(exit_code=77))
    offer(fleet, LATER)
    fleet.site_turn()
    items: dict[str, bytes] = {}
    for _ in range(4):
        fleet.clock.advance(fleet.poll_interval)
        for each in fleet.clients:
            each.turn()
        items |= items_of(fleet)
        fleet.site_turn()
    code = fleet.new_join_code()
    fleet.add_client("pc3", code)
    items |= items_of(fleet)
    assert {path.split("/")[0] for path in items} >= {"ccr.box", "ddr.box", "statmsgs.box"}
    facts = client.machine.facts()
    secrets = (facts.name, "pc3", facts.platform, facts.machine_id, "alice", LATER, "exit code", join_code.read(code).secret)
    for path, content in items.items():
        head, _, sealed = content.partition(b"\n")
        assert not [secret for secret in secrets if secret.encode() in content], path
        assert len(sealed) > 100, f"{path}: {head!r} stands outside of the seal, the rest within"
    for path, stored in fleet.cap.files.items():
        if path not in items:
            assert not [
                one
                for one in (facts.name, facts.machine_id, "alice", join_code.read(code).secret)
                if one.encode() in stored.content
            ]
            assert client.id.encode() not in stored.content or path.endswith(".lkp"), path


def items_of(fleet: Fleet) -> dict[str, bytes]:
    """What lies in the up boxes now."""
    names = {box.name for box in UP_BOXES}
    return {path: file.content for path, file in fleet.cap.files.items() if path.partition("/")[0] in names}


def test_who_drops_all_requests_of_a_client_makes_it_silent_and_nothing_is_forgotten(fleet: Fleet) -> None:
    later = offer(fleet, LATER)
    fleet.cap.cut("pc1")
    fleet.advance(hours=8)
    assert (fleet.ran(fleet["pc1"], LATER), fleet.ran(fleet["pc2"], LATER)) == (0, 1)
    seen = explained(fleet, fleet["pc1"], later)
    assert (seen.missing, seen.who) == ("contact", Who.MACHINE)
    assert "cannot be reached" in problems_of(fleet["pc1"]), "client check says it on the machine"
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


def test_who_drops_reports_loses_none_of_them(fleet: Fleet) -> None:
    fleet.cap.discard(client="pc1")
    offer(fleet, LATER)
    fleet.advance(hours=4)
    assert fleet.ran(fleet["pc1"], LATER) == 1
    assert len(told(fleet, StatusId.SUCCEEDED_BY_EXIT_CODE)) == 3, "of the first program two, of this one only the other's"
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


def test_a_frozen_client_says_so_within_two_rhythms_and_takes_what_it_missed_afterwards(fleet: Fleet) -> None:
    fleet.cap.keep_moment("frozen")
    fleet.cap.serve_moment("frozen", client="pc1")
    later = offer(fleet, LATER)
    fleet.advance(hours=7)
    assert (fleet.ran(fleet["pc1"], LATER), fleet.ran(fleet["pc2"], LATER)) == (0, 1)
    assert any("newer ones are kept back" in text for text in told(fleet, StatusId.POINT_WITHHOLDS))
    seen = explained(fleet, fleet["pc1"], later)
    assert (seen.missing, seen.who) == ("delivery", Who.POINT), seen.sentence
    assert "gives it nothing newer" in seen.sentence
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


def test_a_client_whose_shard_alone_is_frozen_says_so_when_it_expires(fleet: Fleet) -> None:
    fleet.cap.keep_moment("frozen")
    fleet.cap.serve_moment("frozen", only=lambda path: path.endswith(".lkp"), client="pc1")
    fleet.advance(hours=10)
    assert any("lookup shard" in text for text in told(fleet, StatusId.POINT_WITHHOLDS))
    assert records.history_of(fleet["pc1"].machine.state, FIRST_KEY).has_succeeded
    is_over(fleet)


def test_of_half_a_bundle_the_other_half_runs_and_what_is_missing_is_named(fleet: Fleet) -> None:
    later, other = offer(fleet, LATER), offer(fleet, "other.exe")
    fleet.cap.hide(lambda path: path.endswith(f"{later.package}.pkg"), client="pc1")
    fleet.advance(hours=4)
    assert (fleet.ran(fleet["pc1"], LATER), fleet.ran(fleet["pc1"], "other.exe")) == (0, 1), other
    assert any(later.package in text and "has no" in text for text in told(fleet, StatusId.POLICY_PROBLEM))
    is_over(fleet)
    everyone_ran_once(fleet, LATER, "other.exe")


def test_an_older_publication_takes_nothing_back(fleet: Fleet) -> None:
    """Rollback: a package is deleted, and the access point goes back to a time when it was there."""
    later = offer(fleet, LATER)
    fleet.settle()
    fleet.cap.keep_moment("before")
    fleet.admin.delete_package(later.package)
    fleet.advance(hours=4)
    assert all(fleet.holds_anything_of(client, later.package) == [] for client in fleet.clients)
    fleet.cap.serve_moment("before", client="pc1")
    fleet.advance(hours=4)
    assert fleet.holds_anything_of(fleet["pc1"], later.package) == []
    assert "lags behind" in problems_of(fleet["pc1"])
    assert fleet.ran(fleet["pc1"], LATER) == 1
    is_over(fleet)
    assert fleet.ran(fleet["pc1"], LATER) == 1


def test_data_without_end_is_read_to_its_limit_and_no_further(fleet: Fleet) -> None:
    fleet.cap.never_end(client="pc1")
    fleet.dp.never_end(client="pc2")
    offer(fleet, LATER)
    fleet.advance(hours=4)
    assert "has no end" in problems_of(fleet["pc1"])
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 0]
    assert told(fleet, StatusId.DOWNLOAD_WAITING) != [], "what came beyond the length is not what is listed"
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


def test_a_point_that_only_drips_keeps_a_client_waiting_and_takes_nothing_from_it(fleet: Fleet) -> None:
    """Slow retrieval. How soon a connection is given up stands in tests/real/test_http_point.py: here one byte a second comes."""
    later = offer(fleet, LATER)
    fleet.dp.slow_down(0.01, fleet.clock.advance)
    fleet.advance(hours=4)
    fleet.dp.mend()
    fleet.advance(hours=4)
    assert explained(fleet, fleet["pc1"], later).is_there
    is_over(fleet)


def test_clients_that_are_shown_different_bundles_each_see_a_whole_one_and_meet_again(fleet: Fleet) -> None:
    """Mixed bundles: the machines of one room are to differ."""
    fleet.cap.keep_moment("one")
    fleet.cap.serve_moment("one", client="pc1")
    later = offer(fleet, LATER)
    fleet.advance(hours=4)
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 1]
    assert not explained(fleet, fleet["pc1"], later).is_there
    assert explained(fleet, fleet["pc2"], later).is_there
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


@pytest.mark.parametrize("role", ["packages-", "offers-", "packages.", "snapshot"])
def test_pieces_of_two_publications_make_none(fleet: Fleet, role: str) -> None:
    """Mix and match: the newest timestamp with an older file of the same role, under the name of the newest one."""
    before = {path: file.content for path, file in fleet.cap.files.items()}
    offer(fleet, LATER)
    fleet.site_turn()
    new = [path for path in fleet.cap.files if role in path and path not in before]
    older = {path: content for path in new for content in [_older(before, path)]}
    assert older
    fleet.cap.forge(older, client="pc1")
    fleet.advance(hours=4)
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 1]
    assert "is not" in problems_of(fleet["pc1"])
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


def _older(before: dict[str, bytes], path: str) -> bytes:
    name = path.rpartition("/")[2].partition(".")[2]
    return next(content for old, content in reversed(before.items()) if old.endswith(f".{name}"))


def test_software_of_the_attackers_own_is_never_started(fleet: Fleet) -> None:
    """Arbitrary software, without a key: another command in the package's file, other bytes at the distribution point."""
    later = offer(fleet, LATER)
    fleet.site_turn()
    info = next(path for path in fleet.cap.files if path.endswith(f"{later.package}.pkg"))
    fleet.cap.forge({info: fleet.cap.files[info].content.replace(LATER.encode(), EVIL.encode() + b" ")}, client="pc1")
    fleet.dp.corrupt_all(lambda path: path.startswith("files/"), client="pc2")
    fleet.advance(hours=4)
    for client in fleet.clients:
        assert {launch.command for launch in client.machine.programs.launches} == {FIRST}
    assert any("is not the file" in text for text in told(fleet, StatusId.POLICY_PROBLEM))
    is_over(fleet)
    everyone_ran_once(fleet, LATER)


# --- stolen keys: what each gives, and what it does not ---


def test_with_the_timestamps_key_a_thief_stops_what_is_new_until_the_key_is_another(fleet: Fleet) -> None:
    """He names a time to come: to clients everything has expired. They run nothing new, forget nothing, and say so."""
    thief = Thief(fleet, "timestamp")
    thief.timestamp(version=repository.VERSIONS_A_ROOT, ahead=timedelta(days=300))
    fleet.advance(hours=4)
    offer(fleet, LATER)
    fleet.advance(hours=4)
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 0]
    assert told(fleet, StatusId.CLOCK_DIFFERS) != []
    is_over(fleet, "timestamp")
    everyone_ran_once(fleet, LATER)


def test_with_the_timestamps_key_a_thief_freezes_clients_until_other_signatures_expire(fleet: Fleet) -> None:
    fleet.cap.keep_moment("frozen")
    fleet.cap.serve_moment("frozen")
    thief = Thief(fleet, "timestamp")
    held = fleet["pc1"].machine.state.mark("snapshot")
    for turn in range(5):
        thief.timestamp(version=1000 + turn, snapshot=held)
        fleet.advance(hours=2)
    assert told(fleet, StatusId.POINT_WITHHOLDS) != []
    assert all("lookup shard" in text for text in told(fleet, StatusId.POINT_WITHHOLDS)), "the timestamps look new"
    is_over(fleet, "timestamp")


def test_with_the_snapshots_key_a_thief_makes_clients_wait_for_what_never_comes(fleet: Fleet) -> None:
    """He names versions of other roles that nobody signed. What he cannot do is to name older ones."""
    thief = Thief(fleet, "snapshot")
    offer(fleet, LATER)
    fleet.site_turn()
    thief.snapshot({"offers.json": 1_000_000})
    fleet.advance(hours=4)
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 0]
    assert all("has no clidata.box/1000000.offers.json" in problems_of(client) for client in fleet.clients)
    is_over(fleet, "snapshot")
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [1, 1]


def test_with_the_key_of_offers_a_thief_runs_what_there_is_and_nothing_else(fleet: Fleet) -> None:
    thief = Thief(fleet, "offers", "snapshot", "timestamp", "settings", "lookup")
    there = fleet.admin.add_program(fleet.admin.add_package(LATER), "install", LATER)
    fleet.settle()

    def advertise_it(said: CollectionOffers) -> CollectionOffers:
        wanted = msgspec.structs.replace(
            said.advertisements[0], id=advertisement_id("S0120099"), package=there.package, program=there.program
        )
        return msgspec.structs.replace(said, advertisements=(*said.advertisements, wanted))

    thief.offers(fleet.admin.all_systems(), advertise_it)
    fleet.advance(hours=4)
    assert [fleet.ran(client, LATER) for client in fleet.clients] == [1, 1]
    with pytest.raises(KeyError):
        thief.package(there.package, lambda info: info)
    is_over(fleet, *ONLINE)


def test_with_the_key_of_settings_a_thief_reads_what_is_sent_from_then_on(fleet: Fleet) -> None:
    """Clients seal to the key, and ask at the points, that settings name; the access point by which they joined among them."""
    thief, own = Thief(fleet, "settings", "snapshot", "timestamp"), X25519PrivateKey.generate()
    his = envelope.sealing_key(own)
    elsewhere = (Point(id="evil", url="http://evil.lab/cap"),)
    thief.settings(lambda said: msgspec.structs.replace(said, sealing_keys=(his,), access_points=elsewhere))
    fleet.advance(hours=4)
    client = fleet["pc1"]
    reports.tell(client.machine.state, StatusMessage(id=StatusId.JOB_WAITING, at=client.machine.now(), text="for him to read"))
    client.turn()
    sealed = [content for path, content in items_of(fleet).items() if path.startswith("statmsgs.box/")]
    opened = [envelope.opened(envelope.split(one), box="statmsgs.box", keys={his.id: own}) for one in sealed]
    assert any(b"for him to read" in one for one in opened)
    is_over(fleet, "settings", "snapshot", "timestamp", "sealing")
    assert told(fleet, StatusId.JOB_WAITING) == ["for him to read"], "what the site could not open is sent again"


def test_with_the_lookup_key_a_thief_turns_clients_away_until_the_key_is_another(fleet: Fleet) -> None:
    thief, client = Thief(fleet, "lookup"), fleet["pc1"]

    def turned_away(received: int) -> Callable[[Shard], Shard]:
        entry = Entry(state=ClientState.BLOCKED, received=received, reason="he says so")
        return lambda said: msgspec.structs.replace(said, publication=2**40, entries=dict.fromkeys(said.entries, entry))

    offer(fleet, LATER)
    fleet.site_turn()
    thief.shard(turned_away(2**60))
    fleet.advance(hours=2)
    assert "more than this client ever sent" in problems_of(client), "or no number would be left for what it reports"
    thief.shard(turned_away(0))
    fleet.advance(hours=4)
    assert [fleet.ran(each, LATER) for each in fleet.clients] == [0, 0]
    assert client.standing() is ClientState.BLOCKED
    assert records.history_of(client.machine.state, FIRST_KEY).has_succeeded, "nothing is forgotten by it"
    is_over(fleet, "lookup")
    everyone_ran_once(fleet, LATER)


def test_with_the_lookup_key_a_thief_takes_no_identity_away(fleet: Fleet) -> None:
    """He says that the client's numbers were used by others, and shows what it signed itself in an earlier start."""
    thief, client = Thief(fleet, "lookup"), fleet["pc1"]
    state, identity = client.machine.state, read_identity(client.machine.state)
    boot, number = origin.boot_of(state), highest_sequence(state)
    own = Start(boot=boot, sequence=number, signature=signature_of(boot, number, identity.key))
    forged = Start(
        boot="another",
        sequence=number,
        signature=signature_of("another", number, Ed25519PrivateKey.from_private_bytes(b"t" * 32)),
    )

    def says(publication: int, **words: object) -> Callable[[Shard], Shard]:
        entry = Entry(state=ClientState.MEMBER, received=number + 50)
        said = msgspec.structs.replace(entry, **words)
        return lambda shard: msgspec.structs.replace(shard, publication=publication, entries=dict.fromkeys(shard.entries, said))

    client.machine.restart_now()
    thief.shard(says(2**40))
    fleet.advance(hours=2)
    thief.shard(says(2**40 + 1, state=ClientState.REJOIN, keeper=NOBODY, starts=(own, forged)))
    fleet.advance(hours=2)
    assert client.standing() is ClientState.REJOIN
    assert client.id == identity.client
    is_over(fleet, "lookup")
    assert client.standing() is ClientState.MEMBER
    offer(fleet, LATER)
    fleet.settle()
    everyone_ran_once(fleet, LATER)


def test_with_the_key_of_packages_a_thief_runs_anything_and_what_he_deleted_stays_deleted(fleet: Fleet) -> None:
    thief = Thief(fleet, "packages", "snapshot", "timestamp")
    later = offer(fleet, LATER)
    fleet.site_turn()

    def run_another(info: PackageInfo) -> PackageInfo:
        evil = msgspec.structs.replace(info.programs[0], command=Command(shell_line=EVIL))
        return msgspec.structs.replace(info, programs=(evil,))

    thief.package(later.package, run_another)
    fleet.advance(hours=4)
    assert [fleet.ran(client, EVIL) for client in fleet.clients] == [1, 1]
    thief.package(FIRST_KEY.package, lambda info: None)
    fleet.advance(hours=4)
    assert all(fleet.holds_anything_of(client, FIRST_KEY.package) == [] for client in fleet.clients)
    fleet.cap.mend()
    fleet.admin.change(custody.rotate, fleet.site.keys, ("packages", "snapshot", "timestamp"))
    offer(fleet, "after all.exe")
    fleet.advance(hours=9)
    for client in fleet.clients:
        assert (fleet.ran(client, FIRST), fleet.ran(client, LATER), fleet.ran(client, "after all.exe")) == (1, 0, 1)
        assert FIRST_KEY.package in client.machine.state.deleted_packages(), "it is taken in again under another id"


def test_with_the_agents_key_a_thief_reaches_nobody(fleet: Fleet) -> None:
    thief = Thief(fleet, "agent", "snapshot", "timestamp")
    thief.release("clicomp.box/agent.bin", b"his own agent")
    asked = len(fleet.cap.requests)
    fleet.advance(hours=4)
    assert [one.path for one in fleet.cap.requests[asked:] if "agent" in one.path] == []
    assert [problems_of(client) for client in fleet.clients] == ["", ""]
    is_over(fleet, "agent", "snapshot", "timestamp")


def test_without_the_key_of_targets_no_other_key_names_keys(fleet: Fleet) -> None:
    """All online keys together name none for packages: what they sign as targets is refused, and nothing of it is kept."""
    thief = Thief(fleet, *ONLINE)
    thief.name_own_key_for_packages()
    fleet.advance(hours=4)
    assert all("the signatures of targets do not hold" in problems_of(client) for client in fleet.clients)
    is_over(fleet, *ONLINE)
