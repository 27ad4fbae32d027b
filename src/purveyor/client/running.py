"""Runs the agent on this machine: one pass, or the sentinel that makes passes; and what a person asks of the jobs here.

Started as `python -m purveyor.client.running STATE_FOLDER` it is the sentinel's worker: one pass, then the plan for the next.
Everything that changes the agent's state is done under the lock of its folder.
"""

import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from purveyor.client import reports, sentinel, waiting
from purveyor.client.agent import Agent, Pass
from purveyor.client.join import Standing, last_standing
from purveyor.client.log import Log, Weight, last_lines
from purveyor.client.machine import lock, sessions
from purveyor.client.main import PERSON_WAITS_SECONDS, STATE_FILE, Parts, parts_of
from purveyor.client.policy import poll, view
from purveyor.client.programs import apm
from purveyor.client.programs.memory.job import Job
from purveyor.client.state import published
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import time_of
from purveyor.transport.http.point import HttpPoint
from purveyor.wire.errors import PurveyorError, RefusedError
from purveyor.wire.ids import PackageId
from purveyor.wire.settings import AgentSettings

LOG_FILE = "agent.log"
LOOK_SECONDS = 0.2
"""How often a pass that waits for its programs looks at them."""
AT_ONCE = timedelta(seconds=2)
LOG_LIMIT_BYTES = 2_000_000


def run_pass(folder: Path, *, is_forced: bool, waits: bool) -> Pass:
    """One full pass; with `waits` it goes on until no program runs any more and what followed from that is reported.

    Errors: RefusedError when this client never joined, or when a pass is under way already; RejectedError, UnavailableError.
    """
    _check(folder)
    with lock.held(folder, what="a pass of the agent", wait_seconds=PERSON_WAITS_SECONDS if is_forced else 0):
        parts = parts_of(folder)
        log = _log(folder, parts)
        agent = Agent(
            machine=parts.machine, state=parts.state, point_for=parts.point_for, unpinned=parts.unpinned, note=log.write
        )
        try:
            seen = waiting.watches_of(sessions.watched_paths())
            made = agent.turn(is_forced=is_forced)
            while waits and (apm.is_running(parts.state) or _is_due(parts, made)):
                _wait_for_run(parts)
                seen = waiting.watches_of(sessions.watched_paths())
                made = agent.turn()
        except PurveyorError as error:
            log.write(f"the pass was given up: {error}", Weight.ERROR)
            raise
        waiting.write_plan(parts.machine.disk, _plan(parts, made, seen))
        return made


def become_sentinel(folder: Path) -> None:
    """Becomes the sentinel of a state folder: this process is replaced by it, and does not come back.

    Errors: RefusedError when this client never joined.
    """
    _check(folder)
    parts = parts_of(folder)
    if not has_identity(parts.state):
        raise RefusedError("this client has not joined a site; `purveyor client join` does that")
    parts.state.connection.close()
    worker = [sys.executable, "-m", "purveyor.client.running", str(folder.absolute())]
    page = [sys.executable, "-m", "purveyor.client.page.serving", str(folder.absolute())]
    asker = [sys.executable, "-m", "purveyor.client.asking_share", str(folder.absolute())]
    words = waiting.command(sys.executable, str(folder.absolute()), worker, page, asker)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - the words are our own


def jobs(folder: Path) -> list[Job]:
    """All jobs of this machine, planned and done. Errors: RefusedError when there is no agent's state."""
    _check(folder)
    return apm.jobs(parts_of(folder).state)


def standing_told(folder: Path) -> tuple[Standing, str]:
    """What the site said of this client last, and in a sentence. Errors: RefusedError when there is no agent's state."""
    _check(folder)
    state = parts_of(folder).state
    standing = last_standing(state)
    return standing, standing.in_words(read_identity(state).site)


def uninstall(folder: Path, package: PackageId) -> list[Job]:
    """Uninstalls a package from its receipts and waits for the end; the next pass reports it. Shape: the jobs as they ended.

    Errors: RefusedError when nothing of it can be uninstalled here, or when a pass is under way.
    """
    _check(folder)
    with lock.held(folder, what="a pass of the agent", wait_seconds=PERSON_WAITS_SECONDS):
        parts = parts_of(folder)
        return apm.uninstall(
            package,
            state=parts.state,
            machine=parts.machine,
            now=parts.machine.now,
            wait=lambda: time.sleep(LOOK_SECONDS),
            note=_log(folder, parts).write,
        )


