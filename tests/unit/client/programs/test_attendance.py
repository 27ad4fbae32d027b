"""When the sentinel is to watch who logs on and off: where anything that is offered depends on people."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from purveyor.client.policy_view import Offer, Policy
from purveyor.client.programs.wanted.attendance import waits_for_sessions
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber, SiteCode
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind
from purveyor.wire.package_info import Command, Conditions, Logon, PackageInfo, Program, RunAs, RunsFor
from purveyor.wire.settings import AgentSettings, Shards

PACKAGE = PackageId("S0100001")
MANDATORY = Advertisement(
    id=AdvertisementId("S0120001"),
    package=PACKAGE,
    program=ProgramNumber(1),
    available_from=datetime(2026, 1, 5, tzinfo=UTC),
    assignments=(Assignment(number=1, kind=AssignmentKind.ASAP),),
)
PLAIN = Program(number=ProgramNumber(1), name="setup", command=Command(shell_line="setup"))
SETTINGS = AgentSettings(site=SiteCode("S01"), incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=())


def policy(advertisement: Advertisement = MANDATORY, program: Program = PLAIN) -> Policy:
    info = PackageInfo(id=PACKAGE, name="App", source_version=1, programs=(program,))
    return Policy(
        settings=SETTINGS,
        is_complete=True,
        is_fresh=True,
        may_run_accepted=True,
        offers=(Offer(collection=CollectionId("S0110001"), advertisement=advertisement),),
        packages={PACKAGE: info},
    )


def test_what_runs_for_the_system_whoever_is_there_waits_for_nobody() -> None:
    assert not waits_for_sessions(policy())
    assert not waits_for_sessions(msgspec.structs.replace(policy(), offers=(), packages={}))
    startup = Assignment(number=1, kind=AssignmentKind.STARTUP)
    assert not waits_for_sessions(policy(msgspec.structs.replace(MANDATORY, assignments=(startup,))))


@pytest.mark.parametrize(
    "changed",
    [
        {"assignments": ()},
        {"is_visible": True},
        {"users": ("alice",)},
        {"groups": ("CORP\\staff",)},
        {"assignments": (Assignment(number=1, kind=AssignmentKind.LOGON),)},
        {"assignments": (*MANDATORY.assignments, Assignment(number=2, kind=AssignmentKind.LOGOFF))},
    ],
)
def test_an_offer_that_people_see_or_trigger_waits_for_them(changed: dict[str, Any]) -> None:
    assert waits_for_sessions(policy(msgspec.structs.replace(MANDATORY, **changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"conditions": Conditions(logon=Logon.USER)},
        {"conditions": Conditions(logon=Logon.NONE)},
        {"run_as": RunAs.USER},
        {"runs_for": RunsFor.EVERY_USER},
    ],
)
def test_a_program_that_needs_people_or_their_absence_waits_for_them(changed: dict[str, Any]) -> None:
    assert waits_for_sessions(policy(program=msgspec.structs.replace(PLAIN, **changed)))
