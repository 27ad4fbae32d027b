"""The restart that a program needs: at once where nobody is logged on, else after a countdown that the users may put off.

The countdown goes by the machine's uptime, never by a clock that may jump, and it is over when it is over, whether or not a
notice could be shown (Q229113). Until the restart nothing else starts (Q226504); that follows from the state of the job.
Upstream: jobs in RESTART_PENDING, what users ask for; downstream: the machine.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from purveyor.client.machine.interface import Machine, Session
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import Ask, AskKind, asks, drop_ask
from purveyor.client.programs.memory.job import Job, changed
from purveyor.client.programs.wanted.conditions import Unmet
from purveyor.client.state.store import State
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import clock_text, local_text, utc_text
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.settings import AgentSettings
from purveyor.wire.status_messages import StatusId

NOTICE = "restart"
"""The name of the notice, of which each session sees one."""
PLAN = "restart plan"
SHORTEST_POSTPONEMENT_SECONDS = 60
ASK_AGAIN_SECONDS = 300
"""How long the machine may take to go down before it is told again."""
_KINDS = (AskKind.POSTPONE_RESTART, AskKind.RESTART_NOW)


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a restart has come.

    Shape: `shown` names the sessions that are there and saw the notice of this `phase`, which counts the announcements.
    Units: seconds of the machine's uptime since the start with this `boot_id`.
    """

    boot_id: str
    deadline: float | None = None
    """When it comes; None: it is not announced yet."""
    postponements: int = 0
    told_machine_at: float | None = None
    """When the machine was told to restart, last."""
    phase: int = 0
    is_last_call: bool = False
    """The countdown before it is announced: what follows a postponement."""
    shown: tuple[str, ...] = ()


class RestartPending(msgspec.Struct, frozen=True, kw_only=True):
    """A restart that is owed, for the people in front of the machine. `at`: when it comes, by the clock as it is now."""

    key: ProgramKey
    program: str
    at: datetime | None
    postponements_left: int
    may_restart: bool
    """Whether the agent restarts the machine; else it waits until somebody does."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision about a restart rests on. `sessions`: None when nobody can tell who is logged on."""

    settings: AgentSettings
    uptime_seconds: float
    sessions: Sequence[Session] | None
    is_going_down: bool = False
    window: Unmet | None = None
    """Why it may not begin now, as no maintenance window is open; None: it may."""


def decided(plan: Plan, facts: Facts) -> tuple[Plan, bool]:
    """The plan as it goes on, and whether the machine is to restart now. Pure."""
    if not facts.settings.may_restart:
        return msgspec.structs.replace(plan, deadline=None), False
    if facts.is_going_down and plan.told_machine_at is None:
        return plan, False
    if plan.deadline is None and facts.window is not None:
        return plan, False
    is_anybody_there = facts.sessions is None or bool(facts.sessions)
    if not is_anybody_there:
        return plan, True
    if plan.deadline is None:
        deadline = facts.uptime_seconds + max(0, facts.settings.restart_countdown_seconds)
        return msgspec.structs.replace(plan, deadline=deadline, phase=plan.phase + 1, is_last_call=True, shown=()), False
    left = plan.deadline - facts.uptime_seconds
    if left <= 0:
        return plan, True
    if not plan.is_last_call and left <= facts.settings.restart_countdown_seconds:
        return msgspec.structs.replace(plan, phase=plan.phase + 1, is_last_call=True, shown=()), False
    return plan, False


def postponed(plan: Plan, ask: Ask, facts: Facts) -> Plan | None:
    """The plan once a user has put the restart off, for as long as asked but within the limit; None when that may not be."""
    if plan.deadline is None or plan.postponements >= facts.settings.restart_postponements:
        return None
    limit = facts.settings.restart_postpone_seconds
    wanted = (ask.at - ask.made_at).total_seconds()
    seconds = min(limit, max(SHORTEST_POSTPONEMENT_SECONDS, wanted)) if wanted > 0 else limit
    return msgspec.structs.replace(
        plan,
        deadline=max(plan.deadline, facts.uptime_seconds + seconds),
        postponements=plan.postponements + 1,
        phase=plan.phase + 1,
        is_last_call=False,
        shown=(),
    )


