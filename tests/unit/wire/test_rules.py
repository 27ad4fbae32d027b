"""The text of rules: what is read, how it is written, what is refused and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from purveyor.wire.calendar_days import WeekdayOf
from purveyor.wire.errors import RejectedError
from purveyor.wire.rules import LONGEST_TEXT, Frequency, Rule, parse_rule, rule_text
from recurrence_values import rules


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY;BYDAY=TU"),
        ("rrule:byday=su,mo;freq=weekly;wkst=su", "FREQ=WEEKLY;BYDAY=MO,SU;WKST=SU"),
        ("FREQ=MONTHLY;BYDAY=+2TU,-1FR,2TU", "FREQ=MONTHLY;BYDAY=2TU,-1FR"),
        ("FREQ=DAILY;INTERVAL=1;WKST=MO;", "FREQ=DAILY"),
        ("FREQ=DAILY;UNTIL=20271231", "FREQ=DAILY;UNTIL=20271231T235959"),
        ("FREQ=YEARLY;BYMONTH=012,1;BYMONTHDAY=-1", "FREQ=YEARLY;BYMONTH=1,12;BYMONTHDAY=-1"),
        ("FREQ=HOURLY;COUNT=5;BYHOUR=9, 8", "FREQ=HOURLY;COUNT=5;BYHOUR=8,9"),
    ],
)
def test_a_rule_has_one_canonical_text(text: str, canonical: str) -> None:
    assert rule_text(parse_rule(text)) == canonical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no part of a rule"),
        ("FREQ", "no part of a rule"),
        ("FREQ=;BYDAY=TU", "no part of a rule"),
        ("BYDAY=TU", "begins with FREQ"),
        ("FREQ=SECONDLY", "too often"),
        ("FREQ=SECONDLY;INTERVAL=100000", "too often"),
        ("FREQ=FORTNIGHTLY", "unknown"),
        ("FREQ=MINUTELY;INTERVAL=4", "INTERVAL=5 or more"),
        ("FREQ=HOURLY;BYMINUTE=0,58", "closer than 5"),
        ("FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60))), "closer than 5"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;INTERVAL=0", "1 to 100000"),
        ("FREQ=DAILY;INTERVAL=999999999999999999999", "1 to 100000"),
        ("FREQ=DAILY;INTERVAL=\u0661", "1 to 100000"),
        ("FREQ=DAILY;COUNT=1001", "1 to 1000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20271231", "not by both"),
        ("FREQ=DAILY;UNTIL=20271231T000000Z", "without Z"),
        ("FREQ=DAILY;UNTIL=20271331", "is no time"),
        ("FREQ=DAILY;UNTIL=2027-12-31", "is no time"),
        ("FREQ=DAILY;UNTIL=99991231", "1971 to 9000"),
        ("FREQ=DAILY;BYDAY=2TU", "goes with MONTHLY and YEARLY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "goes with MONTHLY and YEARLY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "no weekday"),
        ("FREQ=MONTHLY;BYDAY=54MO", "no weekday"),
        ("FREQ=MONTHLY;BYDAY=TUE", "no weekday"),
        ("FREQ=WEEKLY;WKST=1MO", "no weekday"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "counted from the end"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "does not go with WEEKLY"),
        ("FREQ=DAILY;BYMONTH=13", "1 to 12"),
        ("FREQ=DAILY;BYMONTH=-1", "1 to 12"),
        ("FREQ=DAILY;BYHOUR=24", "0 to 23"),
        ("FREQ=DAILY;BYSETPOS=1", "add BYDAY"),
        ("FREQ=DAILY;BYSECOND=3", "BYSECOND is not possible"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not possible"),
        ("FREQ=YEARLY;BYYEARDAY=20", "BYYEARDAY is not possible"),
        ("FREQ=DAILY;X-OWN=1", "X-OWN is not possible"),
        ("FREQ=DAILY;BYHOUR=" + "3," * LONGEST_TEXT + "3", "too long"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(RejectedError, match=said):
        parse_rule(text)


def test_a_rule_is_read_into_parts_without_repeats() -> None:
    rule = parse_rule("FREQ=MONTHLY;BYDAY=FR,-1MO;BYHOUR=9,9;BYSETPOS=-1,1")
    assert rule == Rule(Frequency.MONTHLY, by_day=(WeekdayOf(0, -1), WeekdayOf(4)), by_hour=(9,), by_set_pos=(-1, 1))


@given(rules())
def test_what_is_written_reads_as_the_same_rule(rule: Rule) -> None:
    assert parse_rule(rule_text(rule)) == rule


@given(some.one_of(some.text(max_size=60), some.text("FREQ=;DAILYWEKMONTHBS0123456789,-+", max_size=60)))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    try:
        rule = parse_rule(text)
    except RejectedError:
        return
    assert parse_rule(rule_text(rule)) == rule
