"""How each errand stands: what is offered of it now, what is asked for, and what is remembered. Reads the state, changes nothing.

An errand is a program, and a user where each has a run of their own. Upstream: policy, the state, what happened on the machine;
downstream: `intake`, which brings the jobs in line, and `offered`, which shows it to people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import Ask, AskKind, asks
from purveyor.client.programs.memory.history import History, Started
from purveyor.client.programs.memory.job import NOT_STARTED, Errand, Job, Kind, user_name
from purveyor.client.programs.wanted import audience
from purveyor.client.programs.wanted.audience import Audience, audiences, is_for, is_per_user
from purveyor.client.programs.wanted.chain import is_supported, program_of
from purveyor.client.programs.wanted.conditions import needs_user
from purveyor.client.programs.wanted.due import Moment, Occurrence, is_live, occurrences, outstanding, unreadable_rules, utc_text
from purveyor.client.programs.wanted.events import Seen
from purveyor.client.programs.wanted.supersedence import superseded
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.offers import Advertisement, AssignmentKind, Rerun
from purveyor.wire.package_info import PackageInfo, Program, ProgramKey
from purveyor.wire.reports import Facts

SIGNED_AT = "newest_signed"
"""The fact of the newest time that the site has signed."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """How one errand stands by the policy of this pass. `asking` are the occurrences that ask for a run, the earliest first."""

    errand: Errand
    history: History
    program: Program | None = None
    package: PackageInfo | None = None
    job: Job | None = None
    """Its open job, as it was when the pass looked."""
    live: list[Advertisement] = field(default_factory=list)
    found: list[Occurrence] = field(default_factory=list)
    asking: list[Occurrence] = field(default_factory=list)
    not_live: set[str] = field(default_factory=set)
    """Why those of its advertisements that say nothing now do not."""
    superseded_by: ProgramKey | None = None
    is_absent: bool = False
    """Nobody for whom it is is logged on: what waits is held as it is."""

    @property
    def key(self) -> ProgramKey:
        """The program."""
        return self.errand.key

    @property
    def user(self) -> str:
        """The user whose run it is, where each has one of their own."""
        return self.errand.user

    @property
    def is_readable(self) -> bool:
        """Whether the program itself could be read: without it nothing can be concluded."""
        return self.program is not None and self.package is not None


class Platform:
    """The platform of this machine, found out once a pass and only when a program asks."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._known: Facts | None = None

    def supports(self, program: Program) -> bool:
        """Whether the program may run here."""
        return not program.platforms or is_supported(program, self._facts)

    @property
    def name(self) -> str:
        """Such as `linux/debian/12`."""
        return self._facts.platform

    @property
    def _facts(self) -> Facts:
        if self._known is None:
            self._known = self._bench.machine.facts()
        return self._known


def is_gone(policy: Policy, key: ProgramKey) -> bool:
    """Whether a program is proven deleted."""
    return key.package in policy.deleted_packages or key in policy.deleted_programs


def advertisements(policy: Policy) -> list[Advertisement]:
    """The advertisements that reach this client, each once, without those of programs proven deleted."""
    found = {offer.advertisement.id: offer.advertisement for offer in policy.offers}
    return [one for one in found.values() if not is_gone(policy, one.key)]


def silence(policy: Policy, advertisement: Advertisement, bench: Bench) -> str:
    """Why an advertisement says nothing now; empty when it does."""
    if advertisement.key in policy.disabled:
        return "its program is disabled"
    if advertisement.package in policy.removals:
        return "its package is being removed"
    if advertisement.is_paused:
        return f"{advertisement.id} is paused"
    return "" if is_live(advertisement, bench.now) else f"{advertisement.id} has expired"


def may_be_asked_for(advertisement: Advertisement, user: str, groups: Iterable[str]) -> bool:
    """Whether a user sees the program by this advertisement, and may start it."""
    is_shown = advertisement.is_visible or not advertisement.assignments
    return is_shown and is_for(advertisement, user, groups)


