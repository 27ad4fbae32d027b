"""Faults between a site and its clients: each does what its name says, to those whom it concerns, until it is over."""

from datetime import timedelta

import pytest

from purveyor.lab.clock import Clock
from purveyor.lab.transport import MemoryBoxes
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

TIMESTAMP = "clidata.box/timestamp.json"
OFFERS = "offerinf.box/1.S0110001.ofr"
SHARD, OTHER_SHARD = "offerinf.box/lookup/1/00000.lkp", "offerinf.box/lookup/1/00001.lkp"
BOX = "statmsgs.box"
ITEMS = [f"{BOX}/{number:032x}" for number in range(20)]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cap(clock: Clock) -> MemoryBoxes:
    return MemoryBoxes("http://lab/cap", clock.now)


def _read(cap: MemoryBoxes, path: str, client: str = "pc1") -> bytes:
    answer = cap.point(client).read(path, limit_bytes=1000)
    assert answer is not None
    return answer.content


def _put_all(cap: MemoryBoxes, clock: Clock | None = None) -> None:
    for path in ITEMS:
        cap.point("pc1").put(path, path.encode())
        if clock is not None:
            clock.advance(timedelta(seconds=1))


def _box(cap: MemoryBoxes) -> list[str]:
    return [f"{BOX}/{item.name}" for item in cap.shelf().listed(BOX, limit=1000)]


def test_every_fault_may_be_over_by_itself(cap: MemoryBoxes, clock: Clock) -> None:
    cap.shelf().write(OFFERS, b"12345")
    until = clock.now() + MINUTE
    cap.cut("pc1", until=until)
    cap.truncate(OFFERS, 2, client="pc2", until=until)
    cap.hide(OFFERS.__eq__, client="pc3", until=until)
    with pytest.raises(UnavailableError):
        _read(cap, OFFERS, "pc1")
    assert _read(cap, OFFERS, "pc2") == b"12"
    with pytest.raises(AbsentError):
        _read(cap, OFFERS, "pc3")
    clock.advance(MINUTE)
    assert {_read(cap, OFFERS, client) for client in ("pc1", "pc2", "pc3")} == {b"12345"}


def test_a_mirror_that_lags_shows_each_write_so_much_later(cap: MemoryBoxes, clock: Clock) -> None:
    cap.shelf().replace(TIMESTAMP, b"1")
    cap.lag(10 * MINUTE)
    cap.shelf().write(OFFERS, b"x")
    cap.shelf().replace(TIMESTAMP, b"2")
    assert _read(cap, TIMESTAMP) == b"1"
    with pytest.raises(AbsentError):
        _read(cap, OFFERS)
    assert len(cap.absent_requests()) == 1, "nothing that it shows leads there"
    clock.advance(10 * MINUTE)
    assert (_read(cap, TIMESTAMP), _read(cap, OFFERS)) == (b"2", b"x")


def test_writes_overtake_each_other_where_the_lag_is_uneven_and_the_last_one_stays(cap: MemoryBoxes, clock: Clock) -> None:
    cap.lag(MINUTE, spread=60 * MINUTE, seed=1)
    for number in range(20):
        cap.shelf().write(f"pkginfo.box/{number}", b"x")
        cap.shelf().replace(TIMESTAMP, b"%d" % number)
    orders, shown = [], set()
    for _ in range(62):
        clock.advance(MINUTE)
        now_shown = {n for n in range(20) if cap.seen_by("pc1", f"pkginfo.box/{n}") is not None}
        orders += sorted(now_shown - shown)
        shown = now_shown
        if cap.seen_by("pc1", OFFERS) is None and len(shown) < 20:
            with pytest.raises(AbsentError):
                _read(cap, f"pkginfo.box/{min(set(range(20)) - shown)}")
    assert sorted(orders) == list(range(20)) != orders
    assert _read(cap, TIMESTAMP) == b"19"
    assert cap.absent_requests() == [], "something that it showed may have led there"


def test_only_some_files_lag_where_a_story_says_so(cap: MemoryBoxes, clock: Clock) -> None:
    cap.lag(MINUTE, only=lambda path: path.endswith(".lkp"))
    cap.shelf().replace(SHARD, b"1")
    cap.shelf().replace(TIMESTAMP, b"1")
    assert _read(cap, TIMESTAMP) == b"1"
    with pytest.raises(AbsentError):
        _read(cap, SHARD)
    cap.mend()
    assert _read(cap, SHARD) == b"1"


def test_one_client_sees_another_folder_than_the_others(cap: MemoryBoxes, clock: Clock) -> None:
    cap.shelf().replace(TIMESTAMP, b"ours")
    elsewhere = MemoryBoxes("http://lab/elsewhere", clock.now)
    elsewhere.shelf().replace(TIMESTAMP, b"theirs")
    cap.keep_moment("another site", of=elsewhere)
    cap.serve_moment("another site", client="pc2")
    assert (_read(cap, TIMESTAMP, "pc1"), _read(cap, TIMESTAMP, "pc2")) == (b"ours", b"theirs")


def test_a_cap_that_lies_serves_another_clients_shard(cap: MemoryBoxes) -> None:
    cap.shelf().replace(SHARD, b"mine")
    cap.shelf().replace(OTHER_SHARD, b"another's")
    cap.serve_other(SHARD, OTHER_SHARD, client="pc1")
    assert (_read(cap, SHARD, "pc1"), _read(cap, SHARD, "pc2")) == (b"another's", b"mine")
    assert _read(cap, OTHER_SHARD, "pc1") == b"another's"


