"""Recurrences, events, spreads and rerun rules: which occurrences there are; and none is started twice, whatever a clock does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_world import ASAP, advertisement_id, at, key
from purveyor.client.programs.memory.history import EXACT_LIMIT, History, Run, Started, with_run, with_started
from purveyor.client.programs.wanted.due import (
    Happening,
    Moment,
    Occurrence,
    due,
    is_satisfied,
    occurrences,
    outstanding,
    unreadable_rules,
    was_started,
)
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, Rerun
from purveyor.wire.schedule import Zone

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY
BERLIN = ZoneInfo("Europe/Berlin")


def recurring(rule: str, start: datetime = NOON, number: int = 1, zone: Zone = Zone.UTC) -> Assignment:
    return Assignment(number=number, kind=AssignmentKind.RECURRENCE, at=start.replace(tzinfo=None), rule=rule, zone=zone)


HOURLY = recurring("FREQ=HOURLY")


def advertised(*assignments: Assignment, number: int = 1, **changes: object) -> Advertisement:
    fields: dict[str, object] = {"available_from": NOON, "assignments": assignments, **changes}
    return Advertisement(id=advertisement_id(number), package=key().package, program=key().program, **fields)  # type: ignore[arg-type]


def found(advertisement: Advertisement, now: datetime, history: History | None = None, **changes: object) -> list[Occurrence]:
    moment = Moment(now=now, **changes)  # type: ignore[arg-type]
    return occurrences(advertisement, moment, source_version=1, started=None if history is None else history.started)


def started_all(asking: Sequence[Occurrence], history: History) -> History:
    for one in asking:
        history = with_started(history, one.assignment, one.started)
    return history


def ran(started_at: datetime, state: JobState = JobState.SUCCEEDED, user: str = "", history: History | None = None) -> History:
    run = Run(
        run="1", occurrence="x", state=state, source_version=1, started_at=started_at, ended_at=started_at + MINUTE, user=user
    )
    return with_run(history or History(key=key()), run, limit=5)


# --- recurrences ---


def test_of_a_recurrence_the_latest_time_that_has_passed_asks_and_the_next_one_is_known() -> None:
    latest, following = found(advertised(HOURLY), NOON + 5 * HOUR + MINUTE)
    assert latest.identity == "S0120001.1@2026-03-01T17:00:00Z"
    assert latest.due_at == NOON + 5 * HOUR
    assert following.due_at == NOON + 6 * HOUR


def test_times_before_the_advertisement_was_available_are_none_of_its_own() -> None:
    weekly = recurring("FREQ=WEEKLY", NOON - 30 * DAY)
    (following,) = found(advertised(weekly, available_from=NOON), NOON)
    assert following.due_at > NOON
    assert found(advertised(weekly, available_from=NOON + 100 * DAY), NOON)[0].due_at >= NOON + 100 * DAY


def test_a_recurrence_is_not_due_before_it_is_available_nor_after_it_has_expired() -> None:  # Q247484
    past = advertised(HOURLY, available_from=NOON - DAY, expires_at=NOON + HOUR)
    assert due(outstanding(found(past, NOON), None, now=NOON), NOON)
    assert not outstanding(found(past, NOON + HOUR), None, now=NOON + HOUR)


def test_a_recurrence_runs_every_time_whatever_succeeded_before() -> None:  # Q257271
    advertisement = advertised(HOURLY)
    assert not due(outstanding(found(advertisement, NOON + MINUTE), ran(NOON), now=NOON + MINUTE), NOON + MINUTE)
    (one,) = due(outstanding(found(advertisement, NOON + HOUR), ran(NOON), now=NOON + HOUR), NOON + HOUR)
    assert one.due_at == NOON + HOUR


def test_a_machine_that_was_off_for_a_week_runs_an_hourly_program_once() -> None:
    advertisement, now = advertised(HOURLY), NOON + 7 * DAY + MINUTE
    asking = outstanding(found(advertisement, now), None, now=now)
    assert len(due(asking, now)) == 1
    history = started_all(due(asking, now), History(key=key()))
    assert not due(outstanding(found(advertisement, now, history), history, now=now), now)


def test_a_rule_that_cannot_be_read_is_a_problem_of_its_own_assignment_alone() -> None:  # Q245170
    advertisement = advertised(recurring("FREQ=SECONDLY"), at(NOON, 2), recurring("FREQ=FORTNIGHTLY", number=3))
    assert [one.assignment for one in found(advertisement, NOON)] == ["S0120001.2"]
    problems = unreadable_rules(advertisement)
    assert len(problems) == 2
    assert "assignment 1 of S0120001" in problems[0]


def test_a_rule_that_never_fires_asks_for_nothing() -> None:
    assert found(advertised(recurring("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), NOON + YEAR) == []


def test_recurrences_of_a_thousand_advertisements_that_began_long_ago_are_each_found() -> None:
    many = [advertised(recurring("FREQ=MINUTELY;INTERVAL=5", NOON - 20 * YEAR), number=number) for number in range(1, 1001)]
    assert sum(len(found(one, NOON + HOUR)) for one in many) == 2000


@pytest.mark.parametrize("night", ["2026-03-29T00:00", "2026-10-25T00:00"])
def test_over_the_nights_of_daylight_saving_every_time_is_started_exactly_once(night: str) -> None:
    begins = datetime.fromisoformat(night).replace(tzinfo=BERLIN).astimezone(UTC)
    daily = recurring("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", begins - 5 * DAY, zone=Zone.CLIENT)
    advertisement, history, starts = advertised(daily, available_from=begins - 3 * DAY), History(key=key()), 0
    for step in range(6 * 24 * 4):
        now = begins - 3 * DAY + step * 15 * MINUTE
        ready = due(outstanding(found(advertisement, now, history, zone=BERLIN), history, now=now), now)
        starts += len(ready)
        history = started_all(ready, history)
    assert starts == 6


# --- spread ---


def test_each_client_has_a_share_of_a_spread_and_always_the_same() -> None:
    advertisement = advertised(ASAP, at(NOON + DAY, 2), recurring("FREQ=DAILY", NOON, 3), spread_seconds=3600)
    shares = set()
    for client in range(200):
        dues = [one.due_at for one in found(advertisement, NOON, client=f"c{client}")]
        assert dues == [one.due_at for one in found(advertisement, NOON, client=f"c{client}")]
        assert all(timedelta(0) <= (one - NOON) % DAY < HOUR for one in dues)
        shares.add(dues[0])
    assert len(shares) > 150
    assert max(shares) - min(shares) > 50 * MINUTE


def test_a_spread_that_is_longer_than_the_recurrence_starves_nobody() -> None:
    advertisement = advertised(HOURLY, spread_seconds=10 * 3600)
    history, starts = History(key=key()), 0
    for minutes in range(0, 48 * 60, 10):
        now = NOON + minutes * MINUTE
        ready = due(outstanding(found(advertisement, now, history, client="c7"), history, now=now), now)
        starts += len(ready)
        history = started_all(ready, history)
    assert 38 <= starts <= 48


def test_a_spread_moves_no_run_behind_the_expiry() -> None:
    for client in range(100):
        advertisement = advertised(ASAP, spread_seconds=86_400, expires_at=NOON + HOUR)
        (one,) = outstanding(found(advertisement, NOON, client=f"c{client}"), None, now=NOON)
        assert NOON <= one.due_at < NOON + HOUR


# --- events ---


def logon(number: int, moment: datetime, kind: AssignmentKind = AssignmentKind.LOGON) -> Happening:
    return Happening(kind, number, f"boot/{number}", moment)


def on(kind: AssignmentKind, number: int = 1) -> Assignment:
    return Assignment(number=number, kind=kind)


def test_each_logon_asks_once() -> None:
    advertisement = advertised(on(AssignmentKind.LOGON))
    first, second = logon(4, NOON + MINUTE), logon(9, NOON + HOUR)
    (one,) = found(advertisement, NOON + 2 * MINUTE, happenings=[first])
    assert one.identity == "S0120001.1@boot/4"
    history = started_all([one], ran(NOON + 2 * MINUTE))
    asking = outstanding(found(advertisement, NOON + HOUR, happenings=[first, second]), history, now=NOON + HOUR)
    assert [each.identity for each in asking] == ["S0120001.1@boot/9"]


def test_a_logon_before_the_advertisement_was_available_is_none_of_its_own_and_one_since_still_counts() -> None:  # Q293487
    advertisement = advertised(on(AssignmentKind.LOGON))
    assert found(advertisement, NOON + DAY, happenings=[logon(1, NOON - MINUTE)]) == []
    assert found(advertisement, NOON + DAY, happenings=[logon(1, NOON + MINUTE)])


def test_each_kind_of_event_fires_its_own_assignment() -> None:
    kinds = [AssignmentKind.LOGON, AssignmentKind.LOGOFF, AssignmentKind.STARTUP]
    advertisement = advertised(*(on(kind, number) for number, kind in enumerate(kinds, 1)))
    events = [logon(number, NOON + MINUTE, kind) for number, kind in enumerate(kinds, 1)]
    assert [one.assignment for one in found(advertisement, NOON + HOUR, happenings=events)] == [
        "S0120001.1",
        "S0120001.2",
        "S0120001.3",
    ]


def test_an_event_is_due_at_once_though_the_clock_was_set_back_meanwhile() -> None:
    advertisement = advertised(on(AssignmentKind.LOGON), available_from=NOON - 2 * YEAR)
    (one,) = found(advertisement, NOON - YEAR, happenings=[logon(1, NOON)])
    assert due([one], NOON - YEAR)


# --- whether a program that ran is run again ---


RULES = [
    (Rerun.AS_SCHEDULED, JobState.SUCCEEDED, True),
    (Rerun.AS_SCHEDULED, JobState.FAILED, True),
    (Rerun.NEVER, JobState.SUCCEEDED, False),
    (Rerun.NEVER, JobState.FAILED, False),
    (Rerun.IF_FAILED, JobState.SUCCEEDED, False),
    (Rerun.IF_FAILED, JobState.FAILED, True),
    (Rerun.ALWAYS, JobState.SUCCEEDED, True),
    (Rerun.ALWAYS, JobState.FAILED, True),
    (Rerun.ON_DRIFT, JobState.SUCCEEDED, True),
]


@pytest.mark.parametrize(("rerun", "state", "is_asked"), RULES)
def test_a_later_time_of_a_recurrence_follows_the_rule(rerun: Rerun, state: JobState, is_asked: bool) -> None:
    advertisement, now = advertised(HOURLY, rerun=rerun), NOON + HOUR
    asking = outstanding(found(advertisement, now), ran(NOON, state), now=now)
    assert bool(due(asking, now)) is is_asked


@pytest.mark.parametrize(("rerun", "is_asked"), [(Rerun.ALWAYS, True), (Rerun.ON_DRIFT, True), (Rerun.IF_FAILED, False)])
def test_as_soon_as_possible_follows_the_rule_too(rerun: Rerun, is_asked: bool) -> None:
    asking = outstanding(found(advertised(ASAP, rerun=rerun), NOON), ran(NOON - DAY), now=NOON)
    assert bool(asking) is is_asked


def test_only_the_runs_of_a_user_count_where_each_has_their_own() -> None:  # Q263372, Q263387
    history = ran(NOON, user="alice")
    advertisement, moment = advertised(ASAP), Moment(now=NOON + HOUR)
    for user, is_answered in [("alice", True), ("bob", False), ("CORP\\alice", False)]:
        (one,) = occurrences(advertisement, moment, source_version=1, user=user, is_per_user=True)
        assert is_satisfied(one, history) is is_answered
    assert one.identity == "S0120001.1!corp\\alice@2026-03-01T12:00:00Z"


def test_one_account_has_one_name_however_it_is_written() -> None:
    advertisement, moment = advertised(ASAP), Moment(now=NOON)
    written = ["CORP\\Alice", "corp\\ALICE", "alice@CORP"]
    names = {occurrences(advertisement, moment, source_version=1, user=one, is_per_user=True)[0].identity for one in written}
    assert len(names) == 1
    assert "@" not in names.pop().partition("@2026")[0]


# --- clocks ---


def test_a_clock_that_was_a_year_ahead_uses_up_nothing_of_that_year() -> None:
    advertisement, history = advertised(HOURLY), History(key=key())
    ahead = NOON + YEAR
    ready = due(outstanding(found(advertisement, ahead, history, signed_at=NOON), history, now=ahead), ahead)
    history = ran(ahead, history=started_all(ready, history))
    assert len(ready) == 1
    for hours in range(1, 5):
        now = NOON + hours * HOUR
        ready = due(outstanding(found(advertisement, now, history, signed_at=now), history, now=now), now)
        assert [one.due_at for one in ready] == [now]
        history = started_all(ready, history)


def test_a_clock_that_was_set_back_a_year_repeats_nothing_of_it() -> None:
    advertisement, history = advertised(HOURLY, available_from=NOON - 2 * YEAR), History(key=key())
    history = started_all(found(advertisement, NOON, history, signed_at=NOON)[:1], history)
    for hours in range(5):
        now = NOON - YEAR + hours * HOUR
        asking = outstanding(found(advertisement, now, history, signed_at=NOON), history, now=now)
        assert not due(asking, now)
        assert [one.due_at for one in asking] == [NOON + HOUR]
    now = NOON + HOUR
    assert due(outstanding(found(advertisement, now, history, signed_at=NOON), history, now=now), now)


JUMPS = st.lists(
    st.one_of(
        st.integers(1, 200).map(lambda minutes: minutes * MINUTE),
        st.sampled_from([-YEAR, YEAR, -DAY, DAY, -HOUR, timedelta(0), 400 * YEAR // 365]),
    ),
    max_size=60,
)
ASSIGNED = st.lists(
    st.sampled_from(
        [
            ASAP,
            at(NOON),
            at(NOON + HOUR, zone=Zone.CLIENT),
            HOURLY,
            recurring("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", NOON - 900 * DAY, zone=Zone.CLIENT),
            recurring("FREQ=MINUTELY;INTERVAL=20;COUNT=40", NOON - DAY),
        ]
    ),
    min_size=1,
    max_size=4,
)


@given(ASSIGNED, JUMPS, st.sampled_from(list(Rerun)), st.integers(0, 7200), st.lists(st.booleans(), min_size=60, max_size=60))
def test_no_occurrence_is_started_twice_however_the_clock_jumps_and_whenever_the_agent_starts_anew(
    assigned: list[Assignment], jumps: list[timedelta], rerun: Rerun, spread: int, successes: list[bool]
) -> None:
    numbered = tuple(
        Assignment(number=number, kind=one.kind, at=one.at, zone=one.zone, rule=one.rule)
        for number, one in enumerate(assigned, 1)
    )
    advertisement = advertised(*numbered, rerun=rerun, spread_seconds=spread, available_from=NOON - 3 * YEAR)
    history, clock, true_time = History(key=key()), NOON, NOON
    starts: list[str] = []
    for jump, is_success in zip(jumps, successes, strict=False):
        clock += jump
        true_time += max(timedelta(0), min(jump, DAY))
        every = found(advertisement, clock, history, zone=BERLIN, signed_at=true_time, client="c1")
        ready = due(outstanding(every, history, now=clock), clock)
        starts += [one.identity for one in ready]
        history = started_all(ready, history)
        if ready:
            state = JobState.SUCCEEDED if is_success else JobState.FAILED
            history = ran(clock, state, history=history)
        history = from_bytes(to_bytes(history), History)  # stored, and read by the next process
        assert not due(outstanding(every, history, now=clock), clock)
    assert len(starts) == len(set(starts))


def test_a_year_of_hourly_runs_leaves_a_history_of_one_line() -> None:
    advertisement, history = advertised(HOURLY), History(key=key())
    for hours in range(365 * 24):
        now = NOON + hours * HOUR
        ready = due(outstanding(found(advertisement, now, history, signed_at=now), history, now=now), now)
        assert len(ready) == 1
        history = ran(now, history=started_all(ready, history))
    assert len(history.started) == 1
    assert len(to_bytes(history)) < 2000


def test_a_clock_that_stays_ahead_leaves_a_bounded_history() -> None:
    advertisement, history = advertised(HOURLY), History(key=key())
    for hours in range(1000):
        now = NOON + YEAR + hours * HOUR
        history = started_all(due(found(advertisement, now, history, signed_at=NOON), now), history)
    assert len(history.started["S0120001.1"].exact) == EXACT_LIMIT


def test_what_older_agents_remembered_is_read() -> None:
    held = from_bytes(b'{"key":["S0100001",1],"started":{"S0120001.1":["2026-03-01T12:00:00Z",0]}}', History)
    (one, *_) = found(advertised(HOURLY), NOON, held)
    assert held.started["S0120001.1"] == Started("2026-03-01T12:00:00Z", 0)
    assert was_started(one, held) or one.due_at > NOON
