"""A poll at a CAP in memory: what it asks, what it accepts, and what it concludes from less than everything."""

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from tuf.api.metadata import Timestamp

from purveyor.client.state import published
from purveyor.lab.transport import MemoryBoxes, MemoryPoint
from purveyor.transport.interface import Answer
from purveyor.wire import offers, package_info, shards
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import collection_id, package_id
from purveyor.wire.settings import Point
from purveyor.wire.shards import ClientState, Entry
from purveyor.wire.status_messages import StatusId
from small_client import SmallClient
from small_site import DAY, URL, SmallSite, fixed_keys, key_of, member, package, replaced_keys

COLLECTION = collection_id("S0110001")
OTHER = collection_id("S0110002")
PACKAGE = package_id("S0100001")
SHARD = shards.path_of(1, 0)
HOUR = timedelta(hours=1)
BOTH_READS = ["clidata.box/timestamp.json", SHARD]


@pytest.fixture
def site() -> SmallSite:
    """A site that offers one program of one package to one collection."""
    made = SmallSite()
    made.add_packages(package(PACKAGE, 1))
    made.offer(key_of(PACKAGE), collection=COLLECTION)
    return made


@pytest.fixture
def client(site: SmallSite) -> SmallClient:
    """A member of the collection, who has polled once."""
    made = SmallClient(site)
    site.say({made.identity.client: member(COLLECTION)})
    assert offered(made) == [PACKAGE]
    return made


def offered(client: SmallClient, *, after: timedelta = timedelta(0)) -> list[str]:
    """The packages that a poll finds offered, all conditions of completeness met."""
    policy = client.policy(after=after)
    assert policy.is_complete, policy.problems
    assert not policy.problems
    return [offer.advertisement.package for offer in policy.offers]


# --- what is asked ---


def test_a_poll_that_finds_nothing_new_is_exactly_two_reads(site: SmallSite, client: SmallClient) -> None:
    mark = len(site.boxes.requests)
    assert offered(client, after=HOUR) == [PACKAGE]
    assert site.requests_since(mark) == BOTH_READS


def test_once_a_day_the_root_is_read_as_well(site: SmallSite, client: SmallClient) -> None:
    mark = len(site.boxes.requests)
    client.poll(after=DAY)
    assert site.requests_since(mark) == [*BOTH_READS, "clidata.box/root.json"]
    mark = len(site.boxes.requests)
    client.poll(after=HOUR)
    assert site.requests_since(mark) == BOTH_READS


def test_a_changed_offer_costs_one_file_and_the_metadata_above_it(site: SmallSite, client: SmallClient) -> None:
    site.offer(collection=COLLECTION)
    mark = len(site.boxes.requests)
    assert offered(client) == []
    asked = site.requests_since(mark)
    assert asked[0] == BOTH_READS[0]
    assert SHARD in asked
    assert len(asked) == len(set(asked)) == 5
    assert sum(path.startswith("offerinf.box/") and path.endswith(".ofr") for path in asked) == 1


def test_a_changed_shard_alone_costs_nothing_more(site: SmallSite, client: SmallClient) -> None:
    site.say({client.identity.client: member(COLLECTION, received=5)})
    mark = len(site.boxes.requests)
    offered(client)
    assert site.requests_since(mark) == BOTH_READS


def test_no_request_is_ever_made_for_an_absent_file(site: SmallSite, client: SmallClient) -> None:
    client.hold("S0100001", "S0100002", "S010ZZZZ")
    for step in (
        lambda: site.add_packages(package("S0100002", 1)),
        lambda: site.offer(key_of(PACKAGE), key_of("S0100002"), collection=OTHER),
        lambda: site.say({client.identity.client: member(COLLECTION, OTHER)}),
        lambda: site.delete_package(package_id("S0100002")),
        lambda: site.offer(key_of("S0100002"), collection=OTHER),
        lambda: site.say({client.identity.client: member("S0110003")}),
        lambda: site.publish(renew="timestamp"),
        lambda: site.set_settings(poll_interval_seconds=60),
        lambda: site.say({}),
    ):
        step()
        client.poll(after=HOUR)
        client.poll(after=DAY)
    assert site.boxes.absent_requests() == []
    assert published.absent_requests(client.state) == 0


