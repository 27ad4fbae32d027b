"""How a fleet moves when one of three CAPs dies: how long it takes, what it costs, and what the dead one still gets.

    python -m bench.points [--clients 1000] [--hours 4]

Simulated time, on the lab: clients poll hourly. A client has moved once another CAP has served it.
"""

import argparse
import logging
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from purveyor.client.points.memory import PointUse, last_answer
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import CAP_URL, Fleet
from purveyor.lab.transit import Request
from purveyor.site_server.model.points import PointKind

CAPS = (CAP_URL, "http://two.lab/cap", "http://three.lab/cap")
STEP = timedelta(minutes=5)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=4)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.process_time()
    with Fleet(0) as fleet:
        for url in CAPS[1:]:
            fleet.add_point(PointKind.CAP, url)
        fleet.settle()
        fleet.add_clients(chosen.clients)
        fleet.settle()
        measure(fleet, chosen.hours)
    print(f"CPU: {time.process_time() - began:.0f} s")


def measure(fleet: Fleet, hours: int) -> None:
    """Cuts the CAP that most clients use, and prints what becomes of them."""
    print(f"before: {spread(fleet.clients)}")
    quiet_from = fleet.clock.now()
    fleet.advance(hours=hours)
    quiet = per_client_hour(requests(fleet, quiet_from), fleet, hours)
    homes = {client.name: home(client) for client in fleet.clients}
    dead = Counter(homes.values()).most_common(1)[0][0]
    concerned = {name for name, url in homes.items() if url == dead}
    boxes = fleet.cap if dead == CAP_URL else next(one for one in fleet.elsewhere.values() if one.url == dead)
    boxes.cut()
    died_at = fleet.clock.now()
    moved_after: dict[str, float] = {}
    while fleet.clock.now() - died_at < timedelta(hours=hours):
        fleet.advance(seconds=STEP.total_seconds())
        minutes = (fleet.clock.now() - died_at) / timedelta(minutes=1)
        for client in fleet.clients:
            if client.name in concerned and home(client) != dead:
                moved_after.setdefault(client.name, minutes)
    in_vain = Counter(request.client for request in boxes.requests if request.at >= died_at)
    others = sum(home(client) != homes[client.name] for client in fleet.clients if client.name not in concerned)
    print(f"after:  {spread(fleet.clients)}")
    print(f"moved: {len(moved_after)} of {len(concerned)} that used it, {others} of the others")
    print(f"time until moved: median {statistics.median(moved_after.values()):.0f} min, last {max(moved_after.values()):.0f} min")
    print(f"requests to the dead one: {sum(in_vain.values())} in {hours} h, at most {max(in_vain.values(), default=0)} a client")
    busy = per_client_hour(requests(fleet, died_at), fleet, hours)
    print(
        f"requests of a client in an hour: {quiet:.2f} before, {busy:.2f} after; for absent files: {len(fleet.absent_requests())}"
    )


def home(client: LabClient) -> str:
    """The CAP that served a client last."""
    return last_answer(client.machine.state, PointUse.POLICY)[0]


def spread(clients: Iterable[LabClient]) -> str:
    """How many clients each CAP serves."""
    count = Counter(map(home, clients))
    return ", ".join(f"{url.split('/')[2]} {count[url]}" for url in CAPS)


def requests(fleet: Fleet, since: datetime) -> list[Request]:
    """All requests to CAPs since then."""
    return [request for boxes in (fleet.cap, *fleet.elsewhere.values()) for request in boxes.requests if request.at >= since]


def per_client_hour(asked: list[Request], fleet: Fleet, hours: int) -> float:
    """Requests of a client in an hour."""
    return len(asked) / len(fleet.clients) / hours


if __name__ == "__main__":
    main()
