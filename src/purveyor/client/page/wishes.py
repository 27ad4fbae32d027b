"""What a user may ask of the agent, decided from what that user is shown. Pure.

A wish that may not be is refused here with its reason, so that people hear it at once; the turn that carries it out decides
again.
"""

from datetime import datetime, timedelta, tzinfo
from typing import TypeAlias

import msgspec

from purveyor.client.page.shown import Shown, ShownProgram, ShownRestart
from purveyor.client.page.words import day_and_time
from purveyor.client.programs.memory.asks import Ask, AskKind
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.form import Instant
from purveyor.wire.ids import ProgramNumber, package_id
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import ProgramKey

FURTHEST = timedelta(days=366)
"""How far ahead a user may plan a run."""
_STARTED = frozenset({JobState.RUNNING, JobState.INTERRUPTED, JobState.RESTART_PENDING})


class RunNow(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """To run a program; at a time, or as soon as it can be. `program` is `PACKAGE/PROGRAM`, by number or by name."""

    program: str
    at: Instant | None = None


class Postpone(msgspec.Struct, frozen=True, kw_only=True, tag="postpone"):
    """To put a run off: for so many seconds, or until a time."""

    program: str
    seconds: int | None = None
    until: Instant | None = None


class RestartNow(msgspec.Struct, frozen=True, tag="restart-now"):
    """To restart the machine at once, where a restart is pending."""


class PostponeRestart(msgspec.Struct, frozen=True, tag="postpone-restart"):
    """To put a pending restart off, by the time that the site allows."""


Wish: TypeAlias = RunNow | Postpone | RestartNow | PostponeRestart


def program_named(shown: Shown, name: str, *, elsewhere: frozenset[str] = frozenset()) -> ShownProgram:
    """The program that a user means, among those that are shown. Shape: `elsewhere` are ids that are offered to others.

    Errors: RefusedError when it is not offered, or not to this user.
    """
    package, _, program = name.strip().partition("/")
    try:
        package = package_id(package)
    except RejectedError as error:
        raise RefusedError(f"{name[:80]!r} names no program: write PACKAGE/PROGRAM, such as S0100001/1") from error
    of_package = [one for one in shown.programs if one.package == package]
    found = [one for one in of_package if program in (one.id.partition("/")[2], one.name)]
    if not program and len(of_package) == 1:
        found = of_package
    match found:
        case [one]:
            return one
        case []:
            raise RefusedError(_not_offered(f"{package}/{program}".removesuffix("/"), shown, elsewhere))
        case _:
            raise RefusedError(f"several programs of {package} have the name {program[:80]!r}; name one by its number")


def ask_of(wish: Wish, shown: Shown, zone: tzinfo, *, elsewhere: frozenset[str] = frozenset()) -> Ask:
    """What is stored of a wish, once it is seen that it may be. Errors: RefusedError, with the reason."""
    match wish:
        case RunNow(program=name, at=at):
            return _run(program_named(shown, name, elsewhere=elsewhere), at, shown, zone)
        case Postpone(program=name):
            return _postpone(program_named(shown, name, elsewhere=elsewhere), wish, shown, zone)
        case RestartNow():
            return _restart_now(shown)
        case PostponeRestart():
            return _postpone_restart(shown)


def sentence(wish: Wish, ask: Ask, shown: Shown, zone: tzinfo) -> str:
    """What the user is told once a wish is stored."""
    name = next((one.name for one in shown.programs if ask.key is not None and one.id == str(ask.key)), "")
    match wish:
        case RunNow(at=None):
            return f"{name} will be run as soon as it can be"
        case RunNow():
            return f"{name} will be run on {day_and_time(ask.at, zone)}"
        case Postpone():
            return f"{name} is put off until {day_and_time(ask.at, zone)}"
        case RestartNow():
            return "the machine will be restarted now"
        case PostponeRestart():
            return f"the restart is put off until {day_and_time(ask.at, zone)}"


def _run(program: ShownProgram, at: datetime | None, shown: Shown, zone: tzinfo) -> Ask:
    if program.state is JobState.RUNNING:
        raise RefusedError(f"{program.name} is running already")
    if not program.may_run_now:
        raise RefusedError(f"{program.name} cannot be started by a user now{_because(program)}")
    if at is not None and at < shown.at - timedelta(minutes=1):
        raise RefusedError(f"{day_and_time(at, zone)} has passed; name a time to come, or none to run it now")
    if at is not None and at > shown.at + FURTHEST:
        raise RefusedError("a run can be planned for a year ahead at most")
    return _ask(AskKind.RUN, program, max(at or shown.at, shown.at), shown)


def _postpone(program: ShownProgram, wish: Postpone, shown: Shown, zone: tzinfo) -> Ask:
    if program.state in _STARTED:
        raise RefusedError(f"it is too late: {program.name} has been started")
    limit = program.may_postpone_until
    if limit is None:
        reason = "runs only when a user starts it" if not program.is_mandatory else "may not be put off"
        raise RefusedError(f"{program.name} {reason}")
    if limit <= shown.at:
        raise RefusedError(f"it is too late: {program.name} could be put off until {day_and_time(limit, zone)}")
    if (wish.seconds is None) == (wish.until is None):
        raise RefusedError("say for how long, or until when")
    if wish.seconds is not None and not 0 < wish.seconds <= FURTHEST.total_seconds():
        raise RefusedError("a run is put off for more than no time, and for a year at most")
    until = wish.until if wish.until is not None else shown.at + timedelta(seconds=wish.seconds or 0)
    if until <= shown.at:
        raise RefusedError(f"{day_and_time(until, zone)} has passed; name a time to come")
    if until > limit:
        raise RefusedError(f"{program.name} can be put off until {day_and_time(limit, zone)} at most")
    return _ask(AskKind.POSTPONE, program, until, shown)


def _restart_now(shown: Shown) -> Ask:
    restart = _pending(shown)
    if not restart.is_by_agent:
        raise RefusedError("the agent may not restart this machine; restart it by hand")
    if not restart.may_restart_now:
        raise RefusedError("others are logged on, or you are not: only who is alone at this machine may restart it")
    return Ask(kind=AskKind.RESTART_NOW, user=shown.user, made_at=shown.at, at=shown.at)


def _postpone_restart(shown: Shown) -> Ask:
    restart = _pending(shown)
    if restart.at is None:
        raise RefusedError("no time is fixed for the restart: there is nothing to put off")
    if restart.postponements_left < 1:
        raise RefusedError("this restart was put off as often as it may be")
    if not restart.may_postpone:
        raise RefusedError("only who is logged on at this machine may put its restart off")
    until = shown.at + timedelta(seconds=restart.postpone_seconds)
    return Ask(kind=AskKind.POSTPONE_RESTART, user=shown.user, made_at=shown.at, at=until)


def _pending(shown: Shown) -> ShownRestart:
    if shown.restart is None:
        raise RefusedError("no restart is pending on this machine")
    return shown.restart


def _ask(kind: AskKind, program: ShownProgram, at: datetime, shown: Shown) -> Ask:
    package, _, number = program.id.partition("/")
    key = ProgramKey(package_id(package), ProgramNumber(int(number)))
    return Ask(kind=kind, user=shown.user, made_at=shown.at, at=at, key=key, advertisement=program.advertisement)


def _not_offered(program: str, shown: Shown, elsewhere: frozenset[str]) -> str:
    if shown.is_whole_machine:
        return f"{program} is not offered on this machine; see: purveyor client programs"
    reason = "is offered on this machine, but not to" if program in elsewhere else "is not offered to"
    return f"{program} {reason} {shown.user}; see: purveyor client programs"


def _because(program: ShownProgram) -> str:
    return f": {program.why}" if program.why else ""
