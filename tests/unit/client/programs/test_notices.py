"""Which notices users are shown: each program once, only what they may see and start, taken back when it holds no more."""

from datetime import UTC, datetime

import msgspec
import pytest

from apm_world import ASAP, HOUR, MINUTE, World, advertisement_id, at, key
from purveyor.client.machine.interface import Session
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.wanted import notices
from purveyor.client.programs.wanted.notices import Decision, Kind, Notice, Reason, Setting, decided
from purveyor.lab.clock import START
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import Conditions, Logon, RunsFor

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
ALICE, BORIS = Session(id="1", user="alice"), Session(id="2", user="boris")
NEW = Reason(key(), "alice", "setup", Kind.NEW, NOW, "S0120001")
SOON = Reason(key(), "alice", "setup", Kind.SOON, NOW, "S0120001", NOW + HOUR, NOW + 5 * HOUR)


class Told:
    """What is remembered from decision to decision, and what the last one shows."""

    def __init__(self) -> None:
        self.held: dict[notices.Place, Notice] = {}

    def after(self, *reasons: Reason, sessions: tuple[Session, ...] = (ALICE,), now: datetime = NOW) -> list[str]:
        """Decides. Shape: `+TITLE` and `-NAME`, as they are shown and taken back."""
        decision: Decision = decided(reasons, self.held, sessions, Setting(now=now, zone=UTC))
        self.held |= {one.place: one for one in decision.notices}
        return [f"+{one.title}" if one.title else f"-{one.name}" for one in decision.displays]


@pytest.fixture
def told() -> Told:
    return Told()


# --- decided ---


def test_a_program_is_told_once(told: Told) -> None:
    assert told.after(NEW) == ["+A new program"]
    assert told.after(NEW) == []


def test_each_user_is_told_in_each_of_their_sessions(told: Told) -> None:
    second = msgspec.structs.replace(ALICE, id="3")
    assert told.after(NEW, NEW._replace(user="boris"), sessions=(ALICE, BORIS, second)) == ["+A new program"] * 3


def test_who_is_not_logged_on_is_told_when_they_come(told: Told) -> None:
    assert told.after(NEW, sessions=(BORIS,)) == []
    assert told.after(NEW) == ["+A new program"]


def test_who_logs_on_again_is_not_told_again(told: Told) -> None:
    told.after(NEW)
    assert told.after(NEW, sessions=(msgspec.structs.replace(ALICE, id="9"),)) == []


def test_a_notice_is_taken_back_when_it_holds_no_more_and_does_not_come_again(told: Told) -> None:
    told.after(NEW)
    assert told.after() == ["-new-S0100001-1"]
    assert told.after() == []
    assert told.after(NEW) == []


def test_a_newer_advertisement_is_told_anew_and_an_older_one_is_not(told: Told) -> None:
    told.after(NEW)
    assert told.after(NEW._replace(newest_at=NOW + HOUR, newest="S0120002")) == ["-new-S0100001-1", "+A new program"]
    assert told.after(NEW) == []


def test_what_runs_soon_takes_the_place_of_what_is_new_and_is_told_for_each_run(told: Told) -> None:
    told.after(NEW)
    assert told.after(SOON) == ["-new-S0100001-1", "+setup will be run soon"]
    assert told.after(SOON) == []
    assert told.after() == ["-soon-S0100001-1"]
    assert told.after(SOON._replace(due_at=NOW + 25 * HOUR)) == ["+setup will be run soon"]


def test_a_notice_of_a_session_that_is_gone_is_taken_back_nowhere(told: Told) -> None:
    told.after(NEW)
    assert told.after(sessions=(msgspec.structs.replace(ALICE, id="9"),)) == []


def test_many_new_programs_are_told_in_one_notice_that_stays_as_long_as_one_of_them_is_new(told: Told) -> None:
    many = [NEW._replace(key=key(number=number)) for number in range(1, 51)]
    assert told.after(*many) == ["+50 new programs"]
    assert told.after(*many[:1]) == []
    assert told.after() == ["-new-S0100001-1-and-more"]


def test_the_same_account_in_other_letters_is_the_same_user(told: Told) -> None:
    told.after(NEW._replace(user="corp\\alice"), sessions=(Session(id="1", user="CORP\\Alice"),))
    assert told.after(NEW._replace(user="corp\\alice"), sessions=(Session(id="1", user="alice@corp"),)) == []


# --- on a machine ---


class People(World):
    """A machine with people, whose notices follow each pass."""

    def tell(self) -> datetime | None:
        return notices.tell_users(Bench(state=self.machine.state, machine=self.machine, now=self.machine.now()), self.policy())

    def seen_by(self, user: str) -> list[str]:
        """The notices that a user sees now."""
        self.tell()
        return [notice.text.partition(" See")[0] for notice in self.machine.notices.open.values() if notice.user == user]

    def change(self, number: int = 1, **changes: object) -> None:
        """Edits an advertisement."""
        one: Advertisement = self.advertisements[advertisement_id(number)]
        self.advertisements[one.id] = msgspec.structs.replace(one, **changes)

    def run_as_asked(self, user: str) -> None:
        """Somebody starts the program, and it succeeds."""
        self.machine.people.log_on(user)
        self.advertise(9, ASAP, available_from=self.clock.now())
        self.settle()
        self.withdraw(9)


@pytest.fixture
def people() -> People:
    found = People()
    found.package()
    found.machine.people.log_on("alice")
    return found


