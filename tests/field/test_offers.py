"""What went wrong with advertisements in the field: for the wrong ones, not withdrawn, one damaged, too many, too early."""

from datetime import timedelta
from random import Random

import pytest

from field.points import away
from journeys import faults
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, collections, status
from purveyor.wire.offers import path_of
from purveyor.wire.package_info import Command, Uninstall

POLL = timedelta(minutes=15)


@pytest.mark.parametrize("seed", range(5))
def test_q234850_exactly_the_members_of_the_collection_are_offered_an_advertisement(seed: int) -> None:
    random = Random(seed)
    with Fleet(4, seed=seed, poll_interval=POLL) as fleet:
        names = [client.name for client in fleet.clients]
        members: dict[str, set[str]] = {}
        for number in range(5):
            chosen = random.sample(names, random.randint(0, len(names)))
            collection = fleet.admin.add_collection(f"collection {number}", chosen)
            program = fleet.admin.add_program(fleet.admin.add_package(f"package {number}"), "install", f"{number}.exe")
            fleet.admin.advertise(program, collection)
            members[f"{number}.exe"] = set(chosen)
        fleet.settle()
        ran = {command: {one.name for one in fleet.clients if fleet.ran(one, command)} for command in members}
        assert ran == members


def test_q248365_q249331_who_leaves_the_collection_is_offered_nothing_from_the_next_poll_on() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        stays, leaves = fleet.clients
        pilot = fleet.admin.add_collection("Pilot", [client.name for client in fleet.clients])
        outer = fleet.admin.add_collection("All pilots")
        fleet.admin.change(collections.edit, outer, add_includes=[pilot], is_confirmed=True)
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        at = fleet.clock.now() + 6 * POLL
        fleet.admin.advertise(program, outer, assignments=[f"{at:%Y-%m-%dT%H:%M}Z"])
        fleet.settle()
        fleet.admin.change(collections.edit, pilot, remove_members=[leaves.name])
        fleet.advance_polls(8)
        assert (fleet.ran(stays, "setup.exe"), fleet.ran(leaves, "setup.exe")) == (1, 0)


def test_q257318_deleting_a_package_removes_its_advertisements_from_the_site_and_from_every_offer() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        pilot = fleet.admin.add_collection("Pilot", ["pc1"])
        program = fleet.admin.add_program(package, "install", "setup.exe")
        advertised = [fleet.admin.advertise(program, pilot), fleet.admin.advertise(program)]
        fleet.settle()
        fleet.admin.delete_package(package)
        fleet.settle()
        assert fleet.admin.ask(advertisements.listed) == ()
        newest: dict[str, tuple[int, bytes]] = {}
        for path, stored in fleet.cap.files.items():
            for collection in (pilot, fleet.admin.all_systems()):
                if path.endswith(path_of(collection).rpartition("/")[2]):
                    newest[collection] = max(newest.get(collection, (0, b"")), (stored.modified, stored.content))
        assert len(newest) == 2
        assert not [one for one in advertised for _, content in newest.values() if one.encode() in content]


def test_q245170_one_damaged_offer_delays_no_other() -> None:
    faults.story_of_a_damaged_offers_file()


def test_q243171_q227032_a_rebuilt_site_or_another_clients_words_never_give_a_client_another_ones_programs() -> None:
    with Fleet(2, poll_interval=POLL) as ours, Fleet(2, seed=1, poll_interval=POLL) as rebuilt:
        ours.admin.advertise(ours.admin.add_program(ours.admin.add_package("Ours"), "install", "ours.exe"), None)
        foreign = rebuilt.admin.add_program(rebuilt.admin.add_package("Foreign"), "install", "foreign.exe")
        rebuilt.admin.advertise(foreign)
        only_first = ours.admin.add_collection("One", ["pc1"])
        ours.admin.advertise(ours.admin.add_program(ours.admin.add_package("Single"), "install", "single.exe"), only_first)
        ours.settle()
        rebuilt.settle()
        saved = dict(ours.cap.files)
        ours.cap.files.clear()
        ours.cap.files.update(rebuilt.cap.files)
        ours.advance_polls(4)
        ours.cap.files.clear()
        ours.cap.files.update(saved)
        ours.advance_polls(2)
        for client in ours.clients:
            assert ours.ran(client, "foreign.exe") == 0, "the same site code is not the same site"
            assert ours.ran(client, "ours.exe") == 1
        assert [ours.ran(client, "single.exe") for client in ours.clients] == [1, 0]


