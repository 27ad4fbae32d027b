"""Why a job waits, in one word: what an agent decides when it does not go on with a run, and what a site explains it by.

A word, once published, never changes its meaning. The text beside it is for people, and is never read by a program.
"""

import re
from enum import StrEnum

LENGTH_LIMIT = 32
_WORD = re.compile(rf"[a-z][a-z-]{{0,{LENGTH_LIMIT - 1}}}")


class Cause(StrEnum):
    """What a job waits for: each is told once, however its words change from look to look."""

    WINDOW = "window"
    NEVER_IN_A_WINDOW = "never-in-a-window"
    NO_USER = "no-user"
    SOME_USER = "some-user"
    SESSIONS_UNKNOWN = "sessions-unknown"
    ACCOUNT_UNKNOWN = "account-unknown"
    MAINS = "mains"
    METERED = "metered"
    SPACE = "space"
    GOING_DOWN = "going-down"
    RESTART = "restart"
    RESTART_FAILS = "restart-fails"
    DEPENDENCY_DISABLED = "dependency-disabled"
    DEPENDENCY_UNSUPPORTED = "dependency-unsupported"
    DEPENDENCY_BROKEN = "dependency-broken"
    POSTPONED = "postponed"
    SLOW_LINK = "slow-link"
    NO_POINT = "no-point"
    POINTS_FAIL = "points-fail"
    POINTS_BUSY = "points-busy"
    BANDWIDTH = "bandwidth"
    CONTENT_UNREADABLE = "content-unreadable"
    CONTENT_SPACE = "content-space"
    NOT_PREPARED = "not-prepared"
    NOT_STARTED = "not-started"
    TRY_LATER = "try-later"

    @classmethod
    def _missing_(cls, value: object) -> "Cause | None":
        """A word that a newer agent knows and this release does not: kept as the word that it is."""
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = f"UNKNOWN_{value}", value
        return unknown


MEANINGS: dict[Cause, str] = {
    Cause.WINDOW: "No maintenance window is open that is long enough.",
    Cause.NEVER_IN_A_WINDOW: "No maintenance window of the machine is ever long enough, or none opens within a year.",
    Cause.NO_USER: "No user is logged on, or not the one for whom it is.",
    Cause.SOME_USER: "Somebody is logged on, and the program runs only while nobody is.",
    Cause.SESSIONS_UNKNOWN: "The machine cannot tell who is logged on.",
    Cause.ACCOUNT_UNKNOWN: "The account with whose rights it is to run cannot be looked up now.",
    Cause.MAINS: "The machine runs on its battery.",
    Cause.METERED: "The network costs by volume.",
    Cause.SPACE: "Less is free on the disk than the program has to find.",
    Cause.GOING_DOWN: "The machine is going down.",
    Cause.RESTART: "The machine has to restart first, for this program or for one that ran before.",
    Cause.RESTART_FAILS: "The machine has to restart, and does not do so when it is told.",
    Cause.DEPENDENCY_DISABLED: "A program on which it depends is disabled.",
    Cause.DEPENDENCY_UNSUPPORTED: "A program on which it depends is not for this platform.",
    Cause.DEPENDENCY_BROKEN: "A program on which it depends does not exist, or they depend on each other.",
    Cause.POSTPONED: "A user put it off.",
    Cause.SLOW_LINK: "Every link to a distribution point that has the content is too slow.",
    Cause.NO_POINT: "The site names no distribution point that has the content.",
    Cause.POINTS_FAIL: "No distribution point that has the content gives it; the text names each and its problem.",
    Cause.POINTS_BUSY: "Every distribution point that has the content has too much to do; the text says until when.",
    Cause.BANDWIDTH: "The budget of bandwidth allows no content to come at this hour; the text says until when.",
    Cause.CONTENT_UNREADABLE: "The content as it was published cannot be used.",
    Cause.CONTENT_SPACE: "The content does not fit on the disk, or not into the cache.",
    Cause.NOT_PREPARED: "The run could not be prepared.",
    Cause.NOT_STARTED: "The program could not be started.",
    Cause.TRY_LATER: "The program itself said: not now.",
}
"""What each means, in a sentence for people; `docs/status-messages.md` is written from it."""
