"""Machines that are copies of others, and machines that went back to an older copy of themselves."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from purveyor.client.state import published
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import CAP_URL, Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import resources, status
from purveyor.site_server.admin.resources import ResourceView
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.shards import NOBODY, ClientState
from purveyor.wire.status_messages import StatusId

SETUP = "setup.exe"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """A site with one client, which has run the editor's setup."""
    with Fleet(1) as made:
        made.script(SETUP, Script(installs=("editor=1",)))
        offer(made)
        made.settle()
        assert made.ran(made["pc1"], SETUP) == 1
        yield made


def offer(fleet: Fleet, command: str = SETUP) -> ProgramKey:
    program = fleet.admin.add_program(fleet.admin.add_package(command, {command: b"setup"}), "install", command)
    fleet.admin.advertise(program)
    return program


def shown(fleet: Fleet, client: LabClient) -> ResourceView:
    return fleet.admin.ask(resources.shown, client.id)


def told(fleet: Fleet, client: LabClient, what: StatusId) -> list[str]:
    """The texts of the status messages of a kind that the site has of a client."""
    found = fleet.admin.ask(status.messages, client=client.id, limit=1000)
    return [one.text for one in found if one.status == what]


def started(fleet: Fleet, client: LabClient) -> list[str]:
    """The packages of the starts that the site heard of from a client, in no order."""
    found = fleet.admin.ask(status.messages, client=client.id, limit=1000)
    return [one.package for one in found if one.status == StatusId.PROGRAM_STARTED and one.package is not None]


def standing(client: LabClient) -> ClientState | None:
    held = published.held_entry(client.machine.state)
    return held.entry.state if held is not None and held.entry is not None else None


def test_a_clone_becomes_a_client_of_its_own_and_runs_nothing_that_the_image_had_run(fleet: Fleet) -> None:
    original = fleet["pc1"]
    identity = original.id
    clone = fleet.clone(original, name="copy")
    fleet.advance(hours=6)
    assert original.id == identity
    assert clone.id != identity
    assert (shown(fleet, original).name, shown(fleet, clone).name) == ("pc1", "copy")
    assert shown(fleet, clone).state == ClientState.MEMBER
    assert fleet.ran(clone, SETUP) == 0
    assert fleet.ran(original, SETUP) == 1
    [text] = told(fleet, clone, StatusId.CAME_WITH_IMAGE)
    assert identity in text
    later = offer(fleet, "later.exe")
    fleet.settle()
    assert [fleet.ran(one, "later.exe") for one in (original, clone)] == [1, 1]
    assert later.package in published.held_package_ids(clone.machine.state)
    assert fleet.problems() == []
    assert fleet.absent_requests() == []


def test_a_clone_made_before_its_image_ever_polled_joins_as_itself() -> None:
    with Fleet(0) as fleet:
        template = fleet.add_client("template", fleet.new_join_code())
        image = template.snapshot()
        template.machine.power_cut()
        clones = [fleet.clone_of(image, name=f"copy{number}") for number in range(3)]
        offer(fleet)
        fleet.advance(hours=6)
        assert len({client.id for client in [template, *clones]}) == 4
        assert [shown(fleet, clone).name for clone in clones] == ["copy0", "copy1", "copy2"]
        assert [fleet.ran(clone, SETUP) for clone in clones] == [1, 1, 1]
        template.switch_on()
        fleet.settle()
        assert fleet.ran(template, SETUP) == 1
        assert fleet.problems() == []


@pytest.mark.parametrize("is_named_later", [True, False])
def test_a_clone_that_has_no_machine_id_at_first_becomes_a_client_of_its_own(fleet: Fleet, is_named_later: bool) -> None:
    original = fleet["pc1"]
    fleet.clone(original, name="other")
    clone = fleet.clone(original, name="copy")
    machine_id, clone.machine.machine_id = clone.machine.machine_id, ""
    fleet.advance_polls(1)
    clone.machine.machine_id = machine_id if is_named_later else ""
    offer(fleet, "later.exe")
    fleet.advance_polls(8)
    assert len({client.id for client in fleet.clients}) == 3
    assert [fleet.ran(client, SETUP) for client in fleet.clients] == [1, 0, 0]
    assert [fleet.ran(client, "later.exe") for client in fleet.clients] == [1, 1, 1]


