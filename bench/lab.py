"""How fast the lab is: simulated client-days of a quiet fleet and of one with faults, stories, and memory for each client.

    python -m bench.lab [--clients 100] [--days 7] [--stories 40]

Hourly polls, one advertisement, daily heartbeats. With faults: requests and answers are lost, the access point lags unevenly,
items come late and twice, clocks drift, and machines lose their power. All times are CPU time of the one process that the lab is;
`loop` is the CPU time of a fixed loop of Python, timed before and after, because other work makes a core slower.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from resource import getpagesize

from purveyor.lab.fleet import Fleet
from purveyor.lab.stories.telling import tell

LOOP_COUNT = 1_000_000
HOURS_BETWEEN_POWER_CUTS = 6
COLUMNS = (
    "fleet",
    "clients",
    "days",
    "CPU s",
    "client-days/s",
    "client-days/loop",
    "passes",
    "requests",
    "programs run",
    "in vain",
)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--stories", type=int, default=40)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{' --- |' * len(COLUMNS)}")
    kept: list[float] = []
    for name, live in (("quiet", live_quietly), ("with faults", live_with_faults)):
        print(f"| {' | '.join(measured(name, live, chosen.clients, chosen.days, kept))} |", flush=True)
    print(f"memory: {kept[0]:.0f} kB a client that has just joined, {kept[1]:.0f} kB after {chosen.days} quiet days")
    print(stories(chosen.stories), flush=True)


def measured(name: str, live: Callable[[Fleet, int], None], client_count: int, days: int, kept: list[float]) -> list[str]:
    """One row. `kept` gets the kilobytes for each client, when they have joined and at the end."""
    before = resident_kilobytes()
    with Fleet(client_count) as fleet:
        kept.append((resident_kilobytes() - before) / client_count)
        package = fleet.admin.add_package("Measured", {"setup.exe": b"x" * 100_000})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        loop = loop_seconds()
        began = time.process_time()
        live(fleet, days)
        seconds = time.process_time() - began
        loop = statistics.mean((loop, loop_seconds()))
        kept.append((resident_kilobytes() - before) / client_count)
        figures = (
            name,
            client_count,
            days,
            f"{seconds:.1f}",
            f"{client_count * days / seconds:.0f}",
            f"{client_count * days / (seconds / loop):.1f}",
            sum(client.passes for client in fleet.clients),
            len(fleet.cap.requests) + len(fleet.dp.requests),
            sum(fleet.ran(client, "setup.exe") for client in fleet.clients),
            len(fleet.absent_requests()),
        )
    return [str(figure) for figure in figures]


def live_quietly(fleet: Fleet, days: int) -> None:
    """Nothing happens."""
    fleet.advance(days=days)


def live_with_faults(fleet: Fleet, days: int) -> None:
    """Little works as it should; on the last day everything does again."""
    fleet.cap.lose_requests(0.05)
    fleet.cap.lag(timedelta(minutes=10), spread=timedelta(hours=1))
    fleet.cap.delay_items(timedelta(minutes=1), spread=timedelta(hours=1))
    fleet.cap.duplicate_items(timedelta(hours=1))
    for number, client in enumerate(fleet.clients):
        client.machine.clock.drift(number % 21 * 100 - 1000)
        client.power_cut_seed = number
    for _ in range((days - 1) * 24 // HOURS_BETWEEN_POWER_CUTS):
        for client in fleet.random.sample(fleet.clients, len(fleet.clients) // 10):
            client.machine.power.fail_at(fleet.random.randint(1, 20))
        fleet.advance(hours=HOURS_BETWEEN_POWER_CUTS)
    fleet.calm()
    fleet.advance(days=1)


def stories(count: int) -> str:
    """How many stories are told in a minute."""
    loop = loop_seconds()
    began = time.process_time()
    told = [tell(seed) for seed in range(count)]
    seconds = time.process_time() - began
    loop = statistics.mean((loop, loop_seconds()))
    days = sum(one.client_days for one in told)
    kept = sum(one.is_kept for one in told)
    return (
        f"stories: {count} in {seconds:.1f} s of CPU, {60 * count / seconds:.0f} a minute, {count / (seconds / loop):.2f} a loop,"
        f" {days / seconds:.1f} client-days a second; {kept} kept the promise; the loop took {loop * 1000:.0f} ms"
    )


def loop_seconds() -> float:
    """CPU seconds of a fixed loop: how fast this machine is at this moment."""
    began = time.process_time()
    total = 0
    for number in range(LOOP_COUNT):
        total = (total * 31 + number) & 0xFFFF
    return time.process_time() - began


def resident_kilobytes() -> float:
    """Memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / 1024


if __name__ == "__main__":
    main()