def open_roots(bench: Bench) -> dict[Errand, Job]:
    """The open jobs that run for themselves, by errand."""
    return {job.errand: job for job in records.open_jobs(bench.state) if job.kind is Kind.RUN and job.is_root}


def standings(bench: Bench, policy: Policy, seen: Seen, platform: Platform) -> dict[Errand, Standing]:
    """How every errand that is offered, or has a job, stands now."""
    return _Reading(bench, policy, seen, platform).standings()


class _Reading:
    """One look at everything that is offered."""

    def __init__(self, bench: Bench, policy: Policy, seen: Seen, platform: Platform) -> None:
        self._bench, self._policy, self._seen, self._platform = bench, policy, seen, platform
        self._advertisements = advertisements(policy)
        self._jobs = open_roots(bench)
        self._histories = records.histories(
            bench.state, {one.key for one in self._advertisements} | {errand.key for errand in self._jobs}
        )
        self._moment = Moment(
            now=bench.now, zone=bench.machine.zone(), client=policy.client, signed_at=bench.state.time(SIGNED_AT)
        )
        self._found: dict[Errand, Standing] = {}

    def standings(self) -> dict[Errand, Standing]:
        """How every errand stands."""
        for errand in self._jobs:
            self._standing(errand)
        jobs: dict[ProgramKey, list[Job]] = {}
        for job in self._jobs.values():
            jobs.setdefault(job.errand.key, []).append(job)
        live: dict[ProgramKey, list[Advertisement]] = {}
        for advertisement in self._advertisements:
            if not silence(self._policy, advertisement, self._bench) and self._may_accept(advertisement):
                live.setdefault(advertisement.key, []).append(advertisement)
        replaced = superseded(self._fitting(live))
        for advertisement in self._advertisements:
            self._look_at(advertisement, replaced.get(advertisement.key), jobs.get(advertisement.key, ()))
        self._add_asks({key: found for key, found in live.items() if key not in replaced})
        for standing in self._found.values():
            planned = standing.job
            excused = planned.covers if planned is not None and planned.state in NOT_STARTED else ()
            standing.asking = outstanding(standing.found, standing.history, now=self._bench.now, excused=excused)
        return self._found

    def _may_accept(self, advertisement: Advertisement) -> bool:
        """Whether it may be acted on: nothing new is accepted while the policy is stale."""
        history = self._histories.get(advertisement.key)
        return self._policy.is_fresh or (history is not None and advertisement.id in history.received)

    def _fitting(self, live: Mapping[ProgramKey, Sequence[Advertisement]]) -> dict[ProgramKey, Program]:
        """The programs that stand and fit this machine, of those that replace others."""
        programs = {key: program_of(key, self._policy.packages) for key in live}
        return {
            key: program
            for key, program in programs.items()
            if program is not None and program.supersedes and self._platform.supports(program)
        }

    def _look_at(self, advertisement: Advertisement, by: ProgramKey | None, jobs: Sequence[Job]) -> None:
        if not self._may_accept(advertisement):
            return
        reason = silence(self._policy, advertisement, self._bench)
        program = program_of(advertisement.key, self._policy.packages)
        for one in audiences(advertisement, program, self._seen, jobs):
            standing = self._standing(one.errand)
            standing.is_absent = standing.is_absent or one.is_absent
            if reason or by is not None:
                standing.not_live.add(reason or f"superseded by {by}")
                standing.superseded_by = by if not reason else standing.superseded_by
                continue
            standing.live.append(advertisement)
            if not one.is_nobody:
                standing.found += self._occurrences(advertisement, one, standing)

    def _occurrences(self, advertisement: Advertisement, one: Audience, standing: Standing) -> list[Occurrence]:
        if one.is_absent and not one.errand.user:  # nobody of those it is for is there: only what a logoff brings can run
            logoffs = tuple(each for each in advertisement.assignments if each.kind is AssignmentKind.LOGOFF)
            advertisement = msgspec.structs.replace(advertisement, assignments=logoffs)
        moment = Moment(
            now=self._moment.now,
            zone=self._moment.zone,
            client=self._moment.client,
            signed_at=self._moment.signed_at,
            happenings=one.happenings,
        )
        version = standing.package.source_version if standing.package is not None else 0
        return occurrences(
            advertisement,
            moment,
            source_version=version,
            user=one.user,
            is_per_user=bool(one.errand.user),
            started=standing.history.started,
            term=standing.history.term,
        )

    def _add_asks(self, live: Mapping[ProgramKey, Sequence[Advertisement]]) -> None:
        for ask in asks(self._bench.state):
            key = ask.program
            if ask.kind is not AskKind.RUN or key is None:
                continue
            advertisement = advertisement_for(ask, live.get(key, ()), self._seen)
            program = program_of(key, self._policy.packages)
            if advertisement is None or program is None:
                continue
            for user in self._users_of(ask, program):
                errand = Errand(key, user_name(user) if is_per_user(program) else "")
                self._standing(errand).found.append(ask_occurrence(ask, advertisement, program, user))

    def _users_of(self, ask: Ask, program: Program) -> list[str]:
        if not ask.request or not is_per_user(program):
            return [ask.user]
        return list({user_name(session.user): session.user for session in self._seen.present}.values())

    def _standing(self, errand: Errand) -> Standing:
        if errand not in self._found:
            self._found[errand] = Standing(
                errand=errand,
                history=self._histories.get(errand.key) or History(key=errand.key),
                program=program_of(errand.key, self._policy.packages),
                package=self._policy.packages.get(errand.key.package),
                job=self._jobs.get(errand),
            )
        return self._found[errand]


