"""The simulated disk: what a power cut takes and what it leaves."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.lab.clock import START, Clock
from purveyor.lab.disk import UNLIMITED_BYTES, SimulatedDisk
from purveyor.lab.power import Power, PowerCut
from purveyor.wire.errors import RejectedError, UnavailableError


def _disk(capacity_bytes: int = UNLIMITED_BYTES) -> SimulatedDisk:
    return SimulatedDisk(Power(), capacity_bytes=capacity_bytes)


def test_what_was_appended_is_read_back_in_one_piece_or_in_many() -> None:
    disk = _disk()
    disk.append("a/b", b"one ")
    disk.append("a/b", b"two" * 100_000)
    assert disk.read("a/b") == b"one " + b"two" * 100_000 == b"".join(disk.read_pieces("a/b"))
    assert disk.size("a/b") == 300_004


def test_what_is_not_there_reads_as_nothing() -> None:
    disk = _disk()
    assert disk.read("a") is None
    assert disk.size("a") is None
    assert list(disk.read_pieces("a")) == []
    assert disk.names("a") == []
    disk.remove("a")


def test_unsynced_bytes_and_names_are_gone_after_a_power_cut() -> None:
    disk = _disk()
    disk.append("kept", b"synced")
    disk.sync("kept")
    disk.append("kept", b" and not")
    disk.append("lost", b"never synced")
    disk.power_cut()
    assert disk.read("kept") == b"synced"
    assert disk.read("lost") is None
    assert disk.names("") == ["kept"]


def test_the_power_may_fail_between_two_files_that_are_synced_in_one_call() -> None:
    disk = _disk()
    for name in ("one", "two"):
        disk.append(f"in/{name}", name.encode())
    disk.power.fail_at(2)
    with pytest.raises(PowerCut, match="sync in/two"):
        disk.sync("in/one", "in/two")
    disk.power_cut()
    assert disk.files() == {"in/one": b"one", "in/two": b""}


def test_an_unsynced_rename_is_undone_by_a_power_cut() -> None:
    disk = _disk()
    disk.append("part", b"whole")
    disk.sync("part")
    disk.rename("part", "final")
    disk.power_cut()
    assert (disk.read("part"), disk.read("final")) == (b"whole", None)


def test_a_synced_rename_outlasts_a_power_cut_and_the_old_name_is_gone() -> None:
    disk = _disk()
    disk.append("parts/1", b"whole")
    disk.sync("parts/1")
    disk.rename("parts/1", "files/ab/1")
    disk.sync("files/ab/1")
    disk.power_cut()
    assert (disk.read("parts/1"), disk.read("files/ab/1")) == (None, b"whole")


def test_a_rename_of_unsynced_bytes_leaves_an_empty_file_behind() -> None:
    """The classic mistake: the name was synced by a neighbour, the bytes never were."""
    disk = _disk()
    disk.append("final.part", b"whole")
    disk.rename("final.part", "final")
    disk.append("neighbour", b"x")
    disk.sync("neighbour")
    disk.power_cut()
    assert disk.read("final") == b""


def test_an_unsynced_removal_is_undone_by_a_power_cut() -> None:
    disk = _disk()
    disk.append("a/b", b"x")
    disk.sync("a/b")
    disk.remove("a")
    assert disk.names("") == []
    disk.power_cut()
    assert disk.read("a/b") == b"x"


def test_an_older_change_never_undoes_a_newer_one_that_was_synced() -> None:
    disk = _disk()
    disk.append("from/x", b"new")
    disk.sync("from/x")
    disk.append("to/x", b"old")
    disk.rename("from/x", "to/x")
    disk.append("from/y", b"y")
    disk.sync("from/y")
    disk.sync("to/x")
    disk.power_cut()
    assert disk.files() == {"from/y": b"y", "to/x": b"new"}


def test_after_an_orderly_shutdown_everything_is_there() -> None:
    disk = _disk()
    disk.append("a", b"x")
    disk.sync_all()
    disk.power_cut()
    assert disk.read("a") == b"x"


@given(seed=st.integers(0, 10_000))
def test_a_seeded_power_cut_never_touches_what_was_synced_and_is_the_same_every_time(seed: int) -> None:
    left = []
    for _ in range(2):
        disk = _disk()
        disk.append("a", b"synced")
        disk.sync("a")
        disk.append("a", b"unsynced")
        disk.append("b", b"new")
        disk.rename("b", "c")
        disk.power_cut(seed)
        left.append(disk.files())
    assert left[0] == left[1]
    assert left[0]["a"].startswith(b"synced")
    assert len(left[0]["a"]) <= len(b"syncedunsynced")


def test_seeds_between_them_keep_lose_and_garble_unsynced_bytes() -> None:
    outcomes = set()
    for seed in range(40):
        disk = _disk()
        disk.append("a", b"")
        disk.sync("a")
        disk.append("a", b"xyz")
        disk.power_cut(seed)
        outcomes.add(disk.read("a"))
    assert {b"xyz", b"", b"\0\0\0"} <= outcomes


def test_a_full_disk_takes_what_fits_and_says_so() -> None:
    disk = _disk(capacity_bytes=10)
    disk.append("a", b"12345678")
    assert disk.free_bytes() == 2
    with pytest.raises(UnavailableError, match="full"):
        disk.append("a", b"9abc")
    assert disk.read("a") == b"123456789a"
    with pytest.raises(UnavailableError, match="full"):
        disk.place("a", "b", is_executable=False)
    disk.remove("a")
    assert disk.free_bytes() == 10


def test_the_bytes_of_replaced_and_lost_files_are_free_again() -> None:
    disk = _disk(capacity_bytes=100)
    disk.append("a", b"x" * 40)
    disk.append("b", b"x" * 40)
    disk.rename("a", "b")
    assert disk.free_bytes() == 60
    disk.power_cut()
    assert disk.free_bytes() == 100


def test_a_read_only_disk_refuses_every_write_and_still_reads() -> None:
    disk = _disk()
    disk.append("a", b"x")
    disk.is_read_only = True
    with pytest.raises(UnavailableError, match="read-only"):
        disk.append("a", b"y")
    with pytest.raises(UnavailableError, match="read-only"):
        disk.rename("a", "b")
    with pytest.raises(UnavailableError, match="read-only"):
        disk.remove("a")
    with pytest.raises(UnavailableError, match="read-only"):
        disk.place("a", "b", is_executable=False)
    assert disk.read("a") == b"x"
    assert disk.free_bytes() == 0


def test_a_placed_copy_and_its_original_never_change_each_other() -> None:
    disk = _disk()
    disk.append("stored", b"x")
    disk.place("stored", "run/copy", is_executable=True)
    disk.append("run/copy", b"y")
    assert (disk.read("stored"), disk.read("run/copy")) == (b"x", b"xy")


def test_links_lead_to_their_target_and_circles_lead_nowhere() -> None:
    disk = _disk()
    disk.append("a/file", b"x")
    disk.link("a/b/link", "../file")
    disk.link("a/round", "round")
    assert disk.read("a/b/link") == b"x"
    assert disk.read("a/round") is None
    assert disk.names("a") == ["b", "file", "round"]


def test_an_empty_folder_is_there_and_goes_with_the_one_above_it() -> None:
    disk = _disk()
    disk.make_folder("a/b")
    assert disk.names("a") == ["b"]
    disk.remove("a")
    assert disk.names("") == []


def test_nothing_can_lie_below_a_file() -> None:
    disk = _disk()
    disk.append("a", b"x")
    with pytest.raises(UnavailableError, match="is a file"):
        disk.append("a/b", b"y")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "a/../../b", "a//b", "."])
def test_no_path_leaves_the_disk(path: str) -> None:
    with pytest.raises(RejectedError, match="no path"):
        _disk().append(path, b"x")


def test_the_power_fails_before_the_chosen_effect_and_stays_off() -> None:
    disk = _disk()
    disk.power.fail_at(2)
    disk.append("a", b"1")
    with pytest.raises(PowerCut):
        disk.append("a", b"2")
    with pytest.raises(PowerCut):
        disk.remove("a")
    disk.power.restore()
    disk.append("a", b"3")
    assert disk.read("a") == b"13"


def test_absolute_paths_lead_back_to_the_disk() -> None:
    disk = _disk()
    assert disk.relative(disk.absolute("runs/1/result")) == "runs/1/result"
    assert disk.relative("/etc/passwd") is None


def test_a_disk_that_others_fill_takes_so_much_more_and_all_again_when_it_is_mended() -> None:
    disk = _disk(capacity_bytes=1000)
    disk.append("a", b"12345")
    disk.leave_free(3)
    with pytest.raises(UnavailableError, match="2 bytes of 'a' found no place"):
        disk.append("a", b"67890")
    assert (disk.read("a"), disk.free_bytes()) == (b"12345678", 0)
    disk.remove("a")
    assert disk.free_bytes() == 8, "what others took stays taken"
    disk.is_read_only = True
    disk.capacity_bytes = 1
    disk.mend()
    assert disk.free_bytes() == 1000


def test_a_slow_disk_takes_its_time() -> None:
    clock, disk = Clock(), _disk()
    disk.slow_down(5, clock.advance)
    disk.append("a", b"1234567890")
    assert b"".join(disk.read_pieces("a")) == b"1234567890"
    assert clock.now() - START == timedelta(seconds=4)
    disk.mend()
    disk.append("a", b"1234567890")
    assert clock.now() - START == timedelta(seconds=4)
