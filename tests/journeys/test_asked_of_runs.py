"""An administrator calls runs off, stops them and runs them again, and sees what each client answered."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import requests, status
from purveyor.site_server.admin.requests import RequestView
from purveyor.wire.ids import AdvertisementId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.package_info import ProgramKey

TOOL = "tool.exe"
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A fleet of two, with a program that is offered to nobody yet."""

    fleet: Fleet
    program: ProgramKey

    def ask(self, kind: RequestKind, advertisement: AdvertisementId, *names: str, only_failed: bool = False) -> RequestView:
        """A new request, heard by everybody."""
        made: RequestView = self.fleet.admin.change(
            requests.ask, kind, advertisement, clients=names, only_failed=only_failed, is_confirmed=True
        )
        self.fleet.advance_polls(2)
        return self.fleet.admin.ask(requests.shown, made.number, now=self.fleet.clock.now())

    def state(self, advertisement: AdvertisementId) -> dict[str, JobState | None]:
        """Where the program stands on each client, as the site knows it."""
        jobs = self.fleet.admin.ask(status.clients_of_advertisement, advertisement)
        return {one.client_name: one.state for one in jobs}

    def runs(self) -> list[int]:
        """How often each client ran the program."""
        return [self.fleet.ran(client, TOOL) for client in self.fleet.clients]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Fleet(2) as fleet:
        fleet.advance_polls(1)
        package = fleet.admin.add_package("Tool", {"tool.exe": b"a tool"})
        yield Scene(fleet=fleet, program=fleet.admin.add_program(package, "install", TOOL, max_run_seconds=DAY_SECONDS))


def test_a_run_that_has_not_begun_is_called_off_for_good(scene: Scene) -> None:
    in_ten_polls = scene.fleet.clock.now() + 10 * scene.fleet.poll_interval
    advertisement = scene.fleet.admin.advertise(scene.program, assignments=[f"{in_ten_polls:%Y-%m-%dT%H:%M}Z"])
    scene.fleet.advance_polls(2)
    first, second = (client.name for client in scene.fleet.clients)
    seen = scene.ask(RequestKind.CANCEL, advertisement, first)
    assert (seen.counts.done, seen.counts.silent) == (1, 0)
    scene.fleet.advance_polls(12)
    assert scene.runs() == [0, 1]
    assert scene.state(advertisement)[second] is JobState.SUCCEEDED
    late = scene.ask(RequestKind.CANCEL, advertisement, second)
    assert late.counts.too_late == 1


def test_a_run_that_is_under_way_is_stopped_and_says_so(scene: Scene) -> None:
    scene.fleet.script(TOOL, Script(seconds=DAY_SECONDS))
    advertisement = scene.fleet.admin.advertise(scene.program)
    scene.fleet.advance_polls(2)
    assert set(scene.state(advertisement).values()) == {JobState.RUNNING}
    seen = scene.ask(RequestKind.STOP, advertisement)
    assert (seen.counts.done, seen.counts.silent) == (2, 0)
    assert JobState.RUNNING not in scene.state(advertisement).values()


def test_a_program_runs_again_where_it_failed_and_nowhere_else(scene: Scene) -> None:
    first, second = scene.fleet.clients
    first.machine.programs.script(TOOL, Script(exit_code=5), Script())
    advertisement = scene.fleet.admin.advertise(scene.program)
    scene.fleet.advance_polls(3)
    assert scene.state(advertisement) == {first.name: JobState.FAILED, second.name: JobState.SUCCEEDED}
    seen = scene.ask(RequestKind.RUN_AGAIN, advertisement, only_failed=True)
    assert (seen.counts.done, seen.counts.refused) == (1, 0)
    scene.fleet.advance_polls(2)
    assert scene.runs() == [2, 1]
    assert set(scene.state(advertisement).values()) == {JobState.SUCCEEDED}
