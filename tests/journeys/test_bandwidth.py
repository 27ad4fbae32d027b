"""A fleet under a budget of bandwidth: content waits for its hour, comes no faster than it may, and is not lost on the way."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest

from counted_point import CountedPoint, Counts
from purveyor.client.points import pauses
from purveyor.client.policy.points import up_key
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Job
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import CAP_URL, DP_URL, Fleet
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import packages, points, settings, why
from purveyor.site_server.admin import status as messages
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.rounds import Rounds
from purveyor.site_server.threads import Threads
from purveyor.transport.interface import Point
from purveyor.wire.bandwidth import DAYS, parse_budget
from purveyor.wire.causes import Cause
from purveyor.wire.errors import BusyError, RefusedError
from purveyor.wire.jobs import JobState
from purveyor.wire.status_messages import StatusId

RATE = 64 * 1024
LARGE = bytes(range(256)) * (RATE // 256) * 60
"""A minute's worth."""
OFFICE_HOURS = "mon-fri 08:00-18:00 0; otherwise 64K"
OPENS = datetime(2026, 1, 5, 18, tzinfo=UTC)
PORTION_BYTES = RATE * 5
PIECE_BYTES = 64 * 1024
BUSY_SECONDS = 900
BUSY = "every distribution point that has it is busy; asked again at "
SPREAD = timedelta(minutes=5)


class TroubledPoint(CountedPoint):
    """A point that counts. In the middle of a file it is busy, or takes the client's power away, where wanted."""

    def __init__(self, point: Point, site: "Site", counts: Counts) -> None:
        super().__init__(point, counts)
        self._site = site

    def put(self, path: str, content: bytes) -> None:
        if self._site.is_cap_busy:
            raise BusyError(f"{self.url} answers 503", wait_seconds=self._site.busy_seconds)
        super().put(path, content)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        for piece in super().read_from(path, offset=offset, limit_bytes=limit_bytes):
            yield piece
            if self._site.is_busy:
                raise BusyError(f"{self.url} answers 503", wait_seconds=self._site.busy_seconds)
        if self._site.has_power_cuts:
            self._site.machine.power.off()


class AtOnce(Threads):
    """Each call has come to its end when it is submitted."""

    def submit(self, call: Callable[[], bool]) -> "Future[bool]":
        done: Future[bool] = Future()
        done.set_result(call())
        return done


class Site:
    """A fleet of one client, of which is counted what it takes from the distribution point."""

    def __init__(self) -> None:
        self.fleet = Fleet(1)
        self.client: LabClient = self.fleet.clients[0]
        self.counts = Counts()
        self.has_power_cuts = False
        self.is_busy = self.is_cap_busy = False
        self.busy_seconds = BUSY_SECONDS
        self._plain = self.client.point_for
        self.client.point_for = self.client.agent.point_for = self._counted

    def _counted(self, url: str) -> Point:
        point = self._plain(url)
        if url not in (CAP_URL, DP_URL):
            return point
        return TroubledPoint(point, self, self.counts if url == DP_URL else Counts())

    def budget(self, text: str) -> None:
        self.fleet.admin.change(settings.change, "bandwidth", text)

    def roll_out(self, name: str, content: bytes = b"") -> None:
        """A program, with content or without, for everybody and at once."""
        package = self.fleet.admin.add_package(name, {"setup": content} if content else None)
        self.fleet.admin.advertise(self.fleet.admin.add_program(package, "install", f"./setup {name}"))

    def job(self) -> Job:
        """The job of the package with content."""
        return next(job for job in records.jobs(self.machine.state) if job.manifest)

    def job_text(self) -> str:
        """What the job of the package with content says; empty before there is one."""
        return next((job.text for job in records.jobs(self.machine.state) if job.manifest), "")

    def ran(self, name: str) -> int:
        return self.fleet.ran(self.client, f"./setup {name}")

    def told(self) -> list[tuple[StatusId, str]]:
        """What the client said of content, oldest first."""
        about = {StatusId.DOWNLOAD_STARTED, StatusId.DOWNLOAD_WAITING, StatusId.DOWNLOAD_FINISHED}
        found = self.fleet.admin.ask(messages.messages, limit=1000)
        return [(StatusId(one.status), one.text) for one in reversed(found) if one.status in about]

    @property
    def machine(self) -> SimulatedMachine:
        return self.client.machine


