"""A branch behind a mirror: what an administrator does reaches it, also after weeks without a line; nothing is served half."""

from datetime import datetime, timedelta

import pytest

from journeys.branch import Branch, serves_all_of
from purveyor.lab.faults import Fate
from purveyor.lab.fleet import Fleet
from purveyor.lab.transport import MemoryShelf
from purveyor.mirror.memory import recalled
from purveyor.site_server.admin import packages
from purveyor.transport.interface import Listed
from purveyor.transport.pace import Meter, Pace
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.boxes import is_down_path
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import file_path, hash_of

COMMAND = "setup.exe"
SLOW = timedelta(hours=8)
SETUP = b"the bytes of the setup" * 1000


def test_a_client_behind_a_mirror_joins_runs_and_forgets_and_nobody_asks_for_what_is_not_there() -> None:
    with Fleet(1, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        assert branch.mirror().problems == ()
        client = branch.add_client("branch-pc")
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        branch.pass_time(4)
        assert fleet.ran(client, COMMAND) == 1
        assert branch.place.has(hash_of(SETUP))

        fleet.admin.delete_package(package)
        branch.pass_time(4)
        assert client.holds_anything_of(package) == []
        retirement = fleet.admin.ask(packages.retirement, package, fleet.clock.now())
        assert retirement.acknowledged == retirement.held == 2

        outcome = branch.pass_days(40)
        assert outcome.is_whole, outcome.problems
        left = [path for path in [*branch.cap.files, *branch.dp.files] if package in path or hash_of(SETUP) in path]
        assert left == []
        assert fleet.ran(client, COMMAND) == 1
        assert branch.absent_requests() == []


def test_a_mirror_without_a_line_for_weeks_serves_on_and_converges_when_it_is_back() -> None:
    with Fleet(1, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        first = fleet.admin.add_package("First", {"first.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(first, "install", COMMAND))
        branch.pass_time(3)

        fleet.cap.cut("the mirror")
        fleet.dp.cut("the mirror")
        fleet.admin.delete_package(first)
        second = fleet.admin.add_package("Second", {"second.exe": b"another"})
        fleet.admin.advertise(fleet.admin.add_program(second, "install", "second.exe"))
        away = branch.pass_days(35)
        assert not away.is_whole
        assert branch.place.has(hash_of(SETUP)), "what is served leaves only after what replaces it is served"
        assert client.holds_anything_of(first) != [], "a stale mirror proves nothing"

        fleet.cap.mend()
        fleet.dp.mend()
        assert branch.mirror().is_whole
        assert serves_all_of(branch)
        branch.pass_time(4)
        assert client.holds_anything_of(first) == []
        assert fleet.ran(client, "second.exe") == 1
        branch.pass_days(12)
        assert not branch.place.has(hash_of(SETUP))
        assert [path for path in branch.cap.files if first in path] == []
        assert branch.absent_requests() == []


def test_a_site_that_publishes_at_every_moment_of_a_pass_is_never_served_half() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        source = fleet.cap
        wanted = {"left": 25}
        asked = source.asked

        def publish_meanwhile(client: str, verb: str, path: str) -> Fate:
            fate = asked(client, verb, path)
            if client == "the mirror" and wanted["left"]:
                wanted["left"] -= 1
                package = fleet.admin.add_package(f"Package {wanted['left']}")
                fleet.admin.advertise(fleet.admin.add_program(package, "install", f"command-{wanted['left']}"))
                fleet.site_turn()
            return fate

        source.asked = publish_meanwhile  # type: ignore[method-assign]
        while wanted["left"]:
            branch.mirror()
            client.turn()
        branch.pass_time(3)
        assert serves_all_of(branch)
        assert [fleet.ran(client, f"command-{number}") for number in range(25)] == [1] * 25
        assert branch.absent_requests() == []


def test_a_mirror_whose_power_fails_before_any_of_its_effects_serves_something_whole_and_goes_on() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        moment, was_cut = 0, True
        previous = None
        while was_cut:
            moment += 1
            package = fleet.admin.add_package(f"Package {moment}", {"setup.exe": b"content of %d" % moment})
            fleet.admin.advertise(fleet.admin.add_program(package, "install", f"command-{moment}"))
            if previous is not None:
                fleet.admin.delete_package(previous)
            fleet.advance(minutes=1)
            was_cut = branch.mirror_with_power_cut_at(moment)
            client.turn()
            assert branch.absent_requests() == [], f"moment {moment}"
            previous = package
            outcome = branch.pass_time(2)
            assert outcome.is_whole, outcome.problems
            assert fleet.ran(client, f"command-{moment}") == 1, f"moment {moment}"
        assert moment > 10
        assert branch.absent_requests() == []


def test_items_wait_at_the_mirror_until_the_source_takes_them_and_each_arrives_once() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        fleet.cap.cut("the mirror")
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Other"), "install", COMMAND))
        fleet.advance_polls(30)
        waiting = [path for path in branch.cap.files if path.startswith(("statmsgs.box/", "ddr.box/"))]
        assert waiting
        assert branch.mirror().carried.items == 0
        assert all(path in branch.cap.files for path in waiting)

        fleet.cap.mend()
        assert branch.mirror().carried.items == len(waiting)
        assert not any(path in branch.cap.files for path in waiting)
        fleet.site_turn()
        assert fleet.rejected.files == {}
        assert client.last_error is None


def test_a_mirror_that_was_set_back_takes_no_client_back() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        before = dict(branch.cap.files)
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        branch.pass_time(3)
        mark = client.machine.state.mark("timestamp")
        branch.cap.files.clear()
        branch.cap.files.update(before)
        fleet.cap.cut("the mirror")
        branch.pass_time(3)
        assert client.machine.state.mark("timestamp") == mark
        assert client.holds_anything_of(package) != []
        assert fleet.ran(client, COMMAND) == 1


def test_a_source_that_is_behind_or_damaged_changes_nothing_that_is_served() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        fleet.cap.keep_moment("early")
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        assert branch.mirror().is_whole
        served = {path: stored.content for path, stored in branch.cap.files.items() if "_mirror" not in path}

        fleet.cap.serve_moment("early")
        assert "older" in " ".join(branch.mirror().problems)
        fleet.cap.mend()
        fleet.admin.add_package("More")
        fleet.advance_polls(1)
        fleet.cap.corrupt_all(lambda path: "packages" in path)
        assert not branch.mirror().is_whole
        fleet.cap.mend()
        fleet.cap.serve_nothing()
        assert not branch.mirror().is_whole
        now = {path: stored.content for path, stored in branch.cap.files.items() if "_mirror" not in path}
        assert {path: now[path] for path in served if not path.endswith(".lkp")} == {
            path: content for path, content in served.items() if not path.endswith(".lkp")
        }
        assert branch.place.has(hash_of(SETUP))


def test_what_is_lost_or_damaged_on_the_mirror_is_fetched_again() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        branch.mirror()
        down = [path for path in branch.cap.files if ".box/" in path]
        for path in down:
            branch.cap.lose(path)
            branch.mirror()
            stored = branch.cap.files[path]
            branch.cap.files[path] = stored._replace(content=b"x" * len(stored.content))
            branch.mirror()
        assert serves_all_of(branch)
        place = file_path(hash_of(SETUP))
        branch.dp.files[place] = branch.dp.files[place]._replace(content=b"y" * len(SETUP))
        branch.pass_days(3)
        assert branch.dp.files[place].content == SETUP


def test_a_mirror_whose_target_is_full_serves_what_it_had_and_goes_on_when_there_is_room() -> None:
    with Fleet(1) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        for full in (branch.dp, branch.cap):
            served = {path: stored for path, stored in branch.cap.files.items() if is_down_path(path)}
            full.is_full = True
            outcome = branch.mirror()
            assert (outcome.is_whole, "full" in " ".join(outcome.problems)) == (False, True)
            assert served.items() <= branch.cap.files.items()
            client.turn()
            full.is_full = False
        assert branch.pass_time(3).is_whole
        assert fleet.ran(client, COMMAND) == 1
        assert branch.absent_requests() == []


def test_deletions_pass_a_mirror_that_lacks_room_and_what_they_free_takes_what_waited() -> None:
    with Fleet(1, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        deleted = fleet.admin.add_package("First", {"first.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(deleted, "install", COMMAND))
        branch.pass_time(3)
        assert fleet.ran(client, COMMAND) == 1
        branch.dp.capacity_bytes = branch.dp.used_bytes() + branch.reserve_bytes + len(SETUP) // 2

        wanted = fleet.admin.add_package("Second", {"second.exe": SETUP[::-1]})
        fleet.admin.advertise(fleet.admin.add_program(wanted, "install", "second.exe"))
        small = fleet.admin.add_package("Third", {"third.exe": b"fits"})
        fleet.admin.advertise(fleet.admin.add_program(small, "install", "third.exe"))
        fleet.admin.delete_package(deleted)
        outcome = branch.pass_time(4)
        assert (outcome.is_whole, outcome.to_come) == (False, 1)
        assert "does not fit" in " ".join(outcome.problems)
        assert serves_all_of(branch)
        assert client.holds_anything_of(deleted) == [], "a deletion waits for no content"
        assert fleet.ran(client, "third.exe") == 1, "what fits comes"
        assert branch.place.has(hash_of(SETUP)), "somebody may still have heard of it"

        outcome = branch.pass_days(12)
        assert outcome.is_whole, outcome.problems
        assert not branch.place.has(hash_of(SETUP))
        assert fleet.ran(client, "second.exe") == 1
        assert branch.absent_requests() == []


def test_an_older_version_leaves_a_mirror_early_where_the_newer_one_lacks_room() -> None:
    with Fleet(0, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        branch.mirror()
        branch.dp.capacity_bytes = branch.dp.used_bytes() + branch.reserve_bytes + len(SETUP) // 2
        fleet.admin.update_package(package, {"setup.exe": SETUP[::-1]})
        fleet.advance_polls(1)
        assert branch.mirror().to_come == 1
        assert branch.pass_days(12).is_whole
        assert (branch.place.has(hash_of(SETUP)), branch.place.has(hash_of(SETUP[::-1]))) == (False, True)


def test_content_that_waits_for_an_hour_of_the_budget_holds_up_no_publication() -> None:
    with Fleet(1, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        client = branch.add_client("branch-pc")
        branch.pace = Pace(Meter(parse_budget("0"), now=fleet.clock.now))
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Command"), "run", "needs-nothing"))
        outcome = branch.pass_time(3)
        assert (outcome.is_whole, outcome.problems, outcome.held_back is not None) == (False, (), True)
        assert (fleet.ran(client, "needs-nothing"), fleet.ran(client, COMMAND)) == (1, 0)
        branch.pace = Pace(pause=lambda seconds: None)
        assert branch.pass_time(4).is_whole
        assert fleet.ran(client, COMMAND) == 1
        assert branch.absent_requests() == []


def test_a_mirror_on_a_share_that_shows_names_in_other_letters_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = MemoryShelf.listed

    def in_capitals(self: MemoryShelf, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        return [one._replace(name=one.name.upper()) for one in listed(self, folder, limit=limit, until=until)]

    with Fleet(1, poll_interval=SLOW) as fleet:
        branch = Branch(fleet)
        branch.mirror()
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Setup", {"setup.exe": SETUP}), "install", COMMAND))
        fleet.advance_polls(1)
        monkeypatch.setattr(MemoryShelf, "listed", in_capitals)
        assert branch.mirror().is_whole
        for _ in range(3):
            fleet.clock.advance(timedelta(days=20))
            fleet.site_turn()
            outcome = branch.mirror()
            assert (outcome.problems, outcome.left.freed_bytes) == ((), 0)
        fresh = Branch(fleet)
        fresh.mirror()
        leaving = {path.casefold() for path in recalled(branch.cap.shelf()).unnamed}
        assert leaving & {path.casefold() for path in (*fresh.cap.files, *fresh.dp.files)} == set()
        assert branch.place.has(hash_of(SETUP))


def test_a_site_s_own_boxes_and_another_site_s_mirror_are_no_place_for_a_mirror() -> None:
    with Fleet(1) as fleet, Fleet(0, seed=3) as other:
        branch = Branch(fleet)
        branch.cap.files.update(other.cap.files)
        with pytest.raises(RefusedError, match="a folder of its own"):
            branch.mirror()

        stranger = Branch(fleet)
        stranger.code = other.new_join_code()
        outcome = stranger.mirror()
        assert "not that site" in " ".join(outcome.problems)
        assert "clidata.box/timestamp.json" not in stranger.cap.files
