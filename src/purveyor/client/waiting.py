"""What the sentinel is to wait for, as the worker leaves it: `next.json` in the state folder, whole or not at all.

The worker's half of `sentinel.py`, which may import nothing of Purveyor.

    polls           the files that tell whether anything is new: `url` (http, https, or a path), the `tag` last seen there, and
                    the `certificate` (SHA-256) of an HTTPS server that a pin vouched for
    next_poll_at    when to look at them; seconds since 1970
    next_due_at     when a pass is due whatever they say (a job, a report, a heartbeat); null: none
    interval_seconds  how long to wait after a look that found nothing new
    watches         files and folders of this machine that change when somebody logs on or off; empty where nothing waits for that
    boot_id         of the start of the machine in which the pass was made
    page_port       where the agent's page is asked for, on the loopback address; 0: nowhere
"""

import json
import os
from collections.abc import Sequence
from typing import Protocol

from purveyor.client import sentinel
from purveyor.client.sentinel import PLAN, Plan, Poll, tag_of


class PlanDisk(Protocol):
    """The part of the agent's disk that writing a plan needs."""

    def append(self, path: str, content: bytes) -> None:
        """Adds bytes at the end of a file."""

    def remove(self, path: str) -> None:
        """Removes a file."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name."""

    def sync(self, path: str) -> None:
        """Makes a file outlast a power cut."""


def write_plan(disk: PlanDisk, plan: Plan) -> None:
    """Leaves a plan for the sentinel. Errors: UnavailableError."""
    content = {
        "polls": [poll._asdict() for poll in plan.polls],
        "next_poll_at": plan.next_poll_at,
        "next_due_at": plan.next_due_at,
        "interval_seconds": plan.interval_seconds,
        "watches": [{"url": watch.url, "tag": watch.tag} for watch in plan.watches],
        "boot_id": plan.boot_id,
        "page_port": plan.page_port,
    }
    disk.remove(f"{PLAN}.new")
    disk.append(f"{PLAN}.new", json.dumps(content).encode())
    disk.sync(f"{PLAN}.new")
    disk.rename(f"{PLAN}.new", PLAN)


def watches_of(paths: Sequence[str]) -> tuple[Poll, ...]:
    """What to watch at these paths, as they are now; taken before a pass looks at the machine, so that nothing is missed."""
    return tuple(Poll(path, tag_of(path)) for path in paths)


def command(
    executable: str, folder: str, worker: Sequence[str], page: Sequence[str] = (), asker: Sequence[str] = ()
) -> list[str]:
    """The words that start a sentinel for a state folder.

    Shape: passes are made by the command `worker`; the page is served by `page`, with the number of an open socket as last word;
    what is polled on shares is asked for by `asker`, with the polls as last word.
    """
    script = os.path.abspath(sentinel.__file__)
    others = ["--", *page, "--", *asker] if asker else ["--", *page] if page else []
    return [executable, "-I", "-S", script, folder, "--", *worker, *others]