def test_a_file_without_an_end_fills_nothing(cap: MemoryBoxes) -> None:
    cap.shelf().write(OFFERS, b"x")
    cap.never_end()
    with pytest.raises(RejectedError, match="no end"):
        _read(cap, OFFERS)
    assert b"".join(cap.point("pc1").read_from(OFFERS, offset=0, limit_bytes=5)) == b"x\0\0\0\0"


def test_a_cache_that_is_stuck_calls_every_version_the_newest(cap: MemoryBoxes) -> None:
    cap.shelf().replace(TIMESTAMP, b"1")
    held = cap.point("pc1").read(TIMESTAMP, limit_bytes=10)
    assert held is not None
    cap.say_unchanged()
    cap.shelf().replace(TIMESTAMP, b"2")
    assert cap.point("pc1").read(TIMESTAMP, limit_bytes=10, tag=held.tag) is None
    assert _read(cap, TIMESTAMP, "pc2") == b"2", "who holds nothing is served"


def test_what_is_damaged_stays_damaged_whichever_file_it_is(cap: MemoryBoxes) -> None:
    cap.shelf().replace(SHARD, b"old")
    cap.keep_moment("yesterday")
    cap.shelf().replace(SHARD, b"newer")
    cap.truncate(SHARD, 1)
    cap.serve_moment("yesterday")
    assert _read(cap, SHARD) == b"o"


def test_asking_for_a_file_that_somebody_deleted_is_nobodys_mistake_until_the_site_takes_it_away(cap: MemoryBoxes) -> None:
    cap.shelf().write(OFFERS, b"x")
    cap.lose(OFFERS)
    with pytest.raises(AbsentError):
        _read(cap, OFFERS)
    assert cap.absent_requests() == []
    cap.shelf().write(OFFERS, b"x")
    cap.shelf().remove(OFFERS)
    with pytest.raises(AbsentError):
        _read(cap, OFFERS)
    assert len(cap.absent_requests()) == 1


def test_a_link_loses_requests_or_the_answers_to_them(cap: MemoryBoxes) -> None:
    cap.lose_requests(0.6, seed=3)
    failed = []
    for path in ITEMS:
        try:
            cap.point("pc1").put(path, b"x")
        except UnavailableError:
            failed.append(path)
    there = set(_box(cap))
    assert set(ITEMS) - set(failed) <= there
    assert set(failed) & there, "carried out, and the answer was lost"
    assert set(failed) - there, "never arrived"
    cap.mend()
    _put_all(cap)
    assert set(_box(cap)) == set(ITEMS)


def test_items_are_thrown_away_of_one_client_or_of_one_box(cap: MemoryBoxes) -> None:
    cap.discard(client="pc2")
    cap.discard(lambda path: path.startswith("ddr.box"))
    cap.point("pc1").put(ITEMS[0], b"x")
    cap.point("pc2").put(ITEMS[1], b"x")
    cap.point("pc1").put("ddr.box/" + "0" * 32, b"x")
    assert _box(cap) == ITEMS[:1]
    assert cap.shelf().listed("ddr.box", limit=10) == []


def test_items_arrive_later_and_in_another_order(cap: MemoryBoxes, clock: Clock) -> None:
    cap.delay_items(MINUTE, spread=60 * MINUTE, seed=1)
    _put_all(cap)
    assert _box(cap) == []
    clock.advance(30 * MINUTE)
    some = _box(cap)
    assert 0 < len(some) < len(ITEMS)
    clock.advance(31 * MINUTE)
    assert sorted(_box(cap)) == ITEMS != _box(cap)


def test_items_come_twice_under_another_name_or_after_they_were_taken_in(cap: MemoryBoxes, clock: Clock) -> None:
    cap.duplicate_items()
    cap.point("pc1").put(ITEMS[0], b"x")
    assert [cap.shelf().read(path) for path in _box(cap)] == [b"x", b"x"]
    cap.mend()
    cap.duplicate_items(MINUTE, keeps_names=True)
    cap.point("pc1").put(ITEMS[1], b"y")
    cap.shelf().remove(ITEMS[1])
    assert ITEMS[1] not in _box(cap)
    clock.advance(MINUTE)
    assert ITEMS[1] in _box(cap)


def test_what_is_under_way_arrives_when_faults_are_over(cap: MemoryBoxes) -> None:
    cap.delay_items(1000 * MINUTE)
    _put_all(cap)
    cap.mend()
    assert _box(cap) == ITEMS


def test_lists_of_a_box_may_be_wrong(cap: MemoryBoxes) -> None:
    _put_all(cap)
    cap.mix_up_lists(seed=2)
    listed = _box(cap)
    assert set(ITEMS) - set(listed), "gaps"
    assert set(listed) - set(ITEMS), "names of nothing"
    assert len(set(listed)) < len(listed), "names twice"


def test_each_answer_takes_its_time_where_the_link_is_slow(cap: MemoryBoxes, clock: Clock) -> None:
    cap.shelf().write(OFFERS, b"0123456789")
    began = clock.now()
    cap.slow_down(5, clock.advance, answer=timedelta(seconds=3))
    _read(cap, OFFERS)
    assert clock.now() - began == timedelta(seconds=5)


def test_a_power_cut_of_the_site_takes_all_that_was_not_synced_or_a_part(cap: MemoryBoxes) -> None:
    left = []
    for seed in (None, 1, 2):
        folder = MemoryBoxes("http://lab/cap", cap.now)
        for number in range(20):
            folder.shelf().write(f"pkginfo.box/{number}", b"x")
        folder.power_cut(seed)
        left.append(len(folder.files))
    assert left[0] == 0 < left[1] < 20 > left[2] > 0
