"""What the cache of content decides."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.content.plan import Held, choose_evictions, missing_bytes, missing_files, place_of_file, place_of_partial
from purveyor.wire.manifest import File, Manifest, hash_of


def held(manifest: str, used_at: str, **sizes: int) -> Held:
    return Held(manifest, used_at, sizes)


def test_nothing_goes_while_there_is_room() -> None:
    chosen = choose_evictions([held("m", "1", a=10)], wanted={"b": 5}, keep=set(), quota_bytes=15, shortage_bytes=0)
    assert chosen == ((), True)


def test_least_recently_used_goes_first_and_no_more_than_needed() -> None:
    entries = [held("new", "3", c=10), held("old", "1", a=10), held("middle", "2", b=10)]
    assert choose_evictions(entries, wanted={"d": 10}, keep=set(), quota_bytes=30, shortage_bytes=0) == (("old",), True)
    assert choose_evictions(entries, wanted={"d": 10}, keep=set(), quota_bytes=20, shortage_bytes=0) == (("old", "middle"), True)


def test_what_is_to_be_kept_stays_even_when_room_lacks() -> None:
    entries = [held("old", "1", a=10), held("new", "2", b=10)]
    assert choose_evictions(entries, wanted={"c": 10}, keep={"old"}, quota_bytes=20, shortage_bytes=0) == (("new",), True)
    assert choose_evictions(entries, wanted={"c": 30}, keep={"old"}, quota_bytes=20, shortage_bytes=0) == (("new",), False)


def test_shared_files_count_once_and_free_nothing_until_the_last_goes() -> None:
    entries = [held("old", "1", shared=10, a=1), held("new", "2", shared=10, b=1)]
    assert choose_evictions(entries, wanted={}, keep=set(), quota_bytes=12, shortage_bytes=0) == ((), True)
    assert choose_evictions(entries, wanted={}, keep=set(), quota_bytes=99, shortage_bytes=2) == (("old", "new"), True)
    assert choose_evictions(entries, wanted={"shared": 10}, keep=set(), quota_bytes=99, shortage_bytes=3) == (
        ("old", "new"),
        False,
    )


def test_a_full_disk_is_freed_even_below_the_quota() -> None:
    entries = [held("old", "1", a=10), held("new", "2", b=10)]
    assert choose_evictions(entries, wanted={"c": 5}, keep=set(), quota_bytes=999, shortage_bytes=7) == (("old",), True)


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.just(7), max_size=4), max_size=5),
    st.dictionaries(st.sampled_from("abcdef"), st.just(7), max_size=4),
    st.sets(st.integers(0, 4)),
    st.integers(0, 60),
    st.integers(-10, 40),
)
def test_what_is_chosen_is_enough_exactly_when_it_says_so(
    cache: list[dict[str, int]], wanted: dict[str, int], keep: set[int], quota_bytes: int, shortage_bytes: int
) -> None:
    entries = [Held(str(number), str(number), sizes) for number, sizes in enumerate(cache)]
    kept = {str(number) for number in keep}
    chosen = choose_evictions(entries, wanted=wanted, keep=kept, quota_bytes=quota_bytes, shortage_bytes=shortage_bytes)
    assert not kept & set(chosen.manifests)
    before = {path for entry in entries for path in entry.sizes} | wanted.keys()
    after = {path for entry in entries if entry.manifest not in chosen.manifests for path in entry.sizes} | wanted.keys()
    assert chosen.is_enough == (7 * len(after) <= quota_bytes and 7 * (len(before) - len(after)) >= shortage_bytes)
    if not chosen.is_enough:
        assert set(chosen.manifests) | kept >= {entry.manifest for entry in entries}


def test_missing_are_files_not_there_at_their_size_each_once_and_beginnings_need_not_come_again() -> None:
    one, two, three = hash_of(b"1"), hash_of(b"2"), hash_of(b"3")
    files = tuple(
        File(path=path, sha256=sha256, size_bytes=10) for path, sha256 in (("a", one), ("b", two), ("c", two), ("d", three))
    )
    sizes = {place_of_file(one): 10, place_of_file(three): 9, place_of_partial(two): 4, place_of_partial(three): 99}
    missing = missing_files(Manifest(files=files), sizes)
    assert [stored.sha256 for stored in missing] == [two, three]
    assert missing_bytes(missing, sizes) == 6
