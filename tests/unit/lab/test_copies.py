"""Copies of machines: what a snapshot holds, and what a clone and a machine that went back know of the time since."""

from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script


def _fleet_with_editor() -> Fleet:
    fleet = Fleet(1)
    fleet.script("setup.exe", Script(seconds=600, installs=("editor=1",)))
    program = fleet.admin.add_program(fleet.admin.add_package("Editor", {"setup.exe": b"setup"}), "install", "setup.exe")
    fleet.admin.advertise(program)
    return fleet


def test_a_clone_has_what_was_there_and_goes_its_own_way() -> None:
    with _fleet_with_editor() as fleet:
        [original] = fleet.clients
        fleet.settle()
        clone = fleet.clone(original, name="copy")
        assert clone.machine.installed == {"editor": "1"}
        assert clone.machine.disk.files() == original.machine.disk.files()
        assert clone.machine.disk.root == original.machine.disk.root
        assert clone.id == original.id
        assert (clone.machine.facts().name, clone.machine.facts().machine_id) != ("pc1", original.machine.machine_id)
        clone.machine.files["/only/here"] = b""
        clone.machine.disk.append("only-here", b"x")
        assert "/only/here" not in original.machine.files
        assert original.machine.disk.read("only-here") is None


def test_a_clone_with_the_same_facts_differs_for_the_lab_alone() -> None:
    with Fleet(1) as fleet:
        clone = fleet.clone(fleet["pc1"], name="copy", has_same_facts=True)
        assert clone.machine.facts() == fleet["pc1"].machine.facts()
        assert fleet["copy"] is clone
        assert clone.machine.boot_id() != fleet["pc1"].machine.boot_id()


def test_a_machine_that_goes_back_has_lost_what_came_after_the_snapshot() -> None:
    with _fleet_with_editor() as fleet:
        [client] = fleet.clients
        before = client.snapshot()
        boot = client.machine.boot_id()
        fleet.settle()
        assert client.machine.installed == {"editor": "1"}
        fleet.revert(client, before)
        assert client.machine.installed == {}
        assert client.machine.disk.files() == {}
        assert client.machine.power.is_on
        assert client.machine.boot_id() != boot


def test_a_run_that_was_under_way_in_a_snapshot_has_an_end_that_nobody_knows() -> None:
    with _fleet_with_editor() as fleet:
        [client] = fleet.clients
        while not client.machine.running():
            fleet.advance(minutes=1)
        [run] = client.machine.running()
        clone = fleet.clone(client, name="copy")
        assert clone.machine.running() == []
        assert client.machine.running() == [run]
