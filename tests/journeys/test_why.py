"""`why` names the link that is missing and who acts next, for each of many causes planted in the lab."""

from collections.abc import Iterator

import pytest

from journeys.why_causes import CAUSES, TOOL, Stage
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import settings
from purveyor.site_server.model.why.chain import LINKS
from purveyor.site_server.model.why.link import Mark


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Fleet(1) as fleet:
        fleet.advance_polls(1)
        package = fleet.admin.add_package("Tool", {"tool.exe": b"a tool"})
        yield Stage(fleet=fleet, program=fleet.admin.add_program(package, "install", TOOL, max_run_seconds=86_400))


@pytest.mark.parametrize("name", CAUSES)
def test_the_missing_link_is_named_and_who_acts_next(stage: Stage, name: str) -> None:
    cause = CAUSES[name]
    cause.plant(stage)
    seen = stage.explained()
    assert (seen.missing, seen.who.value) == (cause.link, cause.who.value), seen.sentence
    assert cause.says in seen.sentence
    assert not seen.is_there


def test_what_is_there_is_said_to_be_there_with_its_evidence(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(seconds=120))
    stage.advertise()
    stage.polls()
    seen = stage.explained()
    assert (seen.is_there, seen.missing, seen.next) == (True, "", "")
    assert seen.sentence.startswith("It is there: version 1 succeeded on 2026-01-05")
    assert all(link.mark is Mark.OK for link in seen.links), [link for link in seen.links if link.mark is not Mark.OK]


def test_what_is_there_stays_there_and_what_has_changed_since_is_told(stage: Stage) -> None:
    stage.change(settings.change, "heartbeat_interval_seconds", 7200)
    stage.advertise()
    stage.polls()
    stage.client.machine.power_cut()
    stage.fleet.advance(hours=10)
    seen = stage.explained()
    assert seen.is_there
    assert "Yet pc1 is silent since" in seen.sentence


def test_enough_causes_are_planted_and_every_link_is_broken_by_one() -> None:
    assert len(CAUSES) >= 30
    assert {cause.link for cause in CAUSES.values()} == {step.name for step in LINKS}
