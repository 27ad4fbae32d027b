"""The agent's commands, put together for a real machine: the only place of the client that chooses a transport and a disk.

Everything that the commands do is elsewhere; here the parts meet, under the lock of the state folder.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from purveyor.client import join as joining
from purveyor.client import share_credentials
from purveyor.client.join import Standing
from purveyor.client.machine import lock
from purveyor.client.machine.interface import Machine
from purveyor.client.machine.real import RealMachine
from purveyor.client.points import pauses
from purveyor.client.policy import pinning
from purveyor.client.state.store import State, open_state
from purveyor.transport.interface import Point
from purveyor.transport.open_point import Points
from purveyor.transport.smb.address import address_of, is_share
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.ids import ClientId, SiteCode

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
    unpinned: Callable[[], Mapping[str, str]] = dict
    """The points whose HTTPS server showed a key last that the site has not named: that key's pin, by address."""


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
    points = Points(lambda: share_credentials.kept(state_folder), lambda url: pinning.pins_of(state, url))
    return Parts(RealMachine(state_folder, name=state.fact(_NAME)), state, points.at, points.unpinned)


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
    identity = joining.request(
        parts.state,
        parts.machine,
        access_point=access_point,
        code_text=code,
        point_for=parts.point_for,
        unpinned=parts.unpinned,
    )
    tell(f"client {identity.client} asks to join site {identity.site}")
    deadline = time.monotonic() + wait_seconds
    while True:
        standing = joining.standing(parts.state, parts.machine, point_for=parts.point_for)
        if standing.state is not None or time.monotonic() >= deadline:
            return Joined(site=identity.site, client=identity.client, standing=standing)
        time.sleep(_ASK_SECONDS)


def change_credentials(state_folder: Path, credentials: Path) -> str:
    """Puts the credentials of a file in the place of those with which this agent uses shares. Shape: the user.

    Points that refused the old ones are left alone no more.
    Errors: RefusedError, RejectedError, UnavailableError; what it had stays.
    """
    if not (state_folder / STATE_FILE).exists():
        raise RefusedError(f"{state_folder} holds no agent's state; `purveyor client join` makes one")
    given = share_credentials.given_in(credentials)
    with lock.held(state_folder, what="a pass of the agent", wait_seconds=PERSON_WAITS_SECONDS):
        share_credentials.keep(state_folder, given)
        pauses.forget(parts_of(state_folder).state)
    return given.account


def leave(state_folder: Path) -> None:
    """Leaves the site, and forgets as whom shares were used. Errors: RefusedError, UnavailableError."""
    if not (state_folder / STATE_FILE).exists():
        raise RefusedError(f"{state_folder} holds no agent's state; there is nothing to leave")
    with lock.held(state_folder, what="a pass of the agent", wait_seconds=PERSON_WAITS_SECONDS):
        parts = parts_of(state_folder)
        joining.leave(parts.state, parts.machine, point_for=parts.point_for)
        share_credentials.forget(state_folder)


def _written(cap: str) -> str:
    """The address of a CAP in the one form in which it is remembered. Errors: RejectedError for that of a share that is none."""
    if is_share(cap):
        return address_of(cap).url
    return cap if "://" in cap else str(Path(cap).resolve())
