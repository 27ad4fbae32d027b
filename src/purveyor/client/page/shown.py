"""What the agent shows a user: programs that are offered, what ran, what is planned, and a restart that is near. Pure.

The one shape of the page, of its JSON and of `purveyor client programs`; made from the state by `desk`, said by `words`.
"""

import msgspec

from purveyor.wire.form import Instant
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState

HISTORY_LIMIT = 200
"""Runs that are shown, the newest."""


class ShownRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run that ended."""

    id: str
    name: str
    package_name: str
    state: JobState
    started_at: Instant | None
    ended_at: Instant
    exit_code: int | None


class ShownProgram(msgspec.Struct, frozen=True, kw_only=True):
    """One program that is offered to the user who looks. `id` is `PACKAGE/PROGRAM`; `next_at` are its next times, in order."""

    id: str
    name: str
    description: str
    package: str
    package_name: str
    version: str
    publisher: str
    advertisement: AdvertisementId | None
    is_mandatory: bool
    state: JobState | None
    due_at: Instant | None
    next_at: tuple[Instant, ...]
    postponed_until: Instant | None
    why: str
    """Why it waits, or what became of it, in the agent's own words; empty where there is nothing to say."""
    last_run: ShownRun | None
    may_run_now: bool
    may_postpone_until: Instant | None


class ShownRestart(msgspec.Struct, frozen=True, kw_only=True):
    """A restart that a program needs. `at` is None where its time is not fixed, or somebody has to restart by hand."""

    name: str
    at: Instant | None
    is_by_agent: bool
    """Whether the agent restarts the machine; else it waits until somebody does."""
    postponements_left: int
    postpone_seconds: int
    may_restart_now: bool
    """Whether this user may have it at once: nobody else is logged on."""
    may_postpone: bool


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown to one user at one moment. `runs` are the newest first; `zone` names the machine's own clock."""

    machine: str
    site: str
    user: str
    is_whole_machine: bool
    """Whether it is all that is offered here to anybody, for the machine's administrator."""
    at: Instant
    zone: str
    programs: tuple[ShownProgram, ...]
    runs: tuple[ShownRun, ...]
    restart: ShownRestart | None
    polled_at: Instant | None