@pytest.fixture
def site() -> Iterator[Site]:
    """A fleet of one client, on a Monday after eight."""
    made = Site()
    with made.fleet:
        yield made


def test_content_waits_for_its_hour_other_work_goes_on_and_the_rate_is_kept(site: Site) -> None:
    site.budget(OFFICE_HOURS)
    site.roll_out("large", LARGE)
    site.roll_out("small")
    site.fleet.settle()

    job = site.job()
    assert (site.ran("small"), site.ran("large")) == (1, 0), "what needs no content is not held back"
    assert (job.state, job.cause, job.text) == (
        JobState.WAITING,
        Cause.BANDWIDTH,
        "held back by the budget of bandwidth until 2026-01-05 18:00Z",
    )
    assert site.counts.requests == 0, "nobody was asked"
    site.fleet.advance(seconds=(OPENS - site.fleet.clock.now()).total_seconds())
    assert site.counts.read_bytes == 0

    came = []
    for _ in range(100):
        site.fleet.advance(seconds=10)
        came.append(site.counts.read_bytes)
    begun = next(number for number, size in enumerate(came) if size)
    assert timedelta(seconds=begun * 10) <= SPREAD
    for later in range(1, len(came) - begun):
        assert came[begun + later] - came[begun] <= RATE * 10 * later + PORTION_BYTES
    assert site.ran("large") == 1
    assert came[-1] < len(LARGE) + 4096, "each byte came once"
    assert [status for status, _ in site.told()] == [
        StatusId.DOWNLOAD_WAITING,
        StatusId.DOWNLOAD_STARTED,
        StatusId.DOWNLOAD_FINISHED,
    ]
    assert site.fleet.absent_requests() == []


def test_an_hour_that_begins_in_the_middle_of_a_file_holds_the_rest_back_until_it_is_over(site: Site) -> None:
    closes, opens = OPENS.replace(hour=11), OPENS.replace(hour=13)
    site.budget("mon 11:00-13:00 0; otherwise 1K")
    site.fleet.settle()
    site.roll_out("large", LARGE * 2)
    site.fleet.advance(seconds=(closes - site.fleet.clock.now()).total_seconds())
    before = site.counts.read_bytes
    assert 0 < before < len(LARGE) * 2
    site.fleet.advance(seconds=(opens - site.fleet.clock.now()).total_seconds())
    assert site.counts.read_bytes - before <= PIECE_BYTES
    assert site.job().text == "held back by the budget of bandwidth until 2026-01-05 13:00Z"
    site.fleet.advance(hours=3)
    assert site.ran("large") == 1
    assert site.counts.read_bytes < len(LARGE) * 2 + PIECE_BYTES, "what was there when the hour came was gone on with"


def test_power_cuts_in_the_middle_make_nothing_come_faster(site: Site) -> None:
    site.budget("64K")
    site.fleet.settle()
    site.roll_out("large", LARGE * 2)
    site.has_power_cuts = True
    while not site.client.crashes:
        site.fleet.advance(seconds=1)
    begun, first = site.fleet.clock.now(), site.counts.read_bytes
    for _ in range(30):
        site.client.wake_at = site.fleet.clock.now()
        site.fleet.advance(seconds=1)
    seconds = (site.fleet.clock.now() - begun).total_seconds()
    assert site.client.crashes > 5, "as often as a portion had come"
    assert site.counts.read_bytes - first <= RATE * seconds + PORTION_BYTES
    site.has_power_cuts = False
    site.fleet.advance(minutes=15)
    assert site.ran("large") == 1


def test_another_budget_holds_at_the_next_poll_though_content_was_held_back_for_hours(site: Site) -> None:
    site.budget(OFFICE_HOURS)
    site.roll_out("large", LARGE)
    site.fleet.settle()
    assert site.job().cause is Cause.BANDWIDTH
    site.budget("")
    site.fleet.advance_polls(1.1)
    assert site.ran("large") == 1
    assert site.fleet.clock.now() < OPENS


