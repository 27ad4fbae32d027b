"""Copies of machines: a snapshot of one, another machine made from it, and a machine that goes back to what it was.

A snapshot holds what lies on the disks of a machine: the agent's files and its state, what is installed, what a watcher wrote
about runs that ended. What was in memory is in no copy: a run that was under way is one of which nobody knows how it ended.
"""

from dataclasses import dataclass

from purveyor.lab.disk import Image
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import KeptRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What lay on a machine's disks at one moment, and what the machine was called then."""

    host_name: str
    machine_id: str
    disk: Image
    state: bytes
    """The agent's state database."""
    runs: KeptRuns
    installed: dict[str, str]
    files: dict[str, bytes]


def snapshot_of(machine: SimulatedMachine) -> Snapshot:
    """What lies on the disks of a machine now."""
    machine.programs.turn()
    return Snapshot(
        host_name=machine.host_name,
        machine_id=machine.machine_id,
        disk=machine.disk.image(),
        state=machine.state.connection.serialize(),
        runs=machine.programs.kept_runs(),
        installed=dict(machine.installed),
        files=dict(machine.files),
    )


def lay_down(snapshot: Snapshot, machine: SimulatedMachine) -> None:
    """Puts a snapshot on the disks of a machine, in place of all that lay there; it is off then. Its name stays its own."""
    machine.power_cut()
    machine.disk.load(snapshot.disk)
    machine.state.connection.deserialize(snapshot.state)
    machine.programs.take_runs(snapshot.runs)
    machine.installed = dict(snapshot.installed)
    machine.files = dict(snapshot.files)