def test_an_optional_program_is_told_to_who_may_start_it(people: People) -> None:
    people.advertise()
    assert people.seen_by("alice") == ["setup is offered to you."]
    assert len(people.machine.notices.shown) == 1


def test_a_mandatory_program_that_nobody_sees_is_told_to_nobody(people: People) -> None:
    people.advertise(1, at(START + 10 * HOUR))
    people.turn()
    assert people.seen_by("alice") == []


def test_a_program_for_others_is_told_to_the_others_alone(people: People) -> None:
    people.advertise()
    people.change(users=("boris",))
    assert people.seen_by("alice") == []
    people.machine.people.log_on("boris")
    assert people.seen_by("boris") == ["setup is offered to you."]


@pytest.mark.parametrize("changes", [{"is_paused": True}, {"expires_at": START + MINUTE}, {"available_from": START + 99 * HOUR}])
def test_what_is_not_offered_at_the_moment_is_not_told(people: People, changes: dict[str, object]) -> None:
    people.advertise()
    people.change(**changes)
    people.clock.advance(HOUR)
    assert people.seen_by("alice") == []


def test_a_disabled_program_is_taken_back(people: People) -> None:
    people.advertise()
    assert people.seen_by("alice") != []
    people.disabled.add(key())
    assert people.seen_by("alice") == []


def test_a_program_for_other_platforms_is_told_to_nobody(people: People) -> None:
    people.package(people.program(platforms=("windows",)))
    people.advertise()
    assert people.seen_by("alice") == []


def test_after_the_first_user_ran_it_no_later_user_is_told_unless_a_newer_advertisement_comes(people: People) -> None:
    """Q271122."""
    people.package(people.program(conditions=Conditions(logon=Logon.USER)))
    people.advertise()
    assert people.seen_by("alice") != []
    people.clock.advance(HOUR)
    people.run_as_asked("alice")
    assert people.seen_by("alice") == []
    people.machine.people.log_on("boris")
    assert people.seen_by("boris") == []
    people.clock.advance(HOUR)
    people.advertise(2, available_from=people.clock.now())
    assert people.seen_by("boris") == ["setup is offered to you."]


def test_a_program_for_every_user_is_told_to_those_who_have_not_run_it(people: People) -> None:
    people.package(people.program(conditions=Conditions(logon=Logon.USER), runs_for=RunsFor.EVERY_USER))
    people.advertise()
    people.clock.advance(HOUR)
    people.run_as_asked("alice")
    people.machine.people.log_on("boris")
    assert people.seen_by("alice") == []
    assert people.seen_by("boris") == ["setup is offered to you."]


def test_two_advertisements_of_one_program_are_one_notice(people: People) -> None:
    """Q271122."""
    people.advertise(1)
    people.advertise(2)
    assert people.seen_by("alice") == ["setup is offered to you."]


def test_one_visible_and_one_hidden_advertisement_tell_only_what_is_listed(people: People) -> None:
    """Q215108: users were told of a program that their list did not show."""
    people.advertise(1, at(START + 10 * HOUR))
    people.advertise(2)
    people.change(2, is_paused=True)
    people.turn()
    assert people.seen_by("alice") == []
    people.change(2, is_paused=False)
    assert people.seen_by("alice") == ["setup is offered to you."]


def test_a_run_that_may_be_put_off_is_told_an_hour_before(people: People) -> None:
    people.advertise(1, at(START + 10 * HOUR))
    people.change(postpone_seconds=7200, is_visible=True)
    people.package(people.program())
    people.turn()
    people.tell()
    assert people.tell() == START + 9 * HOUR
    assert people.seen_by("alice") == ["setup is offered to you."]
    people.clock.advance(9 * HOUR + 5 * MINUTE)
    [text] = people.seen_by("alice")
    assert text.startswith("It begins at 2026-") and "can be put off until" in text
    people.clock.advance(HOUR)
    people.settle()
    assert people.seen_by("alice") == []


def test_where_nobody_can_tell_who_is_logged_on_nothing_is_told(people: People) -> None:
    people.advertise()
    people.machine.people.cannot_be_told = True
    assert people.tell() is None
    assert people.machine.notices.shown == []


def test_what_was_told_of_a_deleted_package_is_forgotten(people: People) -> None:
    people.advertise()
    people.tell()
    people.delete_package()
    assert people.seen_by("alice") == []
    assert notices.held(people.machine.state) == {}


def test_nobody_is_told_twice_after_a_power_cut(people: People) -> None:
    people.advertise()
    people.tell()
    people.machine.power_cut()
    people.machine.start()
    people.machine.people.log_on("alice")
    people.tell()
    assert len(people.machine.notices.shown) == 1


def test_what_is_remembered_is_bounded(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "REMEMBERED", 5)
    people.package(*(people.program(number) for number in range(1, 21)))
    for number in range(1, 21):
        people.advertise(number, program=key(number=number))
    people.tell()
    assert len(notices.held(people.machine.state)) == 5


def test_a_pass_tells_what_is_new_and_comes_back_before_a_run_that_may_be_put_off(people: People) -> None:
    people.advertise(1, at(START + 10 * HOUR))
    people.change(postpone_seconds=7200, is_visible=True)
    assert people.turn() == START + 9 * HOUR
    assert [notice.title for notice in people.machine.notices.shown] == ["A new program"]
    people.after(9 * HOUR)
    assert people.machine.notices.shown[-1].title == "setup will be run soon"
