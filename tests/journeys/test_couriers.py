"""An island that no line reaches: what the site publishes comes on a stick, what its clients say goes back on one."""

from dataclasses import replace
from pathlib import Path

import pytest

from journeys.branch import Branch
from purveyor.client.trust import version_in
from purveyor.courier import reports
from purveyor.courier.sending import Sender, send
from purveyor.courier.taking import RECEIPT_PATH, Receiver, Taken, take
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.mirror.memory import pin_of_code, pin_of_root
from purveyor.mirror.metadata import ROOT
from purveyor.site_server.admin import packages
from purveyor.site_server.site import LOCAL_POINT
from purveyor.wire import bundle as lists
from purveyor.wire import join_code
from purveyor.wire.bundle import LIST, Bundle, Scope
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.manifest import file_path, hash_of
from purveyor.wire.shards import ClientState

COMMAND = "setup.exe"
SETUP = b"the bytes of the setup" * 1000


class Island(Branch):
    """A branch whose mirror is a courier: each trip is a folder of its own."""

    def __init__(self, fleet: Fleet, sticks: Path) -> None:
        super().__init__(fleet)
        self.sticks = sticks
        self.trips = 0

    def sent(self, *, scope: Scope = Scope.NEEDED, is_complete: bool = True) -> Path:
        """A stick that the site filled."""
        self.trips += 1
        folder = self.sticks / f"trip-{self.trips}"
        since = None if is_complete else self.cap.files[RECEIPT_PATH].content
        send(sender_of(self.fleet), folder, scope=scope, since=since, now=self.fleet.clock.now())
        return folder

    def receiver(self) -> Receiver:
        """The island's copy."""
        pin = pin_of_code(join_code.read(self.code))
        return Receiver(target=self.cap.shelf(), shelf=self.dp.shelf(), place=self.place, pin=pin)

    def taken(self, stick: Path) -> Taken:
        """What an import says."""
        return take(stick, self.receiver(), self.fleet.clock.now())

    def trip(self, *, is_complete: bool = True) -> None:
        """A stick there, and one with reports back."""
        taken = self.taken(self.sent(is_complete=is_complete))
        assert taken.outcome is not None
        assert taken.outcome.is_whole, taken.outcome.problems
        back = self.sticks / f"back-{self.trips}"
        reports.collect(self.cap.shelf(), back)
        arrived = reports.deliver(back, self.fleet.cap.point("the courier"))
        assert (arrived.damaged, arrived.waiting) == ((), "")
        self.fleet.advance_polls(1)

    def settled(self, name: str) -> LabClient:
        """A client that joined by courier."""
        self.mirror_by_hand()
        client = self.join(name)
        for _ in range(4):
            self.trip()
            if client.standing() is ClientState.MEMBER:
                return client
        raise AssertionError(f"{name} did not become a member")

    def mirror_by_hand(self) -> None:
        """The first stick."""
        assert self.taken(self.sent()).outcome is not None


def sender_of(fleet: Fleet) -> Sender:
    """The fleet's site as one that sends."""
    root = fleet.cap.files[ROOT].content
    key = next(fleet.site.keys.find(name) for name in fleet.site.keys.names() if name.role == "snapshot")
    assert key is not None
    return Sender(
        site=fleet.site.code,
        cap=fleet.cap.point("the courier"),
        dp=fleet.dp.point("the courier"),
        content=fleet.site.points[LOCAL_POINT],
        pin=pin_of_root(root, version_in(root)),
        sign=lambda bundle: lists.sign(bundle, key),
    )