def owed(state: State, machine: Machine) -> list[Job]:
    """The jobs that need a restart which has not come yet, in the order in which they came."""
    return [job for job in records.open_jobs(state) if job.state is JobState.RESTART_PENDING and job.boot_id == machine.boot_id()]


def pending(state: State, machine: Machine, settings: AgentSettings) -> RestartPending | None:
    """The restart that is owed now; None when there is none."""
    jobs = owed(state, machine)
    if not jobs:
        return None
    plan = _held_plan(state, machine)
    left = None if plan.deadline is None else max(0.0, plan.deadline - machine.uptime_seconds())
    return RestartPending(
        key=jobs[0].key,
        program=_name(jobs[0]),
        at=None if left is None else machine.now() + timedelta(seconds=left),
        postponements_left=0 if plan.deadline is None else max(0, settings.restart_postponements - plan.postponements),
        may_restart=settings.may_restart,
    )


def turn(bench: Bench, settings: AgentSettings, closed_for: Callable[[Job], Unmet | None]) -> datetime | None:
    """Brings the restart that is owed one step on, and says when to look again; None: nothing is owed, or somebody has to act.

    Shape:  `closed_for` says why what follows from a job may not begin now, as no maintenance window is open.
    """
    jobs = owed(bench.state, bench.machine)
    wishes = [ask for ask in asks(bench.state) if ask.kind in _KINDS]
    if not jobs:
        _drop(bench, settings, wishes)
        return None
    by_job = [closed_for(job) for job in jobs]
    window = None if None in by_job else by_job[0]
    facts = _facts(bench.machine, settings, window)
    plan = _asked(bench, jobs[0], _held_plan(bench.state, bench.machine), wishes, facts)
    plan, is_now = decided(plan, facts)
    if is_now and any(job.state is JobState.RUNNING for job in records.open_jobs(bench.state)):
        is_now = False  # its end comes first, and brings the next turn
    if settings.may_restart and plan.deadline is None and not is_now and window is not None:
        _tell_waiting(bench, jobs[0], window.cause, f"its restart {window.reason}")
    plan = _restarted(bench, jobs[0], plan, facts.uptime_seconds) if is_now else _announced(bench, jobs[0], plan, facts)
    _save_plan(bench.state, plan)
    return _next_look(plan, facts, bench.now)


def _next_look(plan: Plan, facts: Facts, now: datetime) -> datetime | None:
    if not facts.settings.may_restart:
        return None
    if facts.is_going_down:
        return now + timedelta(seconds=ASK_AGAIN_SECONDS)
    if plan.told_machine_at is not None:
        return now + timedelta(seconds=max(1.0, plan.told_machine_at + ASK_AGAIN_SECONDS - facts.uptime_seconds))
    if plan.deadline is None:
        return None if facts.window is None else facts.window.look_at
    left = plan.deadline - facts.uptime_seconds
    if not plan.is_last_call:
        left -= facts.settings.restart_countdown_seconds
    return now + timedelta(seconds=max(1.0, left))


def _asked(bench: Bench, job: Job, plan: Plan, wishes: Sequence[Ask], facts: Facts) -> Plan:
    """The plan after what users have asked for; each wish is answered once."""
    for ask in wishes:
        if ask.kind is AskKind.RESTART_NOW:
            is_possible = facts.settings.may_restart
            plan = msgspec.structs.replace(plan, deadline=facts.uptime_seconds) if is_possible else plan
            bench.note(f"{ask.user} agrees to restart now{'' if is_possible else ', but the agent may not restart this machine'}")
        else:
            later = postponed(plan, ask, facts)
            if later is None or later.deadline is None:
                bench.note(f"{ask.user} may not put the restart off any more")
            else:
                plan = later
                until = bench.now + timedelta(seconds=(later.deadline or 0) - facts.uptime_seconds)
                left = facts.settings.restart_postponements - plan.postponements
                with bench.state.transaction():
                    text = f"{ask.user} put the restart off until {utc_text(until)}; {left} more times are possible"
                    bench.tell(changed(job, cause=Cause.POSTPONED), StatusId.RESTART_POSTPONED, text)
        with bench.state.transaction():
            drop_ask(bench.state, ask.number)
            _save_plan(bench.state, plan)
    return plan