def test_dependencies_of_an_offered_program_are_read_too(site: SmallSite, client: SmallClient) -> None:
    needing = package("S0100002", 1)
    program = needing.programs[0].__class__(number=1, name="n", command=needing.programs[0].command, depends_on=key_of(PACKAGE))
    site.add_packages(
        package("S0100003", 1), package_info.PackageInfo(id=needing.id, name="n", source_version=1, programs=(program,))
    )
    site.offer(key_of("S0100002"), collection=COLLECTION)
    policy = client.policy()
    assert set(policy.packages) == {PACKAGE, "S0100002"}


# --- shards ---


def test_a_shard_older_than_one_seen_is_refused(site: SmallSite, client: SmallClient) -> None:
    old = site.shard_of({client.identity.client: member()})
    site.say({client.identity.client: member(COLLECTION, received=3)})
    client.poll()
    site.write_shard(old)
    refuses_the_shard(client, "older than one seen")


def test_an_expired_shard_is_refused(site: SmallSite, client: SmallClient) -> None:
    site.say({client.identity.client: member()}, expires_at=site.clock.now())
    refuses_the_shard(client, "expired")


def test_a_shard_signed_by_an_unknown_key_is_refused(site: SmallSite, client: SmallClient) -> None:
    site.write_shard(site.shard_of({client.identity.client: member()}), keys=fixed_keys("stranger"))
    refuses_the_shard(client, "do not name")


@pytest.mark.parametrize("place", [{"number": 1}, {"generation": 2}])
def test_a_shard_that_belongs_elsewhere_is_refused(site: SmallSite, client: SmallClient, place: dict[str, int]) -> None:
    site.say({client.identity.client: member()}, **place)
    refuses_the_shard(client, "lies where another one should")


@pytest.mark.parametrize("content", [b"", b"purveyor shard 1 ab cd\n{}", bytes(1000), b"[" * 100_000])
def test_a_damaged_shard_is_refused(site: SmallSite, client: SmallClient, content: bytes) -> None:
    site.shelf.replace(SHARD, content)
    refuses_the_shard(client, "shard")


def refuses_the_shard(client: SmallClient, reason: str) -> None:
    """A poll refuses the shard that is served, says why, and what was said before still stands."""
    polled = client.poll()
    assert polled.access_point is None
    assert [reason in problem.reason for problem in polled.policy.problems] == [True], polled.policy.problems
    assert [offer.advertisement.package for offer in polled.policy.offers] == [PACKAGE]


def test_a_shard_of_an_older_publication_than_the_metadata_says_nothing_of_what_is_not_offered(site: SmallSite) -> None:
    """Compiled against a snapshot that the client does not hold yet: the timestamp is read once more, and then it is enough."""
    client = SmallClient(site)
    site.say({client.identity.client: member(COLLECTION)}, snapshot=site.repository.roles["snapshot"].version + 1)
    assert not client.policy().is_complete
    site.publish(renew="snapshot")
    client.site.say({client.identity.client: member(COLLECTION)})
    assert offered(client) == [PACKAGE]


def test_a_publication_between_the_two_reads_of_a_poll_is_taken_whole(site: SmallSite, client: SmallClient) -> None:
    """The shard is newer than the timestamp that was read before it: the timestamp is read once more."""

    def publish() -> None:
        site.add_packages(package("S0100002", 1))
        site.offer(key_of("S0100002"), collection=COLLECTION)
        site.say({client.identity.client: member(COLLECTION)})

    site.publish(renew="timestamp")
    client.point_for = lambda url: Racing(site.point(client.name), publish)  # type: ignore[method-assign]
    assert offered(client, after=HOUR) == ["S0100002"]


