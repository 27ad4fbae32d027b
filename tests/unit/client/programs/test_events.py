"""What is seen of a machine: each start, logon and logoff once, under a number that is never given again."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.machine.interface import Session
from purveyor.client.programs.wanted.due import Happening
from purveyor.client.programs.wanted.events import GONE_LIMIT, SESSION_LIMIT, Seen, observed, short
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.offers import AssignmentKind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UPTIME = timedelta(hours=1)


def session(number: int, user: str = "alice") -> Session:
    return Session(id=str(number), user=user, since=NOON)


def see(before: Seen, *sessions: Session, boot: str = "boot", now: datetime = NOON) -> Seen:
    return observed(before, sessions, boot_id=boot, now=now, uptime=UPTIME)


def of(seen: Seen, kind: AssignmentKind) -> list[Happening]:
    return [one for one in seen.happenings() if one.kind is kind]


def test_a_session_that_stays_is_seen_once() -> None:
    seen = see(see(Seen(), session(1)), session(1), session(2))
    assert [one.nominal for one in of(seen, AssignmentKind.LOGON)] == ["boot/1", "boot/2"]
    assert see(seen, session(1), session(2)) == seen


def test_a_session_that_is_listed_twice_is_one() -> None:
    seen = see(Seen(), session(1), session(1))
    assert [one.nominal for one in of(seen, AssignmentKind.LOGON)] == ["boot/1"]
    assert see(seen, session(1), session(1)) == seen


def test_a_session_of_the_same_name_of_another_user_is_another_one() -> None:
    seen = see(see(Seen(), session(1)), session(1, "bob"))
    assert [one.user for one in seen.present] == ["bob"]
    assert [one.user for one in seen.gone] == ["alice"]


def test_a_session_that_is_gone_is_a_logoff_and_no_logon_any_more() -> None:
    seen = see(see(Seen(), session(1)))
    assert [one.nominal for one in of(seen, AssignmentKind.LOGOFF)] == ["boot/1"]
    assert of(seen, AssignmentKind.LOGON) == []


def test_a_start_of_the_machine_ends_the_sessions_before_it_though_their_names_come_again() -> None:
    seen = see(see(Seen(), session(1)), session(1), boot="another")
    assert [one.nominal for one in of(seen, AssignmentKind.LOGOFF)] == ["boot/1"]
    assert [one.nominal for one in of(seen, AssignmentKind.LOGON)] == ["another/1"]
    (start,) = of(seen, AssignmentKind.STARTUP)
    assert (start.nominal, start.at) == ("another", NOON - UPTIME)


def test_when_nobody_can_tell_who_is_logged_on_nothing_is_concluded_but_that_the_machine_started() -> None:
    before = see(Seen(), session(1))
    assert observed(before, None, boot_id="boot", now=NOON, uptime=UPTIME) == before
    after = observed(before, None, boot_id="another", now=NOON, uptime=UPTIME)
    assert after.present == before.present
    assert len(of(after, AssignmentKind.STARTUP)) == 1


def test_the_time_of_a_start_does_not_move_with_the_clock() -> None:
    seen = see(Seen())
    assert see(seen, now=NOON + timedelta(days=365)).booted_at == seen.booted_at


def test_what_is_remembered_is_bounded() -> None:
    crowd = [session(number, f"user{number}") for number in range(SESSION_LIMIT + 100)]
    seen = see(Seen(), *crowd)
    assert len(seen.present) == SESSION_LIMIT
    assert len(see(seen).gone) == GONE_LIMIT


def test_a_long_or_strange_name_is_shortened_to_one_of_its_own() -> None:
    assert short("a@b#c") == "a_b_c"
    assert len(short("x" * 500)) < 65
    assert short("x" * 500) != short("x" * 501)


LOOKS = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.one_of(st.none(), st.sets(st.integers(1, 5), max_size=5))), max_size=30
)


@given(LOOKS)
def test_numbers_rise_and_each_happening_keeps_its_own(looks: list[tuple[str, set[int] | None]]) -> None:
    seen = Seen()
    known: dict[int, tuple[AssignmentKind, str]] = {}
    for place, (boot, present) in enumerate(looks):
        sessions = None if present is None else tuple(session(number) for number in sorted(present))
        before = seen.count
        seen = observed(seen, sessions, boot_id=f"{boot}{place // 10}", now=NOON, uptime=UPTIME)
        seen = from_bytes(to_bytes(seen), Seen)
        for one in seen.happenings():
            assert known.setdefault(one.number, (one.kind, one.nominal)) == (one.kind, one.nominal)
            assert 0 < one.number <= seen.count
        assert seen.count >= before
