"""When a program is to run: pure rules over advertisements, history and time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from apm_world import ASAP, advertisement_id, at, key
from purveyor.client.programs.memory.history import History, Run, with_run, with_started
from purveyor.client.programs.wanted.due import (
    Moment,
    Occurrence,
    due,
    is_live,
    is_satisfied,
    occurrences,
    outstanding,
    was_started,
)
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Assignment
from purveyor.wire.schedule import Zone

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def advertised(*assignments: Assignment, number: int = 1, **changes: object) -> Advertisement:
    fields: dict[str, object] = {"available_from": NOON, "assignments": assignments, **changes}
    return Advertisement(id=advertisement_id(number), package=key().package, program=key().program, **fields)  # type: ignore[arg-type]


def found(*advertisements: Advertisement, version: int = 1, zone: ZoneInfo | None = None) -> list[Occurrence]:
    moment = Moment(now=NOON, zone=zone or ZoneInfo("UTC"))
    return [one for each in advertisements for one in occurrences(each, moment, source_version=version)]


def succeeded(at_time: datetime, version: int = 1) -> History:
    run = Run(
        run="1", occurrence="x", state=JobState.SUCCEEDED, source_version=version, started_at=at_time, ended_at=at_time + HOUR
    )
    return with_run(History(key=key()), run, limit=5)


def test_an_occurrence_is_named_by_advertisement_assignment_and_nominal_time() -> None:
    assert [one.identity for one in found(advertised(ASAP))] == ["S0120001.1@2026-03-01T12:00:00Z"]
    assert [one.identity for one in found(advertised(at(NOON + DAY, 7)))] == ["S0120001.7@2026-03-02T12:00:00Z"]


def test_travelling_does_not_make_a_second_occurrence_of_a_wall_clock_time() -> None:
    advertisement = advertised(at(NOON + DAY, zone=Zone.CLIENT))
    home, away = found(advertisement, zone=BERLIN), found(advertisement, zone=ZoneInfo("Asia/Tokyo"))
    assert home[0].identity == away[0].identity == "S0120001.1@2026-03-02T12:00:00"
    assert home[0].due_at != away[0].due_at


def test_a_wall_clock_time_that_the_clocks_skip_is_due_once_and_later() -> None:
    wall = datetime.fromisoformat("2026-03-29T02:30")  # Berlin goes from 2:00 to 3:00
    (one,) = found(advertised(at(wall, zone=Zone.CLIENT)), zone=BERLIN)
    assert one.due_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_nothing_is_due_before_its_advertisement_is_available() -> None:  # Q247484
    past = advertised(at(NOON - 10 * DAY), number=1, expires_at=NOON - DAY)
    coming = advertised(ASAP, number=2, available_from=NOON + DAY)
    asking = outstanding(found(past, coming), None, now=NOON)
    assert due(asking, NOON) == []
    assert due(asking, NOON + DAY) == asking
    assert len(asking) == 1


def test_a_time_before_the_advertisement_became_available_is_due_when_it_does() -> None:
    (one,) = found(advertised(at(NOON - DAY)))
    assert one.due_at == NOON


def test_what_has_expired_is_not_due_and_what_expires_before_its_time_never_is() -> None:
    expiring = advertised(ASAP, expires_at=NOON + HOUR)
    assert outstanding(found(expiring), None, now=NOON)
    assert not outstanding(found(expiring), None, now=NOON + HOUR)
    assert not outstanding(found(advertised(at(NOON + DAY), expires_at=NOON + HOUR)), None, now=NOON)


def test_a_paused_or_expired_advertisement_is_not_live_and_one_still_to_come_is() -> None:
    assert not is_live(advertised(ASAP, is_paused=True), NOON)
    assert not is_live(advertised(ASAP, expires_at=NOON), NOON)
    assert is_live(advertised(ASAP, available_from=NOON + DAY), NOON)


def test_one_assignment_is_satisfied_by_any_success_ever() -> None:  # Q226922
    history = succeeded(NOON - 300 * DAY)
    assert not outstanding(found(advertised(at(NOON + DAY)), advertised(ASAP, number=2)), history, now=NOON)


def test_a_second_timed_assignment_runs_a_finished_program_exactly_once_more() -> None:  # Q257271, Q235815
    advertisement = advertised(at(NOON, 1), at(NOON + 5 * DAY, 2))
    history = succeeded(NOON + HOUR)
    (one,) = outstanding(found(advertisement), history, now=NOON + DAY)
    assert one.assignment == "S0120001.2"
    assert not outstanding(found(advertisement), succeeded(NOON + 5 * DAY + HOUR), now=NOON + 6 * DAY)


def test_several_times_that_have_passed_are_answered_by_one_run() -> None:
    advertisement = advertised(at(NOON - 3 * DAY, 1), at(NOON - 2 * DAY, 2), at(NOON - DAY, 3))
    asking = outstanding(found(advertisement), None, now=NOON)
    assert len(due(asking, NOON)) == 3
    assert not outstanding(found(advertisement), succeeded(NOON), now=NOON + HOUR)


def test_a_timed_assignment_beside_one_as_soon_as_possible_runs_the_program_again() -> None:
    advertisement = advertised(ASAP, at(NOON + DAY, 2))
    (one,) = outstanding(found(advertisement), succeeded(NOON), now=NOON)
    assert one.assignment == "S0120001.2"


def test_with_each_version_only_this_version_or_a_newer_one_counts() -> None:
    advertisement = advertised(ASAP, each_version=True)
    assert outstanding(found(advertisement, version=2), succeeded(NOON, version=1), now=NOON)
    assert not outstanding(found(advertisement, version=2), succeeded(NOON, version=2), now=NOON)
    assert not outstanding(found(advertisement, version=2), succeeded(NOON, version=3), now=NOON)


def test_with_each_version_every_source_version_is_an_occurrence_of_its_own() -> None:
    advertisement = advertised(ASAP, each_version=True)
    (first,), (second,) = found(advertisement, version=1), found(advertisement, version=2)
    history = with_started(History(key=key()), first.assignment, first.started)
    assert first.identity != second.identity
    assert was_started(first, history)
    assert not was_started(second, history)


def test_what_was_started_is_never_due_again_unless_it_is_excused() -> None:  # Q296780
    (one,) = found(advertised(ASAP))
    history = with_started(History(key=key()), one.assignment, one.started)
    assert not outstanding([one], history, now=NOON)
    assert outstanding([one], history, now=NOON, excused=[one.identity]) == [one]


def test_an_occurrence_that_two_collections_bring_is_one() -> None:
    twice = found(advertised(ASAP), advertised(ASAP))
    assert len(outstanding(twice, None, now=NOON)) == 1


def test_a_time_beyond_the_calendar_breaks_nothing() -> None:
    wall = datetime.fromisoformat("9999-12-31T23:59")
    asking = outstanding(found(advertised(at(wall, zone=Zone.CLIENT)), zone=ZoneInfo("America/New_York")), None, now=NOON)
    assert due(asking, NOON) == []


def test_an_optional_advertisement_asks_for_nothing() -> None:
    assert found(advertised()) == []


def test_a_thousand_advertisements_of_one_program_ask_for_each_of_their_times_once() -> None:  # Q215108, Q262312
    many = [advertised(ASAP, at(NOON + DAY, 2), number=number) for number in range(1, 1001)]
    asking = outstanding(found(*many), None, now=NOON)
    assert len(asking) == 2000
    assert len({one.identity for one in asking}) == 2000


TIMES = st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-12-31")).map(
    lambda one: one.replace(microsecond=0)
)
ASSIGNMENTS = st.lists(st.one_of(st.just(None), st.tuples(TIMES, st.sampled_from(list(Zone)))), min_size=0, max_size=5).map(
    lambda kinds: tuple(ASAP if kind is None else at(kind[0], zone=kind[1]) for kind in kinds)
)


@given(ASSIGNMENTS, TIMES, TIMES, st.booleans())
def test_whatever_is_assigned_starting_all_that_is_due_leaves_nothing_due(
    assignments: tuple[Assignment, ...], available: datetime, now: datetime, each_version: bool
) -> None:
    numbered = tuple(
        Assignment(number=number, kind=one.kind, at=one.at, zone=one.zone) for number, one in enumerate(assignments, 1)
    )
    advertisement = advertised(*numbered, available_from=available.replace(tzinfo=UTC), each_version=each_version)
    moment = now.replace(tzinfo=UTC)
    every = found(advertisement, zone=BERLIN)
    history = History(key=key())
    for one in due(outstanding(every, history, now=moment), moment):
        assert one.due_at >= advertisement.available_from
        history = with_started(history, one.assignment, one.started)
    assert due(outstanding(every, history, now=moment), moment) == []


@given(ASSIGNMENTS, TIMES, TIMES)
def test_a_success_now_satisfies_all_that_was_due_and_nothing_timed_that_is_still_to_come(
    assignments: tuple[Assignment, ...], available: datetime, now: datetime
) -> None:
    numbered = tuple(
        Assignment(number=number, kind=one.kind, at=one.at, zone=one.zone) for number, one in enumerate(assignments, 1)
    )
    advertisement = advertised(*numbered, available_from=available.replace(tzinfo=UTC))
    moment = now.replace(tzinfo=UTC)
    every = found(advertisement, zone=BERLIN)
    history = succeeded(moment)
    assert all(is_satisfied(one, history) for one in due(every, moment))
    if len(numbered) > 1:
        for one in every:
            if one.success_since is not None and one.success_since > moment:
                assert not is_satisfied(one, history)
