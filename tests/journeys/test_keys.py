"""Keys change while clients work, are away, are in the middle of things; a thief's keys bind nobody; keys live elsewhere."""

from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata, Timestamp

from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import audit, packages, settings
from purveyor.site_server.custody import judging, requests
from purveyor.site_server.custody import keys as custody
from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.keys import OFFLINE, ROLES, KeyName
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.publish import repository
from purveyor.wire import signing
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.ids import PackageId
from purveyor.wire.shards import ClientState

FIRST, LATER = "first.exe", "later.exe"
SLOW = timedelta(hours=12)
"""A poll interval for stories of months."""


def offer(fleet: Fleet, command: str) -> PackageId:
    """A package whose program all clients are to run."""
    package = fleet.admin.add_package(command, {command: command.encode()})
    fleet.admin.advertise(fleet.admin.add_program(package, "install", command))
    return package


def rotate(fleet: Fleet, *roles: str) -> custody.RotationView:
    """New keys for these roles."""
    return fleet.admin.change(custody.rotate, fleet.site.keys, roles)


def current_id(fleet: Fleet, role: str) -> str:
    """The id of the key of a role that counts."""
    return fleet.admin.ask(site_keys.keys_in, KeyState.CURRENT)[role].id


def everyone_ran(fleet: Fleet, *commands: str) -> None:
    """Each client has run each command once, and nobody asked for what is not there."""
    for client in fleet.clients:
        assert {command: fleet.ran(client, command) for command in commands} == dict.fromkeys(commands, 1), client.name
        assert client.standing() is ClientState.MEMBER
    assert fleet.absent_requests() == []
    assert fleet.problems() == []


@pytest.mark.parametrize("role", ROLES)
def test_after_any_key_was_rotated_clients_go_on_and_nothing_runs_twice(role: str) -> None:
    with Fleet(3) as fleet:
        offer(fleet, FIRST)
        fleet.settle()
        before = current_id(fleet, role)
        assert rotate(fleet, role).waits_for == ()
        offer(fleet, LATER)
        fleet.settle()
        everyone_ran(fleet, FIRST, LATER)
        assert current_id(fleet, role) != before
        fleet.add_clients(1)
        fleet.settle()
        everyone_ran(fleet, FIRST, LATER)


def test_a_key_that_is_out_of_use_is_destroyed_on_the_server() -> None:
    with Fleet(1, poll_interval=SLOW) as fleet:
        first = {role: current_id(fleet, role) for role in ROLES}
        fleet.admin.change(settings.change, "sealing_grace_seconds", 10 * 86_400)
        rotate(fleet, *ROLES)
        fleet.settle()
        gone = {role for role, key in first.items() if KeyName(role, key) not in fleet.site.keys.names()}
        assert gone == set(ROLES) - {"lookup", "sealing"}, "these two are used for a time yet"
        fleet.advance(days=9)
        assert KeyName("lookup", first["lookup"]) not in fleet.site.keys.names()
        fleet.advance(days=2)
        assert KeyName("sealing", first["sealing"]) not in fleet.site.keys.names()
        assert fleet.problems() == []


def test_a_client_that_was_away_during_many_rotations_follows_them_all() -> None:
    with Fleet(3, poll_interval=SLOW) as fleet:
        package = offer(fleet, FIRST)
        fleet.settle()
        fleet.cap.cut("pc3")
        for _ in range(4):
            rotate(fleet, *ROLES)
            fleet.advance(days=3)
        offer(fleet, LATER)
        fleet.settle()
        fleet.admin.delete_package(package)
        fleet.advance(days=1)
        fleet.cap.mend()
        fleet.advance(days=1)
        everyone_ran(fleet, FIRST, LATER)
        assert fleet.holds_anything_of(fleet["pc3"], package) == []
        assert fleet.admin.ask(packages.shown, package).state is not PackageState.RETIRING, "all three have said so"


def test_keys_change_in_the_middle_of_a_download_and_of_a_run() -> None:
    with Fleet(2) as fleet:
        fleet.script(FIRST, Script(seconds=6 * 3600))
        offer(fleet, FIRST)
        while not all(client.machine.running() for client in fleet.clients):
            fleet.advance(minutes=5)
        for role in ROLES:
            rotate(fleet, role)
            fleet.advance(minutes=25)
        fleet.advance(hours=8)
        everyone_ran(fleet, FIRST)


