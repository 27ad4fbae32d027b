"""One pass of the agent: poll → programs → reports. The same pass in `client run`, `client run --once` and the lab.

Whatever stops a pass, the next one goes on from the state. Nothing here decides; it only puts the steps in order.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from purveyor.client import rejoining, reports, returning
from purveyor.client.content.held import Content
from purveyor.client.machine.interface import Machine
from purveyor.client.points import memory, pauses
from purveyor.client.points.watched import WatchedPoint, note_rate
from purveyor.client.policy import pinning, points, view
from purveyor.client.policy import poll as policy_poll
from purveyor.client.policy.poll import Polled
from purveyor.client.policy_view import Policy, Problem
from purveyor.client.programs import apm
from purveyor.client.programs.bench import silent
from purveyor.client.programs.ending import restart
from purveyor.client.programs.wanted.attendance import waits_for_sessions
from purveyor.client.state import origin, published
from purveyor.client.state.identity import Identity, read_identity
from purveyor.client.state.store import State
from purveyor.transport.interface import Point
from purveyor.wire.errors import BusyError, PurveyorError, UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.reports import Discovery, StatusMessage
from purveyor.wire.settings import AgentSettings
from purveyor.wire.status_messages import StatusId

SHORTEST_GAP_SECONDS = 60
"""No pass polls so soon after another one, unless the interval itself is shorter."""
SHORTEST_SHARE = 0.1
"""Of an interval: the first poll after joining is followed by another one no sooner."""
_NAME_BYTES = 16
_REMOVALS = "removals told of"
_BOOT = "boot of the last pass"
_VERSION = "agent of the last pass"


class Pass(NamedTuple):
    """What a pass did, and when the next one is due."""

    next_poll_at: datetime
    next_due_at: datetime | None
    access_point: str | None
    problems: tuple[Problem, ...]
    sent: int
    waits_for_sessions: bool = False
    """Whether the next one is to come as soon as somebody logs on or off."""


class Agent:
    """The agent of one client on one machine."""

    def __init__(
        self,
        *,
        machine: Machine,
        state: State,
        point_for: Callable[[str], Point],
        unpinned: Callable[[], Collection[str]] = tuple,
        note: Callable[[str], None] = silent,
    ) -> None:
        self.machine = machine
        self.state = state
        self.point_for = point_for
        self.unpinned = unpinned
        self.note = note

    def turn(self, *, is_forced: bool = False) -> Pass:
        """One full pass. Forced: polls even when the last poll was a moment ago.

        Errors: RefusedError when this client never joined; RejectedError when it never could read its settings.
        """
        state, now = self.state, self.machine.now()
        identity = read_identity(state)
        self._notice_start(now)
        policy, access_point = self._policy(identity, now, is_forced=is_forced)
        if rejoining.is_told(state):
            identity = rejoining.rejoin(state, self.machine, identity, incarnation=policy.settings.incarnation)
            policy = self._held_policy(identity, now)
        content = Content(self.machine.disk, state)
        next_due_at = apm.turn(
            policy,
            state=state,
            machine=self.machine,
            content=content,
            point_for=self.point_for,
            now=self.machine.now(),
            note=self.note,
        )
        if policy.is_fresh:
            state.raise_mark("applied", state.mark("read_snapshot"))
        holding = apm.holding(state, policy)
        self._answer_restore(identity, policy, holding, now)
        sent = self._report(identity, policy, holding, access_point, now)
        next_poll_at = state.time("next_poll_at") or now
        is_restart_owed = bool(restart.owed(state, self.machine))
        is_watching = is_restart_owed or waits_for_sessions(policy)
        return Pass(next_poll_at, next_due_at, access_point, policy.problems, sent, is_watching)

    def _notice_start(self, now: datetime) -> None:
        """After a start of the machine every CAP may be asked at once: short working days reach it too (Q292030)."""
        boot_id, facts = self.machine.boot_id(), self.machine.facts()
        if origin.notice_machine(self.state, machine=facts.machine_id, boot=boot_id):
            self.state.remember("heartbeat_at", "")  # the site is told at once from where it is spoken to
        if self.state.fact(_BOOT) != boot_id:
            with self.state.transaction():
                pauses.forget(self.state)
                self.state.remember(_BOOT, boot_id)
        if memory.notice_addresses(self.state, self.machine.addresses()):
            pauses.forget(self.state)  # where it is now, what failed elsewhere may be reached
        self._notice_upgrade(facts.agent_version, now)

    def _notice_upgrade(self, version: str, now: datetime) -> None:
        """Another version of the agent is told, and what the machine is with it, at once (Q256125)."""
        before = self.state.fact(_VERSION)
        if version == before:
            return
        with self.state.transaction():
            self.state.remember(_VERSION, version)
            if before:
                text = f"the agent went from version {before} to {version}"
                reports.tell(self.state, StatusMessage(id=StatusId.AGENT_CHANGED, at=now, text=text))
                self.state.remember("heartbeat_at", "")

    def _policy(self, identity: Identity, now: datetime, *, is_forced: bool) -> tuple[Policy, str | None]:
        """The policy, polled for when a poll is due. Shape: with it the CAP that served."""
        state = self.state
        if not is_forced and not self._is_poll_due(now):
            return self._held_policy(identity, now), state.fact("access_point") or identity.access_point
        watched: list[WatchedPoint] = []
        polled = policy_poll.poll(
            state, identity, point_for=lambda url: self._watched(url, watched), now=now, is_forced=is_forced
        )
        problems = (*polled.policy.problems, *map(pinning.problem_of, sorted(self.unpinned())))
        polled = polled._replace(policy=msgspec.structs.replace(polled.policy, problems=problems))
        before = state.time("polled_at")
        with state.transaction():
            state.remember_time("polled_at", now)
            for point in watched:
                note_rate(state, point, now)
            state.remember_time("next_poll_at", self._next_poll_at(identity, polled, now))
            state.remember(apm.LOOK_AGAIN, "")
            _tell_problems(state, polled.policy.problems, now)
            _tell_unheld(state, polled.newly_deleted, now)
            entry = published.held_entry(state)
            if entry is not None and entry.entry is not None and entry.is_stated and not rejoining.is_told(state):
                if reports.tell_again(state, identity, entry.entry, since=before, now=now):
                    state.remember("heartbeat_at", "")  # what the site has heard last may be of another machine, or of a past
                    returning.note_out_of_order(state)
                reports.acknowledge(state, entry.entry.received, entry.entry.digest)
        return polled.policy, polled.access_point

    def _watched(self, url: str, watched: list[WatchedPoint]) -> Point:
        """A CAP, of which is seen how fast it is. Errors: as `point_for`."""
        watched.append(WatchedPoint(self.point_for(url), self.machine.uptime_seconds))
        return watched[-1]

    def _held_policy(self, identity: Identity, now: datetime) -> Policy:
        access_point = self.state.fact("access_point") or identity.access_point
        return view.policy_of(self.state, access_point=access_point, now=policy_poll.signed_now(self.state, now))

    def _answer_restore(self, identity: Identity, policy: Policy, holding: Sequence[PackageId], now: datetime) -> None:
        """Tells a site that was restored what it may have lost, and one that heard of programs out of order how they stand."""
        state, incarnation, applied = self.state, policy.settings.incarnation, self.state.mark("applied")
        with state.transaction():
            for body in returning.owed(state, self.machine, incarnation, is_complete=policy.is_complete):
                reports.add_item(state, identity, body, applied=applied, holding=holding, incarnation=incarnation, now=now)

    def _report(
        self, identity: Identity, policy: Policy, holding: Sequence[PackageId], access_point: str | None, now: datetime
    ) -> int:
        """Gathers what was told and sends it. Shape: how many items a point took."""
        state, settings, applied = self.state, policy.settings, self.state.mark("applied")
        entry = published.held_entry(state)
        if not view.is_member(entry):
            reports.bound(state, settings, now)
            return self._send(identity, settings, access_point, now)
        with state.transaction():
            reports.gather(state, identity, settings, applied=applied, holding=holding, now=now)
            is_due = self._is_heartbeat_due(settings, now) or self._is_waited_for(policy, applied)
            if is_due and reports.has_room(state, settings):
                discovery = Discovery(
                    facts=self.machine.facts(),
                    packages=tuple(sorted(published.held_package_ids(state))),
                    absent_requests=published.absent_requests(state),
                    absent_by_point=points.absent_by_point(state, identity),
                )
                reports.add_item(
                    state, identity, discovery, applied=applied, holding=holding, incarnation=settings.incarnation, now=now
                )
                state.remember_time("heartbeat_at", now)
                state.remember(_REMOVALS, " ".join(sorted(policy.removals)))
        return self._send(identity, settings, access_point, now)

    def _send(self, identity: Identity, settings: AgentSettings, access_point: str | None, now: datetime) -> int:
        if access_point is None:
            return 0
        names = [self.machine.random_bytes(_NAME_BYTES).hex() for _ in reports.due_items(self.state, settings, now)]
        if not names:
            return 0
        try:
            return reports.send(
                self.state,
                identity,
                settings,
                points=self._opened(points.for_items(self.state, identity, now, in_use=access_point)),
                random_name=names,
                now=now,
                tried=lambda url, error: self._note_put(url, error, now),
            )
        except UnavailableError:
            return 0  # kept, and sent at the next pass

    def _opened(self, urls: Iterable[str]) -> list[Point]:
        """The points at these addresses, as far as they can be opened."""
        opened = []
        for url in urls:
            try:
                opened.append(self.point_for(url))
            except PurveyorError as error:
                self.note(f"the access point {url} cannot be used: {error}")
        return opened

    def _note_put(self, url: str, error: PurveyorError | None, now: datetime) -> None:
        """A CAP took an item, or did not: then no other is tried there for a while."""
        if error is None:
            pauses.answered(self.state, points.up_key(url))
        elif isinstance(error, BusyError):
            pauses.begin_busy(self.state, points.up_key(url), error, now=now)
        else:
            pauses.begin(self.state, points.up_key(url), str(error), now=now)

    def _is_heartbeat_due(self, settings: AgentSettings, now: datetime) -> bool:
        last = self.state.time("heartbeat_at")
        return last is None or not last <= now < last + timedelta(seconds=settings.heartbeat_interval_seconds)

    def _is_waited_for(self, policy: Policy, applied: int) -> bool:
        """Whether the site waits for this client to have removed or forgotten something, and was last told before that was done.

        A deletion is told of when it is noticed; where the power failed in between, this makes up for it. A removal is answered
        once by a client that holds nothing of the package too: it may have been offered it, and never have heard of that.
        """
        told = self.state.mark("told_applied")
        if applied <= told:
            return False
        is_new = not policy.removals <= set(self.state.fact(_REMOVALS).split())
        is_held = bool(policy.removals & published.held_package_ids(self.state))
        return is_new or is_held or published.newest_deletion(self.state) > told

    def _is_poll_due(self, now: datetime) -> bool:
        """Whether an interval has passed; or whether something is about to begin, whose assignment is looked at again first."""
        state, settings = self.state, view.held_settings(self.state)
        polled_at, next_poll_at = state.time("polled_at"), state.time("next_poll_at")
        if settings is None or polled_at is None or next_poll_at is None or now < polled_at or now >= next_poll_at:
            return True
        gap = timedelta(seconds=min(SHORTEST_GAP_SECONDS, settings.poll_interval_seconds))
        return now >= polled_at + gap and apm.is_to_look_again(state, since=polled_at, now=now)

    def _next_poll_at(self, identity: Identity, polled: Polled, now: datetime) -> datetime:
        """One interval on, in step with the polls before; sooner where no CAP served.

        The first one is spread, and a poll out of turn moves none after it: clients that joined together part and stay apart.
        """
        state, interval = self.state, timedelta(seconds=max(1, polled.policy.settings.poll_interval_seconds))
        if polled.access_point is None:
            retry_at = pauses.first_end(state, points.access_points(state, identity, now), now)
            return min(now + interval, retry_at or now + timedelta(seconds=pauses.FIRST_BACK_OFF_SECONDS))
        if state.fact("has parted"):
            ahead = ((state.time("next_poll_at") or now) - now) % interval
            return now + (ahead if ahead >= interval / 2 else ahead + interval)
        state.remember("has parted", "yes")
        share = int.from_bytes(self.machine.random_bytes(2), "big") / 0xFFFF
        return now + interval * max(share, SHORTEST_SHARE)


def _tell_unheld(state: State, packages: tuple[PackageId, ...], now: datetime) -> None:
    """Tells at once of deleted packages of which this client holds nothing: the site waits for its word."""
    for package in sorted(set(packages) - published.held_package_ids(state)):
        text = "nothing of it was held here"
        reports.tell(state, StatusMessage(id=StatusId.PACKAGE_FORGOTTEN, at=now, package=package, text=text))


def _tell_problems(state: State, problems: tuple[Problem, ...], now: datetime) -> None:
    """Tells each problem once, until it is over."""
    known = set(filter(None, state.fact("problems").split("\n")))
    present = {f"{problem.about}: {problem.reason}".replace("\n", " ")[:500]: problem.status for problem in problems}
    if present.keys() == known:
        return
    with state.transaction():
        for text in sorted(present.keys() - known):
            reports.tell(state, StatusMessage(id=present[text], at=now, text=text))
        state.remember("problems", "\n".join(sorted(present)))
