"""`client check`: what is well on this machine and what is not, for a person and for monitoring. Changes nothing.

It asks nobody but for the timestamp of each access point. The worst finding is the verdict, in the order and with the exit codes
of monitoring plugins; a check that cannot be made is unknown, which is not the same as well.
Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes" and "Performance data".
"""

import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from purveyor.client import reports, sentinel
from purveyor.client.join import last_standing
from purveyor.client.main import STATE_FILE, Parts, parts_of
from purveyor.client.points import memory, pauses
from purveyor.client.points.memory import PointUse
from purveyor.client.points.order import in_words
from purveyor.client.policy import points, poll, view
from purveyor.client.programs.ending import restart
from purveyor.client.programs.memory import records
from purveyor.client.state import origin, published
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State, damage_of
from purveyor.wire.errors import AbsentError, PurveyorError, UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.moments import utc_text
from purveyor.wire.shards import ClientState

POLL_GRACE = timedelta(hours=1)
"""How much later than a day and two intervals the last pass may be before that is a warning; a day more, and it is critical."""
TRUST_GRACE = timedelta(days=1)
"""How long before the metadata expires that is a warning; a quarter of a timestamp's life where that is less."""
DISK_GRACE = 2
"""Free space below this many times what is to be kept free is a warning."""
SENT_OFTEN = 3
"""How often an item may have been sent without an answer before that is a warning."""
_TIMESTAMP_LIMIT_BYTES = 2**20
_LIST_LIMIT = 5