def test_clients_that_poll_at_any_moment_of_a_rotation_lose_nothing() -> None:
    """Half a publication: the first n writes reach the access point, then nothing for an hour."""
    for role in ("targets", "packages", "timestamp", "settings", "lookup"):
        for written in (1, 6):
            with Fleet(1) as fleet:
                offer(fleet, FIRST)
                fleet.settle()
                fleet.cap.hold(after_writes=written)
                rotate(fleet, role)
                fleet.advance(hours=3)
                fleet.cap.release()
                offer(fleet, LATER)
                fleet.advance(hours=12)
                assert (fleet.ran(fleet["pc1"], FIRST), fleet.ran(fleet["pc1"], LATER)) == (1, 1), (role, written)


def test_power_cuts_at_any_moment_of_a_rotation_leave_one_key_that_counts() -> None:
    for effect in (1, 2, 4, 7):
        with Fleet(1) as fleet:
            fleet.settle()
            fleet.admin.change(custody.rotate, fleet.site.keys, ("root", "packages", "timestamp", "lookup", "sealing"))
            fleet.power.fail_at(effect)
            offer_later = fleet.clock.now() + timedelta(hours=2)
            fleet.advance(hours=2)
            assert fleet.clock.now() >= offer_later
            fleet.power.restore()
            offer(fleet, FIRST)
            fleet.advance(hours=12)
            everyone_ran(fleet, FIRST)


# --- sealing and lookup ---


def test_what_was_sealed_to_the_old_key_can_be_read_until_the_grace_is_over() -> None:
    with Fleet(2, poll_interval=SLOW) as fleet:
        fleet.admin.change(settings.change, "sealing_grace_seconds", 4 * 86_400)
        fleet.settle()
        old = current_id(fleet, "sealing")
        fleet.cap.keep_moment("before")
        rotate(fleet, "sealing")
        fleet.advance(minutes=1)
        fleet.cap.serve_moment("before", client="pc1")  # it goes on sealing to the key that it knows
        sealed_to = fleet.cap.put_count
        fleet.advance(days=3)
        assert fleet.cap.put_count > sealed_to
        assert fleet.executive.totals.get("items_rejected", 0) == 0
        assert KeyName("sealing", old) in fleet.site.keys.names()
        fleet.advance(days=2)
        assert KeyName("sealing", old) not in fleet.site.keys.names()
        fleet.cap.mend()
        offer(fleet, FIRST)
        fleet.advance(days=3)
        everyone_ran(fleet, FIRST)
        held = [client.standing() for client in fleet.clients]
        assert held == [ClientState.MEMBER] * 2


def test_shards_under_the_old_lookup_key_stay_for_their_grace_and_no_longer() -> None:
    with Fleet(2) as fleet:
        fleet.settle()
        rotate(fleet, "lookup")
        fleet.settle()
        assert [one.generation for one in fleet.admin.ask(publication.generations)] == [1, 2]
        assert any(path.startswith("offerinf.box/lookup/1/") for path in fleet.cap.files)
        fleet.advance(days=9)
        assert [one.generation for one in fleet.admin.ask(publication.generations)] == [2]
        assert fleet.problems() == []


# --- theft ---


def test_what_a_thief_of_all_online_keys_signed_binds_nobody_once_they_are_rotated() -> None:
    with Fleet(2) as fleet:
        offer(fleet, FIRST)
        fleet.settle()
        online = ("offers", "settings", "snapshot", "timestamp", "lookup")
        stolen = {role: fleet.site.keys.find(KeyName(role, current_id(fleet, role))) for role in online}
        forged = {"clidata.box/timestamp.json": forged_timestamp(fleet, stolen)}
        fleet.cap.forge(forged)
        fleet.advance(hours=1, minutes=5)
        fleet.cap.mend()
        assert all(client.machine.state.mark("timestamp") == repository.VERSIONS_A_ROOT for client in fleet.clients)
        rotate(fleet, *online)
        offer(fleet, LATER)
        fleet.advance(days=1)
        everyone_ran(fleet, FIRST, LATER)
        fleet.cap.forge(forged)
        fleet.advance(hours=1, minutes=5)
        for client in fleet.clients:
            assert client.machine.state.mark("timestamp") > repository.VERSIONS_A_ROOT
            assert (fleet.ran(client, FIRST), fleet.ran(client, LATER)) == (1, 1)


