"""Any metadata in any order: what is trusted never goes back, is what its keys signed, and can always be brought up to date."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from purveyor.client.judgement import Judged
from purveyor.client.trust import VERSIONS_A_ROOT, Trusted
from purveyor.lab.clock import Clock
from purveyor.site_server.publish import repository
from purveyor.wire import package_info
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import package_id
from small_site import BIN_BITS, Repository, fixed_keys, package, replaced_keys

PATH = package_info.path_of(package_id("S0100001"))
BIN = repository.role_of_target(PATH, BIN_BITS)
ROLES = ("root", "timestamp", "snapshot", "targets", "settings", "packages", "offers", BIN)
TOP = ("root", "timestamp", "snapshot")
ROTATED = ("timestamp", "snapshot")

Piece = tuple[str, bytes]


Moment = dict[str, bytes]
"""All roles as they stood at one time, in the order in which a walk takes them."""


def history() -> tuple[Repository, list[Moment]]:
    """A site with publications under two roots, the second of which names other keys for timestamp and snapshot."""
    site, moments = Repository(Clock(datetime(2026, 1, 5, tzinfo=UTC))), []
    for number in (1, 2, 3, 4):
        if number == 3:
            new = replaced_keys("timestamp snapshot")
            site.rotate_root(new, *ROTATED)
            site.keys = new
        site.publish(
            {PATH: package_info.encode(package("S0100001", number))}, highest={"packages": 1}, renew="timestamp snapshot settings"
        )
        moments.append({name: site.read(name) for name in ROLES})
    return site, moments


SITE, MOMENTS = history()
NAMES = {name: [content for (role, _), content in SITE.versions.items() if role == name] for name in ROLES}
HONEST: list[Piece] = [(name, content) for name, contents in NAMES.items() for content in contents]


def changed(content: bytes, change: Callable[[dict], object]) -> bytes:  # type: ignore[type-arg]  # JSON of any shape
    """Metadata whose document was changed by somebody without a key."""
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()


def set_in(part: str, name: str, value: object) -> Callable[[bytes], bytes]:
    """Sets one value."""
    return lambda content: changed(content, lambda document: document[part].__setitem__(name, value))


SPOILED: list[Callable[[bytes], bytes]] = [
    *(set_in("signed", "version", value) for value in (0, -1, 10**30, 1.0, True, "2", None, [])),
    *(set_in("signed", name, "9999-12-31T23:59:59Z") for name in ("expires", "_type")),
    *(set_in("signed", "note", value) for value in (1.5, "\ud800", {"": []}, "\u0000", 2**70)),
    *(
        set_in("signed", name, value)
        for name in ("meta", "roles", "keys", "delegations", "targets")
        for value in ({}, [], 1, None)
    ),
    lambda content: changed(content, lambda document: document["signatures"].append(document["signatures"][0])),
    lambda content: changed(content, lambda document: document["signatures"].append({"keyid": "\ud800", "sig": "\ud800"})),
    lambda content: changed(content, lambda document: document["signatures"].clear()),
    lambda content: changed(content, lambda document: document["signatures"][0].__setitem__("sig", "00" * 64)),
    lambda content: changed(content, lambda document: document["signatures"][0].__setitem__("keyid", "0" * 64)),
    lambda content: changed(content, lambda document: document.__setitem__("signatures", {"a": 1})),
    lambda content: content[:-1],
    lambda content: content.decode().encode("utf-16"),
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.replace(b'"signed":', b'"signed":{"version":99},"signed":', 1),
    lambda content: content.replace(b'"signed":', b'"Signed":', 1),
    lambda content: b'{"signed":' + b"[" * 50_000 + b"]" * 50_000 + b',"signatures":[]}',
    lambda content: content + b" " * 100_000,
    lambda content: b" \n" + content.replace(b",", b" ,\t"),
]


def strangers_pieces() -> list[Piece]:
    """What those sign who are not asked: strangers, and the keys of other roles."""
    stranger = fixed_keys("stranger")
    made = [(name, SITE.signed_by_hand(name, lambda signed: None, keys=stranger).content) for name in ROLES if name != "root"]
    return made + [
        (name, SITE.signed_by_hand(name, lambda signed: None, by="offers").content) for name in ("targets", "packages", BIN)
    ]


def thiefs_moment() -> Moment:
    """What a thief of the first keys of timestamp and snapshot publishes: the last number there is, and an older bin."""

    def name_older_bin(signed: Snapshot) -> None:
        signed.version = VERSIONS_A_ROOT
        signed.meta[f"{BIN}.json"] = MetaFile(1)

    def name_it(signed: Timestamp) -> None:
        signed.version = VERSIONS_A_ROOT
        signed.snapshot_meta = MetaFile(VERSIONS_A_ROOT)

    stolen = {
        "timestamp": SITE.signed_by_hand("timestamp", name_it, keys=fixed_keys()).content,
        "snapshot": SITE.signed_by_hand("snapshot", name_older_bin, keys=fixed_keys()).content,
        BIN: SITE.versions[BIN, 1],
    }
    return MOMENTS[1] | stolen


STOLEN = thiefs_moment()
SAID = {(name, json.dumps(json.loads(content)["signed"], sort_keys=True)) for name, content in [*HONEST, *STOLEN.items()]}
others = st.sampled_from(ROLES).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(NAMES[name])))
spoiled = st.tuples(others, st.sampled_from(SPOILED)).map(lambda drawn: (drawn[0][0], drawn[1](drawn[0][1])))
misnamed = st.tuples(st.sampled_from(ROLES), st.sampled_from(HONEST)).map(lambda drawn: (drawn[0], drawn[1][1]))
lies = st.lists(others | spoiled | misnamed | st.sampled_from(strangers_pieces()), max_size=3).map(dict)
visits = st.lists(st.tuples(st.sampled_from([*MOMENTS, STOLEN]), lies), max_size=6)
"""Passes at points that show one moment, some of its pieces replaced."""


def take(trusted: Trusted, name: str, content: bytes) -> None:
    """Takes a piece as a walk does. Errors: RejectedError."""
    match name:
        case "root":
            before = [trusted.root.roles[role].keyids for role in ROTATED]
            trusted.take_root(content)
            if before != [trusted.root.roles[role].keyids for role in ROTATED]:
                trusted.drop_online()
        case "timestamp":
            trusted.take_timestamp(content)
        case "snapshot":
            trusted.take_snapshot(content)
        case _:
            trusted.take_targets(name, content)


def versions(trusted: Trusted) -> dict[str, int]:
    """The versions that are trusted."""
    return {name: Metadata.from_bytes(content).signed.version for name, content in trusted.contents.items()}


def up_to_date(trusted: Trusted) -> None:
    """An honest access point is asked, which has everything."""
    while ("root", trusted.root.version + 1) in SITE.versions:
        take(trusted, "root", SITE.versions["root", trusted.root.version + 1])
    trusted.take_timestamp(SITE.read("timestamp"))
    if trusted.snapshot is None or trusted.snapshot.version != SITE.roles["snapshot"].version:
        trusted.take_snapshot(SITE.read("snapshot"))
    for name in ROLES[3:]:
        if not trusted.is_current(name):
            trusted.take_targets(name, SITE.read(name))


def named_by(trusted: Trusted) -> dict[str, int]:
    """The versions that the trusted snapshot names."""
    return {name: meta.version for name, meta in trusted.snapshot.meta.items()} if trusted.snapshot else {}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(visits)
def test_whatever_is_served_nothing_goes_back_and_an_honest_point_mends_all(served: list[tuple[Moment, Moment]]) -> None:
    trusted = Trusted(SITE.versions["root", 1], {})
    for moment, lie in served:
        for name, content in (moment | lie).items():
            before, named, root = versions(trusted), named_by(trusted), trusted.root.version
            try:
                take(trusted, name, content)
            except RejectedError:
                assert versions(trusted) == before, "what is refused changes nothing"
            now = versions(trusted)
            assert now["root"] >= root
            if now["root"] == root:
                assert all(now[role] >= before[role] for role in TOP if role in before), (before, now)
                assert all(version >= named.get(role, 0) for role, version in named_by(trusted).items())
                assert named.keys() <= named_by(trusted).keys()
            for role, held in trusted.contents.items():
                assert (role, json.dumps(json.loads(held)["signed"], sort_keys=True)) in SAID, f"nobody signed this {role}"
            if trusted.is_current("snapshot") or trusted.is_current(BIN):
                assert now["snapshot"] == Metadata.from_bytes(trusted.contents["timestamp"]).signed.snapshot_meta.version
                assert now[BIN] == named_by(trusted)[f"{BIN}.json"]
    up_to_date(trusted)
    assert versions(trusted) == {name: SITE.roles[name].version for name in ROLES}
    listed = trusted.target(BIN, PATH)
    assert listed is not None
    assert listed.length == len(package_info.encode(package("S0100001", 4)))


@pytest.mark.parametrize("name", ROLES)
def test_each_way_to_spoil_a_piece_is_refused_or_changes_nothing_that_is_said(name: str) -> None:
    trusted = Trusted(SITE.versions["root", 1], {})
    up_to_date(trusted)
    held = dict(trusted.contents)
    for spoil in SPOILED:
        content = spoil(SITE.read(name))
        try:
            if name == "root":
                Judged(content)
            else:
                take(trusted, name, content)
        except RejectedError:
            assert trusted.contents == held
        else:
            assert (name, json.dumps(json.loads(content)["signed"], sort_keys=True)) in SAID, content[:200]
            held = dict(trusted.contents)


def test_a_bin_below_a_threshold_of_two_needs_two_keys() -> None:
    """No site asks for two today; a key that goes by two names, or signs twice, is one."""
    site = Repository(Clock(datetime(2026, 1, 5, tzinfo=UTC)))
    trusted = Judged(site.read("root"))
    trusted.take_timestamp(site.read("timestamp"))
    trusted.take_snapshot(site.read("snapshot"))

    def ask_for_two(signed: Targets) -> None:
        assert signed.delegations is not None and signed.delegations.roles is not None
        signed.delegations.roles["settings"].threshold = 2

    trusted.take_delegated("targets", site.signed_by_hand("targets", ask_for_two).content, "root")
    with pytest.raises(RejectedError, match="1 of 2 keys"):
        trusted.take_delegated("settings", site.read("settings"), "targets")
