"""What went wrong at client access points in the field: files missing, busy or locked, points that refused, long silence."""

import fcntl
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from field.words import told
from publishing_site import PublishingSite
from purveyor.client import reports
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import points, requests, status
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.publish import turn as publish
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Point as TransportPoint
from purveyor.wire.boxes import BOXES, UP_BOXES, is_down_path
from purveyor.wire.errors import UnavailableError
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import advertisement_id, collection_id
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.reports import StatusMessage
from purveyor.wire.settings import Point
from purveyor.wire.status_messages import StatusId
from small_client import SmallClient
from small_site import URL, SmallSite, key_of, member, package

POLL = timedelta(minutes=15)
SECOND = "http://second.test/cap"


def items_in(fleet: Fleet) -> list[str]:
    """What clients put and the site has not taken yet."""
    boxes = {box.name for box in UP_BOXES}
    return [path for path in fleet.cap.files if path.partition("/")[0] in boxes]


def test_q227034_a_package_whose_file_is_missing_has_words_of_its_own_and_holds_up_no_other() -> None:
    with Fleet(2, poll_interval=POLL) as fleet:
        heavy = fleet.admin.add_package("Heavy")
        fleet.admin.advertise(fleet.admin.add_program(heavy, "install", "heavy.exe"))
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Light"), "install", "light.exe"))
        fleet.site_turn()
        (path,) = (path for path in fleet.cap.files if path.endswith(f"{heavy}.pkg"))
        fleet.cap.lose(path)
        fleet.advance(minutes=20)
        assert [(fleet.ran(one, "light.exe"), fleet.ran(one, "heavy.exe")) for one in fleet.clients] == [(1, 0), (1, 0)]
        assert all(heavy in text and URL not in text for text in told(fleet, StatusId.POLICY_PROBLEM))
        assert len(told(fleet, StatusId.POLICY_PROBLEM)) == 2, "each client said so, once"
        fleet.advance(hours=2)
        assert [fleet.ran(one, "heavy.exe") for one in fleet.clients] == [1, 1], (
            "the site found that it was gone, and wrote it again"
        )


def test_q263594_what_a_client_cannot_send_is_bounded_results_stay_longest_and_the_loss_is_told() -> None:
    site = SmallSite()
    client = SmallClient(site)
    site.set_settings(spool_limit=5)
    site.say({client.identity.client: member()})
    settings = client.policy().settings
    for day in range(60):
        for state in (None, None, JobState.SUCCEEDED if day % 30 == 0 else None):
            reports.tell(
                client.state, StatusMessage(id=StatusId.JOB_WAITING, at=site.clock.now(), state=state, text=f"day {day}")
            )
        reports.gather(client.state, client.identity, settings, applied=1, holding=(), now=site.clock.now())
        site.clock.advance(timedelta(days=1))
        assert reports.pending_count(client.state) <= 3 * settings.spool_limit + 1
    kept = [from_bytes(bytes(row[0]), StatusMessage) for row in client.connection.execute("select content from message")]
    assert [message.text for message in kept if message.state is not None] == ["day 30"]
    assert any(message.id is StatusId.REPORTS_LOST for message in kept)


