"""The times and events of an advertisement, as administrators write them, and the numbers that they keep."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from purveyor.site_server.model import assignments
from purveyor.site_server.model.assignments import are_same, numbered, odd_times, text_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.offers import Assignment, AssignmentKind
from purveyor.wire.schedule import Zone

TODAY = date(2026, 11, 22)


def assignments_of(texts: list[str], before: tuple[Assignment, ...] = ()) -> tuple[Assignment, ...]:
    return assignments.assignments_of(texts, today=TODAY, before=before)


def test_assignments_are_read_once_each() -> None:
    soon, at, local = assignments_of(["ASAP", "2026-12-01T09:00Z", "2026-12-01T09:00", "asap", "2026-12-01T10:00+01:00"])
    assert soon.kind is AssignmentKind.ASAP
    assert (at.kind, at.at, at.zone) == (AssignmentKind.TIME, datetime(2026, 12, 1, 9, 0), Zone.UTC)  # noqa: DTZ001
    assert local.zone is Zone.CLIENT
    assert [text_of(one) for one in (soon, at, local)] == ["asap", "2026-12-01T09:00Z", "2026-12-01T09:00"]


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01T00:00", "asap,asap", "soon FREQ=DAILY"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RefusedError, match="2026-12-01T09:00Z"):
        assignments_of([text])


@pytest.mark.parametrize("word", ["logon", "logoff", "startup"])
def test_an_event_is_written_as_one_word(word: str) -> None:
    (event,) = assignments_of([word.upper()])
    assert (event.kind.value, event.at, event.rule, text_of(event)) == (word, None, "", word)


@pytest.mark.parametrize(
    ("text", "at", "zone", "rule"),
    [
        ("2026-12-01T09:00 FREQ=WEEKLY;BYDAY=TU", "2026-12-01T09:00", Zone.CLIENT, "FREQ=WEEKLY;BYDAY=TU"),
        ("2026-12-01T09:00Z RRULE:byday=tu;freq=weekly", "2026-12-01T09:00", Zone.UTC, "FREQ=WEEKLY;BYDAY=TU"),
        ("2026-12-01T09:00+01:00 FREQ=DAILY", "2026-12-01T08:00", Zone.UTC, "FREQ=DAILY"),
        ("2026-12-01 09:00 FREQ=DAILY; BYHOUR = 3", "2026-12-01T09:00", Zone.CLIENT, "FREQ=DAILY;BYHOUR=3"),
        ("2026-12-01T09:00Z FREQ=DAILY;UNTIL=20270101T000000Z", "2026-12-01T09:00", Zone.UTC, "FREQ=DAILY;UNTIL=20270101T000000"),
        ("FREQ=DAILY", "2026-11-22T00:00", Zone.CLIENT, "FREQ=DAILY"),
    ],
)
def test_a_recurrence_has_a_start_whose_clock_and_a_canonical_rule(text: str, at: str, zone: Zone, rule: str) -> None:
    (read,) = assignments_of([text])
    assert (read.kind, read.at, read.zone, read.rule) == (AssignmentKind.RECURRENCE, datetime.fromisoformat(at), zone, rule)
    assert assignments_of([text_of(read)]) == (read,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FREQ=SECONDLY", "too often"),
        ("FREQ=MINUTELY", "INTERVAL=5 or more"),
        ("FREQ=HOURLY;BYMINUTE=0,1", "too often"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never fires"),
        ("2026-12-01T09:00 FREQ=DAILY;UNTIL=20261130", "never fires"),
        ("2026-12-01T09:00 FREQ=DAILY;UNTIL=20270101T000000Z", "without Z"),
        ("FREQ=DAILY;BYWEEKNO=3", "BYWEEKNO is not possible"),
        ("=", "no part of a rule"),
        ("2026-12-01T09:00 =", "no part of a rule"),
        ("FREQ=DAILY;" + "BYHOUR=3," * 200, "too long"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        assignments_of([text])


def test_more_assignments_than_anybody_needs_are_refused() -> None:
    with pytest.raises(RefusedError, match="too many"):
        assignments_of([f"2026-12-01T{hour:02}:{minute:02}" for hour in range(17) for minute in (0, 20, 40)])


def test_an_assignment_whose_time_is_edited_has_a_number_never_given_before() -> None:
    first = numbered(assignments_of(["asap", "2026-12-01T09:00Z"]), (), 0)
    assert [one.number for one in first.assignments] == [1, 2]
    edited = numbered(assignments_of(["asap", "2026-12-02T09:00Z"]), first.assignments, first.highest)
    assert ([one.number for one in edited.assignments], edited.highest, edited.has_new) == ([1, 3], 3, True)
    back = numbered(assignments_of(["2026-12-01T09:00Z"]), edited.assignments, edited.highest)
    assert [one.number for one in back.assignments] == [4]


def test_assignments_that_stay_keep_their_numbers_in_whatever_order_they_are_given() -> None:
    first = numbered(assignments_of(["asap", "2026-12-01T09:00Z"]), (), 0)
    same = numbered(assignments_of(["2026-12-01T09:00Z", "asap"]), first.assignments, first.highest)
    assert same == (first.assignments, 2, False)
    assert are_same(first.assignments, assignments_of(["2026-12-01T09:00Z", "asap"]))
    assert not are_same(first.assignments, assignments_of(["asap"]))


def test_a_rule_whose_text_is_edited_is_a_new_assignment_and_the_others_keep_theirs() -> None:
    first = numbered(assignments_of(["logon", "2026-12-01T09:00 FREQ=WEEKLY", "FREQ=DAILY"]), (), 0)
    texts = [text_of(one) for one in first.assignments]
    edited = numbered(assignments_of([texts[0], "2026-12-01T09:00 FREQ=WEEKLY;INTERVAL=2", texts[2]]), first.assignments, 3)
    assert [(one.number, one.rule) for one in edited.assignments] == [
        (1, ""),
        (3, "FREQ=DAILY"),
        (4, "FREQ=WEEKLY;INTERVAL=2"),
    ]


def test_a_rule_without_a_start_that_is_given_again_later_begins_as_it_began() -> None:
    first = numbered(assignments_of(["FREQ=DAILY;INTERVAL=3"]), (), 0)
    texts = ["asap", "FREQ=DAILY;INTERVAL=3"]
    later = assignments.assignments_of(texts, today=date(2026, 12, 24), before=first.assignments)
    again = numbered(later, first.assignments, first.highest)
    assert [(one.number, one.kind) for one in again.assignments] == [(1, AssignmentKind.RECURRENCE), (2, AssignmentKind.ASAP)]


@given(some.text(max_size=80))
def test_any_text_is_an_assignment_or_is_refused(text: str) -> None:
    try:
        (read,) = assignments_of([text])
    except RefusedError:
        return
    assert assignments_of([text_of(read)]) == (read,)


@pytest.mark.parametrize(
    ("text", "expires_at", "said"),
    [
        ("2020-01-01T09:00 FREQ=DAILY;COUNT=3", None, "its last time was before"),
        ("2020-01-01T09:00Z FREQ=DAILY;UNTIL=20260101", None, "its last time was before"),
        ("2026-12-09T09:00Z", datetime(2026, 12, 9, 9, tzinfo=UTC), "expires before its first time"),
        ("2026-12-09T09:00 FREQ=WEEKLY", datetime(2026, 12, 8, tzinfo=UTC), "expires before its first time"),
        ("2026-12-09T09:00 FREQ=WEEKLY", datetime(2026, 12, 9, tzinfo=UTC), ""),
        ("2026-12-09T09:00Z", datetime(2026, 12, 9, 10, tzinfo=UTC), ""),
        ("2020-01-01T09:00Z", None, "runs as soon as clients hear of it"),
        ("2026-12-01T08:00", None, ""),
        ("2020-01-01T09:00 FREQ=DAILY", None, ""),
        ("asap", datetime(2026, 12, 2, tzinfo=UTC), ""),
        ("logon", None, ""),
    ],
)
def test_a_time_at_which_it_runs_never_or_at_once_is_told(text: str, expires_at: datetime | None, said: str) -> None:
    available_from = datetime(2026, 12, 1, 9, tzinfo=UTC)
    found = odd_times(assignments_of([text]), available_from, expires_at)
    assert len(found) == bool(said)
    assert said in "".join(found)