class Racing:
    """A CAP at which something is published right after the timestamp was read for the first time."""

    def __init__(self, point: MemoryPoint, publish: Callable[[], None]) -> None:
        self.point = point
        self.url = point.url
        self.publish: Callable[[], None] | None = publish

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """As the CAP itself."""
        answer = self.point.read(path, limit_bytes=limit_bytes, tag=tag)
        if path == BOTH_READS[0] and self.publish is not None:
            self.publish()
            self.publish = None
        return answer


def test_an_entry_missing_from_the_shard_says_nothing(site: SmallSite, client: SmallClient) -> None:
    site.say({})
    policy = client.policy()
    assert not policy.is_complete
    assert policy.may_run_accepted
    assert [offer.advertisement.package for offer in policy.offers] == [PACKAGE]


def test_a_collection_that_says_nothing_yet_is_not_one_that_offers_nothing(site: SmallSite, client: SmallClient) -> None:
    site.say({client.identity.client: member(COLLECTION, OTHER)})
    policy = client.policy()
    assert not policy.is_complete
    assert [problem.about for problem in policy.problems] == [f"offerinf.box/{OTHER}.ofr"]
    site.offer(collection=OTHER)
    assert offered(client) == [PACKAGE]


def test_a_client_that_never_was_spoken_to_is_offered_nothing_and_concludes_nothing(site: SmallSite) -> None:
    client = SmallClient(site)
    site.say({})
    policy = client.policy()
    assert (policy.offers, policy.is_complete, policy.may_run_accepted) == ((), False, False)


@pytest.mark.parametrize("state", [ClientState.WAITING, ClientState.BLOCKED, ClientState.REJOIN, ClientState.REFUSED])
def test_a_client_that_is_no_member_runs_nothing_and_forgets_nothing(
    site: SmallSite, client: SmallClient, state: ClientState
) -> None:
    site.say({client.identity.client: Entry(state=state, reason="because")})
    policy = client.policy()
    assert (policy.may_run_accepted, policy.is_complete, policy.deleted_packages) == (False, False, frozenset())