def advertisement_for(ask: Ask, live: Sequence[Advertisement], seen: Seen) -> Advertisement | None:
    """The advertisement by which a run that somebody asks for is made; None: there is none by which it may be."""
    if ask.request:
        return next((one for one in live if one.id == ask.advertisement), None)
    groups = audience.groups_of(seen, ask.user)
    shown = [one for one in live if may_be_asked_for(one, ask.user, groups)]
    return next((one for one in shown if one.id == ask.advertisement), shown[0] if shown else None)


def ask_occurrence(ask: Ask, advertisement: Advertisement, program: Program, user: str) -> Occurrence:
    """The occurrence that an ask makes: no success answers it, only a run that begins when it is due; it uses up nothing else."""
    is_by_user = not ask.request
    letter, number = ("U", ask.number) if is_by_user else ("R", ask.request)
    nominal = utc_text(ask.at if is_by_user else ask.made_at)
    of_user = f"!{user_name(user)}" if is_per_user(program) else ""
    is_in_session = is_per_user(program) or (is_by_user and (needs_user(program) or audience.is_targeted(advertisement)))
    return Occurrence(
        due_at=max(ask.at, advertisement.available_from),
        identity=f"{advertisement.id}.{letter}{number}{of_user}@{nominal}",
        advertisement=advertisement.id,
        assignment=f"{advertisement.id}.{letter}{of_user}",
        started=Started("", 0, (f"{number:012d}@{nominal}",)),
        expires_at=advertisement.expires_at,
        success_since=None,
        success_version=0,
        user=user if is_in_session else "",
        is_free=is_by_user or advertisement.ignores_windows,
        priority=advertisement.priority,
        asked_by=ask.user if is_by_user else "",
        rerun=Rerun.ALWAYS,
        is_per_user=is_per_user(program),
    )


def problems_of(policy: Policy) -> dict[AdvertisementId, str]:
    """What cannot be read of advertisements, each for itself (Q245170)."""
    found = {one.id: unreadable_rules(one) for one in advertisements(policy)}
    return {advertisement: "; ".join(problems) for advertisement, problems in found.items() if problems}
