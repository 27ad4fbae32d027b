"""What users may ask for, and what they are told where they may not."""

from datetime import timedelta

import msgspec
import pytest

from page_world import BERLIN, EDITOR, HOUR, NOW, RESTART, UPDATE
from purveyor.client.page.shown import Shown, ShownProgram, ShownRestart
from purveyor.client.page.wishes import Postpone, PostponeRestart, RestartNow, RunNow, Wish, ask_of, sentence
from purveyor.client.programs.memory.asks import Ask, AskKind
from purveyor.wire.errors import RefusedError
from purveyor.wire.jobs import JobState


def shown(*programs: ShownProgram, restart: ShownRestart | None = None, is_whole_machine: bool = False) -> Shown:
    return Shown(
        machine="pc1",
        site="S01",
        user="alice",
        is_whole_machine=is_whole_machine,
        at=NOW,
        zone="Europe/Berlin",
        programs=programs or (EDITOR, UPDATE),
        runs=(),
        restart=restart,
        polled_at=None,
    )


def changed(program: ShownProgram, **changes: object) -> ShownProgram:
    return msgspec.structs.replace(program, **changes)


def asked(wish: Wish, *programs: ShownProgram, restart: ShownRestart | None = None) -> Ask:
    return ask_of(wish, shown(*programs, restart=restart), BERLIN)


def refusal(wish: Wish, *programs: ShownProgram, restart: ShownRestart | None = None) -> str:
    with pytest.raises(RefusedError) as raised:
        asked(wish, *programs, restart=restart)
    return str(raised.value)


@pytest.mark.parametrize("name", ["S0100001/1", "s0100001/1", "S0100001/Editor", "S0100001", " S0100001/1 "])
def test_a_program_is_named_by_its_number_its_name_or_as_the_only_one_of_its_package(name: str) -> None:
    ask = asked(RunNow(program=name))
    assert (ask.kind, str(ask.key), ask.user, ask.made_at, ask.at) == (AskKind.RUN, "S0100001/1", "alice", NOW, NOW)


def test_a_run_can_be_planned_for_a_time_to_come() -> None:
    assert asked(RunNow(program="S0100001/1", at=NOW + HOUR)).at == NOW + HOUR


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (RunNow(program="S0100009/1"), "S0100009/1 is not offered to alice"),
        (RunNow(program="S0100001/9"), "S0100001/9 is not offered to alice"),
        (RunNow(program="S0100009"), "S0100009 is not offered to alice"),
        (RunNow(program="Editor"), "names no program"),
        (RunNow(program=""), "names no program"),
        (RunNow(program="S0100002/3"), "Update cannot be started by a user now"),
        (RunNow(program="S0100001/1", at=NOW - HOUR), "has passed"),
        (RunNow(program="S0100001/1", at=NOW + timedelta(days=400)), "a year ahead at most"),
        (Postpone(program="S0100001/1", seconds=60), "Editor runs only when a user starts it"),
        (Postpone(program="S0100002/3"), "say for how long"),
        (Postpone(program="S0100002/3", seconds=60, until=NOW + HOUR), "say for how long"),
        (Postpone(program="S0100002/3", seconds=0), "more than no time"),
        (Postpone(program="S0100002/3", seconds=-60), "more than no time"),
        (Postpone(program="S0100002/3", seconds=6 * 3600), "until Tuesday 1 Dec 2026, 15:00+01:00 at most"),
        (Postpone(program="S0100002/3", until=NOW - HOUR), "has passed"),
        (Postpone(program="S0100002/3", until=NOW + 6 * HOUR), "at most"),
        (RestartNow(), "no restart is pending"),
        (PostponeRestart(), "no restart is pending"),
    ],
)
def test_what_may_not_be_is_refused_with_its_reason(wish: Wish, reason: str) -> None:
    assert reason in refusal(wish)


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.RESTART_PENDING, JobState.INTERRUPTED])
def test_what_was_started_cannot_be_put_off_any_more(state: JobState) -> None:
    assert "too late" in refusal(Postpone(program="S0100002/3", seconds=60), changed(UPDATE, state=state))


def test_once_the_limit_has_passed_it_is_too_late() -> None:
    assert "too late" in refusal(Postpone(program="S0100002/3", seconds=60), changed(UPDATE, may_postpone_until=NOW))


def test_what_may_not_be_put_off_says_so() -> None:
    assert "may not be put off" in refusal(Postpone(program="S0100002/3", seconds=60), changed(UPDATE, may_postpone_until=None))


def test_what_runs_is_not_started_once_more() -> None:
    assert refusal(RunNow(program="S0100001/1"), changed(EDITOR, state=JobState.RUNNING)) == "Editor is running already"


def test_what_cannot_be_started_says_why() -> None:
    waiting = changed(EDITOR, may_run_now=False, why="needs 5 GB of free space")
    assert "needs 5 GB of free space" in refusal(RunNow(program="S0100001/1"), waiting)


def test_a_run_is_put_off_up_to_the_very_limit() -> None:
    assert asked(Postpone(program="S0100002/3", seconds=5 * 3600)).at == NOW + 5 * HOUR
    assert asked(Postpone(program="S0100002/3", until=NOW + 5 * HOUR)).kind is AskKind.POSTPONE


def test_what_is_offered_to_others_alone_is_told_apart_from_what_is_not_offered() -> None:
    with pytest.raises(RefusedError, match="is offered on this machine, but not to alice"):
        ask_of(RunNow(program="S0100007/1"), shown(), BERLIN, elsewhere=frozenset({"S0100007/1"}))


def test_two_programs_of_one_name_are_told_apart_by_their_numbers() -> None:
    twin = changed(EDITOR, id="S0100001/2")
    assert "by its number" in refusal(RunNow(program="S0100001/Editor"), EDITOR, twin)
    assert str(asked(RunNow(program="S0100001/2"), EDITOR, twin).key) == "S0100001/2"


def test_a_pending_restart_comes_now_or_later() -> None:
    assert asked(RestartNow(), restart=RESTART).kind is AskKind.RESTART_NOW
    later = asked(PostponeRestart(), restart=RESTART)
    assert (later.kind, later.at) == (AskKind.POSTPONE_RESTART, NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("changes", "wish", "reason"),
    [
        ({"is_by_agent": False, "may_restart_now": False}, RestartNow(), "restart it by hand"),
        ({"may_restart_now": False}, RestartNow(), "others are logged on"),
        ({"postponements_left": 0, "may_postpone": False}, PostponeRestart(), "as often as it may be"),
        ({"at": None}, PostponeRestart(), "no time is fixed"),
        ({"may_postpone": False}, PostponeRestart(), "only who is logged on"),
    ],
)
def test_a_restart_obeys_its_limits(changes: dict[str, object], wish: Wish, reason: str) -> None:
    assert reason in refusal(wish, restart=msgspec.structs.replace(RESTART, **changes))


def test_a_wish_that_was_taken_is_told_in_a_sentence_on_the_machines_clock() -> None:
    wish = Postpone(program="S0100002/3", seconds=3600)
    assert sentence(wish, asked(wish), shown(), BERLIN) == "Update is put off until Tuesday 1 Dec 2026, 11:00+01:00"


def test_the_administrator_of_the_machine_hears_that_it_is_offered_to_nobody() -> None:
    with pytest.raises(RefusedError, match="not offered on this machine"):
        ask_of(RunNow(program="S0100007/1"), shown(is_whole_machine=True), BERLIN)