def forged_timestamp(fleet: Fleet, stolen: dict[str, Ed25519PrivateKey | None]) -> bytes:
    """The last timestamp that clients would take under this root, far in the future."""
    metadata = Metadata[Timestamp].from_bytes(fleet.admin.ask(publication.read_role, "timestamp"))
    metadata.signed.version = repository.VERSIONS_A_ROOT
    metadata.signed.unrecognized_fields["issued_at"] = (fleet.clock.now() + timedelta(days=300)).isoformat()
    metadata.signed.expires = (fleet.clock.now() + timedelta(days=3000)).replace(microsecond=0)
    key = stolen["timestamp"]
    assert key is not None
    metadata.signatures.clear()
    metadata.sign(repository.CryptoSigner(key))
    return metadata.to_bytes(repository.SERIALIZER)


# --- keys that live elsewhere ---


def take_away(fleet: Fleet, *roles: str) -> dict[str, Ed25519PrivateKey]:
    """Moves these keys off the server. Shape: the keys, by role."""
    kept = {}
    for role in roles:
        key = fleet.site.keys.find(KeyName(role, current_id(fleet, role)))
        assert key is not None
        kept[role] = key
        fleet.admin.change(custody.remove, fleet.site.keys, role, current_id(fleet, role))
    return kept


def signed(file: str, *keys: Ed25519PrivateKey) -> bytes:
    """The answer of a machine that holds these keys."""
    return msgspec.json.encode(judging.answer_to(signing.decode_request(file.encode()), keys))


def test_packages_whose_key_is_elsewhere_are_published_and_deleted_by_its_signature() -> None:
    with Fleet(2) as fleet:
        old = offer(fleet, FIRST)
        fleet.settle()
        kept = take_away(fleet, *OFFLINE)
        new = offer(fleet, LATER)
        fleet.admin.delete_package(old)
        fleet.settle()
        assert [fleet.ran(client, LATER) for client in fleet.clients] == [0, 0]
        assert "nobody has asked for it yet" in fleet.admin.ask(packages.shown, new).waits_for
        request = fleet.admin.change(requests.export, fleet.site.keys)
        assert f"adds {new} {LATER} (source version 1)" in request.summary
        assert f"deletes {old} {FIRST}" in request.summary
        assert f"request {request.number} exported at" in fleet.admin.ask(packages.shown, new).waits_for
        progress = fleet.admin.ask(packages.retirement, old, fleet.clock.now())
        assert progress.waits_for.startswith("a signature of packages, request 1 exported at")
        with pytest.raises(RefusedError, match="request 1 is open"):
            fleet.admin.change(requests.export, fleet.site.keys)
        fleet.admin.change(requests.import_answer, fleet.site.keys, signed(request.file, kept["packages"]))
        fleet.settle()
        everyone_ran(fleet, FIRST, LATER)
        assert all(fleet.holds_anything_of(client, old) == [] for client in fleet.clients)
        assert fleet.admin.ask(packages.shown, new).waits_for == ""
        with pytest.raises(RefusedError, match="nothing waits"):
            fleet.admin.change(requests.export, fleet.site.keys)
        actions = [row.action for row in fleet.admin.ask(audit.listed)]
        assert {"keys.remove", "keys.export", "keys.import"} <= set(actions)


def test_an_answer_is_refused_when_its_base_has_moved() -> None:
    with Fleet(1) as fleet:
        fleet.settle()
        kept = take_away(fleet, "packages")
        offer(fleet, FIRST)
        request = fleet.admin.change(requests.export, fleet.site.keys)
        answer = signed(request.file, kept["packages"])
        rotated = fleet.admin.change(custody.rotate, fleet.site.keys, ["packages"], is_made_here=True)
        assert rotated.waits_for == ()
        fleet.settle()
        with pytest.raises(RefusedError, match="it stands on version 1 of packages"):
            fleet.admin.change(requests.import_answer, fleet.site.keys, answer)
        fleet.settle()
        everyone_ran(fleet, FIRST)


def test_a_package_that_was_deleted_after_the_request_is_not_published_by_it() -> None:
    with Fleet(1) as fleet:
        kept = take_away(fleet, "packages")
        package = offer(fleet, FIRST)
        request = fleet.admin.change(requests.export, fleet.site.keys)
        fleet.admin.delete_package(package)
        with pytest.raises(RefusedError, match="was deleted since"):
            fleet.admin.change(requests.import_answer, fleet.site.keys, signed(request.file, kept["packages"]))


