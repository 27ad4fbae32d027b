"""What a client tells a site that was restored from a backup: what that site may have lost.

A new incarnation in the settings says that the site was restored. Then all that no shard covers is sent again, and the state of
every program is told once; where the site does not know this client any more, it is shown the joining receipt.
Source: the protocol, section 11.
"""

from collections.abc import Iterable

from purveyor.client import reports
from purveyor.client.machine.interface import Machine
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.memory.job import Job
from purveyor.client.state import published
from purveyor.client.state.published import HeldEntry
from purveyor.client.state.store import State
from purveyor.wire import receipts
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.reports import PROGRAMS_PER_SUMMARY, Body, ProgramState, Returning, Summary
from purveyor.wire.shards import ClientState

_HEARD = "incarnation of the site"
_RETURNED = "incarnation returned to"


def owed(state: State, machine: Machine, incarnation: int) -> list[Body]:
    """What a site of this incarnation is to be told now, and is told once. Joins the open transaction, or opens one."""
    bodies: list[Body] = []
    with state.transaction():
        if is_unknown(published.held_entry(state)) and state.fact(_RETURNED) != str(incarnation):
            state.remember(_RETURNED, str(incarnation))
            receipt = published.joining_receipt(state)
            packed = receipts.pack(receipt) if receipt else None
            bodies += [Returning(receipt=packed, facts=machine.facts())] if packed else []
        heard = state.fact(_HEARD)
        if heard != str(incarnation):
            state.remember(_HEARD, str(incarnation))
            if heard:
                reports.send_all_again(state)
                state.remember("heartbeat_at", "")  # what this machine is and holds is told with the rest
                bodies += summaries(records.histories(state).values(), records.open_jobs(state))
    return bodies


def is_unknown(entry: HeldEntry | None) -> bool:
    """Whether the site knows this client no more: it says nothing of it, though it did, or refuses what it sends."""
    if entry is None or entry.entry is None:
        return False
    return not entry.is_stated or entry.entry.state is ClientState.REFUSED


def summaries(histories: Iterable[History], jobs: Iterable[Job]) -> list[Summary]:
    """The state of every program that is remembered or planned, in as few items as hold it. Pure."""
    states = {history.key: _ended(history) for history in histories}
    states |= {ProgramKey(*job.key): _under_way(job, states.get(ProgramKey(*job.key))) for job in jobs if job.is_root}
    listed = [states[key] for key in sorted(states)]
    told = [one for one in listed if one is not None]
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
    if at is None or (ended is not None and job.started_at is None):
        return ended
    return ProgramState(
        package=job.key.package,
        program=job.key.program,
        state=job.state,
        at=at,
        advertisement=job.advertisement,
        occurrence=job.occurrence,
        source_version=job.source_version,
        user=job.user,
        cause=job.cause,
        succeeded_version=ended.succeeded_version if ended else 0,
    )
