"""The settings of a site, their defaults and their limits. Pure."""

from typing import Annotated

import msgspec

from purveyor.wire.bandwidth import EXAMPLE, TEXT_LIMIT, parse_budget
from purveyor.wire.errors import RefusedError, RejectedError

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY

Seconds = Annotated[int, msgspec.Meta(ge=1, le=10 * YEAR)]
SecondsOrNone = Annotated[int, msgspec.Meta(ge=0, le=10 * YEAR)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**50)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
LOWEST_PORT = 1024
_KINDS: dict[type, str] = {bool: "holds or does not: yes or no", int: "is a whole number", str: f"is a budget: {EXAMPLE}"}


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that an administrator may set: whole numbers, facts that hold or not, and budgets in their own words.

    Units: seconds, bytes, as the names say; 0 where it says "none".
    """

    poll_interval_seconds: Seconds = HOUR
    heartbeat_interval_seconds: Seconds = DAY
    retry_seconds: Seconds = 600
    retry_limit_seconds: Seconds = 6 * HOUR
    stale_grace_seconds: SecondsOrNone = 30 * DAY
    cache_quota_bytes: Bytes = 10 * 2**30
    disk_reserve_bytes: Bytes = 200 * 2**20
    history_limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    log_limit_bytes: Annotated[int, msgspec.Meta(ge=10_000, le=2**30)] = 2_000_000

    condition_interval_seconds: Annotated[int, msgspec.Meta(ge=10, le=DAY)] = 60
    prefetch_seconds: SecondsOrNone = DAY
    slow_link_bytes_per_second: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 5000
    bandwidth: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)] = ""
    may_restart: bool = False
    restart_countdown_seconds: Annotated[int, msgspec.Meta(ge=60, le=DAY)] = 900
    restart_postponements: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    restart_postpone_seconds: Annotated[int, msgspec.Meta(ge=60, le=7 * DAY)] = 4 * HOUR
    page_port: Port = 0

    publish_interval_seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 2
    timestamp_lifetime_seconds: Seconds = 7 * DAY
    timestamp_rhythm_seconds: Seconds = DAY
    shard_lifetime_seconds: Seconds = 14 * DAY
    online_lifetime_seconds: Seconds = 30 * DAY
    offline_lifetime_seconds: Seconds = YEAR
    unnamed_margin_seconds: SecondsOrNone = DAY
    content_grace_seconds: SecondsOrNone = 30 * DAY
    point_grace_seconds: SecondsOrNone = HOUR
    holder_age_limit_seconds: Seconds = 90 * DAY
    archive_after_seconds: SecondsOrNone = 30 * DAY
    sealing_grace_seconds: Seconds = 90 * DAY
    refusal_lifetime_seconds: Seconds = DAY
    status_history_seconds: Seconds = 30 * DAY
    confirm_above: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 100


def with_value(settings: SiteSettings, name: str, value: int | bool | str) -> SiteSettings:
    """The settings with one of them changed.

    Errors: RefusedError: no such setting, out of its limits, or two that contradict each other.
    """
    values = msgspec.structs.asdict(settings)
    if name not in values:
        raise RefusedError(f"there is no setting {name[:80]!r}: there are {', '.join(sorted(values))}")
    if type(value) is not type(values[name]):
        raise RefusedError(f"{name} {_KINDS[type(values[name])]}")
    try:
        changed = msgspec.convert(values | {name: value}, SiteSettings)
        parse_budget(changed.bandwidth)
    except (msgspec.ValidationError, RejectedError) as error:
        said = str(error).partition(" - at `$")[0]
        said = said.replace("Expected `int` >=", "the least is").replace("Expected `int` <=", "the most is")
        raise RefusedError(f"{name} cannot be {str(value)[:TEXT_LIMIT]}: {said}") from error
    contradiction = contradiction_in(changed)
    if contradiction:
        raise RefusedError(f"{name} cannot be {value}: {contradiction}")
    return changed


def contradiction_in(settings: SiteSettings) -> str:
    """What in these settings cannot work together; empty when all of it can."""
    if settings.timestamp_rhythm_seconds * 2 > settings.timestamp_lifetime_seconds:
        return "a timestamp must live for at least two of its rhythms (timestamp_rhythm_seconds, timestamp_lifetime_seconds)"
    if settings.timestamp_lifetime_seconds > settings.online_lifetime_seconds:
        return "a timestamp may not outlive what it names (timestamp_lifetime_seconds, online_lifetime_seconds)"
    if settings.retry_seconds > settings.retry_limit_seconds:
        return "the first retry may not come later than the last (retry_seconds, retry_limit_seconds)"
    if 0 < settings.page_port < LOWEST_PORT:
        return f"the agent's page has a port of {LOWEST_PORT} or above, or 0 for none (page_port)"
    return ""