def test_an_answer_with_a_wrong_signature_or_with_more_than_was_asked_is_rejected() -> None:
    with Fleet(1) as fleet:
        kept = take_away(fleet, *OFFLINE)
        offer(fleet, FIRST)
        request = fleet.admin.change(requests.export, fleet.site.keys)
        answer = signing.decode_answer(signed(request.file, kept["packages"]))
        [(name, made)] = list(answer.signatures.items())[:1]
        wrong = dict.fromkeys(made, "00" * 64)
        more = answer.signatures | {"root": dict.fromkeys(made, "00" * 64)}
        for signatures, why in (({name: wrong}, "does not hold"), (more, "more was signed"), ({}, "no signature")):
            changed = msgspec.structs.replace(answer, signatures=signatures)
            with pytest.raises(RejectedError, match=why):
                fleet.admin.change(requests.import_answer, fleet.site.keys, msgspec.json.encode(changed))
        other = msgspec.structs.replace(answer, digest="0" * 64)
        with pytest.raises(RejectedError, match="another request"):
            fleet.admin.change(requests.import_answer, fleet.site.keys, msgspec.json.encode(other))
        fleet.admin.change(requests.import_answer, fleet.site.keys, msgspec.json.encode(answer))
        fleet.settle()
        everyone_ran(fleet, FIRST)


def test_every_key_is_rotated_while_root_targets_and_packages_live_elsewhere() -> None:
    with Fleet(2) as fleet:
        offer(fleet, FIRST)
        fleet.settle()
        kept = take_away(fleet, *OFFLINE)
        new = {role: Ed25519PrivateKey.generate() for role in OFFLINE}
        for role, key in new.items():
            public = key.public_key().public_bytes_raw().hex()
            fleet.admin.change(custody.rotate, fleet.site.keys, [role], public=public)
        waits = rotate(fleet, "offers", "settings", "snapshot", "timestamp", "lookup", "sealing").waits_for
        assert waits == ("root", "targets")
        fleet.settle()
        assert current_id(fleet, "lookup") != "", "what needs no signature of those went on"
        request = fleet.admin.change(requests.export, fleet.site.keys)
        half = fleet.admin.change(requests.import_answer, fleet.site.keys, signed(request.file, kept["root"], new["targets"]))
        assert half.waits_for == tuple(sorted(f"{role} {judging_id(new[role])}" for role in ("root", "packages", "agent")))
        whole = signed(request.file, new["root"], new["packages"], new["agent"])
        assert fleet.admin.change(requests.import_answer, fleet.site.keys, whole).waits_for == ()
        offer(fleet, LATER)
        fleet.settle()
        assert all(current_id(fleet, role) == judging_id(new[role]) for role in OFFLINE)
        fleet.admin.change(requests.import_answer, fleet.site.keys, sign_open(fleet, new["packages"]))
        fleet.settle()
        everyone_ran(fleet, FIRST, LATER)


def judging_id(key: Ed25519PrivateKey) -> str:
    """The short name of a key."""
    return judging.key_id_of(key.public_key().public_bytes_raw())


def sign_open(fleet: Fleet, key: Ed25519PrivateKey) -> bytes:
    """Exports what waits, and signs it with a key."""
    return signed(fleet.admin.change(requests.export, fleet.site.keys).file, key)


def test_what_is_past_half_of_its_life_is_renewed_by_a_request_while_its_key_is_elsewhere() -> None:
    with Fleet(1) as fleet:
        kept = take_away(fleet, *OFFLINE)
        fleet.admin.change(settings.change, "offline_lifetime_seconds", 800 * 86_400)  # of which all has less than half left
        before = fleet.admin.ask(site_keys.expiries)
        fleet.admin.change(requests.import_answer, fleet.site.keys, sign_all(fleet, kept))
        fleet.settle()
        after = fleet.admin.ask(site_keys.expiries)
        assert all(after[role] > before[role] + timedelta(days=400) for role in OFFLINE)
        offer(fleet, FIRST)
        fleet.admin.change(requests.import_answer, fleet.site.keys, sign_open(fleet, kept["packages"]))
        fleet.settle()
        everyone_ran(fleet, FIRST)


def sign_all(fleet: Fleet, kept: dict[str, Ed25519PrivateKey]) -> bytes:
    """Exports what waits, and signs it with all keys."""
    return signed(fleet.admin.change(requests.export, fleet.site.keys).file, *kept.values())