def test_a_busy_point_is_left_alone_as_long_as_it_asks_and_gone_on_with_where_it_stopped(site: Site) -> None:
    site.fleet.settle()
    site.is_busy = True
    site.roll_out("large", LARGE)
    while not site.counts.requests:
        site.fleet.advance(minutes=1)
    begun, asked = site.fleet.clock.now(), site.counts.requests
    job = site.job()
    assert job.text.startswith(BUSY)
    assert (job.state, job.failures, job.cause) == (JobState.WAITING, 0, Cause.POINTS_BUSY)
    site.is_busy = False
    site.fleet.advance(seconds=BUSY_SECONDS - 120)
    assert site.counts.requests == asked, "nobody knocks before"
    site.fleet.advance(seconds=BUSY_SECONDS)
    assert site.ran("large") == 1
    assert site.fleet.clock.now() - begun < timedelta(seconds=2 * BUSY_SECONDS)
    assert len(LARGE) <= site.counts.read_bytes < len(LARGE) + PIECE_BYTES, "each byte came once"
    assert site.machine.state.fact("point rates") == "" or site.fleet.problems() == []
    site.fleet.advance(hours=1)
    assert [status for status, _ in site.told()] == [
        StatusId.DOWNLOAD_STARTED,
        StatusId.DOWNLOAD_WAITING,
        StatusId.DOWNLOAD_FINISHED,
    ]


def test_a_point_that_comes_while_all_others_are_busy_serves_at_once(site: Site) -> None:
    site.fleet.admin.change(settings.change, "poll_interval_seconds", 600)
    site.fleet.advance(hours=2)
    site.is_busy, site.busy_seconds = True, 3600
    site.roll_out("large", LARGE)
    while not site.job_text().startswith(BUSY):
        site.fleet.advance(minutes=1)
    asked, site.is_busy = site.counts.requests, False
    site.fleet.add_point(PointKind.DP, "http://two.lab/dp")
    site.fleet.advance(minutes=1)
    site.fleet.site_turn()
    site.fleet.advance_polls(3)
    assert (site.ran("large"), site.counts.requests) == (1, asked), "the busy point was not asked, nor waited for"


def test_a_job_whose_points_are_busy_says_so_while_another_runs(site: Site) -> None:
    site.fleet.admin.change(settings.change, "poll_interval_seconds", 600)
    site.fleet.advance(hours=2)
    site.is_busy, site.busy_seconds = True, 3600
    site.fleet.script("./setup small", Script(seconds=600, exit_code=3))
    site.roll_out("large", LARGE)
    while not site.job_text().startswith(BUSY):
        site.fleet.advance(minutes=1)
    site.roll_out("small")
    said = set()
    for _ in range(40):
        site.fleet.advance(minutes=1)
        said.add(site.job_text()[: len(BUSY)])
    assert site.ran("small") == 1
    assert said == {BUSY}


def test_why_names_the_point_that_its_own_budget_closes(site: Site) -> None:
    site.fleet.admin.change(points.edit, "dp1", bandwidth="mon 0")
    site.fleet.settle()
    site.is_busy, site.busy_seconds = True, 3600
    site.roll_out("large", LARGE)
    while not site.job_text().startswith(BUSY):
        site.fleet.advance(minutes=1)
    site.fleet.advance(minutes=5)
    package, now = site.job().key.package, site.fleet.clock.now()
    opens_at = datetime(2026, 1, 6).astimezone().astimezone(UTC)
    sentence = site.fleet.admin.ask(why.why, site.client.name, package, now=now).explanations[0].sentence
    said = f"dp1 gives nothing until {opens_at:%Y-%m-%d %H:%M}Z by its budget; next: nobody: it goes on by itself then"
    assert sentence.startswith(f"It is not there because {said}")


def test_a_cap_with_too_much_to_do_is_sent_nothing_for_as_long_as_it_asks_and_has_failed_at_nothing(site: Site) -> None:
    site.fleet.settle()
    site.is_cap_busy = True
    site.roll_out("small")
    while not site.ran("small"):
        site.fleet.advance(minutes=1)
    state, now = site.machine.state, site.fleet.clock.now()
    until = pauses.busy_until(state, up_key(CAP_URL), now)
    assert until is not None and until - now > timedelta(seconds=BUSY_SECONDS - 120)
    assert pauses.trouble_of(state, up_key(CAP_URL)) == ()
    site.is_cap_busy = False
    site.fleet.advance(hours=2)
    assert StatusId.SUCCEEDED_BY_EXIT_CODE in {one.status for one in site.fleet.admin.ask(messages.messages, limit=1000)}


