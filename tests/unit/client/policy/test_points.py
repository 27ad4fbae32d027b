"""At which CAPs items are put, and how many CAPs one pass asks."""

from datetime import timedelta

import pytest

from purveyor.client import reports
from purveyor.client.points import pauses
from purveyor.client.policy import points
from purveyor.lab.transport import MemoryBoxes, MemoryPoint
from purveyor.wire.errors import PurveyorError, UnavailableError
from purveyor.wire.reports import StatusMessage
from purveyor.wire.settings import Point
from purveyor.wire.status_messages import StatusId
from small_client import SmallClient
from small_site import DAY, URL, SmallSite, member

SECOND, THIRD = "http://second.test/cap", "http://third.test/cap"
MINUTE = timedelta(minutes=1)


class ReadOnly(MemoryPoint):
    """A CAP whose up boxes take nothing now."""

    def put(self, path: str, content: bytes) -> None:
        """Errors: UnavailableError."""
        raise UnavailableError(f"{self.url} is read-only: no {path} of {len(content)} bytes")


def client_with(*caps: Point) -> SmallClient:
    """A client of a site with these CAPs, all filled, that was served by the first."""
    site = SmallSite()
    site.set_settings(access_points=caps)
    client = SmallClient(site, others={cap.url: MemoryBoxes(cap.url, site.clock.now) for cap in caps if cap.url != URL})
    site.say({client.identity.client: member()})
    for boxes in client.others.values():
        boxes.files = dict(site.boxes.files)
    client.poll()
    return client


def for_items(client: SmallClient, in_use: str = URL) -> tuple[str, ...]:
    """Where it puts items now."""
    return points.for_items(client.state, client.identity, client.site.clock.now(), in_use=in_use)


def test_items_go_to_the_cap_in_use_then_to_others_and_last_to_one_that_drains() -> None:
    client = client_with(Point(id="cap1", url=URL), Point(id="cap2", url=SECOND), Point(id="cap3", url=THIRD, is_draining=True))
    assert for_items(client) == (URL, SECOND, THIRD)
    assert for_items(client, SECOND) == (SECOND, URL, THIRD)
    assert for_items(client, THIRD)[2] == THIRD


def test_a_cap_that_takes_no_items_is_given_none() -> None:
    client = client_with(Point(id="cap1", url=URL, takes_items=False), Point(id="cap2", url=SECOND))
    assert for_items(client) == (SECOND,)
    client = client_with(Point(id="cap1", url=URL, takes_items=False))
    assert for_items(client) == ()
    with pytest.raises(UnavailableError, match="no access point takes items"):
        reports.send(
            client.state,
            client.identity,
            client.site.settings_of(),
            points=[],
            random_name=["ab" * 16],
            now=client.site.clock.now(),
        )


def test_a_cap_that_is_read_only_serves_on_and_is_tried_again_after_a_pause() -> None:
    client = client_with(Point(id="cap1", url=URL), Point(id="cap2", url=SECOND))
    now = client.site.clock.now()
    reports.tell(client.state, StatusMessage(id=StatusId.JOB_WAITING, at=now, text="one"))
    reports.gather(client.state, client.identity, client.site.settings_of(), applied=0, holding=(), now=now)
    tried: list[tuple[str, bool]] = []

    def note(url: str, error: PurveyorError | None) -> None:
        tried.append((url, error is None))
        if error is not None:
            pauses.begin(client.state, points.up_key(url), str(error), now=now)

    sent = reports.send(
        client.state,
        client.identity,
        client.site.settings_of(),
        points=[ReadOnly(client.site.boxes, "c1"), client.point_for(SECOND)],
        random_name=["ab" * 16],
        now=now,
        tried=note,
    )
    assert (sent, tried) == (1, [(URL, False), (SECOND, True)])
    assert client.others[SECOND].put_count == 1, "put once"
    assert for_items(client) == (SECOND,)
    assert pauses.ends_at(client.state, URL, now) is None, "it is asked for policy all the same"
    client.site.clock.advance(2 * MINUTE)
    assert for_items(client) == (URL, SECOND)


def test_one_pass_asks_a_few_caps_and_those_that_are_known_to_serve() -> None:
    """Whoever holds the key of settings may name a hundred points that nobody answers at."""
    named = [Point(id=f"cap{number}", url=f"http://{number}.test/cap") for number in range(100)]
    client = client_with(*named)
    for boxes in client.others.values():
        boxes.cut()
    polled = client.poll(after=DAY)
    asked = [url for url, boxes in client.others.items() if boxes.requests]
    assert len(asked) == points.POINTS_A_PASS
    assert polled.access_point == URL, "what was joined at is the last resort, and always asked"


def test_pauses_outlast_a_restart_of_the_agent() -> None:
    client = client_with(Point(id="cap1", url=URL), Point(id="cap2", url=SECOND))
    client.site.boxes.cut()
    client.others[SECOND].cut()
    client.poll(after=DAY)
    client.restart()
    mark = len(client.site.boxes.requests) + len(client.others[SECOND].requests)
    client.poll(after=MINUTE / 2)
    assert len(client.site.boxes.requests) + len(client.others[SECOND].requests) == mark