def _restarted(bench: Bench, job: Job, plan: Plan, uptime_seconds: float) -> Plan:
    """Tells the machine to restart, and whoever asks that it was told; not again before it had time to go down."""
    if plan.told_machine_at is not None and uptime_seconds < plan.told_machine_at + ASK_AGAIN_SECONDS:
        return plan
    told = msgspec.structs.replace(plan, told_machine_at=uptime_seconds)
    with bench.state.transaction():
        if plan.told_machine_at is None:
            bench.tell(job, StatusId.RESTARTING, f"the machine is restarted now, as {_name(job)} needs it")
        _save_plan(bench.state, told)
    try:
        bench.machine.restart()
    except (RefusedError, UnavailableError) as error:
        _tell_waiting(bench, job, Cause.RESTART_FAILS, f"the machine cannot be restarted: {error}")
    return told


def _announced(bench: Bench, job: Job, plan: Plan, facts: Facts) -> Plan:
    """Shows every session the notice of this phase once."""
    if facts.sessions is None:
        return plan
    sessions = [session for session in facts.sessions if session.id not in plan.shown]
    there = tuple(sorted(session.id for session in facts.sessions))
    if not sessions:
        return msgspec.structs.replace(plan, shown=there)
    title, text = _words(bench, job, plan, facts)
    for session in sessions:
        bench.machine.notices.show(session, NOTICE, title, text)
    return msgspec.structs.replace(plan, shown=there)  # those who have gone are forgotten: a server waits for months


def _words(bench: Bench, job: Job, plan: Plan, facts: Facts) -> tuple[str, str]:
    name = _name(job)
    if not facts.settings.may_restart:
        return (
            "This machine has to restart",
            f"{name} was installed and needs a restart. Please restart soon: nothing else is installed before.",
        )
    if plan.deadline is None:
        return (
            "This machine has to restart",
            f"{name} was installed and needs a restart, which comes in the next maintenance window.",
        )
    seconds = max(0.0, plan.deadline - facts.uptime_seconds)
    at, zone = bench.now + timedelta(seconds=seconds), bench.machine.zone()
    left = max(0, facts.settings.restart_postponements - plan.postponements)
    may = f"It can be put off {left} more times." if left else "It cannot be put off any more."
    return (
        f"This machine restarts at {clock_text(at, zone)}",
        f"{name} was installed and needs a restart, at {local_text(at, zone)}. Please save your work. {may}",
    )


def _tell_waiting(bench: Bench, job: Job, cause: Cause, reason: str) -> None:
    if job.problem == reason:
        return
    with bench.state.transaction():
        after = bench.save(changed(job, problem=reason, cause=cause, text=reason))
        bench.tell(after, StatusId.JOB_WAITING, reason)


def _drop(bench: Bench, settings: AgentSettings, wishes: Sequence[Ask]) -> None:
    """Forgets a plan whose restart has come, and wishes about it; closes the notice where it is still seen."""
    if not wishes and not bench.state.fact(PLAN):
        return
    plan = _held_plan(bench.state, bench.machine)
    if plan.shown:
        for session in _facts(bench.machine, settings, None).sessions or ():
            bench.machine.notices.close(session, NOTICE)
    with bench.state.transaction():
        bench.state.remember(PLAN, "")
        for ask in wishes:
            drop_ask(bench.state, ask.number)


def _held_plan(state: State, machine: Machine) -> Plan:
    """The plan as it was left; a new one after a restart, or where it cannot be read."""
    boot_id = machine.boot_id()
    try:
        plan = from_bytes(state.fact(PLAN).encode() or b"{}", Plan)
    except RejectedError:
        return Plan(boot_id=boot_id)
    return plan if plan.boot_id == boot_id else Plan(boot_id=boot_id)


def _save_plan(state: State, plan: Plan) -> None:
    text = to_bytes(plan).decode()
    if state.fact(PLAN) != text:
        state.remember(PLAN, text)


def _facts(machine: Machine, settings: AgentSettings, window: Unmet | None) -> Facts:
    uptime_seconds = machine.uptime_seconds()
    try:
        found = machine.surroundings()
    except UnavailableError:
        return Facts(settings=settings, uptime_seconds=uptime_seconds, sessions=None, window=window)
    return Facts(
        settings=settings,
        uptime_seconds=uptime_seconds,
        sessions=found.sessions,
        is_going_down=found.is_going_down,
        window=window,
    )


def _name(job: Job) -> str:
    return job.key.package if job.program is None else job.program.name