def test_what_a_clone_ran_before_it_was_told_is_reported_for_it_and_nothing_of_the_original_is_lost(fleet: Fleet) -> None:
    original = fleet["pc1"]
    fleet.cap.cut("copy")
    clone = fleet.clone(original, name="copy")
    second, third = offer(fleet, "second.exe"), offer(fleet, "third.exe")
    fleet.settle()
    fleet.cap.mend()
    fleet.advance(hours=6)
    for client in (original, clone):
        assert [fleet.ran(client, command) for command in ("second.exe", "third.exe")] == [1, 1]
        assert {second.package, third.package} <= set(started(fleet, client))
        jobs = {(job.package, job.program): job.state for job in fleet.admin.ask(status.of_client, client.id).jobs}
        assert jobs == dict.fromkeys([(PackageId("S0100001"), 1), (second.package, 1), (third.package, 1)], JobState.SUCCEEDED)


def test_two_clones_that_poll_at_the_same_moments_end_as_two_clients(fleet: Fleet) -> None:
    original = fleet["pc1"]
    image = original.snapshot()
    copies = [fleet.clone_of(image, name=f"copy{number}") for number in range(2)]
    for number in range(4):
        for client in fleet.clients:
            client.wake_at = fleet.clock.now() + timedelta(minutes=30)
        offer(fleet, f"program{number}.exe")
        fleet.advance_polls(1)
    fleet.settle()
    assert len({client.id for client in fleet.clients}) == 3
    assert [shown(fleet, client).state for client in fleet.clients] == ["member"] * 3
    for number in range(4):
        assert [fleet.ran(client, f"program{number}.exe") for client in fleet.clients] == [1, 1, 1]
    assert [fleet.ran(copy, SETUP) for copy in copies] == [0, 0]


def test_machines_that_none_can_tell_apart_all_join_anew_and_run_nothing_again(fleet: Fleet) -> None:
    original = fleet["pc1"]
    identity = original.id
    copy = fleet.clone(original, name="copy", has_same_facts=True)
    for number in range(3):
        offer(fleet, f"program{number}.exe")
        fleet.settle()
    fleet.settle()
    assert len({identity, original.id, copy.id}) == 3
    seen = fleet.admin.ask(resources.shown, identity)
    assert (seen.state, seen.keeper) == (ClientState.REJOIN, NOBODY)
    assert [fleet.ran(client, SETUP) for client in (original, copy)] == [1, 0]
    assert [shown(fleet, client).state for client in (original, copy)] == ["member", "member"]
    assert fleet.ran(original, "program0.exe") == 1
    assert fleet.ran(copy, "program0.exe") == 1


def test_clones_of_clones_are_clients_of_their_own(fleet: Fleet) -> None:
    first = fleet.clone(fleet["pc1"], name="first")
    early = fleet.clone(first, name="early")
    fleet.advance(hours=6)
    late = fleet.clone(first, name="late")
    fleet.advance(hours=6)
    assert len({client.id for client in fleet.clients}) == 4
    assert shown(fleet, late).was == first.id
    assert shown(fleet, early).was == fleet["pc1"].id
    assert [fleet.ran(client, SETUP) for client in fleet.clients] == [1, 0, 0, 0]


def test_a_clone_whose_original_never_comes_back_goes_on_as_that_client(fleet: Fleet) -> None:
    original = fleet["pc1"]
    clone = fleet.clone(original, name="copy")
    original.machine.power_cut()
    offer(fleet, "later.exe")
    fleet.advance(hours=6)
    assert clone.id == original.id
    assert shown(fleet, clone).name == "copy"
    assert fleet.ran(clone, "later.exe") == 1
    original.switch_on()
    fleet.advance(hours=6)
    assert clone.id != original.id
    assert shown(fleet, original).name == "pc1"
    assert [fleet.ran(client, "later.exe") for client in (original, clone)] == [1, 1]


def test_a_clone_whose_code_holds_no_more_waits_for_a_person_and_is_told_what_to_do() -> None:
    with Fleet(0) as fleet:
        original = fleet.add_client("pc1", fleet.new_join_code(uses=1))
        fleet.settle()
        clone = fleet.clone(original, name="copy")
        offer(fleet)
        fleet.advance(hours=8)
        assert standing(clone) is ClientState.REFUSED
        assert published.held_entry(clone.machine.state).entry.reason == "the join code was used up"  # type: ignore[union-attr]
        assert shown(fleet, original).state == ClientState.MEMBER
        asked = fleet.cap.put_count
        fleet.advance(hours=8)
        assert fleet.cap.put_count - asked < 10, "it does not ask again and again"
        clone.join(CAP_URL, fleet.new_join_code())
        fleet.settle()
        assert shown(fleet, clone).state == ClientState.MEMBER
        assert fleet.ran(clone, SETUP) <= 1