def log_lines(folder: Path, count: int) -> list[str]:
    """The newest lines of the agent's log. Errors: RefusedError when there is no agent's state."""
    _check(folder)
    return last_lines(folder / LOG_FILE, count)


def main(folder: Path, *, is_asked: bool = False) -> int:
    """Makes one pass for the sentinel; where a person asked for it, one that polls.

    Shape: 0 when it was made, 1 when it could not be; the reason is in the log.
    """
    try:
        run_pass(folder, is_forced=is_asked, waits=False)
    except PurveyorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _check(folder: Path) -> None:
    if not (folder / STATE_FILE).exists():
        raise RefusedError(f"{folder} holds no agent's state; `purveyor client join` makes one")


def _log(folder: Path, parts: Parts) -> Log:
    settings = view.held_settings(parts.state)
    limit_bytes = settings.log_limit_bytes if settings is not None else LOG_LIMIT_BYTES
    return Log(folder / LOG_FILE, component="agent", limit_bytes=limit_bytes, now=parts.machine.now)


def _is_due(parts: Parts, made: Pass) -> bool:
    return made.next_due_at is not None and made.next_due_at - parts.machine.now() <= AT_ONCE


def _wait_for_run(parts: Parts) -> None:
    """Waits until a program that runs has ended, or a moment where none runs."""
    time.sleep(LOOK_SECONDS)
    while apm.is_running(parts.state) and not apm.has_ended_run(parts.state, parts.machine):
        time.sleep(LOOK_SECONDS)


def _plan(parts: Parts, made: Pass, seen: tuple[sentinel.Poll, ...] = ()) -> sentinel.Plan:
    """What the sentinel is to wait for after this pass; `seen` is what tells of sessions, as it was before."""
    state, settings = parts.state, view.held_settings(parts.state)
    interval = settings.poll_interval_seconds if settings is not None else sentinel.LONGEST_SLEEP_SECONDS
    due = [time for time in (made.next_due_at, _next_report_at(parts, settings)) if time is not None]
    polls: list[sentinel.Poll] = []
    if made.access_point is not None and settings is not None:
        point = parts.point_for(made.access_point)
        for path in (poll.TIMESTAMP, poll.shard_path(read_identity(state), settings)):
            url = f"{made.access_point.rstrip('/')}/{path}"
            tag = "" if made.access_point in parts.unpinned() else published.tag_of(state, point.url, path)
            polls.append(sentinel.Poll(url, tag, point.certificate if isinstance(point, HttpPoint) else ""))
    soonest = parts.machine.now() + apm.SHORTEST_PAUSE  # whatever is overdue: nothing spins
    return sentinel.Plan(
        polls=tuple(polls),
        next_poll_at=made.next_poll_at.timestamp(),
        next_due_at=max(min(due), soonest).timestamp() if due else None,
        interval_seconds=float(interval),
        watches=seen if made.waits_for_sessions else (),
        boot_id=parts.machine.boot_id(),
        page_port=settings.page_port if settings is not None else 0,
    )


def _next_report_at(parts: Parts, settings: AgentSettings | None) -> datetime | None:
    """When a heartbeat or a report that could not be sent is due, whatever the site says."""
    if settings is None:
        return None
    state, now = parts.state, parts.machine.now()
    last = state.time("heartbeat_at") if view.is_member(published.held_entry(state)) else None
    times = [] if last is None else [last + timedelta(seconds=settings.heartbeat_interval_seconds)]
    unsent = now + timedelta(seconds=min(settings.retry_seconds, settings.poll_interval_seconds))
    for sent_at, send_count in state.connection.execute("select sent_at, send_count from item"):
        last = time_of(sent_at)
        times.append(unsent if last is None else max(unsent, last + reports.resend_after(send_count, settings)))
    return min(times, default=None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), is_asked=sentinel.ASKED in sys.argv[2:]))
