"""What the site's own clock may decide. Pure.

Much on a site goes when its time is over, and never comes back: files that clients may still ask for, keys that open what comes
late, what clients told. A clock that is set a year ahead must not end all of it at once, and nothing here can tell such a clock
from that of a site that was off for a year. So the site keeps the newest time of which it knows that it has passed: it goes on
with the seconds that the site runs, and where the clock is ahead of it, it follows twice as fast. The rest is doubt, by which
every grace time is longer.
"""

from datetime import datetime, timedelta

import msgspec

from purveyor.site_server.model.settings import SiteSettings

TOLERANCE = timedelta(minutes=5)
"""A clock that is corrected by less, or a site that is started again, leaves no doubt."""
_PACE = 2
_GRACES = (
    "unnamed_margin_seconds",
    "content_grace_seconds",
    "point_grace_seconds",
    "holder_age_limit_seconds",
    "archive_after_seconds",
    "sealing_grace_seconds",
    "refusal_lifetime_seconds",
    "status_history_seconds",
)


def settled(before: datetime | None, *, ran: timedelta, now: datetime) -> datetime:
    """The newest time that is known to have passed, after the site ran for so long since it was `before`.

    It is never ahead of the clock: one that was set back is believed, since that ends nothing.
    """
    if before is None or now <= before:
        return now
    reached = before + _PACE * ran
    return now if now <= reached + TOLERANCE else reached


def doubt(settled_at: datetime | None, now: datetime) -> timedelta:
    """How much of the time that the clock shows may not have passed."""
    ahead = timedelta(0) if settled_at is None else now - settled_at
    return ahead if ahead > TOLERANCE else timedelta(0)


def patient(settings: SiteSettings, doubtful: timedelta) -> SiteSettings:
    """The settings with every grace time longer by what is in doubt."""
    seconds = int(doubtful.total_seconds())
    return msgspec.structs.replace(settings, **{name: getattr(settings, name) + seconds for name in _GRACES})


def in_words(span: timedelta) -> str:
    """A span for people: whole minutes."""
    return str(timedelta(minutes=round(span / timedelta(minutes=1)))).removesuffix(":00") + " h"


def has_come(planned: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a time that was planned is here, or was never planned.

    One that lies further ahead than anything is ever planned was planned by a clock that has been set back since.
    """
    return planned is None or not now < planned <= now + longest