def test_a_client_on_an_island_joins_runs_reports_and_forgets_by_courier(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        client = island.settled("island-pc")
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        island.trip(is_complete=False)
        island.trip(is_complete=False)
        assert fleet.ran(client, COMMAND) == 1

        fleet.admin.delete_package(package)
        fleet.advance_polls(1)
        for _ in range(3):
            island.trip(is_complete=False)
        assert client.holds_anything_of(package) == []
        retirement = fleet.admin.ask(packages.retirement, package, fleet.clock.now())
        assert retirement.acknowledged == retirement.held
        fleet.advance(days=12)
        island.trip(is_complete=False)
        assert not island.place.has(hash_of(SETUP))
        assert island.absent_requests() == []


def test_who_fills_and_takes_in_a_stick_hears_how_much_was_read(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        filling: list[int] = []
        taking: list[int] = []
        sender = replace(sender_of(fleet), tell=filling.append)
        bundle = send(sender, tmp_path / "stick", scope=Scope.NEEDED, since=None, now=fleet.clock.now())
        take(tmp_path / "stick", replace(island.receiver(), tell=taking.append), fleet.clock.now())
        size_bytes = sum(piece.size_bytes for piece in bundle.pieces)
        assert sum(filling) >= size_bytes
        assert sum(taking) >= 2 * size_bytes, "all of it is judged, and then taken in"


def test_an_incremental_stick_leaves_out_what_is_there_and_stands_on_no_other_base(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island, other = Island(fleet, tmp_path / "one"), Island(fleet, tmp_path / "two")
        first = fleet.admin.add_package("First", {"first.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(first, "install", COMMAND))
        fleet.advance_polls(1)
        island.mirror_by_hand()
        second = fleet.admin.add_package("Second", {"second.exe": b"another"})
        fleet.admin.advertise(fleet.admin.add_program(second, "install", "second.exe"))
        fleet.advance_polls(1)
        stick = island.sent(is_complete=False)
        assert not list(stick.rglob(hash_of(SETUP)))
        assert list(stick.rglob(hash_of(b"another")))

        with pytest.raises(RefusedError, match=r"neither here nor on the stick.*a complete one"):
            other.taken(stick)
        assert "clidata.box/timestamp.json" not in other.cap.files
        taken = island.taken(stick)
        assert taken.outcome is not None
        assert taken.outcome.is_whole
        assert island.place.has(hash_of(b"another"))


def test_a_stick_with_files_missing_or_damaged_changes_nothing_and_says_which(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        island.mirror_by_hand()
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        stick = island.sent()
        before = dict(island.cap.files)
        content = stick / "DP_S01" / file_path(hash_of(SETUP))
        for broken in (SETUP[:-1], SETUP[:-1] + b"x", SETUP + b"x"):
            content.write_bytes(broken)
            with pytest.raises(RejectedError, match=f"{hash_of(SETUP)} is damaged"):
                island.taken(stick)
        content.unlink()
        with pytest.raises(RejectedError, match=f"{hash_of(SETUP)} is missing"):
            island.taken(stick)
        assert island.cap.files == before
        content.write_bytes(SETUP)
        outcome = island.taken(stick).outcome
        assert outcome is not None
        assert outcome.is_whole
        (stick / LIST).unlink()
        with pytest.raises(RejectedError, match="before it was finished"):
            island.taken(stick)


def test_a_stick_that_another_key_signed_is_not_believed(tmp_path: Path) -> None:
    with Fleet(1) as fleet, Fleet(0, seed=5) as thief:
        island = Island(fleet, tmp_path)
        stick = tmp_path / "forged"
        key = next(thief.site.keys.find(name) for name in thief.site.keys.names() if name.role == "snapshot")
        assert key is not None

        def sign(bundle: Bundle) -> bytes:
            return lists.sign(bundle, key)

        send(replace(sender_of(fleet), sign=sign), stick, scope=Scope.NEEDED, since=None, now=fleet.clock.now())
        with pytest.raises(RejectedError, match="not signed by the site"):
            island.taken(stick)


def test_an_older_stick_than_what_is_there_changes_nothing(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        old = island.sent()
        fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.advance_polls(1)
        island.mirror_by_hand()
        before = dict(island.cap.files)
        assert island.taken(old).is_older
        assert island.cap.files == before


def test_all_content_comes_where_it_is_asked_for_and_else_only_what_is_offered(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        fleet.admin.add_package("Not offered", {"setup.exe": SETUP})
        fleet.advance_polls(1)
        assert not list(island.sent().rglob(hash_of(SETUP)))
        complete = island.sent(scope=Scope.ALL)
        assert list(complete.rglob(hash_of(SETUP)))
        island.taken(complete)
        assert island.place.has(hash_of(SETUP))


def test_reports_of_which_some_are_damaged_arrive_but_for_those_and_a_second_time_change_nothing(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        island.settled("island-pc")
        fleet.advance_polls(30)
        back = tmp_path / "back"
        count = reports.collect(island.cap.shelf(), back)
        assert count > 1
        assert not any(path.startswith(("statmsgs.box/", "ddr.box/")) for path in island.cap.files)
        broken = next(path for path in back.rglob("*") if path.is_file() and path.parent.name.endswith(".box"))
        kept = broken.read_bytes()
        broken.write_bytes(b"x" + kept[1:])
        arrived = reports.deliver(back, fleet.cap.point("the courier"))
        assert arrived.items == count - 1
        assert len(arrived.damaged) == 1
        broken.write_bytes(kept)
        assert reports.deliver(back, fleet.cap.point("the courier")).items == count
        fleet.site_turn()
        assert fleet.rejected.files == {}
        fleet.cap.cut("the courier")
        assert "cannot be reached" in reports.deliver(back, fleet.cap.point("the courier")).waiting


def test_a_power_cut_in_the_middle_of_an_import_leaves_what_was_served_and_the_next_one_ends_it(tmp_path: Path) -> None:
    with Fleet(1) as fleet:
        island = Island(fleet, tmp_path)
        island.mirror_by_hand()
        package = fleet.admin.add_package("Setup", {"setup.exe": SETUP})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", COMMAND))
        fleet.advance_polls(1)
        stick = island.sent()
        effect, was_cut = 0, True
        while was_cut:
            effect += 3
            was_cut = island.cut_while(lambda: island.taken(stick), at=effect)
        outcome = island.taken(stick).outcome
        assert outcome is not None
        assert outcome.is_whole
        assert effect > 6
        assert island.place.has(hash_of(SETUP))
