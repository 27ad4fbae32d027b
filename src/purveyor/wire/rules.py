"""The text of a rule by which a time comes again: RFC 5545's RRULE as far as `docs/schedules.md` lists it, read and written.

What is not listed is refused with its reason, never left out. The times that a rule gives: `wire.recurrence`.
Source: RFC 5545 3.3.10.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from functools import lru_cache

from purveyor.wire.calendar_days import WeekdayOf
from purveyor.wire.errors import RejectedError
from purveyor.wire.schedule import FIRST_YEAR, LAST_YEAR

LONGEST_TEXT = 500
LARGEST_COUNT = 1000
LARGEST_INTERVAL = 100_000
CLOSEST_MINUTES = 5
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_EXAMPLE = "write FREQ=WEEKLY;BYDAY=TU, or FREQ=MONTHLY;BYDAY=2TU;BYHOUR=3"


class Frequency(StrEnum):
    """The period that a rule repeats in."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"
    MINUTELY = "MINUTELY"


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule. Shape: each `by_` part ascending, without repeats; empty: not given."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[WeekdayOf, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """The rule that a text says. Errors: RejectedError: which part, what is possible."""
    if len(text) > LONGEST_TEXT:
        raise RejectedError(f"a rule of {len(text)} characters is too long: {LONGEST_TEXT} are possible")
    parts = _parts_of(text)
    rule = Rule(
        frequency=_frequency(parts.pop("FREQ", "")),
        interval=_number("INTERVAL", parts.pop("INTERVAL", "1"), 1, LARGEST_INTERVAL),
        count=_number("COUNT", parts.pop("COUNT"), 1, LARGEST_COUNT) if "COUNT" in parts else None,
        until=_until(parts.pop("UNTIL")) if "UNTIL" in parts else None,
        by_month=_numbers("BYMONTH", parts, 1, 12),
        by_month_day=_numbers("BYMONTHDAY", parts, 1, 31, from_the_end=True),
        by_day=tuple(sorted({_weekday(text) for text in _each("BYDAY", parts)})),
        by_hour=_numbers("BYHOUR", parts, 0, 23),
        by_minute=_numbers("BYMINUTE", parts, 0, 59),
        by_set_pos=_numbers("BYSETPOS", parts, 1, 366, from_the_end=True),
        week_start=_week_start(parts.pop("WKST", "MO")),
    )
    if parts:
        raise RejectedError(f"{next(iter(parts))[:20]} is not possible in a rule: docs/schedules.md lists what is")
    _require_sense(rule)
    return rule


def rule_text(rule: Rule) -> str:
    """The rule in its one canonical writing: what `parse_rule` reads as the same rule."""
    numbers = {
        "BYMONTH": rule.by_month,
        "BYMONTHDAY": rule.by_month_day,
        "BYDAY": tuple(f"{one.ordinal or ''}{WEEKDAYS[one.weekday]}" for one in rule.by_day),
        "BYHOUR": rule.by_hour,
        "BYMINUTE": rule.by_minute,
        "BYSETPOS": rule.by_set_pos,
    }
    written = [f"FREQ={rule.frequency.value}"]
    written += [f"INTERVAL={rule.interval}"] if rule.interval > 1 else []
    written += [f"COUNT={rule.count}"] if rule.count is not None else []
    written += [f"UNTIL={rule.until:%Y%m%dT%H%M%S}"] if rule.until is not None else []
    written += [f"{key}={','.join(map(str, values))}" for key, values in numbers.items() if values]
    written += [f"WKST={WEEKDAYS[rule.week_start]}"] if rule.week_start else []
    return ";".join(written)


def _parts_of(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        key, equals, value = (text.strip() for text in part.partition("="))
        if not equals or not value:
            raise RejectedError(f"{part[:40]!r} is no part of a rule: {_EXAMPLE}")
        if key in parts:
            raise RejectedError(f"{key[:20]} stands twice in the rule")
        parts[key] = value
    return parts


def _frequency(text: str) -> Frequency:
    if not text:
        raise RejectedError(f"a rule begins with FREQ: {_EXAMPLE}")
    if text == "SECONDLY":
        raise RejectedError(f"SECONDLY is too often: nothing comes again in less than {CLOSEST_MINUTES} minutes")
    try:
        return Frequency(text)
    except ValueError as error:
        raise RejectedError(f"FREQ={text[:20]} is unknown: {', '.join(Frequency)} are possible") from error


def _number(key: str, text: str, least: int, largest: int, *, from_the_end: bool = False) -> int:
    pattern = r"[+-]?[0-9]{1,6}" if from_the_end else r"[0-9]{1,6}"
    number = int(text) if re.fullmatch(pattern, text) else largest + 1
    if not least <= (abs(number) if from_the_end else number) <= largest:
        ending = f", or -{least} to -{largest} counted from the end" if from_the_end else ""
        raise RejectedError(f"{key}={text[:20]}: {least} to {largest} are possible{ending}")
    return number


def _numbers(key: str, parts: dict[str, str], least: int, largest: int, *, from_the_end: bool = False) -> tuple[int, ...]:
    return tuple(sorted({_number(key, text, least, largest, from_the_end=from_the_end) for text in _each(key, parts)}))


def _each(key: str, parts: dict[str, str]) -> list[str]:
    return [text.strip() for text in parts.pop(key).split(",")] if key in parts else []


def _weekday(text: str) -> WeekdayOf:
    match = re.fullmatch(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", text)
    ordinal = int(match[1]) if match and match[1] else 0
    if match is None or (match[1] and not 1 <= abs(ordinal) <= 53):
        raise RejectedError(f"BYDAY={text[:20]} is no weekday: write TU, the second one 2TU, the last one -1TU")
    return WeekdayOf(WEEKDAYS.index(match[2]), ordinal)


def _week_start(text: str) -> int:
    if text not in WEEKDAYS:
        raise RejectedError(f"WKST={text[:20]} is no weekday: {', '.join(WEEKDAYS)} are possible")
    return WEEKDAYS.index(text)


def _until(text: str) -> datetime:
    """The last time that is possible. A day alone is meant to its end."""
    if text.endswith("Z"):
        raise RejectedError(f"UNTIL={text[:20]}: it is read on the same clock as the start, so write it without Z")
    if re.fullmatch(r"[0-9]{8}(T[0-9]{6})?", text) is None:
        raise RejectedError(f"UNTIL={text[:20]} is no time: write 20271231 or 20271231T235959")
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise RejectedError(f"UNTIL={text[:20]} is no time: write 20271231 or 20271231T235959") from error
    if not FIRST_YEAR <= until.year <= LAST_YEAR:
        raise RejectedError(f"UNTIL={text[:20]}: the years {FIRST_YEAR} to {LAST_YEAR} are possible")
    return until if "T" in text else datetime.combine(until, time(23, 59, 59))


def _require_sense(rule: Rule) -> None:
    """Refuse what RFC 5545 refuses, and what would fire too often."""
    if rule.count is not None and rule.until is not None:
        raise RejectedError("a rule ends by COUNT or by UNTIL, not by both")
    if any(one.ordinal for one in rule.by_day) and rule.frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        raise RejectedError(f"BYDAY with a number (2TU) goes with MONTHLY and YEARLY, not with {rule.frequency}")
    if rule.by_month_day and rule.frequency is Frequency.WEEKLY:
        raise RejectedError("BYMONTHDAY does not go with WEEKLY: use MONTHLY, or DAILY with BYDAY")
    if rule.by_set_pos and not (rule.by_month or rule.by_month_day or rule.by_day or rule.by_hour or rule.by_minute):
        raise RejectedError("BYSETPOS picks among what another part gives: add BYDAY, for instance")
    if rule.frequency is Frequency.MINUTELY and rule.interval < CLOSEST_MINUTES:
        raise RejectedError(f"MINUTELY needs INTERVAL={CLOSEST_MINUTES} or more: nothing comes again in less time")
    if len(rule.by_minute) > 1 and min(_distances(rule.by_minute)) < CLOSEST_MINUTES:
        raise RejectedError(f"BYMINUTE: minutes closer than {CLOSEST_MINUTES} to each other are too often")


def _distances(minutes: tuple[int, ...]) -> list[int]:
    """How far each minute is from the one before, round the hour."""
    return [(minute - before) % 60 for before, minute in zip((minutes[-1], *minutes), minutes, strict=False)]