def test_q275617_locks_and_halves_of_others_hold_up_neither_the_site_nor_a_reader(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "cap")
    shelf.make_boxes()
    shelf.replace("clidata.box/timestamp.json", b"one")
    (tmp_path / "cap" / "clidata.box" / "timestamp.json.lock").write_bytes(b"process 1")
    (tmp_path / "cap" / ".aside" / "999999-1").write_bytes(b"half of a fi")
    with (tmp_path / "cap" / "clidata.box" / "timestamp.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.lockf(held.fileno(), fcntl.LOCK_SH)
        shelf.replace("clidata.box/timestamp.json", b"two")
        answer = FolderPoint(tmp_path / "cap").read("clidata.box/timestamp.json", limit_bytes=100)
    assert answer is not None and answer.content == b"two"
    FolderShelf(tmp_path / "cap").replace("clidata.box/timestamp.json", b"three")
    assert list((tmp_path / "cap" / ".aside").iterdir()) == [], "what a killed owner left is cleared away by the next"


def test_q280515_a_file_is_replaced_while_clients_read_it_and_each_of_them_reads_one_version(tmp_path: Path) -> None:
    shelf, point = FolderShelf(tmp_path / "cap"), FolderPoint(tmp_path / "cap")
    versions = [bytes([65 + number]) * 300_000 for number in range(3)]
    shelf.write("pkginfo.box/content", versions[0])
    readers = []
    for version in versions:
        shelf.replace("pkginfo.box/content", version)
        pieces = point.read_from("pkginfo.box/content", offset=0, limit_bytes=10**6)
        readers.append((version, next(pieces), pieces))
    for version, first, rest in readers:
        assert first + b"".join(rest) == version


def test_q292030_what_waits_is_sent_minutes_after_the_network_is_there_however_short_the_working_days() -> None:
    with Fleet(1, poll_interval=timedelta(hours=1)) as fleet:
        client = fleet.clients[0]
        fleet.script("setup.exe", Script(seconds=600))
        fleet.admin.advertise(fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe"))
        while client.machine.running() == []:
            fleet.advance(minutes=1)
        fleet.cap.cut()
        for _ in range(3):
            fleet.advance(minutes=30)
            client.machine.power_cut()
            fleet.advance(hours=23)
            client.switch_on()
        fleet.advance(minutes=2)
        assert told(fleet, StatusId.SUCCEEDED_BY_EXIT_CODE) + told(fleet, StatusId.INTERRUPTED) == []
        fleet.cap.mend()
        fleet.advance(minutes=3)
        assert items_in(fleet) != [], "it waits for longer than a short day has"


def test_q301352_items_that_have_one_name_are_both_delivered_and_no_upload_passes_for_another() -> None:
    with Fleet(4, poll_interval=POLL) as fleet:
        program = fleet.admin.add_program(fleet.admin.add_package("Editor"), "install", "setup.exe")
        for client in fleet.clients:
            client.machine._random = Random(7)
        fleet.admin.advertise(program)
        fleet.advance(hours=1)
        for client in fleet.clients:
            client.machine._random = Random(client.name)
        fleet.advance(hours=5)
        puts = [request.path for request in fleet.cap.requests if request.verb == "put"]
        assert len(puts) > len(set(puts)), "none had the name of another"
        assert fleet.admin.ask(status.of_program, program).counts.states == {JobState.SUCCEEDED: 4}
        assert [reports.pending_count(client.machine.state) for client in fleet.clients] == [0] * 4


def test_q200830_boxes_that_somebody_removed_are_made_again_and_rights_that_somebody_chose_stay(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "cap")
    shelf.make_boxes()
    (tmp_path / "cap" / "statmsgs.box").chmod(0o1770)
    for box in ("ddr.box", "offerinf.box"):
        (tmp_path / "cap" / box).rmdir()
    assert shelf.mark_full_boxes() == []
    modes = {box.name: (tmp_path / "cap" / box.name).stat().st_mode & 0o7777 for box in BOXES}
    assert (modes["ddr.box"], modes["offerinf.box"], modes["statmsgs.box"]) == (0o1730, 0o755, 0o1770)


def offers_in(site: PublishingSite) -> dict[str, bytes]:
    """The offers that lie on the access point."""
    return {path: content for path, content in site.files().items() if path.endswith(".ofr")}


def refusing(client: LabClient, fleet: Fleet, reason: str) -> list[datetime]:
    """Lets the access point refuse a client from now on. Shape: when it asked, filled as it asks."""
    asked: list[datetime] = []

    def point_for(url: str) -> TransportPoint:
        if url == fleet.cap.url:
            asked.append(fleet.clock.now())
            raise UnavailableError(f"{url}: {reason}")
        return fleet.dp.point(client.name)

    client.point_for = client.agent.point_for = point_for
    return asked


def test_q208618_a_point_that_takes_no_more_is_left_for_another_and_the_cause_is_told() -> None:
    site = SmallSite()
    site.set_settings(access_points=(Point(id="cap1", url=URL, weight=1000), Point(id="cap2", url=SECOND, weight=1)))
    mirror = MemoryBoxes(SECOND, site.clock.now)
    client = SmallClient(site, others={SECOND: mirror})
    site.say({client.identity.client: member()})
    mirror.files = dict(site.boxes.files)
    client.poll()
    site.boxes.cut()
    polled = client.poll(after=timedelta(hours=1))
    assert polled.access_point == SECOND
    assert any("cannot be reached" in problem.reason for problem in polled.policy.problems)
    with Fleet(1, poll_interval=POLL) as fleet:
        reached = fleet.clients[0].point_for
        refusing(fleet.clients[0], fleet, "503: too many connections")
        fleet.advance(hours=4)
        fleet.clients[0].point_for = fleet.clients[0].agent.point_for = reached
        fleet.advance(hours=2)
        assert [text for text in told(fleet, StatusId.POLICY_PROBLEM) if "503: too many connections" in text] != []


def test_q231399_a_user_that_is_refused_asks_a_few_times_an_hour_and_says_so_once() -> None:
    with Fleet(1, poll_interval=timedelta(minutes=1)) as fleet:
        client = fleet.clients[0]
        reached = client.point_for
        asked = refusing(client, fleet, "the server refuses this user or password")
        fleet.advance(hours=5)
        hours = itertools.groupby(asked, key=lambda at: at.replace(minute=0, second=0))
        assert all(len(list(tries)) <= 8 for _, tries in hours)
        client.point_for = client.agent.point_for = reached
        fleet.advance(hours=2)
        assert len([text for text in told(fleet, StatusId.POLICY_PROBLEM) if "refuses this user" in text]) == 1


def test_q256905_what_is_asked_of_clients_leaves_no_files_behind_once_it_is_over() -> None:
    site = PublishingSite()
    names = ("one", "two")
    advertised = advertisement_id(site.advertise(site.add_package(), site.add_collection("some", *site.add_clients(*names))))
    site.turn()
    before = offers_in(site)
    for name in names:
        site.do(
            lambda tx, name=name: requests.ask(
                tx, RequestKind.CANCEL, advertised, clients=[name], by="anna", now=site.clock.now()
            )
        )
        site.turn(after=timedelta(hours=6))
    assert len(offers_in(site)) == len(before) + 2
    for _ in range(6):
        site.turn(after=timedelta(days=10))
    assert offers_in(site) == before


@pytest.mark.parametrize("is_clock_wrong", [False, True])
def test_q265358_a_client_without_its_site_keeps_all_and_asks_seldom_until_the_site_is_back(is_clock_wrong: bool) -> None:
    site = SmallSite()
    client = SmallClient(site)
    site.add_packages(package("S0100001", 1))
    site.offer(key_of("S0100001"), collection=collection_id("S0110001"))
    site.say({client.identity.client: member("S0110001")})
    client.poll()
    client.hold("S0100001")
    site.boxes.cut()
    client.poll(after=timedelta(hours=1))
    if is_clock_wrong:
        client.state.remember_time("silent since", site.clock.now() + timedelta(days=9999))
        client.poll(after=timedelta(hours=1))
    site.clock.advance(timedelta(days=61))
    asked = []
    for _ in range(3 * 48):
        mark = len(site.boxes.requests)
        client.poll(after=timedelta(minutes=30))
        asked.append(len(site.boxes.requests) > mark)
    assert sum(asked[48:]) <= 10, "no more than a few times a day"
    assert client.state.connection.execute("select package from history").fetchall() == [("S0100001",)]
    site.boxes.mend()
    site.publish(renew="timestamp snapshot offers settings packages")
    site.say({client.identity.client: member("S0110001")})
    polled = client.poll(after=timedelta(hours=6))
    assert polled.access_point == URL and [offer.advertisement.package for offer in polled.policy.offers] == ["S0100001"]
    site.boxes.cut()
    client.poll(after=timedelta(hours=1))
    mark = len(site.boxes.requests)
    client.poll(after=timedelta(minutes=31))
    assert len(site.boxes.requests) > mark, "it is dormant no more"


def test_q278856_a_link_that_breaks_again_and_again_is_gone_on_with_until_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    site = PublishingSite()
    for number in range(30):
        site.add_package(f"package {number}")
    site.set(poll_interval_seconds=60)
    wrote: list[str] = []
    write, replace = site.cap.write, site.cap.replace

    def breaking(write_it: Callable[[str, bytes], None]) -> Callable[[str, bytes], None]:
        def written(path: str, content: bytes) -> None:
            if len(wrote) and len(wrote) % 7 == 0:
                wrote.append("")
                raise UnavailableError("the link is gone")
            wrote.append(path)
            write_it(path, content)

        return written

    site.cap.write, site.cap.replace = breaking(write), breaking(replace)  # type: ignore[method-assign]
    monkeypatch.setattr(publish, "FILES_AT_ONCE", 3)
    tries = 0
    is_done = False
    while not is_done:
        tries += 1
        assert tries < 60, "each try begins again"
        with suppress(UnavailableError):
            site.turn()
            is_done = True
    assert tries > 3
    assert max(Counter(path for path in wrote if path).values()) <= 3


def test_q235210_q257262_a_point_made_where_another_one_was_is_whole_whatever_that_one_left() -> None:
    with Fleet(1, poll_interval=POLL) as fleet:
        place = fleet.add_point(PointKind.CAP, SECOND)
        fleet.advance(hours=1)
        fleet.admin.change(points.remove, "cap2", is_forced=True, is_left=True)
        fleet.admin.add_package("Editor")
        fleet.advance(hours=1)
        names = sorted(path for path in place.files if path.startswith("clidata.box/"))
        place.files.pop(names[0])
        place.files[names[1]] = place.files[names[1]]._replace(content=b"half of a fi")
        fleet.admin.change(points.add, PointKind.CAP, url=SECOND, target="/elsewhere/1")
        fleet.advance(hours=3)
        (view,) = (one for one in fleet.admin.ask(points.listed, fleet.clock.now()) if one.url == SECOND)
        assert (view.behind, view.problem) == (0, "")
        published = {path: stored.content for path, stored in fleet.cap.files.items() if is_down_path(path)}
        assert {path: place.files[path].content for path in published} == published


def test_q203083_q261760_a_point_says_what_is_known_of_it_and_since_when_and_never_nothing_for_not_known() -> None:
    with Fleet(0) as fleet:
        away = fleet.add_point(PointKind.CAP, SECOND)
        fleet.add_point(PointKind.CAP, "http://mirrored.lab/cap", target="")
        away.is_cut_from_site = True
        fleet.advance(hours=2)
        reached, never, by_a_mirror = (
            one for one in fleet.admin.ask(points.listed, fleet.clock.now()) if one.kind is PointKind.CAP
        )
        assert (reached.behind, by_a_mirror.behind, by_a_mirror.is_told) == (0, None, False), "what a mirror shows is not known"
        assert "no mirror has brought" in by_a_mirror.problem
        assert (never.succeeded_at, never.behind, never.is_told) == (None, None, False)
        assert never.problem and never.failures and never.tried_at is not None
        assert fleet.clock.now() - timedelta(hours=1) <= never.tried_at <= fleet.clock.now()
        away.mend()
        fleet.advance(hours=2)
        [at_last] = (one for one in fleet.admin.ask(points.listed, fleet.clock.now()) if one.id == never.id)
        assert (at_last.behind, at_last.problem, at_last.failures) == (0, "", 0)
        away.is_cut_from_site = True
        fleet.advance(hours=5)
        [gone] = (one for one in fleet.admin.ask(points.listed, fleet.clock.now()) if one.id == never.id)
        assert gone.failures and gone.succeeded_at == at_last.succeeded_at
        assert gone.succeeded_at is not None and gone.tried_at is not None
        assert gone.succeeded_at < gone.tried_at, "the age of what is known is seen"
