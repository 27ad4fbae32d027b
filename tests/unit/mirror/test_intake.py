"""What a mirror reads is counted, slowed down, and taken up where it broke off; parts of large files outlast a broken pass."""

from collections.abc import Iterator
from datetime import UTC, timedelta

import pytest

from purveyor.content.shelf_store import ShelfStore
from purveyor.lab.clock import Clock
from purveyor.lab.transport import MemoryBoxes
from purveyor.mirror import content
from purveyor.mirror.content import Store
from purveyor.mirror.intake import LONGEST_PAUSE_SECONDS, TRIES, Intake
from purveyor.transport.interface import Answer
from purveyor.transport.pace import Meter, Pace
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import BusyError, HeldBackError, UnavailableError
from purveyor.wire.manifest import File, Manifest, encode, file_path, hash_of, manifest_path

LARGE = bytes(range(256)) * 1000


class Breaking:
    """A point whose line breaks after so many bytes of each answer; with `answers` at an end it is gone."""

    def __init__(self, files: dict[str, bytes], *, piece_bytes: int, answers: int, error: UnavailableError | None = None) -> None:
        self.url = "the source"
        self.files = files
        self.piece_bytes = piece_bytes
        self.answers = answers
        self.error = error or UnavailableError("the line is down")
        self.offsets: list[int] = []

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer:
        del limit_bytes, tag
        return Answer(self.files[path], "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        if not self.answers:
            raise self.error
        self.answers -= 1
        whole = self.files[path][offset : offset + limit_bytes]
        yield whole[: self.piece_bytes]
        if len(whole) > self.piece_bytes:
            raise UnavailableError("the line broke")

    def put(self, path: str, content_: bytes) -> None:
        raise AssertionError(path)


def test_a_file_is_taken_up_where_it_broke_off() -> None:
    point = Breaking({"a": LARGE}, piece_bytes=100_000, answers=9)
    assert b"".join(Intake(point, _quick()).pieces("a", size_bytes=len(LARGE))) == LARGE
    assert point.offsets == [0, 100_000, 200_000]


def test_a_source_that_gives_nothing_is_given_up_after_some_tries() -> None:
    point = Breaking({"a": LARGE}, piece_bytes=1, answers=0)
    with pytest.raises(UnavailableError, match="down"):
        list(Intake(point, _quick()).pieces("a", size_bytes=len(LARGE)))
    assert len(point.offsets) == TRIES


def test_a_busy_source_is_left_alone_for_as_long_as_it_asks_for_within_bounds() -> None:
    paused: list[float] = []
    point = Breaking({"a": LARGE}, piece_bytes=1, answers=0, error=BusyError("busy", wait_seconds=30))
    with pytest.raises(BusyError):
        list(Intake(point, Pace(pause=paused.append)).pieces("a", size_bytes=len(LARGE)))
    point.error = BusyError("busy", wait_seconds=10**6)
    with pytest.raises(BusyError):
        list(Intake(point, Pace(pause=paused.append)).pieces("a", size_bytes=len(LARGE)))
    assert paused == [30] * (TRIES - 1) + [LONGEST_PAUSE_SECONDS] * (TRIES - 1)


def test_a_source_that_ends_early_is_not_asked_for_ever() -> None:
    point = Breaking({"a": LARGE[:10]}, piece_bytes=100, answers=99)
    with pytest.raises(UnavailableError, match="ends after 10"):
        list(Intake(point, _quick()).pieces("a", size_bytes=len(LARGE)))


def test_no_more_is_read_a_second_than_is_allowed() -> None:
    waited: list[float] = []
    meter = Meter(parse_budget("1000"), now=Clock().now, monotonic=lambda: sum(waited))
    pace = Pace(meter, pause=waited.append)
    for _ in range(10):
        pace.took(1000)
    assert sum(waited) == pytest.approx(10.0)
    assert pace.read_bytes == 10_000


def test_content_waits_at_an_hour_that_allows_nothing_and_small_files_come_all_the_same() -> None:
    clock = Clock()
    pace = Pace(Meter(parse_budget("mon 08:00-09:00 0"), now=clock.now, monotonic=lambda: clock.now().timestamp(), zone=UTC))
    point = Breaking({"a": LARGE}, piece_bytes=len(LARGE), answers=9)
    intake = Intake(point, pace)
    assert intake.read("a", len(LARGE)) == LARGE
    with pytest.raises(HeldBackError, match="until 2026-01-05 09:00Z"):
        list(intake.pieces("a", size_bytes=len(LARGE)))
    assert point.offsets == [], "nobody was asked"
    clock.advance(timedelta(hours=1))
    assert b"".join(intake.pieces("a", size_bytes=len(LARGE))) == LARGE


def test_a_large_file_goes_on_in_the_next_pass_with_the_parts_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "PART_BYTES", 50_000)
    manifest = Manifest(files=(File(path="large.bin", sha256=hash_of(LARGE), size_bytes=len(LARGE)),))
    sha256 = hash_of(encode(manifest))
    files = {manifest_path(sha256): encode(manifest), file_path(hash_of(LARGE)): LARGE}
    shelf = MemoryBoxes("the copy", Clock().now).shelf()
    place = ShelfStore(shelf, name="the copy")
    first = Breaking(files, piece_bytes=50_000, answers=3)
    store = Store(source=first, shelf=shelf, place=place)
    with pytest.raises(UnavailableError):
        _bring(sha256, first, store)
    assert not place.has(hash_of(LARGE)), "what is half there is not seen"
    second = Breaking(files, piece_bytes=50_000, answers=9)
    _bring(sha256, second, store)
    assert second.offsets[0] == 150_000
    assert b"".join(place.pieces(hash_of(LARGE))) == LARGE
    assert shelf.listed(content.PARTS, limit=10) == []


def _bring(sha256: str, source: Breaking, store: Store) -> None:
    intake = Intake(source, _quick())
    content.fetch(content.coming(sha256, intake, store, _nowhere), intake, store, _nowhere)


def _nowhere(path: str) -> bool:
    del path
    return False


def _quick() -> Pace:
    return Pace(pause=lambda seconds: None)