class Grade(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


EXIT_CODES = {Grade.OK: 0, Grade.WARNING: 1, Grade.CRITICAL: 2, Grade.UNKNOWN: 3}
_BY_WEIGHT = (Grade.OK, Grade.UNKNOWN, Grade.WARNING, Grade.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `measured`: figures for monitoring, by name, with their unit (`B` bytes, or none)."""

    subject: str
    grade: Grade
    words: str
    measured: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A point in its place in the order in which it is asked: `why` it stands there, how fast it was, and how it did.

    Units: bytes a second (None: not measured lately); aware UTC, `left_alone_until` None where it may be asked now.
    """

    kind: str
    id: str
    url: str
    why: str
    bytes_per_second: int | None
    is_last: bool
    failures: int
    left_alone_until: datetime | None
    trouble: str
    absent_requests: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings, and what they amount to; with the points in the order in which this client asks them."""

    findings: tuple[Finding, ...]
    points: tuple[Ordered, ...] = ()

    @property
    def grade(self) -> Grade:
        """The worst of the findings."""
        return max((one.grade for one in self.findings), key=_BY_WEIGHT.index, default=Grade.UNKNOWN)

    @property
    def summary(self) -> str:
        """One line: the verdict, then what is not well, worst first; or what is, where all is well."""
        wrong = sorted((one for one in self.findings if one.grade is not Grade.OK), key=lambda one: -_BY_WEIGHT.index(one.grade))
        said = "; ".join(f"{one.subject}: {one.words}" for one in wrong[:_LIST_LIMIT])
        more = f"; {len(wrong) - _LIST_LIMIT} more" if len(wrong) > _LIST_LIMIT else ""
        well = next((one.words for one in self.findings if one.subject == "membership"), "")
        figures = " ".join(f"{name}={value}" for one in self.findings for name, value in one.measured)
        line = f"{self.grade.upper()}: {said + more if wrong else well}".replace("|", "/").replace("\n", " ")
        return f"{line} | {figures}" if figures else line


def check(folder: Path) -> Verdict:
    """Looks at the agent of this state folder. Errors: none; what cannot be looked at is a finding."""
    state_file = folder / STATE_FILE
    try:
        mode = state_file.stat().st_mode
        with state_file.open("rb"):
            pass
    except FileNotFoundError:
        words = f"{folder} holds no agent's state; `purveyor client join` makes one"
        return Verdict((Finding(subject="state", grade=Grade.UNKNOWN, words=words),))
    except OSError as error:
        words = f"{state_file} cannot be read: {error.strerror}; run this as the user of the agent"
        return Verdict((Finding(subject="state", grade=Grade.UNKNOWN, words=words),))
    try:
        parts = parts_of(folder)
        damage = damage_of(parts.state)
        if damage:
            raise UnavailableError(f"the agent's state is damaged: {damage}")
        found = (_state(mode), *findings(parts, sentinel_process=sentinel_of(folder)))
        return Verdict(found, tuple(points_of(parts)) if has_identity(parts.state) else ())
    except PurveyorError as error:
        return Verdict((Finding(subject="state", grade=Grade.CRITICAL, words=str(error)),))


def findings(parts: Parts, *, sentinel_process: int | None) -> list[Finding]:
    """What is found at an agent, whose sentinel is this process; None: none runs."""
    state, machine = parts.state, parts.machine
    if not has_identity(state):
        words = "this client has not joined a site; `purveyor client join` does that"
        return [Finding(subject="membership", grade=Grade.CRITICAL, words=words)]
    now = machine.now()
    return [
        _membership(state),
        *_identity(state),
        _agent(state, now, sentinel_process),
        *_access_points(parts),
        *_unpinned(parts),
        _last_pass(state, now),
        _clock(state, now),
        *_problems(state),
        _trust(state, now),
        _disk(parts),
        *_distribution_points(state, now),
        _jobs(state),
        *_restart(parts),
        _reports(state),
        _absent(state),
    ]


def points_of(parts: Parts) -> Iterator[Ordered]:
    """The points that settings name, CAPs first, each kind in order; then the CAP that was joined at, should they not name it."""
    state, now = parts.state, parts.machine.now()
    identity = read_identity(state)
    caps = points.places(state, identity, now)
    for place in caps:
        yield _ordered(state, PointUse.POLICY, place.id, place.url, in_words(place), now)
    for url in points.access_points(state, identity, now)[len({place.url for place in caps}) :]:
        yield _ordered(state, PointUse.POLICY, "", url, "the site's settings do not name it: the last resort", now)
    settings = view.held_settings(state)
    for place in (
        view.distribution_points(state, settings, points.last_served(state, identity), identity.client, now) if settings else ()
    ):
        yield _ordered(state, PointUse.CONTENT, place.id, place.url, in_words(place), now)


def _ordered(state: State, use: PointUse, name: str, url: str, why: str, now: datetime) -> Ordered:
    remembered = published.point_memory(state, url)
    rate = memory.known(state, use, client="", now=now).rates.get(url)
    return Ordered(
        kind="cap" if use is PointUse.POLICY else "dp",
        id=name,
        url=url,
        why=why,
        bytes_per_second=None if rate is None else round(rate),
        is_last=memory.last_answer(state, use)[0] == url,
        failures=remembered.failures,
        left_alone_until=pauses.ends_at(state, url, now),
        trouble="; ".join([*(problem.reason for problem in pauses.trouble_of(state, url)), *_busy(state, url, now)]),
        absent_requests=remembered.absent_requests,
    )


def _busy(state: State, url: str, now: datetime) -> list[str]:
    return ["it has too much to do, as it says"] if pauses.busy_until(state, url, now) else []


def sentinel_of(folder: Path) -> int | None:
    """The process of the sentinel of a state folder, None where none runs. Touches no lock: a start would else be refused."""
    with suppress(OSError, ValueError):
        process = int((folder / sentinel.LOCK).read_text()[:20])
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        if Path(sentinel.__file__).name.encode() in command:
            return process
    return None


def _state(mode: int) -> Finding:
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        words = "others may read the agent's state, in which its private key lies"
        return Finding(subject="state", grade=Grade.CRITICAL, words=words)
    return Finding(subject="state", grade=Grade.OK, words="the agent's state is whole, and its owner's alone")


def _membership(state: State) -> Finding:
    identity = read_identity(state)
    standing = last_standing(state)
    words = f"client {identity.client}: {standing.in_words(identity.site)}"
    match standing.state:
        case ClientState.MEMBER:
            grade = Grade.OK
        case ClientState.WAITING | None:
            grade = Grade.WARNING
        case ClientState.REFUSED:
            grade, words = Grade.CRITICAL, f"{words}; `purveyor client join` with a join code that holds makes it a client"
        case _:
            grade = Grade.CRITICAL
    return Finding(subject="membership", grade=grade, words=words)


def _identity(state: State) -> Iterator[Finding]:
    """A finding where this state came with the image of another machine, and the site has not yet said who is who."""
    image = origin.image_of(state)
    if image is not None:
        words = f"this state came from another machine ({image.machine}): a copy joins as itself once the site knows of both"
        yield Finding(subject="identity", grade=Grade.WARNING, words=words)


def _agent(state: State, now: datetime, process: int | None) -> Finding:
    if process is not None:
        return Finding(subject="agent", grade=Grade.OK, words=f"it runs, process {process}")
    is_late = _lateness(state, now) is not Grade.OK
    words = "it does not run" if is_late else "it does not run now; passes are made one by one, and the last was in time"
    return Finding(subject="agent", grade=Grade.CRITICAL if is_late else Grade.WARNING, words=words)


def _lateness(state: State, now: datetime) -> Grade:
    polled_at, settings = state.time("polled_at"), view.held_settings(state)
    if polled_at is None or settings is None:
        return Grade.CRITICAL
    day = timedelta(seconds=sentinel.FULL_PASS_SECONDS)
    late = now - polled_at - day - timedelta(seconds=2 * settings.poll_interval_seconds) - POLL_GRACE
    return Grade.OK if late <= timedelta(0) else Grade.WARNING if late <= day else Grade.CRITICAL


def _last_pass(state: State, now: datetime) -> Finding:
    polled_at = state.time("polled_at")
    words = f"at {utc_text(polled_at)}" if polled_at else "this client has not polled yet"
    return Finding(subject="last pass", grade=_lateness(state, now), words=words)


def _access_points(parts: Parts) -> Iterator[Finding]:
    """A finding for the access points: one that answers is enough to go on, each that does not is named.

    One that settings do not name, such as the address before a change to HTTPS, may well be gone while others answer.
    """
    state, now = parts.state, parts.machine.now()
    identity = read_identity(state)
    named = {place.url for place in points.places(state, identity, now)}
    answering: list[str] = []
    failing: list[str] = []
    left_behind: list[str] = []
    for url in points.access_points(state, identity, now):
        found_wrong = failing if url in named or not named else left_behind
        try:
            parts.point_for(url).read(poll.TIMESTAMP, limit_bytes=_TIMESTAMP_LIMIT_BYTES)
        except AbsentError:
            found_wrong.append(f"{url} has no {poll.TIMESTAMP}: it is no access point, or was emptied")
        except PurveyorError as error:
            found_wrong.append(str(error))
        else:
            answering.append(url)
    grade = Grade.CRITICAL if not answering else Grade.WARNING if failing else Grade.OK
    unnamed = [f"{words} (the site's settings do not name it: the last resort)" for words in left_behind]
    words = "; ".join([*(f"{url} answers" for url in answering), *failing, *unnamed])
    yield Finding(subject="access point", grade=grade, words=words)


def _unpinned(parts: Parts) -> Iterator[Finding]:
    """A finding for each access point whose HTTPS server showed another key than its pins, when it was asked just now."""
    for url, pin in sorted(parts.unpinned().items()):
        words = f"{url} shows the key {pin}, which the site has not named: nothing is sent there, and reports wait"
        yield Finding(subject="pins", grade=Grade.CRITICAL, words=words)


def _clock(state: State, now: datetime) -> Finding:
    signed_at, polled_at = state.time("newest_signed"), state.time("polled_at")
    if signed_at is not None and now < signed_at - poll.CLOCK_TOLERANCE:
        words = f"it is behind: here it is {utc_text(now)}, and the site signed at {utc_text(signed_at)}"
        return Finding(subject="clock", grade=Grade.CRITICAL, words=words)
    if polled_at is not None and now < polled_at - poll.CLOCK_TOLERANCE:
        words = f"it went back: the last pass was at {utc_text(polled_at)}, and it is {utc_text(now)}"
        return Finding(subject="clock", grade=Grade.WARNING, words=words)
    return Finding(subject="clock", grade=Grade.OK, words=f"it is {utc_text(now)}, and nothing contradicts that")


def _problems(state: State) -> list[Finding]:
    """A finding for each thing that was wrong with what the last poll was given: withheld, damaged, not to be believed."""
    known = filter(None, state.fact("problems").split("\n"))
    return [Finding(subject="problem", grade=Grade.WARNING, words=words) for words in known]


def _trust(state: State, now: datetime) -> Finding:
    expires_at = state.time("metadata_expires")
    if expires_at is None:
        return Finding(subject="trust", grade=Grade.CRITICAL, words="no metadata was verified yet")
    left = expires_at - poll.signed_now(state, now)
    when = utc_text(expires_at)
    if left <= timedelta(0):
        words = f"what the site signed has expired at {when}: nothing new is accepted"
        return Finding(subject="trust", grade=Grade.CRITICAL, words=words)
    lifetime = state.fact("timestamp_lifetime_seconds")
    grace = min(TRUST_GRACE, timedelta(seconds=int(lifetime)) / 4) if lifetime else TRUST_GRACE
    grade = Grade.WARNING if left < grace else Grade.OK
    return Finding(subject="trust", grade=grade, words=f"what the site signed is good until {when}")


def _disk(parts: Parts) -> Finding:
    settings = view.held_settings(parts.state)
    reserve = settings.disk_reserve_bytes if settings else 0
    try:
        free = parts.machine.disk.free_bytes()
    except UnavailableError as error:
        return Finding(subject="disk", grade=Grade.UNKNOWN, words=str(error))
    grade = Grade.CRITICAL if free <= reserve else Grade.WARNING if free < DISK_GRACE * reserve else Grade.OK
    words = f"{free} bytes free, {reserve} are kept free"
    return Finding(subject="disk", grade=grade, words=words, measured=(("free", f"{free}B"),))


def _distribution_points(state: State, now: datetime) -> Iterator[Finding]:
    """A finding where points failed when they were asked last; access points have one of their own."""
    caps = points.access_points(state, read_identity(state), now)
    caps += tuple(map(points.up_key, caps))
    rows = state.connection.execute("select url, failures from point where failures > 0 order by url").fetchall()
    failing = [f"{url} failed {failures} times in a row" for url, failures in rows if url not in caps]
    if failing:
        yield Finding(subject="distribution points", grade=Grade.WARNING, words=_listed(failing))


def _jobs(state: State) -> Finding:
    """What is planned here; jobs that cannot go on are named with their reason."""
    jobs = records.open_jobs(state)
    running = sum(job.state is JobState.RUNNING for job in jobs)
    stuck = [f"{job.key}: {job.problem}" for job in jobs if job.problem]
    words = f"{len(jobs)} planned, {running} of them running" + (f"; {_listed(stuck)}" if stuck else "")
    measured = (("jobs", str(len(jobs))), ("running", str(running)))
    return Finding(subject="jobs", grade=Grade.WARNING if stuck else Grade.OK, words=words, measured=measured)


def _restart(parts: Parts) -> Iterator[Finding]:
    """A finding where a restart is owed: nothing else starts before it."""
    owed = sorted({str(job.key) for job in restart.owed(parts.state, parts.machine)})
    if owed:
        words = f"{', '.join(owed)} needs a restart of this machine; no other program starts before it"
        yield Finding(subject="restart", grade=Grade.WARNING, words=words)


def _reports(state: State) -> Finding:
    """What the site is not known to have: it is kept; when there is no room left, what is not a result is dropped first."""
    pending, settings = reports.pending_count(state), view.held_settings(state)
    oldest = state.connection.execute("select min(made_at) from item where send_count > ?", (SENT_OFTEN,)).fetchone()[0]
    is_full = settings is not None and not reports.has_room(state, settings)
    words = f"{pending} wait for the site's acknowledgement" + (f", the oldest since {oldest[:16]}Z" if oldest else "")
    words += ": there is room for no more" if is_full else ""
    grade = Grade.CRITICAL if is_full else Grade.WARNING if oldest else Grade.OK
    return Finding(subject="reports", grade=grade, words=words, measured=(("reports", str(pending)),))


def _absent(state: State) -> Finding:
    count = published.absent_requests(state)
    where = [f"{number} at {url}" for url, number in sorted(published.absent_by_address(state).items()) if number]
    words = f"{count}: {_listed(where)}" if len(where) > 1 else "".join(where) or str(count)
    grade = Grade.WARNING if count else Grade.OK
    return Finding(subject="requests for absent files", grade=grade, words=words, measured=(("absent", str(count)),))


def _listed(texts: Sequence[str]) -> str:
    more = f"; {len(texts) - _LIST_LIMIT} more" if len(texts) > _LIST_LIMIT else ""
    return "; ".join(_one_line(texts[:_LIST_LIMIT])) + more


def _one_line(texts: Iterable[str]) -> Iterator[str]:
    return (" ".join(text.split()) for text in texts)