def test_many_clones_of_one_image_are_one_message_and_each_a_client(fleet: Fleet) -> None:
    original = fleet["pc1"]
    image = original.snapshot()
    copies = [fleet.clone_of(image, name=f"copy{number}") for number in range(16)]
    fleet.advance(hours=6)
    assert len({client.id for client in copies}) == 16
    assert fleet.admin.ask(resources.counts) == {"member": 17}
    assert len(told(fleet, original, StatusId.CLONED)) == 1
    assert sum(fleet.ran(copy, SETUP) for copy in copies) == 0
    assert shown(fleet, original).clones == 16


# --- machines that went back ------------------------------------------------------------------------------------------


def test_a_machine_that_went_back_keeps_its_identity_and_runs_what_its_disk_lost(fleet: Fleet) -> None:
    client = fleet["pc1"]
    identity = client.id
    before = client.snapshot()
    fleet.script("second.exe", Script(installs=("second=1",)))
    second = offer(fleet, "second.exe")
    fleet.settle()
    assert client.machine.installed == {"editor": "1", "second": "1"}
    fleet.revert(client, before)
    assert client.machine.installed == {"editor": "1"}
    fleet.settle()
    assert client.id == identity
    assert client.machine.installed == {"editor": "1", "second": "1"}
    assert fleet.ran(client, SETUP) == 1, "what the snapshot held is not run again"
    assert fleet.ran(client, "second.exe") == 2, "what the disk lost is run again"
    [text] = told(fleet, client, StatusId.WENT_BACK)
    assert "this machine remembers" in text
    jobs = {job.package: job.state for job in fleet.admin.ask(status.of_client, identity).jobs}
    assert jobs[second.package] == JobState.SUCCEEDED
    assert len([one for one in started(fleet, client) if one == second.package]) == 2
    assert shown(fleet, client).state == ClientState.MEMBER
    assert not shown(fleet, client).is_forked


def test_what_a_machine_that_went_back_does_before_it_reaches_the_site_is_not_lost(fleet: Fleet) -> None:
    client = fleet["pc1"]
    program = offer(fleet, "second.exe")
    while client.machine.running() == []:
        fleet.advance(minutes=1)
    before = client.snapshot()
    fleet.settle()
    assert fleet.ran(client, "second.exe") == 1
    for number in range(2):
        offer(fleet, f"program{number}.exe")
        fleet.settle()
    received = shown(fleet, client).received
    fleet.cap.cut()
    fleet.revert(client, before)
    fleet.advance(hours=3)
    fleet.cap.mend()
    fleet.advance(hours=6)
    assert shown(fleet, client).received > received
    assert shown(fleet, client).state == ClientState.MEMBER
    assert StatusId.INTERRUPTED in {one.status for one in fleet.admin.ask(status.messages, client=client.id, limit=1000)}
    assert shown(fleet, client).lost_items == 0
    assert program.package in published.held_package_ids(client.machine.state)


def test_a_machine_that_goes_back_every_night_stays_the_one_client_that_it_is(fleet: Fleet) -> None:
    client = fleet["pc1"]
    identity = client.id
    offer(fleet, "second.exe")
    before = client.snapshot()
    for _ in range(6):
        fleet.revert(client, before)
        fleet.advance(hours=2)
    assert client.id == identity
    assert shown(fleet, client).state == ClientState.MEMBER
    assert fleet.admin.ask(resources.counts) == {"member": 1}
    assert fleet.ran(client, SETUP) == 1
    assert fleet.ran(client, "second.exe") == 6


def test_a_number_given_twice_by_a_machine_that_went_back_is_told_again_under_another(fleet: Fleet) -> None:
    client = fleet["pc1"]
    before = client.snapshot()
    offer(fleet, "second.exe")
    fleet.settle()
    fleet.cap.keep_moment("old")
    offer(fleet, "third.exe")
    fleet.settle()
    fleet.revert(client, before)
    fleet.cap.serve_moment("old", client="pc1")
    fleet.advance(hours=3)
    fleet.cap.mend()
    fleet.advance(hours=5)
    assert shown(fleet, client).state == ClientState.MEMBER
    assert len(started(fleet, client)) == len(client.machine.programs.launches), "every start is told once"
