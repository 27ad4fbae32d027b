"""Between the agent's state and the people at its machine: shows what is offered, takes what they ask for.

Reads the state as the last pass left it and adds wishes to it; asks no site, starts nothing. A wish is one row that only ever is
added or taken away, in a transaction of its own: so it waits for no pass that is under way, and none is disturbed by it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from purveyor.client.machine.interface import Machine, Session
from purveyor.client.main import STATE_FILE, parts_of
from purveyor.client.page.peers import Visitor
from purveyor.client.page.shown import HISTORY_LIMIT, Shown, ShownProgram, ShownRestart, ShownRun
from purveyor.client.page.waking import wake
from purveyor.client.page.wishes import Wish, ask_of, sentence
from purveyor.client.policy import poll, view
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.ending import restart
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask, asks
from purveyor.client.programs.memory.history import Run
from purveyor.client.programs.wanted.offered import OfferedProgram, offered_to
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State
from purveyor.wire.accounts import is_same
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

KEY = "page key"
_KEY_BYTES = 32
ASKS_EACH = 20
"""Wishes of one user that may wait at once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The agent's parts for the time of one request."""

    state: State
    machine: Machine
    policy: Callable[[], Policy]
    """What the last pass concluded, as of now. Errors: UnavailableError before there was one."""


class StateDesk:
    """Implements `page.answers.Desk` over an agent's state, which `opened` opens for each request."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Opened]], *, woken: Callable[[], object]) -> None:
        self._opened, self._woken = opened, woken

    def key(self) -> bytes:
        """The secret of which the page's tokens are made; made when there is none."""
        with self._opened() as parts:
            held = parts.state.fact(KEY)
            if not held:
                held = parts.machine.random_bytes(_KEY_BYTES).hex()
                parts.state.remember(KEY, held)
            return bytes.fromhex(held)

    def zone(self) -> tzinfo:
        """The machine's time zone."""
        with self._opened() as parts:
            return parts.machine.zone()

    def look(self, visitor: Visitor) -> Shown:
        """All that is shown to a user now. Errors: UnavailableError."""
        with self._opened() as parts:
            return shown_to(visitor, parts)

    def ask(self, visitor: Visitor, wish: Wish) -> str:
        """Takes a wish. Errors: RefusedError, with the reason; UnavailableError."""
        with self._opened() as parts:
            shown, zone = shown_to(visitor, parts), parts.machine.zone()
            elsewhere = frozenset(str(offer.advertisement.key) for offer in parts.policy().offers)
            ask = ask_of(wish, shown, zone, elsewhere=elsewhere)
            waiting = [one for one in asks(parts.state) if is_same(one.user, ask.user)]
            if not any(_is_repeated(ask, one) for one in waiting):
                if len(waiting) >= ASKS_EACH:
                    raise RefusedError(f"{ASKS_EACH} wishes of {ask.user} wait already; more are taken when these are done")
                add_ask(parts.state, ask)
        self._woken()
        return sentence(wish, ask, shown, zone)


def desk_of(folder: Path) -> StateDesk:
    """The desk of the agent whose state lies in this folder."""

    @contextmanager
    def opened() -> Iterator[Opened]:
        if not (folder / STATE_FILE).exists():
            raise UnavailableError("this machine has not joined a site")
        parts = parts_of(folder)
        try:
            yield Opened(parts.state, parts.machine, lambda: _policy(parts.state, parts.machine))
        finally:
            parts.state.connection.close()

    return StateDesk(opened, woken=lambda: wake(folder))


def shown_to(visitor: Visitor, parts: Opened) -> Shown:
    """All that is shown to a user now; to root, what is shown to anybody."""
    state, machine, policy = parts.state, parts.machine, parts.policy()
    now, user = machine.now(), "" if visitor.is_administrator else visitor.name
    bench = Bench(state=state, machine=machine, now=now)
    own = {one.key: one for one in offered_to(bench, policy, visitor.name)}
    offered = [own.get(one.key, one) for one in offered_to(bench, policy, "")] if not user else list(own.values())
    names = {one.key: (one.name, one.package_name) for one in offered}
    runs = [
        _run(run, str(key), *names[key])
        for key, history in records.histories(state).items()
        if key in names
        for run in history.runs
        if not user or not run.user or is_same(run.user, user)
    ]
    return Shown(
        machine=machine.facts().name,
        site=policy.settings.site,
        user=visitor.name,
        is_whole_machine=visitor.is_administrator,
        at=now,
        zone=str(machine.zone()),
        programs=tuple(_program(one) for one in offered),
        runs=tuple(sorted(runs, key=lambda run: run.ended_at, reverse=True)[:HISTORY_LIMIT]),
        restart=_restart(visitor, state, machine, policy),
        polled_at=state.time("polled_at"),
    )


def _program(one: OfferedProgram) -> ShownProgram:
    return ShownProgram(
        id=str(one.key),
        name=one.name,
        description=one.description,
        package=one.key.package,
        package_name=one.package_name,
        version=one.package_version,
        publisher=one.publisher,
        advertisement=one.advertisement,
        is_mandatory=one.is_mandatory,
        state=one.state,
        due_at=one.due_at,
        next_at=one.next_at,
        postponed_until=one.postponed_until,
        why=one.why,
        last_run=None if one.last_run is None else _run(one.last_run, str(one.key), one.name, one.package_name),
        may_run_now=one.may_run_now,
        may_postpone_until=one.may_postpone_until,
    )


def _run(run: Run, program: str, name: str, package_name: str) -> ShownRun:
    return ShownRun(
        id=program,
        name=name,
        package_name=package_name,
        state=run.state,
        started_at=run.started_at,
        ended_at=run.ended_at,
        exit_code=run.exit_code,
    )


def _is_repeated(ask: Ask, before: Ask) -> bool:
    """Whether a run is asked for that is waited for already: whoever presses a button twice means it once."""
    is_same_run = ask.kind is before.kind is AskKind.RUN and ask.key is not None and ask.key == before.program
    return is_same_run and (ask.at == before.at or max(ask.at, before.at) <= ask.made_at)


def _restart(visitor: Visitor, state: State, machine: Machine, policy: Policy) -> ShownRestart | None:
    """The restart that is owed, and what this user may do about it: who is logged on decides, not who merely connects."""
    settings = policy.settings
    found = restart.pending(state, machine, settings)
    if found is None:
        return None
    sessions = _sessions(machine)
    own = [session for session in sessions or () if is_same(session.user, visitor.name)]
    is_alone = sessions is not None and bool(own) and len(own) == len(sessions)
    return ShownRestart(
        name=found.program,
        at=found.at,
        is_by_agent=found.may_restart,
        postponements_left=found.postponements_left,
        postpone_seconds=settings.restart_postpone_seconds,
        may_restart_now=found.may_restart and (visitor.is_administrator or is_alone),
        may_postpone=found.at is not None and found.postponements_left > 0 and (visitor.is_administrator or bool(own)),
    )


def _sessions(machine: Machine) -> Sequence[Session] | None:
    try:
        return machine.surroundings().sessions
    except UnavailableError:
        return None


def _policy(state: State, machine: Machine) -> Policy:
    """What the last pass concluded, as of now. Errors: UnavailableError before there was one."""
    if not has_identity(state):
        raise UnavailableError("this machine has not joined a site")
    access_point = state.fact("access_point") or read_identity(state).access_point
    try:
        return view.policy_of(state, access_point=access_point, now=poll.signed_now(state, machine.now()))
    except RejectedError as error:
        raise UnavailableError(str(error)) from error