def test_another_point_serves_while_one_is_busy(site: Site) -> None:
    other = site.fleet.add_point(PointKind.DP, "http://two.lab/dp")
    site.fleet.admin.change(points.edit, "dp2", weight=1)
    site.fleet.settle()
    site.is_busy = True
    site.roll_out("large", LARGE)
    site.fleet.advance_polls(2.5)
    assert site.ran("large") == 1
    assert 0 < site.counts.read_bytes < len(LARGE)
    assert any(request.client == site.client.name for request in other.requests)


def test_a_point_without_budget_gets_no_content_and_loses_what_was_deleted_all_the_same(site: Site) -> None:
    """A budget of nothing holds back what is pushed to a DP; deletions, and what a CAP is told, do not wait for it."""
    admin, other = site.fleet.admin, site.fleet.add_point(PointKind.DP, "http://two.lab/dp")
    site.roll_out("before", b"before")
    site.fleet.settle()
    assert has_content(other, b"before")
    admin.change(points.edit, "dp2", bandwidth="0")
    site.roll_out("after", b"after")
    admin.delete_package(next(view.id for view in admin.ask(packages.listed) if view.name == "before"))
    site.fleet.advance(days=2)
    assert (has_content(other, b"after"), has_content(other, b"before")) == (False, False)
    assert site.ran("after") == 1, "from the other point"
    assert next(view for view in admin.ask(points.listed, site.fleet.clock.now()) if view.id == "dp2").behind == 1
    admin.change(points.edit, "dp2", bandwidth="")
    site.fleet.settle()
    assert has_content(other, b"after")


def test_a_file_that_waits_for_its_hour_is_given_up_for_a_deletion_that_comes_due(site: Site) -> None:
    fleet, admin, other = site.fleet, site.fleet.admin, site.fleet.add_point(PointKind.DP, "http://two.lab/dp")
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        fleet.clock.advance(timedelta(hours=1))
        for name in ("clock", "retirement", "content"):
            fleet.executive.components()[name]()

    admin.change(settings.change, "point_grace_seconds", 172800)
    site.roll_out("before", b"before")
    fleet.settle()
    admin.delete_package(next(view.id for view in admin.ask(packages.listed) if view.name == "before"))
    fleet.settle()
    assert has_content(other, b"before"), "its grace time is not over"
    rounds = Rounds(fleet.site, AtOnce(), pause=wait)
    admin.add_package("after", {"setup": LARGE})
    opened, closes = ((fleet.clock.now() + timedelta(minutes=minutes)).astimezone() for minutes in (-60, 2))
    admin.change(points.edit, "dp2", bandwidth=f"{DAYS[opened.weekday()]} {opened:%H:%M}-{closes:%H:%M} 64K; otherwise 0")
    rounds.turn()
    assert 2 < len(waited) < 6 * 24, "the file was begun, and waited for another hour, but not for that of the next week"
    assert not has_content(other, LARGE)
    rounds.turn()
    assert not has_content(other, b"before")
    assert next(view for view in admin.ask(points.listed, fleet.clock.now()) if view.id == "dp2").problem == ""


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("cap1", {"bandwidth": "5M"}, "a budget is for a DP"),
        ("dp1", {"bandwidth": "mon 8-9"}, "'8-9' is no rate"),
        ("dp2", {"bandwidth": "5M"}, "a mirror fills this point"),
    ],
)
def test_a_budget_that_nobody_would_keep_is_refused(site: Site, name: str, said: dict[str, str], why: str) -> None:
    site.fleet.add_point(PointKind.DP, "http://two.lab/dp", target="")
    with pytest.raises(RefusedError, match=why):
        site.fleet.admin.change(points.edit, name, **said)


def test_the_budget_of_the_sites_own_point_is_kept_by_whoever_serves_it(site: Site) -> None:
    served = site.fleet.executive.rounds.served
    site.fleet.admin.change(points.edit, "dp1", bandwidth="5M")
    site.fleet.settle()
    assert served.budget == parse_budget("5M")


def has_content(boxes: MemoryBoxes, content: bytes) -> bool:
    """Whether the file lies on a point."""
    return any(stored.content == content for stored in boxes.files.values())
