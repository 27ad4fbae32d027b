"""The agent's commands, put together for a real machine: the only place of the client that chooses a transport and a disk.

Everything that the commands do is elsewhere; here the parts meet, under the lock of the state folder.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from purveyor.client import join as joining
from purveyor.client import reports, share_credentials
from purveyor.client.join import Standing
from purveyor.client.machine import lock
from purveyor.client.machine.interface import Machine
from purveyor.client.machine.real import RealMachine
from purveyor.client.policy import poll, view
from purveyor.client.programs.ending import restart
from purveyor.client.sentinel import FULL_PASS_SECONDS
from purveyor.client.state import published
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State, open_state
from purveyor.transport.interface import Point
from purveyor.transport.open_point import Points
from purveyor.transport.smb_address import address_of, is_share
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import ClientId, SiteCode
from purveyor.wire.shards import ClientState

STATE_FILE = "agent.db"
PERSON_WAITS_SECONDS = 30.0
"""How long a command that a person typed waits for a pass that is under way."""
NAME_LIMIT = 200
_NAME = "machine name"
_ASK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an agent on a real machine."""

    machine: Machine
    state: State
    point_for: Callable[[str], Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of joining."""

    site: SiteCode
    client: ClientId
    standing: Standing

    @property
    def words(self) -> str:
        """A sentence for the person at the machine."""
        return self.standing.in_words(self.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that `client check` looked at."""

    subject: str
    is_well: bool
    words: str


def parts_of(state_folder: Path, *, name: str = "") -> Parts:
    """The parts of the agent whose state lies in this folder; each point is opened once, its connections kept.

    `name` is what the site is to call the machine from now on, in place of its host name.
    """
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = open_state(str(state_folder / STATE_FILE))
        (state_folder / STATE_FILE).chmod(0o600)
    except OSError as error:
        raise UnavailableError(f"the state folder {state_folder} cannot be used: {error.strerror or error}") from error
    if name:
        state.remember(_NAME, name[:NAME_LIMIT])
    points = Points(lambda: share_credentials.kept(state_folder))
    return Parts(RealMachine(state_folder, name=state.fact(_NAME)), state, points.at)


def join(
    state_folder: Path,
    *,
    cap: str,
    code: str,
    wait_seconds: float,
    tell: Callable[[str], None],
    name: str = "",
    credentials: Path | None = None,
) -> Joined:
    """Sends the request to join, and waits until the site has said something, at most so long.

    `credentials` is a file that says as whom shares are used; it is needed for a CAP on a share, unless the agent has some.
    Errors: RefusedError, UnavailableError.
    """
    access_point = _written(cap)
    given = None if credentials is None else share_credentials.given_in(credentials)
    if given is None and is_share(access_point) and not share_credentials.are_kept(state_folder):
        raise RefusedError("a share asks who comes: name a file that says username= and password= with --credentials FILE")
    parts = parts_of(state_folder, name=name)
    if given is not None:
        share_credentials.keep(state_folder, given)
    identity = joining.request(parts.state, parts.machine, access_point=access_point, code_text=code, point_for=parts.point_for)
    tell(f"client {identity.client} asks to join site {identity.site}")
    deadline = time.monotonic() + wait_seconds
    while True:
        standing = joining.standing(parts.state, parts.machine, point_for=parts.point_for)
        if standing.state is not None or time.monotonic() >= deadline:
            return Joined(site=identity.site, client=identity.client, standing=standing)
        time.sleep(_ASK_SECONDS)


def change_credentials(state_folder: Path, credentials: Path) -> str:
    """Puts the credentials of a file in the place of those with which this agent uses shares. Shape: the user.

    Errors: RefusedError, RejectedError, UnavailableError; what it had stays.
    """
    if not (state_folder / STATE_FILE).exists():
        raise RefusedError(f"{state_folder} holds no agent's state; `purveyor client join` makes one")
    given = share_credentials.given_in(credentials)
    share_credentials.keep(state_folder, given)
    return given.account


def leave(state_folder: Path) -> None:
    """Leaves the site, and forgets as whom shares were used. Errors: RefusedError, UnavailableError."""
    if not (state_folder / STATE_FILE).exists():
        raise RefusedError(f"{state_folder} holds no agent's state; there is nothing to leave")
    with lock.held(state_folder, what="a pass of the agent", wait_seconds=PERSON_WAITS_SECONDS):
        parts = parts_of(state_folder)
        joining.leave(parts.state, parts.machine, point_for=parts.point_for)
        share_credentials.forget(state_folder)


def check(state_folder: Path) -> list[Finding]:
    """What is well and what is not: membership, CAP, last poll and its problems, trust, disk, reports. Asks nobody but for the CAP's timestamp."""
    if not (state_folder / STATE_FILE).exists():
        raise RefusedError(f"{state_folder} holds no agent's state; `purveyor client join` makes one")
    parts = parts_of(state_folder)
    state, machine = parts.state, parts.machine
    if not has_identity(state):
        return [Finding(subject="membership", is_well=False, words="this client has not joined a site")]
    return [
        _membership(state),
        _access_point(parts),
        _last_poll(state, machine.now()),
        *_problems(state),
        _trust(state, machine.now()),
        _disk(state, machine),
        _reports(state),
        _absent(state),
        *_restart(state, machine),
    ]


def _written(cap: str) -> str:
    """The address of a CAP in the one form in which it is remembered. Errors: RejectedError for that of a share that is none."""
    if is_share(cap):
        return address_of(cap).url
    return cap if "://" in cap else str(Path(cap).resolve())


def _membership(state: State) -> Finding:
    identity = read_identity(state)
    held = published.held_entry(state)
    standing = Standing(held.entry.state, held.entry.reason) if held and held.entry else Standing(None, "")
    return Finding(
        subject="membership",
        is_well=standing.state is ClientState.MEMBER,
        words=f"client {identity.client}: {standing.in_words(identity.site)}",
    )


def _access_point(parts: Parts) -> Finding:
    reasons = []
    for url in poll.access_points(parts.state, read_identity(parts.state)):
        try:
            parts.point_for(url).read(poll.TIMESTAMP, limit_bytes=2**20)
        except UnavailableError as error:
            reasons.append(str(error))
        else:
            return Finding(subject="access point", is_well=True, words=f"{url} answers")
    return Finding(subject="access point", is_well=False, words="; ".join(reasons))


def _last_poll(state: State, now: datetime) -> Finding:
    polled_at = state.time("polled_at")
    settings = view.held_settings(state)
    if polled_at is None or settings is None:
        return Finding(subject="last poll", is_well=False, words="this client has not polled yet")
    is_late = now - polled_at > timedelta(seconds=FULL_PASS_SECONDS + 2 * settings.poll_interval_seconds)
    return Finding(subject="last poll", is_well=not is_late, words=f"polled at {polled_at:%Y-%m-%d %H:%M:%S} UTC")


def _problems(state: State) -> list[Finding]:
    """A finding for each thing that was wrong with what the last poll was given: withheld, damaged, not to be believed."""
    known = filter(None, state.fact("problems").split("\n"))
    return [Finding(subject="problem", is_well=False, words=words) for words in known]


def _trust(state: State, now: datetime) -> Finding:
    expires_at = state.time("metadata_expires")
    if expires_at is None:
        return Finding(subject="trust", is_well=False, words="no metadata was verified yet")
    is_fresh = poll.signed_now(state, now) < expires_at
    words = f"metadata {'is good until' if is_fresh else 'has expired at'} {expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return Finding(subject="trust", is_well=is_fresh, words=words)


def _disk(state: State, machine: Machine) -> Finding:
    settings = view.held_settings(state)
    free, reserve = machine.disk.free_bytes(), settings.disk_reserve_bytes if settings else 0
    return Finding(subject="disk", is_well=free > reserve, words=f"{free} bytes free, {reserve} are kept free")


def _restart(state: State, machine: Machine) -> list[Finding]:
    """A finding where a restart is owed: nothing else starts before it."""
    owed = sorted({str(job.key) for job in restart.owed(state, machine)})
    words = f"{', '.join(owed)} needs a restart of this machine; no other program starts before it"
    return [Finding(subject="restart", is_well=False, words=words)] if owed else []


def _reports(state: State) -> Finding:
    pending = reports.pending_count(state)
    oldest = state.connection.execute("select min(made_at) from item where send_count > 3").fetchone()[0]
    words = f"{pending} reports wait for the site's acknowledgement" + (f", the oldest since {oldest}" if oldest else "")
    return Finding(subject="reports", is_well=oldest is None, words=words)


def _absent(state: State) -> Finding:
    count = published.absent_requests(state)
    return Finding(subject="requests for absent files", is_well=count == 0, words=str(count))