def test_q301385_nothing_is_offered_before_its_content_is_on_a_point_and_status_says_that_it_waits() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        with away(fleet.dp.store):
            package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
            advertised = fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
            fleet.settle()
            seen = fleet.admin.ask(status.of_advertisement, advertised)
            assert (seen.counts.no_word_yet, seen.waits_for_content_of) == (2, (package,))
            (job,) = fleet.admin.ask(status.of_client, fleet.clients[0].id).jobs
            assert (job.state, job.text) == (None, f"waiting for content: {package} is on no distribution point yet")
            assert not [path for path in fleet.cap.files if package in path and path.endswith(".ofr")]
            assert fleet.absent_requests() == []
        fleet.advance(hours=2)
        assert [fleet.ran(client, "setup.exe") for client in fleet.clients] == [1, 1]
        assert fleet.admin.ask(status.of_advertisement, advertised).waits_for_content_of == ()


def test_q301385_a_program_whose_content_was_lost_by_every_point_waits_and_is_not_uninstalled_as_if_it_had_left() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        package = fleet.admin.add_package("Editor", {"setup.exe": b"setup"})
        uninstall = Uninstall(command=Command(argv=("remove.exe",)), when_not_offered=True)
        advertised = fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe", uninstall=uninstall))
        fleet.settle()
        assert fleet.ran(fleet.clients[0], "setup.exe") == 1
        with away(fleet.dp.store):
            fleet.advance(days=8)
            assert fleet.admin.ask(status.of_advertisement, advertised).waits_for_content_of == (package,)
            fleet.advance_polls(6)
        fleet.advance(hours=12)
        assert fleet.admin.ask(status.of_advertisement, advertised).waits_for_content_of == ()
        assert fleet.ran(fleet.clients[0], "remove.exe") == 0
        fleet.admin.change(advertisements.delete, advertised)
        fleet.advance_polls(6)
        assert fleet.ran(fleet.clients[0], "remove.exe") == 1


def test_q262312_a_thousand_advertisements_a_hundred_of_them_of_one_program_are_read_and_merged() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        client = fleet.clients[0]
        fleet.script("often.exe", Script(seconds=1))
        fleet.script("once.exe", Script(seconds=1))
        often = fleet.admin.add_program(fleet.admin.add_package("Often"), "install", "often.exe")
        rare = [fleet.admin.add_program(fleet.admin.add_package(f"Rare {n}"), "install", "once.exe") for n in range(9)]
        start = fleet.clock.now()
        for number in range(100):
            fleet.admin.advertise(often, available_from=start - timedelta(minutes=number))
        for number in range(900):
            fleet.admin.advertise(rare[number % 9], assignments=(), available_from=start - timedelta(minutes=number))
        fleet.settle()
        assert fleet.ran(client, "often.exe") == 1, "a hundred advertisements of one program ask for one run"
        received = client.machine.state.connection.execute("select count(*) from message").fetchone()[0]
        assert received == 0, "and all of them were told of"
        assert fleet.problems() == []


def test_q282276_many_advertisements_are_taken_back_in_few_files_and_new_ones_come_in_time() -> None:
    with Fleet(3, poll_interval=POLL) as fleet:
        pilot = fleet.admin.add_collection("Pilot", ["pc1", "pc2"])
        programs = [fleet.admin.add_program(fleet.admin.add_package(f"Package {n}"), "install", f"{n}.exe") for n in range(40)]
        advertised = [fleet.admin.advertise(program, pilot, assignments=()) for program in programs]
        fleet.settle()
        before = set(fleet.cap.files)
        for one in advertised:
            fleet.admin.change(advertisements.delete, one)
        new = fleet.admin.add_program(fleet.admin.add_package("New"), "install", "new.exe")
        fleet.admin.advertise(new, pilot)
        fleet.settle()
        written = {path for path in set(fleet.cap.files) - before if "/lookup/" not in path}
        assert len(written) <= 10, written
        assert [fleet.ran(client, "new.exe") for client in fleet.clients] == [1, 1, 0]
