"""The table of links, fact by fact: what each says, and which of them explains a program that is not there."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from purveyor.site_server.model.preview import FiringView
from purveyor.site_server.model.requests import Outcome
from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.why.chain import LINKS, Explanation, explained
from purveyor.site_server.model.why.facts import (
    ClientFacts,
    ContentFacts,
    CopyFacts,
    JobFacts,
    OfferFacts,
    PackageFacts,
    PointFacts,
    ProgramFacts,
    PublicationFacts,
    RequestFacts,
    Rhythm,
    Rule,
    Times,
    Told,
    WhyFacts,
)
from purveyor.site_server.model.why.link import Mark, Who, span
from purveyor.site_server.model.why.waiting import WAITS
from purveyor.wire.causes import Cause
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, RequestKind
from purveyor.wire.package_info import Command, Program, ProgramKey
from purveyor.wire.reports import Facts
from purveyor.wire.shards import NOBODY
from purveyor.wire.status_messages import StatusId

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
KEY = ProgramKey(PackageId("S0100001"), ProgramNumber(1))
OFFER = Advertisement(
    id=AdvertisementId("S0120001"),
    package=KEY.package,
    program=KEY.program,
    available_from=NOW - timedelta(days=1),
    assignments=(Assignment(number=1, kind=AssignmentKind.ASAP),),
)
DUE = FiringView(
    assignment="asap", at=NOW - timedelta(days=1), at_local="", starts_at=NOW, starts_local="", window=None, window_name=""
)
ASKED = RequestFacts(
    number=4, kind=RequestKind.RUN_AGAIN, made_by="anna", made_at=NOW - timedelta(hours=2), reason="", is_open=True
)


def _replaced(value: Any, **changes: Any) -> Any:  # noqa: ANN401 - any of the frozen dataclasses
    return type(value)(**{name: getattr(value, name) for name in value.__dataclass_fields__} | changes)


def _job(state: JobState, told_by: StatusId | None = None, **given: Any) -> JobFacts:
    values: dict[str, Any] = {"text": "its text", "at": NOW - timedelta(hours=1), "order": 5000, "source_version": 1, **given}
    return JobFacts(state=state, told_by=told_by, **values)


def _needing_content(facts: WhyFacts) -> WhyFacts:
    copy = CopyFacts(point="dp1", state="verified", since=NOW, failures=0, problem="")
    content = ContentFacts(
        package=KEY.package, name="Tool", source_version=1, manifest="m", copies=(copy,), served_version=1, taken_in_at=NOW
    )
    return _replaced(facts, contents=(content,))  # type: ignore[no-any-return]


def _told(status: StatusId, order: int, text: str = "") -> Told:
    return Told(status=status, at=NOW, arrived_at=NOW, order=order, advertisement=OFFER.id, text=text)


def _facts(job: JobFacts | None = None, **changes: Any) -> WhyFacts:
    """A client on which nothing is missing but, where there is no job, the run."""
    client = ClientFacts(
        number=1,
        id="ab" * 16,
        name="pc1",
        state="member",
        reason="",
        facts=Facts(name="pc1", platform="linux/debian/12"),
        zone=UTC,
        since=NOW - timedelta(days=9),
        last_seen_at=NOW - timedelta(hours=1),
        applied=7,
    )
    package = PackageFacts(id=KEY.package, name="Tool", state=PackageState.ACTIVE, source_version=1, created_at=NOW, since=NOW)
    program = ProgramFacts(
        key=KEY,
        name="install",
        program=Program(number=KEY.program, name="install", command=Command(argv=("x",))),
        package_state=PackageState.ACTIVE,
        job=job,
    )
    offer = OfferFacts(
        advertisement=OFFER,
        name="Tool to all",
        collection=CollectionId("S0110001"),
        collection_name="All Systems",
        is_member=True,
        rules=(Rule(kind="all", holds=True),),
        created_at=NOW,
        created_by="anna",
    )
    facts = WhyFacts(
        now=NOW,
        client=client,
        package=package,
        program=program,
        rhythm=Rhythm(poll_seconds=3600, heartbeat_seconds=86_400),
        offers=(offer,),
        offer=offer,
        heard_of_offer_at=NOW - timedelta(hours=1),
        times=Times(last=DUE),
        publication=PublicationFacts(published_at=NOW - timedelta(hours=4), needed=7, snapshot=7),
    )
    made: WhyFacts = _replaced(facts, **changes)
    return made


def _link(explanation: Explanation, name: str) -> Any:  # noqa: ANN401
    return next(link for link in explanation.links if link.name == name)


def test_names_of_links_are_one_word_each_and_every_question_ends_as_one() -> None:
    names = [step.name for step in LINKS]
    assert len(set(names)) == len(names)
    assert all(name.isalpha() for name in names)
    assert all(step.question.endswith("?") for step in LINKS)


def test_the_page_has_the_table_of_links_as_it_is() -> None:
    page = (Path(__file__).parents[4] / "docs" / "why.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE)
    assert rows == [(step.name, step.question) for step in LINKS]


def test_a_success_is_there_and_nobody_acts() -> None:
    seen = explained(_facts(_job(JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_EXIT_CODE, succeeded_version=1)))
    assert (seen.is_there, seen.who, seen.next) == (True, Who.NOBODY, "")


@pytest.mark.parametrize(
    ("state", "told_by", "who"),
    [
        (JobState.WAITING, None, Who.CLIENT),
        (JobState.READY, StatusId.START_FAILED, Who.ADMINISTRATOR),
        (JobState.READY, StatusId.PREPARATION_FAILED, Who.ADMINISTRATOR),
        (JobState.WAITING, StatusId.RETRY_LATER, Who.CLIENT),
        (JobState.RUNNING, StatusId.PROGRAM_STARTED, Who.MACHINE),
        (JobState.FAILED, StatusId.FAILED_BY_EXIT_CODE, Who.ADMINISTRATOR),
        (JobState.TIMED_OUT, StatusId.TIMED_OUT, Who.ADMINISTRATOR),
        (JobState.INTERRUPTED, StatusId.INTERRUPTED, Who.ADMINISTRATOR),
        (JobState.RESTART_PENDING, StatusId.RESTART_PENDING, Who.MACHINE),
        (JobState.NOT_OFFERED, StatusId.NOT_OFFERED, Who.CLIENT),
    ],
)
def test_a_run_that_is_not_over_or_went_wrong_names_who_acts(state: JobState, told_by: StatusId | None, who: Who) -> None:
    seen = explained(_facts(_job(state, told_by)))
    assert (seen.missing, seen.who, seen.is_there) == ("run", who, False)


@pytest.mark.parametrize("state", JobState)
def test_every_state_of_a_job_is_explained(state: JobState) -> None:
    seen = explained(_facts(_job(state, succeeded_version=1 if state is JobState.SUCCEEDED else None)))
    assert seen.is_there is (state is JobState.SUCCEEDED)
    assert bool(seen.missing) is (state is not JobState.SUCCEEDED)


def test_the_first_link_that_is_missing_explains_before_those_that_nobody_knows() -> None:
    program = _replaced(_facts().program, is_enabled=False)
    seen = explained(_facts(program=program, heard_of_offer_at=None))
    assert seen.missing == "program"
    assert _link(seen, "delivery").mark is Mark.UNKNOWN


def test_without_a_word_of_the_client_the_answer_is_not_known_rather_than_no() -> None:
    seen = explained(_facts())
    assert seen.missing == "run"
    assert seen.sentence.startswith("It is not known to be there because the client has said nothing of a run")


@pytest.mark.parametrize(
    ("state", "fork", "says"),
    [
        ("waiting", "", "waits for approval"),
        ("blocked", "", "is blocked: why"),
        ("rejoin", "", "is told to join again: why"),
        ("removed", "", "is no client of the site any more: why"),
        ("refused", "", "was refused: why"),
        ("member", "sequence 4", "two machines use the identity"),
    ],
)
def test_a_client_that_is_no_member_waits_for_an_administrator(state: str, fork: str, says: str) -> None:
    seen = explained(_facts(client=_replaced(_facts().client, state=state, reason="why", fork=fork)))
    assert (seen.missing, seen.who) == ("client", Who.ADMINISTRATOR)
    assert says in seen.sentence


def test_who_keeps_an_identity_that_others_used_is_a_member_and_who_cannot_be_told_apart_is_none() -> None:
    shared = _replaced(_facts().client, fork="sequence 4", keeper="ab12", was="cd34")
    link = _link(explained(_facts(client=shared)), "client")
    assert link.mark is Mark.OK
    assert any("ab12 keeps it" in one.text for one in link.evidence)
    assert any("identity of client cd34" in one.text for one in link.evidence)
    lost = _replaced(shared, keeper=NOBODY, state="rejoin")
    assert "none can be told from the others" in explained(_facts(client=lost)).sentence


def test_a_silent_client_is_told_with_how_much_longer_than_usual() -> None:
    client = _replaced(_facts().client, last_seen_at=NOW - timedelta(days=3), longest_gap_seconds=86_000)
    link = _link(explained(_facts(client=client)), "contact")
    assert (link.mark, link.who) == (Mark.MISSING, Who.MACHINE)
    assert link.says == "pc1 is silent since 2026-11-28 09:00Z: for 3 days, 2 days longer than usual"
    assert any("longest pause of late was 23.9 hours" in one.text for one in link.evidence)


def test_a_client_that_never_spoke_is_silent_since_it_joined() -> None:
    link = _link(explained(_facts(client=_replaced(_facts().client, last_seen_at=None))), "contact")
    assert "nothing was ever heard of pc1 since it joined on 2026-11-22" in link.says


def test_what_the_site_cannot_know_of_delivery_is_said_so_with_when_the_next_word_is_due() -> None:
    client = _replaced(_facts().client, applied=3, last_seen_at=NOW - timedelta(hours=10))
    link = _link(explained(_facts(client=client, heard_of_offer_at=None)), "delivery")
    assert (link.mark, link.who) == (Mark.UNKNOWN, Who.CLIENT)
    assert "if it has polled since, it has snapshot 7" in link.says
    assert link.next == "its next word is due by 2026-12-02 01:00Z"


def test_a_client_that_speaks_but_is_behind_is_kept_back_by_its_point_only_where_the_snapshot_is_sure() -> None:
    client = _replaced(_facts().client, applied=3)
    behind = _facts(client=client, heard_of_offer_at=None)
    link = _link(explained(behind), "delivery")
    assert (link.mark, link.who) == (Mark.MISSING, Who.POINT)
    unsure = _replaced(behind, publication=_replaced(behind.publication, is_exact=False))
    assert _link(explained(unsure), "delivery").mark is Mark.UNKNOWN


def test_what_was_published_since_the_last_word_of_a_client_is_no_missing_link_and_what_it_waits_for_is_told() -> None:
    published = PublicationFacts(published_at=NOW - timedelta(minutes=30), needed=9, snapshot=9)
    job = _job(JobState.WAITING, StatusId.DOWNLOAD_WAITING, cause=Cause.POINTS_FAIL)
    seen = explained(_needing_content(_facts(job, publication=published)))
    link = _link(seen, "delivery")
    assert (link.mark, link.who) == (Mark.UNKNOWN, Who.CLIENT)
    assert link.says.startswith("the client had applied snapshot 7 when it spoke last, on 2026-12-01 08:00Z, and needs 9")
    assert seen.missing == "download"


@pytest.mark.parametrize(
    ("opens_at", "says", "who"),
    [
        (NOW + timedelta(hours=3), "dp1 gives nothing until 2026-12-01 12:00Z by its budget", Who.NOBODY),
        (None, "dp1 gives nothing by its budget", Who.ADMINISTRATOR),
    ],
)
@pytest.mark.parametrize("cause", [None, Cause.POINTS_BUSY])
def test_a_point_that_its_own_budget_closes_is_named(opens_at: datetime | None, says: str, who: Who, cause: Cause | None) -> None:
    closed = PointFacts(id="dp1", is_cap=False, url="u", is_draining=False, is_closed=True, opens_at=opens_at)
    told = (JobState.DOWNLOADING, StatusId.DOWNLOAD_STARTED) if cause is None else (JobState.WAITING, StatusId.DOWNLOAD_WAITING)
    job = _job(*told, cause=cause)
    seen = explained(_needing_content(_facts(job, points=(closed,))))
    assert (seen.missing, _link(seen, "download").says, seen.who) == ("download", says, who)
    other = explained(_needing_content(_facts(job, points=(_replaced(closed, is_closed=False),))))
    assert "budget" not in other.sentence


def test_a_wait_for_content_is_told_with_its_time_since_it_may_be_over() -> None:
    job = _job(JobState.WAITING, StatusId.DOWNLOAD_WAITING, cause=Cause.POINTS_BUSY, text="every point is busy")
    seen = explained(_needing_content(_facts(job)))
    assert _link(seen, "download").says == "the client says: every point is busy (its last word, of 2026-12-01 08:00Z)"
    assert seen.next.endswith("says no more before all of it is there")


def test_a_copy_that_waits_tells_its_last_problem() -> None:
    copy = CopyFacts(point="dp1", state="waiting", since=NOW, failures=3, problem="no route")
    content = ContentFacts(
        package=KEY.package, name="Tool", source_version=1, manifest="a", copies=(copy,), served_version=None, taken_in_at=NOW
    )
    seen = explained(_facts(contents=(content,)))
    assert (seen.missing, seen.who) == ("content", Who.POINT)
    assert "3 tries failed, the last: no route" in seen.sentence


def test_content_that_is_on_some_points_is_enough_and_the_others_are_told() -> None:
    copies = (
        CopyFacts(point="dp1", state="verified", since=NOW, failures=0, problem=""),
        CopyFacts(point="dp2", state="waiting", since=NOW, failures=1, problem="full"),
    )
    content = ContentFacts(
        package=KEY.package, name="Tool", source_version=2, manifest="a", copies=copies, served_version=2, taken_in_at=NOW
    )
    link = _link(explained(_facts(contents=(content,))), "content")
    assert (link.mark, link.says) == (Mark.OK, "on dp1")
    assert any("dp2: waiting, 1 tries failed, the last: full" in one.text for one in link.evidence)


def test_an_uninstall_after_the_success_makes_it_gone_and_one_before_does_not() -> None:
    job = _job(JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_EXIT_CODE, succeeded_version=1)
    gone = _told(StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE, 6000)
    assert explained(_facts(job, messages=(gone,))).missing == "result"
    assert explained(_facts(job, messages=(_replaced(gone, order=4000),))).is_there


def test_a_run_again_that_the_client_refused_leaves_what_is_there_and_is_told() -> None:
    job = _job(JobState.SUCCEEDED, succeeded_version=1)
    seen = explained(_facts(job, requests=(_replaced(ASKED, outcome=Outcome.REFUSED, text="it is paused"),)))
    assert seen.is_there
    assert _link(seen, "request").says == "the client refused to run it again: it is paused"


def test_a_package_that_depends_on_itself_is_a_link_and_no_loop() -> None:
    seen = explained(_facts(chain=(ProgramFacts(key=KEY),), is_chain_round=True))
    assert (seen.missing, seen.who) == ("dependency", Who.ADMINISTRATOR)


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_breaks_its_link_and_names_who_acts(cause: Cause) -> None:
    wait = WAITS[cause]
    seen = explained(_needing_content(_facts(_job(JobState.WAITING, StatusId.JOB_WAITING, cause=cause))))
    assert (seen.missing, seen.who, seen.next) == (wait.link, wait.who, wait.next)
    assert wait.link in {step.name for step in LINKS}
    assert seen.sentence.startswith(f"It is not there because {wait.says}: its text")


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (None, "its agent is too old to give the cause in a word: waits for a maintenance window"),
        (Cause("full-moon"), "waits for 'full-moon', which this release does not know: waits for a maintenance window"),
    ],
)
def test_without_a_known_cause_nothing_is_guessed_from_the_text(cause: Cause | None, says: str) -> None:
    job = _job(JobState.WAITING, StatusId.JOB_WAITING, cause=cause, text="waits for a maintenance window")
    seen = explained(_facts(job))
    assert (seen.missing, seen.who) == ("condition", Who.CLIENT)
    assert says in seen.sentence


def test_the_number_of_a_message_of_an_older_agent_is_cause_enough() -> None:
    seen = explained(_needing_content(_facts(_job(JobState.DOWNLOADING, StatusId.NOT_ENOUGH_SPACE))))
    assert (seen.missing, seen.who) == ("download", Who.MACHINE)


@pytest.mark.parametrize(
    ("cause", "who"), [(Cause.RESTART, Who.MACHINE), (Cause.WINDOW, Who.CLIENT), (Cause.POSTPONED, Who.USER), (None, Who.MACHINE)]
)
def test_a_restart_that_is_owed_names_whom_it_waits_for(cause: Cause | None, who: Who) -> None:
    seen = explained(_facts(_job(JobState.RESTART_PENDING, cause=cause)))
    assert (seen.missing, seen.who) == ("run", who)


def test_a_silent_client_waits_for_its_point_where_none_answers_the_site_either() -> None:
    silent = _facts(client=_replaced(_facts().client, last_seen_at=NOW - timedelta(days=3)))
    well = PointFacts(id="cap1", is_cap=True, url="https://one/cap", is_draining=False)
    dead = PointFacts(id="cap2", is_cap=True, url="https://two/cap", is_draining=False, problem="no route", failures=3)
    content = PointFacts(id="dp1", is_cap=False, url="https://one/dp", is_draining=False)
    assert explained(_replaced(silent, points=(well, dead, content))).who is Who.MACHINE
    seen = explained(_replaced(silent, points=(dead, content)))
    assert (seen.missing, seen.who) == ("contact", Who.POINT)
    assert "no access point answers the site either: cap2 (https://two/cap): no route; next: point: mend" in seen.sentence


@pytest.mark.parametrize("after", [first for first, _ in pairwise(JobState)])
def test_every_link_that_is_missing_says_who_acts_and_what_is_to_be_done(after: JobState) -> None:
    seen = explained(_facts(_job(after)))
    for link in seen.links:
        assert link.mark is not Mark.MISSING or (link.next and link.says), link


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 seconds"), (90, "1.5 minutes"), (3600, "1 hour"), (86_400, "1 day"), (200_000, "2.3 days")]
)
def test_spans_are_told_in_the_units_that_matter(seconds: float, text: str) -> None:
    assert span(seconds) == text
