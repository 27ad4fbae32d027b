"""How programs and advertisements say that they run, as an administrator handles them, over every database."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from purveyor.site_server.admin import advertisements, audit, collections, packages, programs, status
from purveyor.site_server.database import settings
from purveyor.site_server.publish.offers import compile_offers
from purveyor.site_server.publish.packages import compile_package
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, ProgramNumber
from purveyor.wire.offers import Priority, Rerun
from purveyor.wire.package_info import (
    AfterRun,
    Command,
    Conditions,
    FileRule,
    Logon,
    ProgramKey,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
    Uninstall,
)
from site_rows import ANNA, NOW, add_clients, add_site, client_id_at, meet_all_wants, wants

NEEDS_USER = Conditions(logon=Logon.USER)
NOBODY = Conditions(logon=Logon.NONE)


@pytest.fixture(autouse=True)
def three_clients(tx: Connection) -> None:
    """Every test has a site with three clients."""
    add_site(tx)
    add_clients(tx, 3)


def _program(tx: Connection, name: str = "Tool", **given: object) -> ProgramKey:
    package = packages.add(tx, name=name, by=ANNA, now=NOW)
    add: Callable[..., programs.ProgramView] = programs.add
    view = add(tx, package, name=f"install {name}", command="sh install.sh", by=ANNA, now=NOW, **given)
    return ProgramKey(package, view.number)


def _pilot(tx: Connection, *positions: int, name: str = "Pilot") -> CollectionId:
    members = [client_id_at(position) for position in positions or (1,)]
    return collections.add(tx, name=name, members=members, by=ANNA, now=NOW)


def _advertise(tx: Connection, key: ProgramKey, collection: CollectionId, *assign: str, **given: object) -> AdvertisementId:
    add: Callable[..., AdvertisementId] = advertisements.add
    return add(tx, package=key.package, program=key.program, collection=collection, assignments=assign, by=ANNA, now=NOW, **given)


def _edit(tx: Connection, advertisement: AdvertisementId, **given: object) -> advertisements.AdvertisementView:
    edit: Callable[..., advertisements.AdvertisementView] = advertisements.edit
    return edit(tx, advertisement, by=ANNA, now=NOW, **given)


def _change(tx: Connection, key: ProgramKey, **given: object) -> programs.ProgramView:
    change: Callable[..., programs.ProgramView] = programs.edit
    return change(tx, key, by=ANNA, now=NOW, **given)


def _detail(tx: Connection, about: str) -> dict[str, object]:
    return audit.listed(tx, about=about)[0].detail


# --- programs ---------------------------------------------------------------------------------------------------------


def test_all_that_is_said_of_a_program_reaches_its_clients(tx: Connection) -> None:
    old = _program(tx, "Old")
    key = _program(
        tx,
        description="Draws the map",
        conditions=Conditions(logon=Logon.USER, needs_mains=True, min_free_bytes=1000),
        run_as=RunAs.USER,
        runs_for=RunsFor.EVERY_USER,
        after_run=AfterRun.PROGRAM_RESTARTS,
        retry_codes=[1618, 5],
        reporting=Reporting(file_name="tool.mif", product="Tool"),
        supersedes=[Superseded(key=old, is_uninstalled=True)],
        uninstall=Uninstall(command=Command(argv=("rm", "x")), when_not_offered=True),
    )
    view = programs.shown(tx, key)
    published = compile_package(tx, key.package)
    assert published is not None
    told = published.programs[0]
    assert (view.description, view.run_as, view.runs_for, view.after_run) == (
        told.description,
        told.run_as,
        told.runs_for,
        told.after_run,
    )
    assert (told.conditions.needs_mains, view.conditions.min_free_bytes, view.retry_codes) == (True, 1000, (1618, 5))
    assert [(one.program, one.is_uninstalled) for one in view.supersedes] == [(str(old), True)]
    assert view.reporting is not None
    assert (view.reporting.product, told.reporting) == ("Tool", Reporting(file_name="tool.mif", product="Tool"))
    assert told.uninstall is not None
    assert told.uninstall.when_not_offered
    assert _detail(tx, key.package)["description"] == "Draws the map"


def test_a_part_is_taken_away_and_the_rest_stays(tx: Connection) -> None:
    key = _program(tx, reporting=Reporting(product="Tool"), description="x")
    view = _change(tx, key, without=[programs.Part.REPORTING])
    assert (view.reporting, view.description) == (None, "x")
    assert _detail(tx, key.package)["changed"] == ["reporting"]


def test_nothing_replaces_itself_what_it_needs_or_what_there_is_not(tx: Connection) -> None:
    first, second, third = _program(tx, "one"), _program(tx, "two"), _program(tx, "three")
    _change(tx, second, depends_on=first)
    _change(tx, third, supersedes=[Superseded(key=second)])
    absent = ProgramKey(first.package, ProgramNumber(9))
    for key, replaced, why in (
        (first, first, "itself"),
        (first, absent, "there is no program"),
        (second, first, "which it needs"),
        (first, third, f"lead back to it: {first} → {third} → {second} → {first}"),
    ):
        with pytest.raises(RefusedError, match=why):
            _change(tx, key, supersedes=[Superseded(key=replaced)])
    with pytest.raises(RefusedError, match=f"{third} would replace {second}, which it needs"):
        _change(tx, third, depends_on=second)


def test_a_dependency_that_makes_another_program_replace_what_it_needs_is_refused(tx: Connection) -> None:
    needed, middle, top = _program(tx, "needed"), _program(tx, "middle"), _program(tx, "top")
    _change(tx, top, depends_on=middle, supersedes=[Superseded(key=needed)])
    with pytest.raises(RefusedError, match=f"{top} would replace {needed}"):
        _change(tx, middle, depends_on=needed)


def test_a_program_that_is_deleted_falls_out_of_what_others_replace(tx: Connection) -> None:
    old, older = _program(tx, "Old"), _program(tx, "Older")
    new = _program(tx, "New", supersedes=[Superseded(key=old), Superseded(key=older, is_uninstalled=True)])
    meet_all_wants(tx)
    programs.delete(tx, old, by=ANNA, now=NOW)
    assert [one.program for one in programs.shown(tx, new).supersedes] == [str(older)]
    assert ("package", new.package) in wants(tx)
    assert _detail(tx, new.package)["no_longer_replaces"] == [str(old)]
    _change(tx, new, max_run_seconds=5)


def test_deleting_a_package_shows_what_replaces_it_and_what_it_replaces_and_breaks_neither(tx: Connection) -> None:
    old = _program(tx, "Old")
    middle = _program(tx, "Middle", supersedes=[Superseded(key=old)])
    new = _program(tx, "New", supersedes=[Superseded(key=middle)])
    preview = packages.preview_deletion(tx, middle.package)
    assert [one.id for one in preview.superseded_by] == [str(new)]
    assert [one.id for one in preview.supersedes] == [str(old)]
    with pytest.raises(ConfirmationNeededError, match=f"go on without that .{new}..*run again where they are offered .{old}"):
        packages.delete(tx, middle.package, by=ANNA, now=NOW)
    assert len(programs.shown(tx, new).supersedes) == 1
    packages.delete(tx, middle.package, is_confirmed=True, by=ANNA, now=NOW)
    assert programs.shown(tx, new).supersedes == ()
    preview = packages.preview_deletion(tx, old.package)
    assert preview.superseded_by == ()
    _change(tx, old, supersedes=[Superseded(key=new)])


# --- advertisements ---------------------------------------------------------------------------------------------------


def test_how_an_advertisement_runs_reaches_its_clients(tx: Connection) -> None:
    key, pilot = _program(tx, conditions=NEEDS_USER), _pilot(tx)
    advertisement = _advertise(
        tx,
        key,
        pilot,
        "logon",
        rerun=Rerun.IF_FAILED,
        priority=Priority.HIGH,
        users=["alice"],
        groups=[r"CORP\Sales"],
        is_visible=True,
        postpone_seconds=3600,
        spread_seconds=60,
        ignores_windows_because="a worm",
        over_slow_link=False,
    )
    told = compile_offers(tx, pilot).advertisements[0]
    view = advertisements.shown(tx, advertisement)
    assert (told.rerun, told.priority, told.users, told.groups) == (view.rerun, view.priority, view.users, view.groups)
    assert (told.users, told.groups, told.ignores_windows, told.over_slow_link) == (("alice",), (r"CORP\Sales",), True, False)
    assert (told.is_visible, told.postpone_seconds, told.spread_seconds) == (True, 3600, 60)
    assert _detail(tx, advertisement)["ignores_windows_because"] == view.ignores_windows_because == "a worm"
    edited = _edit(tx, advertisement, ignores_windows_because="", users=[], rerun=Rerun.ALWAYS)
    assert (edited.users, edited.groups, edited.rerun, edited.priority) == ((), (r"CORP\Sales",), Rerun.ALWAYS, Priority.HIGH)
    assert not compile_offers(tx, pilot).advertisements[0].ignores_windows


def test_the_same_way_to_run_is_a_twin_and_another_is_not(tx: Connection) -> None:
    key, pilot = _program(tx), _pilot(tx)
    first = _advertise(tx, key, pilot, "asap")
    _advertise(tx, key, pilot, "asap", priority=Priority.LOW)
    with pytest.raises(RefusedError, match=f"{first} .* in the same way already"):
        _advertise(tx, key, pilot, "asap", priority=Priority.NORMAL, users=[])


def test_an_advertisement_that_could_never_run_is_refused(tx: Connection) -> None:
    key, pilot = _program(tx, conditions=NEEDS_USER), _pilot(tx)
    with pytest.raises(RefusedError, match="never run when one logs off"):
        _advertise(tx, key, pilot, "logoff")
    advertisement = _advertise(tx, key, pilot, "logon")
    with pytest.raises(RefusedError, match="never run when one logs off"):
        _edit(tx, advertisement, assignments=["logon", "logoff"])
    with pytest.raises(RefusedError, match="detection rule"):
        _edit(tx, advertisement, rerun=Rerun.ON_DRIFT)
    assert advertisements.shown(tx, advertisement).rerun is Rerun.AS_SCHEDULED


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_program_is_not_changed_so_that_a_standing_advertisement_could_never_run_it(tx: Connection, is_paused: bool) -> None:
    key, pilot = _program(tx, detection=FileRule(path="/x"), conditions=NEEDS_USER), _pilot(tx)
    first = _advertise(tx, key, pilot, "logon", rerun=Rerun.ON_DRIFT, is_paused=is_paused)
    with pytest.raises(RefusedError, match=f"{first} .* could not any more: .*nobody is logged on"):
        _change(tx, key, conditions=NOBODY)
    with pytest.raises(RefusedError, match=f"{first} .* detection rule"):
        _change(tx, key, without=[programs.Part.DETECTION])
    second = _advertise(tx, key, pilot, "logon", users=["alice"])
    advertisements.delete(tx, first, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match=f"{second} .* does not need a user"):
        _change(tx, key, conditions=Conditions())
    advertisements.delete(tx, second, by=ANNA, now=NOW)
    assert _change(tx, key, conditions=NOBODY).conditions.logon is Logon.NONE


def test_what_nobody_can_start_is_flagged_when_it_is_made_and_its_status_says_why(tx: Connection) -> None:
    key, pilot = _program(tx, conditions=NOBODY), _pilot(tx)
    advertisement = _advertise(tx, key, pilot)
    (warning,) = advertisements.shown(tx, advertisement).warnings
    assert "no assignment" in warning
    assert status.of_advertisement(tx, advertisement).warnings == (warning,)
    assert _edit(tx, advertisement, assignments=["asap"]).warnings == ()


def test_what_runs_nowhere_or_at_once_is_refused_or_said_when_it_is_made(tx: Connection) -> None:
    key, pilot = _program(tx), _pilot(tx)
    with pytest.raises(RefusedError, match="would have expired at"):
        _advertise(tx, key, pilot, available_from=NOW - timedelta(days=9), expires_at=NOW - timedelta(days=1))
    programs.disable(tx, key, by=ANNA, now=NOW)
    advertisement = _advertise(tx, key, pilot, "2019-01-05T20:00")
    at_once, disabled = advertisements.shown(tx, advertisement).warnings
    assert "runs as soon as clients hear of it" in at_once
    assert "disabled" in disabled
    with pytest.raises(RefusedError, match="leaves the package"):
        _change(tx, key, working_directory="tools/../..")


def test_what_reaches_further_by_how_it_runs_wants_confirming(tx: Connection) -> None:
    settings.change_setting(tx, "confirm_above", 1)
    key, pilot = _program(tx), _pilot(tx, 1, 2)
    advertisement = _advertise(tx, key, pilot, "asap", is_confirmed=True)
    _edit(tx, advertisement, priority=Priority.HIGH, spread_seconds=60)
    for given in ({"rerun": Rerun.ALWAYS}, {"ignores_windows_because": "a worm"}):
        with pytest.raises(ConfirmationNeededError, match="2 clients"):
            _edit(tx, advertisement, **given)
    assert _edit(tx, advertisement, rerun=Rerun.ALWAYS, is_confirmed=True).rerun is Rerun.ALWAYS
