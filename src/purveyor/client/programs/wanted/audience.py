"""For whom an advertisement asks for runs on this machine: for the machine, for whoever comes first, or for each user.

Pure. Users and groups are compared with their own domains (Q235740); where any are named, the program is seen and run in their
sessions alone, whatever else it says (Q235820). Who is not logged on now keeps the job that waits for them (Q321168).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from purveyor.client.programs.memory.job import Errand, Job, user_name
from purveyor.client.programs.wanted.due import Happening
from purveyor.client.programs.wanted.events import Seen, SeenSession
from purveyor.wire.accounts import is_same
from purveyor.wire.offers import Advertisement, AssignmentKind
from purveyor.wire.package_info import Program, RunsFor


class Audience(NamedTuple):
    """For whom one errand of an advertisement is, and what happened that concerns it.

    Shape: `user` is the one in whose session alone it may run, as the machine names them; empty: no one in particular.
    """

    errand: Errand
    user: str
    happenings: tuple[Happening, ...]
    is_absent: bool = False
    """The user is not logged on: a job that waits for them is held as it is."""
    is_nobody: bool = False
    """Each user has a run of their own, and none is logged on: there is nothing to plan yet."""


def is_targeted(advertisement: Advertisement) -> bool:
    """Whether an advertisement is for certain users or groups alone."""
    return bool(advertisement.users or advertisement.groups)


def is_for(advertisement: Advertisement, user: str, groups: Iterable[str]) -> bool:
    """Whether an advertisement is for a user who is in these groups."""
    if not is_targeted(advertisement) or any(is_same(one, user) for one in advertisement.users):
        return True
    return bool(advertisement.groups) and any(is_same(one, group) for group in groups for one in advertisement.groups)


def is_per_user(program: Program | None) -> bool:
    """Whether each user has a run of their own."""
    return program is not None and program.runs_for is RunsFor.EVERY_USER


def groups_of(seen: Seen, user: str) -> tuple[str, ...]:
    """The groups of a user, as far as their sessions tell."""
    return tuple(group for session in seen.present if is_same(session.user, user) for group in session.groups)


def audiences(advertisement: Advertisement, program: Program | None, seen: Seen, jobs: Sequence[Job]) -> list[Audience]:
    """For whom an advertisement asks for runs now. Shape: `jobs` are the open ones of its program."""
    present = [one for one in seen.present if is_for(advertisement, one.user, one.groups)]
    if is_per_user(program):
        return _each_user(advertisement, seen, present, jobs)
    errand = Errand(advertisement.key)
    gone = [one for one in seen.gone if is_for(advertisement, one.user, one.groups)]
    happenings = _happenings(seen, (*present, *gone))
    if not is_targeted(advertisement):
        return [Audience(errand, "", happenings)]
    if not present:
        logoffs = tuple(one for one in happenings if one.kind is AssignmentKind.LOGOFF)
        return [Audience(errand, "", logoffs, is_absent=True)]
    return [Audience(errand, _first_user(present, jobs), happenings)]


def _each_user(advertisement: Advertisement, seen: Seen, present: Sequence[SeenSession], jobs: Sequence[Job]) -> list[Audience]:
    by_name: dict[str, list[SeenSession]] = {}
    for session in present:
        by_name.setdefault(user_name(session.user), []).append(session)
    found = [
        Audience(Errand(advertisement.key, name), sessions[0].user, _happenings(seen, sessions))
        for name, sessions in by_name.items()
    ]
    found += [
        Audience(job.errand, job.session_of or job.user, (), is_absent=True)
        for job in jobs
        if job.is_per_user and job.errand.user not in by_name and _may_be_for(advertisement, job)
    ]
    return found or [Audience(Errand(advertisement.key), "", (), is_absent=True, is_nobody=True)]


def _may_be_for(advertisement: Advertisement, job: Job) -> bool:
    """Whether an advertisement may be for a user who is away, of whose groups nobody knows now."""
    return job.advertisement == advertisement.id or is_for(advertisement, job.user, ())


def _first_user(present: Sequence[SeenSession], jobs: Sequence[Job]) -> str:
    """Who is to run it: the one for whom a job waits already, else who came first."""
    waiting = [job.session_of for job in jobs if job.session_of and not job.is_per_user]
    chosen = next((one for one in present if any(is_same(one.user, user) for user in waiting)), present[0])
    return chosen.user


def _happenings(seen: Seen, sessions: Iterable[SeenSession]) -> tuple[Happening, ...]:
    """The starts of the machine, and the logons and logoffs of these sessions."""
    nominals = {session.nominal for session in sessions}
    return tuple(one for one in seen.happenings() if one.kind is AssignmentKind.STARTUP or one.nominal in nominals)
