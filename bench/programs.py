"""What the Advertised Programs Manager costs a client: a pass over a thousand advertisements, and a year of hourly runs.

    python -m bench.programs [--advertisements 1000] [--histories 10000] [--days 365]

The pass: so many advertisements, a tenth of them of one program, all read and none due, and records of programs that ran before:
CPU, and the most memory that the process ever had, beside the same process without them. The year: one program every hour on a
simulated machine; rows and bytes of the agent's state are printed after each quarter, to see that they stay.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from purveyor.client.content.held import Content
from purveyor.client.machine.interface import Machine
from purveyor.client.machine.real import RealMachine
from purveyor.client.policy_view import Offer, Policy
from purveyor.client.programs import apm
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History, Run, with_run
from purveyor.client.state.store import State, open_state
from purveyor.lab.clock import START, Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.transport.interface import Point
from purveyor.wire.errors import UnavailableError
from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId, ProgramNumber, SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind
from purveyor.wire.package_info import Command, PackageInfo, Program, ProgramKey
from purveyor.wire.settings import AgentSettings, Shards

SETTINGS = AgentSettings(
    site=SiteCode("S01"), incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=(), poll_interval_seconds=3600
)
COLLECTION = CollectionId("S0110001")
PASSES = 15
SHARE_OF_ONE_PROGRAM = 10
"""A tenth of the advertisements are of one program."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--advertisements", type=int, default=1000)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--pass-alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pass_alone:
        print_pass(options.advertisements, options.histories)
        return
    print("| advertisements | records | first pass, CPU ms | later pass, CPU ms (median, best) | most memory, MB |")
    print("|---|---|---|---|---|")
    for advertisements, histories in ((0, 0), (0, options.histories), (options.advertisements, options.histories)):
        words = ["--advertisements", str(advertisements), "--histories", str(histories), "--pass-alone"]
        subprocess.run([sys.executable, "-m", "bench.programs", *words], check=True)
    print_year(options.days)


def print_pass(advertisements: int, histories: int) -> None:
    """One row: passes of a real machine's agent over a policy in which nothing is due."""
    policy = policy_of(advertisements)
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        folder = Path(scratch)
        state = open_state(str(folder / "agent.db"))
        machine = RealMachine(folder)
        remember(state, histories)
        now = datetime.now(UTC)
        first = cpu_milliseconds(machine, state, policy, now)
        later = [cpu_milliseconds(machine, state, policy, now + timedelta(hours=1 + number)) for number in range(PASSES)]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells = (advertisements, histories, f"{first:.0f}", f"{statistics.median(later):.1f}, {min(later):.1f}", f"{most:.1f}")
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def cpu_milliseconds(machine: Machine, state: State, policy: Policy, now: datetime) -> float:
    """What one turn costs."""
    began = time.process_time()
    apm.turn(policy, state=state, machine=machine, content=Content(machine.disk, state), point_for=no_point, now=now)
    return (time.process_time() - began) * 1000


def policy_of(count: int) -> Policy:
    """So many advertisements, all for a day that is far off."""
    far = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=300)
    at = Assignment(number=1, kind=AssignmentKind.TIME, at=far)
    often = count // SHARE_OF_ONE_PROGRAM
    keys = [key_of(0 if number < often else number) for number in range(count)]
    offers = tuple(
        Offer(
            collection=COLLECTION,
            advertisement=Advertisement(
                id=AdvertisementId(f"S012{base36(number + 1)}"),
                package=key.package,
                program=key.program,
                available_from=datetime(2026, 1, 1, tzinfo=UTC),
                assignments=(at,),
            ),
        )
        for number, key in enumerate(keys)
    )
    packages = {key.package: package_of(key.package) for key in keys}
    return Policy(
        settings=SETTINGS,
        is_complete=True,
        is_fresh=True,
        may_run_accepted=True,
        offers=offers,
        packages=packages,
        client=ClientId("0" * 32),
    )


def package_of(package: PackageId) -> PackageInfo:
    """A package with one program."""
    program = Program(number=ProgramNumber(1), name="install", command=Command(argv=("/bin/true",)))
    return PackageInfo(id=package, name=f"Package {package}", source_version=1, highest_program=1, programs=(program,))


def key_of(number: int) -> ProgramKey:
    """The only program of a package."""
    return ProgramKey(PackageId(f"S010{base36(number + 1)}"), ProgramNumber(1))


def base36(number: int) -> str:
    """Four digits, as ids have them."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    for _ in range(4):
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text


def remember(state: State, count: int) -> None:
    """So many programs that ran long ago, ten runs of each."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with state.transaction():
        for number in range(count):
            history = History(key=key_of(100_000 + number))
            for run in range(10):
                ended = Run(
                    run=f"{run:016x}",
                    occurrence="S0120001.1@2026-01-01T00:00:00Z",
                    state=JobState.SUCCEEDED,
                    source_version=1,
                    started_at=at,
                    ended_at=at,
                )
                history = with_run(history, ended, limit=10)
            records.save_history(state, history)


def print_year(days: int) -> None:
    """A program every hour, and what the agent's state has become after each quarter of the time."""
    clock = Clock(START)
    machine = SimulatedMachine("pc1", clock)
    start = START.replace(tzinfo=None)
    hourly = Assignment(number=1, kind=AssignmentKind.RECURRENCE, at=start, rule="FREQ=HOURLY")
    key = key_of(0)
    advertisement = Advertisement(
        id=AdvertisementId("S0120001"), package=key.package, program=key.program, available_from=START, assignments=(hourly,)
    )
    policy = Policy(
        settings=SETTINGS,
        is_complete=True,
        is_fresh=True,
        may_run_accepted=True,
        offers=(Offer(collection=COLLECTION, advertisement=advertisement),),
        packages={key.package: package_of(key.package)},
        client=ClientId("0" * 32),
    )
    print(
        f"\nA run every hour for {days} days:\n\n| days | runs | jobs kept | runs in history | bytes of history | CPU ms a pass |"
    )
    print("|---|---|---|---|---|---|")
    for quarter in range(1, 5):
        began, passes = time.process_time(), 0
        while clock.now() < START + timedelta(days=days) * quarter / 4:
            machine.turn()
            due = apm.turn(
                policy,
                state=machine.state,
                machine=machine,
                content=Content(machine.disk, machine.state),
                point_for=no_point,
                now=clock.now(),
            )
            machine.state.connection.execute("delete from message")
            passes += 1
            ends_at = machine.programs.next_end()
            following = min(time_ for time_ in (due, ends_at, clock.now() + timedelta(hours=1)) if time_ is not None)
            clock.advance(max(following - clock.now(), timedelta(seconds=1)))
        spent = (time.process_time() - began) * 1000 / max(1, passes)
        rows = machine.state.connection.execute("select count(*) from job").fetchone()[0]
        size = machine.state.connection.execute("select sum(length(content)) from history").fetchone()[0]
        kept = len(records.history_of(machine.state, key).runs)
        cells = (days * quarter // 4, len(machine.programs.launches), rows, kept, size, f"{spent:.2f}")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def no_point(url: str) -> Point:
    """Nothing is fetched here."""
    raise UnavailableError(f"{url} is not asked")


if __name__ == "__main__":
    main()
