"""The table of a job's states: nothing leads out of what is over, and no event is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_world import key
from purveyor.client.programs.memory.job import NOT_STARTED, OPEN, RUNNABLE, TRANSITIONS, Event, Job, advanced, is_allowed
from purveyor.wire.causes import Cause
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.jobs import JobState


def test_the_table_has_every_state_and_every_event() -> None:
    assert set(TRANSITIONS) == set(JobState)
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_every_state_can_be_reached() -> None:
    reached = {JobState.WAITING}
    while more := {state for one in reached for state in TRANSITIONS[one].values()} - reached:
        reached |= more
    assert reached == set(JobState)


def test_only_a_job_that_is_ready_can_be_started() -> None:
    assert {state for state, row in TRANSITIONS.items() if Event.START in row} == {JobState.READY}


def test_what_runs_can_neither_be_withdrawn_nor_revoked_nor_started_again() -> None:
    row = TRANSITIONS[JobState.RUNNING]
    assert not {Event.WITHDRAW, Event.REVOKE, Event.START, Event.REFUSE} & set(row)


def test_nothing_follows_success_and_revocation() -> None:
    assert not TRANSITIONS[JobState.SUCCEEDED]
    assert not TRANSITIONS[JobState.REVOKED]


def test_every_job_that_has_not_begun_can_be_revoked_and_satisfied() -> None:
    for state in NOT_STARTED:
        assert TRANSITIONS[state][Event.REVOKE] is JobState.REVOKED
        assert TRANSITIONS[state][Event.SATISFY] is JobState.SUCCEEDED


def test_runnable_and_not_started_states_are_open() -> None:
    assert RUNNABLE < NOT_STARTED < OPEN


@given(st.sampled_from(list(JobState)), st.sampled_from(list(Event)))
def test_an_event_that_the_table_does_not_have_is_a_bug(state: JobState, event: Event) -> None:
    job = Job(key=key(), occurrence="S0120001.1@2026-01-01T00:00:00Z", state=state)
    if is_allowed(state, event):
        assert advanced(job, event).state is TRANSITIONS[state][event]
    else:
        with pytest.raises(ValueError, match="is not possible while"):
            advanced(job, event)


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_a_job_that_came_back_from_waiting_was_never_in_two_runs_at_once(events: list[Event]) -> None:
    job, starts, ends = Job(key=key(), occurrence="x"), 0, 0
    for event in events:
        if is_allowed(job.state, event):
            starts += event is Event.START
            before, job = job, advanced(job, event)
            ends += before.state is JobState.RUNNING
    assert starts - ends in (0, 1)
    assert (starts - ends == 1) == (job.state is JobState.RUNNING)


@given(st.sampled_from(list(JobState)), st.integers(0, 5), st.text(max_size=20))
def test_a_job_is_stored_and_read_back_as_it_was(state: JobState, attempts: int, text: str) -> None:
    job = Job(key=key(), occurrence="x", state=state, attempts=attempts, text=text)
    assert from_bytes(to_bytes(job), Job) == job


def test_what_a_job_waits_for_is_over_with_its_next_event_unless_that_says_more() -> None:
    waiting = Job(key=key(), occurrence="one", cause=Cause.WINDOW)
    assert advanced(waiting, Event.CONTENT_HELD).cause is None
    assert advanced(waiting, Event.POSTPONE).cause is Cause.POSTPONED
    assert advanced(waiting, Event.FETCH, cause=Cause.POINTS_FAIL).cause is Cause.POINTS_FAIL
    running = Job(key=key(), occurrence="one", state=JobState.RUNNING)
    assert advanced(running, Event.TRY_LATER).cause is Cause.TRY_LATER
    assert advanced(advanced(running, Event.NEED_RESTART), Event.RESTARTED).cause is None
