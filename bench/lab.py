"""How fast the lab is: client-days per second, with hourly polls, one advertisement and daily heartbeats.

.venv/bin/python bench/lab.py --clients 100 --days 7
"""

import argparse
import time

from purveyor.lab.fleet import Fleet

COLUMNS = (
    "clients",
    "days",
    "joined in s",
    "advanced in s",
    "client-days/s",
    "passes",
    "requests",
    "programs run",
    "asked in vain",
)


def main() -> None:
    """Runs one fleet and prints its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--days", type=float, default=7)
    chosen = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{' --- |' * len(COLUMNS)}")
    print(f"| {' | '.join(measured(chosen.clients, chosen.days))} |", flush=True)


def measured(client_count: int, days: float) -> list[str]:
    """One row."""
    began_at = time.perf_counter()
    with Fleet(client_count) as fleet:
        package = fleet.admin.add_package("Measured", {"setup.exe": b"x" * 100_000})
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "setup.exe"))
        joined_at = time.perf_counter()
        fleet.advance(days=days)
        seconds = time.perf_counter() - joined_at
        figures = (
            client_count,
            f"{days:g}",
            f"{joined_at - began_at:.1f}",
            f"{seconds:.1f}",
            f"{client_count * days / seconds:.0f}",
            sum(client.passes for client in fleet.clients),
            len(fleet.cap.requests) + len(fleet.dp.requests),
            sum(fleet.ran(client, "setup.exe") for client in fleet.clients),
            len(fleet.absent_requests()),
        )
    return [str(figure) for figure in figures]


if __name__ == "__main__":
    main()