def test_leaving_a_collection_is_seen_and_forgets_nothing(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.say({client.identity.client: member()})
    assert offered(client) == []
    assert client.policy().deleted_packages == frozenset()


# --- deletion ---


def test_a_deleted_package_is_proven_deleted_once_and_for_ever(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.offer(collection=COLLECTION)
    site.delete_package(PACKAGE)
    polled = client.poll()
    assert polled.newly_deleted == (PACKAGE,)
    assert polled.policy.deleted_packages == {PACKAGE}
    again = client.poll(after=HOUR)
    assert again.newly_deleted == ()
    assert again.policy.deleted_packages == {PACKAGE}


@pytest.mark.parametrize("held", ["a record", "a cached file", "an offer"])
def test_deletion_is_judged_for_everything_of_which_something_is_held(site: SmallSite, client: SmallClient, held: str) -> None:
    if held != "an offer":
        site.offer(collection=COLLECTION)
        {"a record": client.hold, "a cached file": client.cache}[held](PACKAGE)
    site.delete_package(PACKAGE)
    assert client.policy().deleted_packages == {PACKAGE}


def test_an_id_that_was_never_given_is_not_deleted(site: SmallSite, client: SmallClient) -> None:
    client.hold("S0100007")
    assert client.policy(after=DAY).deleted_packages == frozenset()


def test_a_package_that_is_merely_not_offered_is_not_deleted(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.offer(collection=COLLECTION)
    assert offered(client) == []
    assert client.policy().deleted_packages == frozenset()


def test_a_deleted_program_is_proven_by_its_package_alone(site: SmallSite, client: SmallClient) -> None:
    site.add_packages(package(PACKAGE, 2, highest=2))
    assert client.policy().deleted_programs == {key_of(PACKAGE, 1)}


# --- half a publication, nothing, and things damaged ---


def writes_of(site: SmallSite, act) -> int:  # noqa: ANN001 - any act
    """How many files a publication writes."""
    before = dict(site.boxes.files)
    act()
    return sum(before.get(path) != stored for path, stored in site.boxes.files.items())


def delete_all(site: SmallSite, client: SmallClient) -> None:
    """Deletes the package with its offers, as one publication, and says so in the shard."""
    said = offers.CollectionOffers(collection=COLLECTION)
    site.publish({offers.path_of(COLLECTION): offers.encode(said), package_info.path_of(PACKAGE): None})
    site.say({client.identity.client: member(COLLECTION, received=1)})


def test_half_a_publication_concludes_nothing() -> None:
    total = None
    seen = []
    after_writes = 0
    while total is None or after_writes <= total:
        site = SmallSite()
        site.add_packages(package(PACKAGE, 1))
        site.offer(key_of(PACKAGE), collection=COLLECTION)
        client = SmallClient(site)
        site.say({client.identity.client: member(COLLECTION)})
        client.hold(PACKAGE)
        client.poll()
        site.boxes.hold(after_writes)
        total = writes_of(site, lambda: delete_all(site, client))  # noqa: B023 - called at once
        policy = client.policy(after=HOUR)
        is_deleted = PACKAGE in policy.deleted_packages
        assert is_deleted or [offer.advertisement.package for offer in policy.offers] == [PACKAGE]
        seen.append(is_deleted)
        assert site.boxes.absent_requests() == []
        site.boxes.release()
        assert client.policy(after=HOUR).deleted_packages == {PACKAGE}
        after_writes += 1
    assert seen == sorted(seen), "what was concluded once is not taken back"
    assert seen[:-2] == [False] * (len(seen) - 2), "only a finished publication says anything"


def test_an_empty_folder_concludes_nothing(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.boxes.serve_nothing()
    policy = client.policy(after=DAY)
    assert policy.deleted_packages == frozenset()
    assert [offer.advertisement.package for offer in policy.offers] == [PACKAGE]
    assert len(policy.problems) == 1


def test_an_empty_folder_for_a_new_client_is_said_plainly(site: SmallSite) -> None:
    client = SmallClient(site)
    site.boxes.serve_nothing()
    with pytest.raises(RejectedError, match="has not read its site's settings"):
        client.poll()


def test_an_unreachable_cap_concludes_nothing(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.delete_package(PACKAGE)
    site.boxes.cut()
    policy = client.policy(after=HOUR)
    assert policy.deleted_packages == frozenset()
    assert policy.may_run_accepted


def test_one_damaged_offer_does_not_stop_the_others(site: SmallSite, client: SmallClient) -> None:
    """Q245170: one damaged `.ofr` is one problem, and what the other collections offer is offered."""
    site.add_packages(package("S0100002", 1))
    site.offer(key_of("S0100002"), collection=OTHER)
    site.say({client.identity.client: member(COLLECTION, OTHER)})
    [damaged] = [path for path in site.boxes.files if path.endswith(f".{OTHER}.ofr")]
    site.boxes.corrupt(damaged)
    policy = client.policy()
    assert [offer.advertisement.package for offer in policy.offers] == [PACKAGE]
    assert not policy.is_complete
    assert [problem.about for problem in policy.problems] == [f"offerinf.box/{OTHER}.ofr"]
    site.boxes.mend()
    assert offered(client, after=HOUR) == [PACKAGE, "S0100002"]


def test_a_damaged_package_file_does_not_stop_the_others(site: SmallSite, client: SmallClient) -> None:
    site.add_packages(package("S0100002", 1))
    site.offer(key_of(PACKAGE), key_of("S0100002"), collection=COLLECTION)
    [damaged] = [path for path in site.boxes.files if path.endswith(".S0100002.pkg")]
    site.boxes.truncate(damaged, 10)
    policy = client.policy()
    assert set(policy.packages) == {PACKAGE}
    assert not policy.is_complete
    assert policy.deleted_packages == frozenset()
    site.boxes.mend()
    assert set(client.policy(after=HOUR).packages) == {PACKAGE, "S0100002"}


def test_a_damaged_bin_proves_nothing(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.offer(collection=COLLECTION)
    site.delete_package(PACKAGE)
    for path in [path for path in site.boxes.files if ".packages-" in path]:
        site.boxes.corrupt(path)
    policy = client.policy()
    assert policy.deleted_packages == frozenset()
    assert not policy.is_complete
    site.boxes.mend()
    assert client.policy(after=HOUR).deleted_packages == {PACKAGE}


@pytest.mark.parametrize("lost", ["timestamp", "root", "shard", "snapshot", "packages"])
def test_a_file_that_is_gone_concludes_nothing(site: SmallSite, client: SmallClient, lost: str) -> None:
    client.hold(PACKAGE)
    delete_all(site, client)
    for path in list(site.boxes.files):
        if lost in path or (lost == "shard" and path.endswith(".lkp")):
            site.boxes.lose(path)
    assert client.policy(after=DAY).deleted_packages == frozenset()


# --- staleness ---


def test_expired_metadata_proves_no_deletion(site: SmallSite, client: SmallClient) -> None:
    client.hold(PACKAGE)
    site.delete_package(PACKAGE)
    site.clock.advance(8 * DAY)
    policy = client.policy()
    assert (policy.is_fresh, policy.is_complete, policy.deleted_packages) == (False, False, frozenset())


def test_with_expired_metadata_accepted_programs_run_for_the_grace_time(site: SmallSite, client: SmallClient) -> None:
    site.boxes.cut()
    for days, may_run in ((6, True), (8, True), (36, True), (38, False)):
        elapsed = site.clock.now() - site.repository.roles["timestamp"].expires_at + 7 * DAY
        policy = client.policy(after=days * DAY - elapsed)
        assert (days, policy.is_fresh, policy.may_run_accepted) == (days, days < 7, may_run)


def test_a_clock_that_is_set_back_revives_nothing(site: SmallSite, client: SmallClient) -> None:
    site.clock.advance(6 * DAY)
    site.publish(renew="timestamp")
    site.say({client.identity.client: member(COLLECTION)})
    client.poll()
    now = site.clock.now()
    site.boxes.cut()
    site.clock._now = now - timedelta(days=400)
    assert client.policy().is_fresh
    site.clock._now = now + 8 * DAY
    assert not client.policy().is_fresh


def test_a_newest_timestamp_that_is_old_counts_as_withheld(site: SmallSite, client: SmallClient) -> None:
    assert client.policy(after=DAY).problems == ()
    [problem] = client.policy(after=1.1 * DAY).problems
    assert problem.about == URL
    assert "kept back" in problem.reason
    assert problem.status is StatusId.POINT_WITHHOLDS
    site.publish(renew="timestamp")
    assert client.policy(after=HOUR).problems == ()


def test_a_shard_that_expired_while_timestamps_are_renewed_counts_as_withheld(site: SmallSite, client: SmallClient) -> None:
    for _ in range(14):
        site.clock.advance(DAY)
        site.publish(renew="timestamp")
        client.poll()
    [problem] = client.policy(after=HOUR).problems
    assert (problem.about, problem.status) == (URL, StatusId.POINT_WITHHOLDS)
    assert problem.reason == "the lookup shard that it serves expired at 2026-01-19 08:00Z: newer ones are kept back"
    site.say({client.identity.client: member(COLLECTION)})
    assert client.policy(after=HOUR).problems == ()


@pytest.mark.parametrize(
    ("received", "is_believed"), [(0, True), (2**20, True), (2**20 + 1, False), (2**63, False), (10**30, False)]
)
def test_a_shard_does_not_use_up_the_numbers_of_reports(
    site: SmallSite, client: SmallClient, received: int, is_believed: bool
) -> None:
    """Who stole the lookup key says that the site has everything there will ever be."""
    site.say({client.identity.client: member(COLLECTION, received=received)})
    problems = client.policy(after=HOUR).problems
    assert [one.reason for one in problems if "more than this client ever sent" in one.reason] == [] or not is_believed
    assert (problems == ()) is is_believed


def test_a_new_timestamp_that_reads_as_expired_tells_that_the_clock_differs(site: SmallSite, client: SmallClient) -> None:
    site.publish(renew="timestamp")
    [problem] = [one for one in client.policy(after=8 * DAY).problems if one.about == "the clock"]
    assert problem.status is StatusId.CLOCK_DIFFERS
    assert "2026-01-12 08:00Z" in problem.reason
    assert [one for one in client.policy(after=HOUR).problems if one.about == "the clock"] == []


@pytest.mark.parametrize("lost", ["clidata.box/timestamp.json", SHARD, ".snapshot.json"])
def test_every_request_for_an_absent_file_is_counted_once(site: SmallSite, client: SmallClient, lost: str) -> None:
    site.publish(renew="snapshot")
    for path in [path for path in site.boxes.files if path.endswith(lost)]:
        site.boxes.lose(path)
    client.poll(after=HOUR)
    assert published.absent_requests(client.state) == len(site.boxes.absent) > 0


def test_a_site_that_signs_more_often_is_held_to_that(site: SmallSite, client: SmallClient) -> None:
    def state_rhythm(seconds: int) -> None:
        role = site.repository.roles["timestamp"]

        def change(signed: Timestamp) -> None:
            signed.version = role.version + 1
            signed.unrecognized_fields |= {"issued_at": site.clock.now().isoformat(), "rhythm_seconds": seconds}

        site.repository.keep([site.repository.signed_by_hand("timestamp", change)])
        site.write_role(site.repository.roles["timestamp"])

    state_rhythm(30 * 86_400)
    client.poll()
    assert client.policy(after=3 * DAY).problems == ()
    state_rhythm(3600)
    client.poll()
    assert len(client.policy(after=3 * HOUR).problems) == 1


# --- several CAPs ---

SECOND = "http://second.test/cap"


@pytest.fixture
def mirror(site: SmallSite) -> MemoryBoxes:
    """Another CAP, which has what the first has, named in the settings."""
    site.set_settings(access_points=(Point(id="cap1", url=URL, weight=1000), Point(id="cap2", url=SECOND, weight=1)))
    boxes = MemoryBoxes(SECOND, site.clock.now)
    boxes.files = dict(site.boxes.files)
    return boxes


@pytest.fixture
def roaming(site: SmallSite, mirror: MemoryBoxes) -> SmallClient:
    """A client that knows both CAPs."""
    made = SmallClient(site, others={SECOND: mirror})
    site.say({made.identity.client: member(COLLECTION)})
    mirror.files = dict(site.boxes.files)
    assert offered(made) == [PACKAGE]
    return made


def test_another_cap_serves_when_one_cannot_be_reached(site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient) -> None:
    site.boxes.cut()
    polled = roaming.poll(after=HOUR)
    assert polled.access_point == SECOND
    assert polled.policy.is_complete
    site.boxes.mend()
    mark = len(site.boxes.requests)
    assert roaming.poll(after=HOUR).access_point == SECOND, "the one that served last is asked first"
    assert site.requests_since(mark) == []


def test_a_cap_that_failed_is_asked_again_later_and_later(site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient) -> None:
    site.boxes.cut()
    mirror.cut()
    asked = []
    for _ in range(120):
        mark = len(site.boxes.requests)
        roaming.poll(after=timedelta(minutes=1))
        asked.append(len(site.boxes.requests) > mark)
    times = [minute for minute, was_asked in enumerate(asked, start=1) if was_asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:3] == [1, 2, 4] and 13 <= gaps[4] <= 16, "each pause is a little shorter, by the client's own share"
    assert set(gaps[5:]) <= set(range(24, 31))
    assert roaming.poll(is_forced=True).access_point is None


def test_a_lagging_cap_is_asked_for_nothing_more_and_nothing_is_dropped(
    site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient
) -> None:
    mirror.keep_moment("old")
    site.offer(key_of(PACKAGE), collection=COLLECTION, disabled=(key_of("S0100009"),))
    site.say({roaming.identity.client: member(COLLECTION, received=9)})
    assert roaming.poll().access_point == URL
    site.boxes.cut()
    mark = len(mirror.requests)
    polled = roaming.poll(after=HOUR)
    assert polled.access_point == SECOND, "it takes what the client has to tell"
    assert [problem.about for problem in polled.policy.problems] == [URL], "nothing is wrong with one that is behind"
    assert [request.path for request in mirror.requests[mark:]] == ["clidata.box/timestamp.json"]
    assert roaming.policy().disabled == {key_of("S0100009")}


def test_a_cap_that_lags_and_says_unchanged_is_left_for_another(
    site: SmallSite, mirror: MemoryBoxes, roaming: SmallClient
) -> None:
    """Its entity tag is known from before, so it answers "unchanged": what was seen elsewhere since tells that it lags.

    Where that goes on for longer than a site is ever silent, it is told, in the same words each time.
    """
    site.boxes.cut()
    assert roaming.poll(after=HOUR).access_point == SECOND
    site.boxes.mend()
    mirror.cut()
    site.publish(renew="timestamp")
    assert roaming.poll(after=HOUR).access_point == URL
    mirror.mend()
    site.boxes.cut()
    polled = roaming.poll(after=HOUR)
    assert polled.access_point == SECOND
    assert [problem.about for problem in polled.policy.problems] == [URL]
    told = [
        problem.reason
        for _ in range(60)
        for problem in roaming.poll(after=HOUR).policy.problems
        if "lags behind what was seen elsewhere" in problem.reason
    ]
    assert len(told) > 10 and len(set(told)) == 1


# --- new keys ---


def test_a_new_root_brings_new_keys_to_a_client_that_cannot_verify_the_timestamp(site: SmallSite, client: SmallClient) -> None:
    new = replaced_keys("timestamp snapshot")
    site.write_role(site.repository.rotate_root(new, "timestamp", "snapshot"))
    site.repository.keys = new
    site.publish(renew="snapshot timestamp")
    site.say({client.identity.client: member(COLLECTION)})
    assert offered(client, after=HOUR) == [PACKAGE]
    assert client.state.mark("root") == 2


def test_a_new_root_that_is_seen_before_its_timestamp_stops_nothing_for_long(site: SmallSite, client: SmallClient) -> None:
    new = replaced_keys("timestamp snapshot")
    site.write_role(site.repository.rotate_root(new, "timestamp", "snapshot"))
    client.poll(after=DAY)
    client.poll(after=HOUR)
    site.repository.keys = new
    site.publish(renew="snapshot timestamp")
    site.say({client.identity.client: member(COLLECTION)})
    assert offered(client, after=HOUR) == [PACKAGE]


# --- after a theft of the online keys ---


def test_a_time_that_a_thief_signed_is_forgotten_with_the_stolen_key(site: SmallSite, client: SmallClient) -> None:
    def far_ahead(signed: Timestamp) -> None:
        signed.version += 1
        signed.unrecognized_fields["issued_at"] = "2990-01-01T00:00:00+00:00"
        signed.expires += 365_000 * DAY

    site.write_role(site.repository.signed_by_hand("timestamp", far_ahead))
    assert not client.policy().is_fresh
    new = replaced_keys("timestamp snapshot")
    site.write_role(site.repository.rotate_root(new, "timestamp", "snapshot"))
    site.repository.keys = new
    site.publish(renew="snapshot timestamp")
    site.publish(renew="timestamp")
    site.say({client.identity.client: member(COLLECTION)})
    assert offered(client, after=HOUR) == [PACKAGE]


def test_numbers_that_a_thief_used_up_bind_nobody_once_the_key_is_out_of_use(site: SmallSite, client: SmallClient) -> None:
    site.say({client.identity.client: member()}, publication=shards.NUMBER_LIMIT)
    assert offered(client) == []
    new = replaced_keys("lookup")
    site.repository.keys = new
    site.set_settings()
    site.say({client.identity.client: member(COLLECTION)})
    assert offered(client, after=HOUR) == [PACKAGE]
    old = site.boxes.files[SHARD]
    site.say({client.identity.client: member()})
    assert offered(client, after=HOUR) == []
    site.shelf.replace(SHARD, old.content)
    polled = client.poll(after=HOUR)
    assert any("older than one seen" in problem.reason for problem in polled.policy.problems)
