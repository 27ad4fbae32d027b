"""The content that a client holds: points that lie, cut and vanish; disks that fill and lose power."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from purveyor.client.content.held import Content, Fetched
from purveyor.client.state.published import absent_requests
from purveyor.client.state.store import State
from purveyor.content.verify import digest_of
from purveyor.lab.disk import UNLIMITED_BYTES, SimulatedDisk
from purveyor.lab.power import Power, PowerCut
from purveyor.lab.state import memory_connection
from purveyor.transport.interface import Answer, Point
from purveyor.wire.causes import Cause
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError
from purveyor.wire.ids import PackageId, SiteCode
from purveyor.wire.manifest import File, Link, Manifest, encode, file_path, hash_of, manifest_path
from purveyor.wire.settings import AgentSettings, Shards

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO = PackageId("S0100001"), PackageId("S0100002")
PIECE = 10


def settings_with(*, quota: int = 10**9, reserve: int = 0) -> AgentSettings:
    return AgentSettings(
        site=SiteCode("S01"),
        incarnation=1,
        shards=Shards(generation=1, bits=0, keys=()),
        sealing_keys=(),
        cache_quota_bytes=quota,
        disk_reserve_bytes=reserve,
    )


SETTINGS = settings_with()


@dataclass
class Package:
    """A tree with its bytes, as a distribution point would have it."""

    files: dict[str, bytes]
    executable: frozenset[str] = frozenset()
    links: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        files = (
            File(path=path, sha256=hash_of(content), size_bytes=len(content), is_executable=path in self.executable)
            for path, content in sorted(self.files.items())
        )
        links = (Link(path=path, target=target) for path, target in sorted(self.links.items()))
        return encode(Manifest(files=tuple(files), links=tuple(links), folders=self.folders))

    @property
    def manifest(self) -> str:
        return hash_of(self.content)

    @property
    def stored(self) -> dict[str, bytes]:
        return {manifest_path(self.manifest): self.content} | {file_path(hash_of(file)): file for file in self.files.values()}


Fault = Callable[[Iterator[bytes]], Iterator[bytes]]


def good(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return pieces


def gone(pieces: Iterator[bytes]) -> Iterator[bytes]:
    raise UnavailableError("cut")


def absent(pieces: Iterator[bytes]) -> Iterator[bytes]:
    raise AbsentError("no such file")


def rejecting(pieces: Iterator[bytes]) -> Iterator[bytes]:
    raise RejectedError("larger than expected")


def cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield next(pieces, b"")
    raise UnavailableError("cut in the middle")


def truncated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield next(pieces, b"")[:3]


def corrupted(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield bytes(byte ^ 1 for byte in piece)


def corrupted_then_cut(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return cut(corrupted(pieces))


def longer(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield from pieces
    yield b"more"


def endless(pieces: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        yield b"x" * 7


FAULTS: list[Fault] = [gone, absent, rejecting, cut, truncated, corrupted, corrupted_then_cut, longer]


class FaultyPoint:
    """A distribution point of which each request meets the next fault, and none once they are used up."""

    def __init__(self, url: str, packages: Sequence[Package], faults: Sequence[Fault] = (), *, for_ever: Fault = good) -> None:
        self.url = url
        self.files = {path: content for package in packages for path, content in package.stored.items()}
        self.asked: list[tuple[str, int]] = []
        self._faults = list(faults)
        self._for_ever = for_ever

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        return Answer(b"".join(self._served(path, 0)), "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        if limit_bytes == 1:
            return iter([self.files[path][:1]])  # a look whether the content has come, which no fault meets
        return self._served(path, offset)

    def put(self, path: str, content: bytes) -> None:
        raise AssertionError("nothing is put on a distribution point")

    def _served(self, path: str, offset: int) -> Iterator[bytes]:
        self.asked.append((path, offset))
        fault = self._faults.pop(0) if self._faults else self._for_ever
        content = self.files[path][offset:]
        return fault(content[at : at + PIECE] for at in range(0, len(content), PIECE))


class Client:
    """The content of one simulated machine, over restarts and power cuts."""

    def __init__(self, *, capacity_bytes: int = UNLIMITED_BYTES) -> None:
        self.power = Power()
        self.disk = SimulatedDisk(self.power, capacity_bytes=capacity_bytes)
        self.connection = memory_connection()
        self.start()
        self.connection.before_effect = self.power.effect

    def start(self) -> None:
        self.content = Content(self.disk, State(self.connection))

    def recover(self, seed: int | None) -> None:
        self.connection.before_effect = None
        self.connection.rollback()
        self.disk.power_cut(seed)
        self.power.restore()
        self.start()
        self.connection.before_effect = self.power.effect

    def fetch(
        self,
        package: Package,
        *points: Point,
        owner: PackageId = ONE,
        options: AgentSettings = SETTINGS,
        minute: int = 0,
        keep: frozenset[str] = frozenset(),
    ) -> Fetched:
        return self.content.fetch(package.manifest, owner, points, options, NOW + timedelta(minutes=minute), keep=keep)

    def cached(self) -> dict[str, bytes]:
        return self.disk.files("cache")

    def assert_cache_is_what_it_is_called(self) -> None:
        for path, content in self.cached().items():
            folder, _, name = path.rpartition("/")
            assert folder == "partial" or digest_of([content]) == name

    def laid_out(self, package: Package) -> dict[str, bytes]:
        self.content.lay_out(package.manifest, "run/1")
        return self.disk.files("run/1")


SMALL = Package(
    {"setup.sh": b"#!/bin/sh\n" * 5, "lib/a": b"0123456789" * 4, "lib/same": b"0123456789" * 4, "empty": b""},
    frozenset({"setup.sh"}),
)
OTHER = Package({"b": b"other content here", "lib/shared": b"0123456789" * 4})


@pytest.fixture
def client() -> Client:
    return Client()


# --- fetching ---


def test_fetched_content_is_held_and_laid_out_byte_for_byte(client: Client) -> None:
    assert not client.content.is_held(SMALL.manifest)
    assert client.fetch(SMALL, FaultyPoint("dp", [SMALL])).is_ready
    assert client.content.is_held(SMALL.manifest)
    assert client.laid_out(SMALL) == SMALL.files


def test_manifest_is_asked_for_first_and_each_file_once(client: Client) -> None:
    point = FaultyPoint("dp", [SMALL])
    client.fetch(SMALL, point)
    assert point.asked[0] == (manifest_path(SMALL.manifest), 0)
    assert sorted(path for path, _ in point.asked[1:]) == sorted(
        file_path(hash_of(content)) for content in set(SMALL.files.values()) if content
    )


def test_held_content_is_not_asked_for_again_even_after_a_restart(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.start()
    assert client.fetch(SMALL).is_ready


def test_content_held_for_one_package_is_ready_for_another(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    assert client.fetch(SMALL, owner=TWO).is_ready


def test_new_source_version_fetches_only_what_differs(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    update = Package({**SMALL.files, "setup.sh": b"#!/bin/bash\n"})
    point = FaultyPoint("dp", [update])
    assert client.fetch(update, point).is_ready
    assert [path for path, _ in point.asked] == [manifest_path(update.manifest), file_path(hash_of(b"#!/bin/bash\n"))]


def test_without_a_point_it_waits_and_says_so(client: Client) -> None:
    fetched = client.fetch(SMALL)
    assert (fetched.is_ready, fetched.cause) == (False, Cause.NO_POINT)
    assert "no distribution point" in fetched.reason


def test_point_that_is_away_is_asked_twice_then_left_and_named(client: Client) -> None:
    point = FaultyPoint("http://dp1", [SMALL], for_ever=gone)
    fetched = client.fetch(SMALL, point)
    assert fetched.cause is Cause.POINTS_FAIL
    assert "http://dp1: cut" in fetched.reason
    assert len(point.asked) == 2


@pytest.mark.parametrize("fault", [absent, rejecting, longer, corrupted])
def test_point_that_is_wrong_is_asked_no_more_in_this_fetch(client: Client, fault: Fault) -> None:
    bad = FaultyPoint("bad", [SMALL], [good], for_ever=fault)
    assert client.fetch(SMALL, bad, FaultyPoint("dp", [SMALL])).is_ready
    assert len(bad.asked) == 2
    assert client.laid_out(SMALL) == SMALL.files


def test_each_request_that_a_distribution_point_answers_with_no_such_file_is_counted(client: Client) -> None:
    lacks_all = FaultyPoint("lacks all", [SMALL], for_ever=absent)
    lacks_a_file = FaultyPoint("lacks a file", [SMALL], [good], for_ever=absent)
    assert client.fetch(SMALL, lacks_all, lacks_a_file, FaultyPoint("dp", [SMALL])).is_ready
    assert absent_requests(State(client.connection)) == 2


def test_a_point_to_which_content_is_yet_to_come_is_asked_for_none_of_its_files(client: Client) -> None:
    promising = FaultyPoint("promising", [SMALL])
    promising.files = {manifest_path(SMALL.manifest): b""}
    fetched = client.fetch(SMALL, promising)
    assert fetched.cause is Cause.POINTS_FAIL
    assert f"the content {SMALL.manifest} is yet to come to promising" in fetched.reason
    assert client.fetch(SMALL, FaultyPoint("dp", [SMALL], [good, good, cut, cut])).cause is Cause.POINTS_FAIL
    promising.asked.clear()
    fetched = client.fetch(SMALL, promising, FaultyPoint("dp", [SMALL]))
    assert (fetched.is_ready, fetched.wrong, promising.asked) == (True, (), [])
    assert absent_requests(State(client.connection)) == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_manifest_that_comes_wrong_is_fetched_elsewhere(client: Client, fault: Fault) -> None:
    assert client.fetch(SMALL, FaultyPoint("bad", [SMALL], for_ever=fault), FaultyPoint("dp", [SMALL])).is_ready
    assert client.laid_out(SMALL) == SMALL.files


def test_download_goes_on_where_it_was_cut_also_after_a_restart(client: Client) -> None:
    large = Package({"large": bytes(range(250)) * 4})
    first = FaultyPoint("dp", [large], [good, cut, cut])
    assert client.fetch(large, first).cause is Cause.POINTS_FAIL
    client.start()
    second = FaultyPoint("dp", [large])
    assert client.fetch(large, second).is_ready
    assert second.asked == [(file_path(hash_of(large.files["large"])), 2 * PIECE)]
    assert client.laid_out(large) == large.files


def test_download_that_one_point_broke_off_goes_on_at_another(client: Client) -> None:
    large = Package({"large": bytes(range(250))})
    other = FaultyPoint("other", [large])
    assert client.fetch(large, FaultyPoint("dp", [large], [good, cut]), other).is_ready
    assert other.asked == [(file_path(hash_of(large.files["large"])), PIECE)]


def test_wrong_beginning_of_one_point_is_not_blamed_on_another(client: Client) -> None:
    large = Package({"large": bytes(range(250))})
    liar = FaultyPoint("liar", [large], [good], for_ever=corrupted_then_cut)
    honest = FaultyPoint("honest", [large])
    assert client.fetch(large, liar, honest).is_ready
    assert [offset for _, offset in honest.asked] == [PIECE, 0]
    assert client.laid_out(large) == large.files


def test_damaged_bytes_are_never_held_when_no_other_point_is_there(client: Client) -> None:
    fetched = client.fetch(SMALL, FaultyPoint("bad", [SMALL], [good], for_ever=corrupted))
    assert fetched.cause is Cause.POINTS_FAIL
    assert "damaged" in fetched.reason
    assert not client.content.is_held(SMALL.manifest)
    client.assert_cache_is_what_it_is_called()


def test_manifest_that_no_client_can_hold_waits_for_a_better_one_and_hinders_nothing(client: Client) -> None:
    broken = Package({"a": b"x", "A": b"y"})
    fetched = client.fetch(broken, FaultyPoint("dp", [broken]))
    assert fetched.cause is Cause.CONTENT_UNREADABLE
    assert client.fetch(SMALL, FaultyPoint("dp", [SMALL]), owner=TWO).is_ready
    client.content.evict(SETTINGS, frozenset())
    client.content.forget_package(ONE)
    assert client.content.is_held(SMALL.manifest)


def test_what_was_said_to_be_ready_outlasts_a_power_cut(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.recover(None)
    assert client.content.is_held(SMALL.manifest)
    assert client.laid_out(SMALL) == SMALL.files


def test_what_came_before_a_cut_outlasts_a_power_cut(client: Client) -> None:
    large = Package({"large": bytes(range(250))})
    client.fetch(large, FaultyPoint("dp", [large], [good, cut, cut]))
    client.recover(None)
    point = FaultyPoint("dp", [large])
    assert client.fetch(large, point).is_ready
    assert [offset for _, offset in point.asked] == [2 * PIECE]


def test_files_that_came_before_points_failed_outlast_a_power_cut(client: Client) -> None:
    package = Package({name: name.encode() * 5 for name in "abcd"})
    assert client.fetch(package, FaultyPoint("dp", [package], [good, good, good], for_ever=gone)).cause is Cause.POINTS_FAIL
    client.recover(None)
    point = FaultyPoint("dp", [package])
    assert client.fetch(package, point).is_ready
    assert {path for path, _ in point.asked} == {file_path(hash_of(content)) for content in (b"ccccc", b"ddddd")}


def test_a_power_cut_takes_no_more_of_a_download_than_was_to_be_synced_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("purveyor.client.content.fetch.SYNC_FILES", 2)
    package = Package({name: name.encode() * 5 for name in "abcdefgh"})
    moment, is_over = 0, False
    while not is_over:
        moment += 1
        client, first, second = Client(), FaultyPoint("dp", [package]), FaultyPoint("dp", [package])
        client.power.fail_at(moment)
        try:
            is_over = client.fetch(package, first).is_ready
            client.power.fail_at(None)
        except PowerCut:
            client.recover(None)
            client.assert_cache_is_what_it_is_called()
            assert client.fetch(package, second).is_ready
        asked_twice = {path for path, _ in first.asked} & {path for path, _ in second.asked}
        assert len(asked_twice) <= 2
        assert client.laid_out(package) == package.files
    assert moment > 30


def test_files_whose_bytes_the_disk_lost_get_no_name_though_it_says_so_only_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purveyor.client.content.fetch.SYNC_FILES", 2)
    package = Package({name: name.encode() * 5 for name in "abc"})
    sync, syncs = client.disk.sync, count(1)

    def sync_once_in_vain(*paths: str) -> None:
        if len(paths) == 2 and next(syncs) == 1:
            raise UnavailableError("the disk lost what it had")
        sync(*paths)

    monkeypatch.setattr(client.disk, "sync", sync_once_in_vain)
    assert client.fetch(package, FaultyPoint("dp", [package])).cause is Cause.CONTENT_SPACE
    assert not [path for path in client.cached() if path.startswith("files/")]


def test_content_is_held_once_that_is_committed_and_then_nothing_is_asked_for_again(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    last_effect = client.power.effect_count
    again = Client()
    again.power.fail_at(last_effect)
    with pytest.raises(PowerCut, match="commit"):
        again.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    again.recover(None)
    assert not again.content.is_held(SMALL.manifest)
    assert again.fetch(SMALL).is_ready


def test_point_that_never_stops_sending_is_left_before_the_disk_is_full() -> None:
    client = Client(capacity_bytes=5000)
    fetched = client.fetch(SMALL, FaultyPoint("dp", [SMALL], [good], for_ever=endless))
    assert fetched.cause is Cause.POINTS_FAIL
    assert "is longer there" in fetched.reason


# --- room ---


def test_full_disk_is_found_out_before_any_file_is_fetched() -> None:
    client = Client(capacity_bytes=1000)
    large = Package({"large": b"x" * 600})
    point = FaultyPoint("dp", [large])
    fetched = client.fetch(large, point)
    assert fetched.cause is Cause.CONTENT_SPACE
    assert "not enough space: needs 1200 bytes" in fetched.reason
    assert fetched.needed_bytes == 1200
    assert [path for path, _ in point.asked] == [manifest_path(large.manifest)]


def test_what_is_to_stay_free_stays_free() -> None:
    client = Client(capacity_bytes=2000)
    large = Package({"large": b"x" * 600})
    assert client.fetch(large, FaultyPoint("dp", [large]), options=settings_with(reserve=700)).cause is Cause.CONTENT_SPACE
    assert client.fetch(large, FaultyPoint("dp", [large]), options=settings_with(reserve=500)).is_ready


def test_space_that_becomes_free_lets_it_go_on() -> None:
    client = Client(capacity_bytes=1000)
    large = Package({"large": b"x" * 600})
    client.fetch(large, FaultyPoint("dp", [large]))
    client.disk.capacity_bytes = 5000
    point = FaultyPoint("dp", [large])
    assert client.fetch(large, point).is_ready
    assert len(point.asked) == 1


def test_disk_that_takes_nothing_is_not_blamed_on_a_point(client: Client) -> None:
    point = FaultyPoint("dp", [SMALL])
    client.disk.is_read_only = True
    fetched = client.fetch(SMALL, point)
    assert fetched.cause is Cause.CONTENT_SPACE
    assert "read-only" in fetched.reason
    client.disk.is_read_only = False
    assert client.fetch(SMALL, point).is_ready


def test_quota_gives_up_what_was_used_least_recently(client: Client) -> None:
    packages = [Package({"f": bytes([number]) * 100}) for number in range(3)]
    options = settings_with(quota=250 + 2 * len(packages[0].content))
    for minute, package in enumerate(packages[:2]):
        assert client.fetch(
            package, FaultyPoint("dp", [package]), owner=PackageId(f"S010000{minute}"), minute=minute, options=options
        ).is_ready
    client.fetch(packages[0], owner=PackageId("S0100000"), minute=5)
    assert client.fetch(packages[2], FaultyPoint("dp", [packages[2]]), owner=TWO, minute=6, options=options).is_ready
    assert [client.content.is_held(package.manifest) for package in packages] == [True, False, True]
    assert hash_of(packages[1].files["f"]) not in " ".join(client.cached())


def test_what_is_to_be_kept_is_not_given_up(client: Client) -> None:
    first, second = Package({"f": b"1" * 100}), Package({"f": b"2" * 100})
    client.fetch(first, FaultyPoint("dp", [first]))
    fetched = client.fetch(
        second, FaultyPoint("dp", [second]), owner=TWO, options=settings_with(quota=150), keep=frozenset({first.manifest})
    )
    assert fetched.cause is Cause.CONTENT_SPACE
    assert "do not fit into the cache" in fetched.reason
    assert client.content.is_held(first.manifest)


def test_what_fits_only_by_its_beginning_being_here_is_fetched(client: Client) -> None:
    large = Package({"large": b"x" * 100})
    client.fetch(large, FaultyPoint("dp", [large], [good, cut, cut]))
    assert client.fetch(large, FaultyPoint("dp", [large]), options=settings_with(quota=120)).is_ready


def test_content_larger_than_the_quota_gives_up_nothing(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    large = Package({"large": b"x" * 5000})
    assert (
        client.fetch(large, FaultyPoint("dp", [large]), owner=TWO, options=settings_with(quota=4000)).cause is Cause.CONTENT_SPACE
    )
    assert client.content.is_held(SMALL.manifest)


def test_smaller_quota_is_kept_to_by_the_next_eviction(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]), minute=0)
    client.fetch(OTHER, FaultyPoint("dp", [OTHER]), owner=TWO, minute=1)
    client.content.evict(settings_with(quota=1), frozenset({OTHER.manifest}))
    assert not client.content.is_held(SMALL.manifest)
    assert client.content.is_held(OTHER.manifest)
    client.content.evict(settings_with(quota=1), frozenset())
    assert client.cached() == {}


def test_eviction_removes_what_nothing_leads_to(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    for path in (f"cache/files/aa/{'a' * 64}", f"cache/partial/{'b' * 64}", f"cache/manifests/{'c' * 64}"):
        client.disk.append(path, b"left over")
    client.content.evict(SETTINGS, frozenset())
    assert set(client.cached()) == set(SMALL.stored)


# --- forgetting ---


def test_forgotten_package_leaves_nothing_but_what_others_need(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]), owner=ONE)
    client.fetch(OTHER, FaultyPoint("dp", [OTHER]), owner=TWO)
    client.content.forget_package(ONE)
    assert not client.content.is_held(SMALL.manifest)
    assert set(client.cached()) == set(OTHER.stored)
    assert client.laid_out(OTHER) == OTHER.files
    client.content.forget_package(TWO)
    assert client.cached() == {}


def test_manifest_that_two_packages_share_stays_until_both_are_forgotten(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]), owner=ONE)
    client.fetch(SMALL, owner=TWO)
    client.content.forget_package(ONE)
    assert client.content.is_held(SMALL.manifest)
    client.content.forget_package(TWO)
    assert client.cached() == {}


def test_forgetting_in_the_middle_of_a_download_leaves_nothing(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL], [good, good, cut, cut]))
    assert client.cached()
    client.content.forget_package(ONE)
    assert client.cached() == {}


def test_older_source_version_is_released_and_what_the_newer_one_shares_stays(client: Client) -> None:
    update = Package({**SMALL.files, "setup.sh": b"#!/bin/bash\n"})
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.fetch(update, FaultyPoint("dp", [update]))
    client.content.release(SMALL.manifest, ONE)
    assert set(client.cached()) == set(update.stored)
    assert client.content.is_held(update.manifest)


# --- laying out ---


def test_tree_is_laid_out_with_modes_links_and_empty_folders(client: Client) -> None:
    package = Package(
        {"bin/run": b"#!", "bin/plain": b"#!"}, frozenset({"bin/run"}), {"go": "bin/run", "bin/up": ".."}, ("var/empty",)
    )
    client.fetch(package, FaultyPoint("dp", [package]))
    client.content.lay_out(package.manifest, "run/1")
    nodes = {path.removeprefix("run/1/"): node for path, node in client.disk._names.items() if path.startswith("run/1/")}
    assert {path: (str(node.kind), node.target, node.is_executable) for path, node in nodes.items()} == {
        "bin": ("folder", "", False),
        "bin/run": ("file", "", True),
        "bin/plain": ("file", "", False),
        "go": ("link", "bin/run", False),
        "bin/up": ("link", "..", False),
        "var": ("folder", "", False),
        "var/empty": ("folder", "", False),
    }


def test_what_lay_there_before_is_gone(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.disk.write_as_program("run/1/left by another run", b"x")
    client.disk.write_as_program("run/1/setup.sh", b"x")
    assert client.laid_out(SMALL) == SMALL.files


def test_what_a_program_changes_is_not_changed_in_the_cache(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.laid_out(SMALL)
    client.disk.append("run/1/setup.sh", b"changed")
    assert client.laid_out(SMALL) == SMALL.files


def test_content_that_is_not_held_cannot_be_laid_out(client: Client) -> None:
    with pytest.raises(UnavailableError, match="not in the cache"):
        client.content.lay_out(SMALL.manifest, "run/1")


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone"])
def test_file_damaged_in_the_cache_is_never_laid_out_and_is_fetched_again(client: Client, damage: str) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    path = "cache/" + file_path(hash_of(SMALL.files["lib/a"]))
    client.disk.remove(path)
    if damage != "gone":
        client.disk.append(path, b"X" * (40 if damage == "changed" else 5))
    with pytest.raises(UnavailableError, match="damaged in the cache"):
        client.content.lay_out(SMALL.manifest, "run/1")
    assert client.disk.files("run") == {}
    assert not client.content.is_held(SMALL.manifest)
    point = FaultyPoint("dp", [SMALL])
    assert client.fetch(SMALL, point).is_ready
    assert len(point.asked) == 1
    assert client.laid_out(SMALL) == SMALL.files


def test_damaged_manifest_is_fetched_again(client: Client) -> None:
    client.fetch(SMALL, FaultyPoint("dp", [SMALL]))
    client.disk.append("cache/" + manifest_path(SMALL.manifest), b" ")
    assert not client.content.is_held(SMALL.manifest)
    point = FaultyPoint("dp", [SMALL])
    assert client.fetch(SMALL, point).is_ready
    assert [path for path, _ in point.asked] == [manifest_path(SMALL.manifest)]


def test_no_space_to_lay_out_leaves_nothing_half_done() -> None:
    client = Client(capacity_bytes=2000)
    large = Package({"large": b"x" * 600})
    client.fetch(large, FaultyPoint("dp", [large]))
    client.disk.capacity_bytes = 1000
    with pytest.raises(UnavailableError, match="needs 600 bytes"):
        client.content.lay_out(large.manifest, "run/1")
    assert client.disk.files("run") == {}


# --- everything at once ---

contents = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"shared" * 5]))
packages = st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e f"]), contents, min_size=1).map(Package)
fault_lists = st.lists(st.sampled_from([good, *FAULTS]), max_size=12)


@given(packages, packages, st.lists(st.tuples(fault_lists, fault_lists, st.booleans()), max_size=4))
def test_whatever_points_do_content_is_held_byte_for_byte_or_not_believed(
    first: Package, second: Package, attempts: list[tuple[list[Fault], list[Fault], bool]]
) -> None:
    client = Client()
    paths = set(first.stored) | set(second.stored)
    for number, (left, right, is_restarted) in enumerate([*attempts, ([], [], True)]):
        points = FaultyPoint("left", [first, second], left), FaultyPoint("right", [first, second], right)
        for package, owner in ((first, ONE), (second, TWO)):
            is_ready = client.fetch(package, *points, owner=owner, minute=number).is_ready
            assert is_ready == client.content.is_held(package.manifest)
            if is_ready:
                assert client.laid_out(package) == package.files
        client.assert_cache_is_what_it_is_called()
        assert {path for point in points for path, _ in point.asked} <= paths
        if is_restarted:
            client.start()
    assert client.content.is_held(first.manifest)
    assert client.content.is_held(second.manifest)
    client.content.forget_package(ONE)
    client.content.forget_package(TWO)
    assert client.cached() == {}


@settings(max_examples=20)
@given(st.one_of(st.none(), st.integers(0, 10_000)))
def test_power_cut_at_any_moment_leaves_nothing_wrong_that_is_believed(seed: int | None) -> None:
    moment = 0
    is_over = False
    while not is_over:
        moment += 1
        client = Client()
        client.power.fail_at(moment)
        try:
            client.fetch(SMALL, FaultyPoint("dp", [SMALL], [good, cut]))
            client.fetch(OTHER, FaultyPoint("dp", [OTHER]), owner=TWO)
            client.laid_out(OTHER)
            client.content.forget_package(TWO)
            client.power.fail_at(None)
            is_over = True
        except PowerCut:
            client.recover(seed)
        client.assert_cache_is_what_it_is_called()
        for package in (SMALL, OTHER):
            if client.content.is_held(package.manifest):
                assert client.laid_out(package) == package.files
        assert client.fetch(SMALL, FaultyPoint("dp", [SMALL])).is_ready
        assert client.laid_out(SMALL) == SMALL.files
        client.content.forget_package(TWO)
        client.content.evict(SETTINGS, frozenset())
        assert set(client.cached()) == set(SMALL.stored)
    assert moment > 20
