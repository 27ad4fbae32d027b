"""The site's repository as values: what is signed anew, and what is not."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from purveyor.client.trust import Trusted
from purveyor.lab.clock import Clock
from purveyor.site_server.keys import Keys
from purveyor.site_server.publish import repository
from purveyor.site_server.publish.repository import OFFLINE, Changes, next_roles, path_of_target, paths_of, role_of_target
from purveyor.site_server.publish.turn import write_rank
from purveyor.wire import offers, package_info
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import PackageId, collection_id, package_id
from small_site import BIN_BITS, LIFETIMES, Repository, fixed_keys, package
from wire_values import packages

PACKAGE = package_id("S0100001")
PATH = package_info.path_of(PACKAGE)
CONTENT = package_info.encode(package("S0100001", 1))
BIN = role_of_target(PATH, BIN_BITS)


@pytest.fixture
def site() -> Repository:
    """A new site."""
    return Repository(Clock())


def names(signed: list[repository.SignedRole]) -> list[str]:
    """The roles, in their order."""
    return [role.name for role in signed]


# --- the first publication ---


def test_a_new_site_has_every_role_once_at_version_one(site: Repository) -> None:
    bins = [f"{role}-{number}" for role in ("packages", "offers") for number in range(2**BIN_BITS)]
    assert set(site.roles) == {"root", "timestamp", "snapshot", "targets", "packages", "offers", "settings", "agent", *bins}
    assert {role.version for role in site.roles.values()} == {1}


def test_the_snapshot_names_every_role_but_root_and_timestamp(site: Repository) -> None:
    snapshot = Metadata[Snapshot].from_bytes(site.read("snapshot")).signed
    named = {name.removesuffix(".json") for name in snapshot.meta}
    assert named == set(site.roles) - {"root", "timestamp", "snapshot"}


def test_every_role_has_a_key_of_its_own(site: Repository) -> None:
    root = Metadata[Root].from_bytes(site.read("root")).signed
    targets = Metadata[Targets].from_bytes(site.read("targets")).signed
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    keyids = [keyid for role in root.roles.values() for keyid in role.keyids]
    keyids += [keyid for role in targets.delegations.roles.values() for keyid in role.keyids]
    assert len(keyids) == len(set(keyids)) == 8


def test_every_targets_role_states_its_own_name(site: Repository) -> None:
    for name in site.roles.keys() - {"root", "timestamp", "snapshot"}:
        assert Metadata[Targets].from_bytes(site.read(name)).signed.unrecognized_fields["role"] == name


@pytest.mark.parametrize(
    ("role", "days"), [("timestamp", 7), ("snapshot", 30), ("offers-1", 30), ("settings", 30), ("packages-1", 365), ("root", 365)]
)
def test_a_role_lives_as_long_as_its_kind(site: Repository, role: str, days: int) -> None:
    assert site.roles[role].expires_at == site.clock.now() + timedelta(days=days)


# --- the next ones ---


def test_a_new_package_signs_its_bin_and_what_names_it(site: Repository) -> None:
    signed = site.publish({PATH: CONTENT}, highest={"packages": 1})
    assert names(signed) == [BIN, "packages", "snapshot", "timestamp"]
    assert {role.version for role in signed} == {2}


def test_what_is_there_already_is_not_signed_again(site: Repository) -> None:
    site.publish({PATH: CONTENT}, highest={"packages": 1})
    assert site.publish({PATH: CONTENT}, highest={"packages": 1}) == []
    assert site.publish({package_info.path_of(package_id("S0100002")): None}) == []
    assert site.publish(highest={"packages": 0}) == []
    assert site.publish() == []


def test_the_highest_number_never_falls(site: Repository) -> None:
    site.publish(highest={"packages": 7})
    site.publish({PATH: CONTENT}, highest={"packages": 3})
    assert Metadata[Targets].from_bytes(site.read("packages")).signed.unrecognized_fields["highest_packages"] == 7


def test_a_renewed_timestamp_is_the_only_thing_signed(site: Repository) -> None:
    site.clock.advance(timedelta(days=1))
    [signed] = site.publish(renew="timestamp")
    assert (signed.name, signed.version) == ("timestamp", 2)
    assert Metadata[Timestamp].from_bytes(signed.content).signed.snapshot_meta.version == 1


@pytest.mark.parametrize("renewed", ["snapshot", "offers-2", "targets", "settings"])
def test_a_renewed_role_brings_snapshot_and_timestamp_with_it(site: Repository, renewed: str) -> None:
    signed = names(site.publish(renew=renewed))
    assert signed == [*([renewed] if renewed != "snapshot" else []), "snapshot", "timestamp"]


@given(st.lists(st.tuples(packages, st.sampled_from([CONTENT, b"{}", None])), max_size=6))
def test_bins_hold_exactly_what_was_published_last(steps: list[tuple[PackageId, bytes | None]]) -> None:
    site = Repository(Clock())
    expected: dict[str, bytes] = {}
    for changed, content in steps:
        path = package_info.path_of(changed)
        site.publish({path: content})
        expected.pop(path, None)
        if content is not None:
            expected[path] = content
    listed = {}
    for number in range(2**BIN_BITS):
        listed |= Metadata[Targets].from_bytes(site.read(f"packages-{number}")).signed.targets
    assert {path: target.length for path, target in listed.items()} == {path: len(content) for path, content in expected.items()}
    assert all(role_of_target(path, BIN_BITS).startswith("packages-") for path in listed)


@given(st.lists(st.sampled_from(["package", "offer", "renew", "nothing"]), max_size=5))
def test_roles_are_signed_in_the_order_in_which_their_files_are_written(steps: list[str]) -> None:
    site = Repository(Clock())
    for number, step in enumerate(steps):
        match step:
            case "package":
                signed = site.publish({PATH: CONTENT + b" " * number}, highest={"packages": number})
            case "offer":
                signed = site.publish({offers.path_of(collection_id("S0110001")): b" " * number})
            case "renew":
                signed = site.publish(renew="targets offers-0 settings")
            case _:
                signed = site.publish()
        ranks = [write_rank(path) for role in signed for path in paths_of(role)[:1]]
        assert ranks == sorted(ranks)


def test_a_key_that_is_elsewhere_is_said_by_its_name(site: Repository) -> None:
    here = Keys(
        signing={name: key for name, key in fixed_keys().signing.items() if name not in OFFLINE}, sealing=fixed_keys().sealing
    )
    with pytest.raises(RefusedError, match="the key of the role 'packages' is not on this site server"):
        next_roles(site.read, Changes(targets={PATH: CONTENT}), keys=here, lifetimes=LIFETIMES, now=site.clock.now())
    offered = next_roles(
        site.read,
        Changes(targets={offers.path_of(collection_id("S0110001")): b"{}"}),
        keys=here,
        lifetimes=LIFETIMES,
        now=site.clock.now(),
    )
    assert names(offered)[-2:] == ["snapshot", "timestamp"]


def test_a_renewed_root_is_the_next_version_under_the_same_keys(site: Repository) -> None:
    site.clock.advance(timedelta(days=200))
    signed = site.publish(renew="root timestamp")
    assert names(signed) == ["root", "timestamp"]
    trusted = Trusted(site.versions["root", 1], {})
    trusted.take_root(site.read("root"))
    assert trusted.root.version == 2
    assert trusted.root.expires == site.clock.now() + timedelta(days=365)
    assert names(site.publish(renew="root")) == ["root"]


# --- paths ---


def test_only_root_and_timestamp_have_a_name_without_version(site: Repository) -> None:
    assert paths_of(site.roles["timestamp"]) == ("clidata.box/timestamp.json",)
    assert paths_of(site.roles["root"]) == ("clidata.box/1.root.json", "clidata.box/root.json")
    assert paths_of(site.roles[BIN]) == (f"clidata.box/1.{BIN}.json",)


def test_a_target_lies_under_its_digest() -> None:
    path = path_of_target(PATH, b"content")
    assert path.startswith("pkginfo.box/")
    assert path.endswith(".S0100001.pkg")
    assert len(path) == len(PATH) + 65
    assert path != path_of_target(PATH, b"other content")


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("clidata.box/settings.json", "settings"),
        ("clicomp.box/agent.tar", "agent"),
        (PATH, BIN),
        ("offerinf.box/S0110001.ofr", "offers-"),
    ],
)
def test_each_target_belongs_to_one_role(path: str, role: str) -> None:
    assert role_of_target(path, BIN_BITS).startswith(role)


def test_the_order_of_publication_is_that_of_the_protocol() -> None:
    in_order = [
        "pkginfo.box/ab.S0100001.pkg",
        "clidata.box/9.packages-1.json",
        "clidata.box/9.packages.json",
        "clidata.box/9.targets.json",
        "clidata.box/9.snapshot.json",
        "clidata.box/root.json",
        "clidata.box/timestamp.json",
    ]
    assert [write_rank(path) for path in in_order] == sorted({write_rank(path) for path in in_order})
    assert write_rank("clidata.box/" + "a" * 64 + ".settings.json") == 0
