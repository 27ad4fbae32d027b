"""What a client tells a site that was restored from a backup, or that heard it out of order: what that site may not know.

A new incarnation in the settings says that the site was restored. Then all that no shard covers is sent again, and the state of
every program is told once; where the site does not know this client any more, it is shown the joining receipt.
Source: the protocol, section 11.
"""

from collections.abc import Iterable
from datetime import datetime

from purveyor.client import reports
from purveyor.client.machine.interface import Machine
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job, Kind
from purveyor.client.state import published
from purveyor.client.state.published import HeldEntry
from purveyor.client.state.store import State
from purveyor.wire import receipts
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.reports import PROGRAMS_PER_SUMMARY, Body, ProgramState, Returning, Summary
from purveyor.wire.shards import ClientState

_HEARD = "incarnation of the site"
_RETURNED = "incarnation returned to"
_HELD = "incarnation told of what is held"
_OUT_OF_ORDER = "site heard out of order"


def note_out_of_order(state: State) -> None:
    """The state of every program is to be told: items were told again under numbers after those of later ones."""
    state.remember(_OUT_OF_ORDER, "yes")


def owed(state: State, machine: Machine, incarnation: int, *, is_complete: bool) -> list[Body]:
    """What a site of this incarnation is to be told now, and is told once. Joins the open transaction, or opens one.

    `is_complete`: all was read that the site publishes now. What this machine is and holds is told only then: of a deletion that
    was not read yet it would say nothing, and not speak of it again before its next heartbeat.
    """
    bodies: list[Body] = []
    with state.transaction():
        if is_unknown(published.held_entry(state)) and state.fact(_RETURNED) != str(incarnation):
            state.remember(_RETURNED, str(incarnation))
            receipt = published.joining_receipt(state)
            packed = receipts.pack(receipt) if receipt else None
            bodies += [Returning(receipt=packed, facts=machine.facts())] if packed else []
        heard = state.fact(_HEARD)
        is_restored = heard not in ("", str(incarnation))
        if heard != str(incarnation):
            state.remember(_HEARD, str(incarnation))
        if is_restored:
            reports.send_all_again(state)
        if is_restored or state.fact(_OUT_OF_ORDER):
            state.remember(_OUT_OF_ORDER, "")
            bodies += summaries(records.histories(state).values(), records.jobs(state))
        held = state.fact(_HELD)
        if is_complete and held != str(incarnation):
            state.remember(_HELD, str(incarnation))
            if held:
                state.remember("heartbeat_at", "")
    return bodies


def is_unknown(entry: HeldEntry | None) -> bool:
    """Whether the site knows this client no more: it says nothing of it, though it did, or refuses what it sends."""
    if entry is None or entry.entry is None:
        return False
    return not entry.is_stated or entry.entry.state is ClientState.REFUSED


def summaries(histories: Iterable[History], jobs: Iterable[Job]) -> list[Summary]:
    """The state of every program that is remembered or planned, in as few items as hold it. Pure.

    Shape: `jobs` in the order in which they came; what became of one that never ran is not in the histories.
    """
    states = {history.key: _ended(history) for history in histories}
    for job in sorted(jobs, key=lambda job: job.is_open):
        key = ProgramKey(*job.key)
        states[key] = _under_way(job, states.get(key)) if job.is_open else _never_run(job, states.get(key))
    told = [one for _, one in sorted(states.items()) if one is not None]
    return [
        Summary(programs=tuple(told[start : start + PROGRAMS_PER_SUMMARY])) for start in range(0, len(told), PROGRAMS_PER_SUMMARY)
    ]


def _ended(history: History) -> ProgramState | None:
    last = history.last_run
    if last is None:
        return None
    key = ProgramKey(*history.key)
    return ProgramState(
        package=key.package,
        program=key.program,
        state=last.state,
        at=last.ended_at,
        advertisement=last.advertisement,
        occurrence=last.occurrence,
        source_version=last.source_version,
        exit_code=last.exit_code,
        user=last.user,
        succeeded_version=history.succeeded_version,
    )


def _under_way(job: Job, ended: ProgramState | None) -> ProgramState | None:
    """The open job, where it has begun to be something; a job that waits for its time hides no result."""
    at = job.started_at or job.due_at
    if not job.is_root or at is None or (ended is not None and job.started_at is None):
        return ended
    return _state_of(job, at, ended)


def _never_run(job: Job, ended: ProgramState | None) -> ProgramState | None:
    """The job that came to its end without a run, as where what it depends on failed, unless something ended later."""
    if job.kind is not Kind.RUN or job.started_at is not None or job.ended_at is None:
        return ended
    return ended if ended is not None and ended.at >= job.ended_at else _state_of(job, job.ended_at, ended)


def _state_of(job: Job, at: datetime, ended: ProgramState | None) -> ProgramState:
    return ProgramState(
        package=job.key.package,
        program=job.key.program,
        state=job.state,
        at=at,
        advertisement=job.advertisement,
        occurrence=job.occurrence,
        source_version=job.source_version,
        exit_code=job.exit_code,
        user=job.user,
        cause=job.cause,
        succeeded_version=ended.succeeded_version if ended else 0,
    )
