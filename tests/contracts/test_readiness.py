"""What an advertisement waits for before clients hear of it, over every database: as published, and as status says it."""

import pytest
from sqlalchemy import Connection, insert, update

from purveyor.site_server.admin import advertisements, audit, packages, preview, programs, status
from purveyor.site_server.admin.preview import Asked
from purveyor.site_server.database import schema
from purveyor.site_server.model.dependencies import CHAIN_LIMIT
from purveyor.site_server.publish.offers import compile_offers
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.package_info import Command, ProgramKey, Superseded, Uninstall
from site_rows import ANNA, NOW, add_clients, add_manifest, add_site

ALL = CollectionId("S0110001")
TOOL, LIBRARY = PackageId("S0100001"), PackageId("S0100002")
ONE = ProgramNumber(1)
CONTENT = "c" * 64


@pytest.fixture
def advertised(tx: Connection) -> AdvertisementId:
    """A tool without content that depends on a library whose content was uploaded and lies on no point yet; to two clients."""
    add_site(tx)
    add_clients(tx, 2)
    add_manifest(tx, CONTENT)
    packages.add(tx, name="Tool", by=ANNA, now=NOW)
    packages.add(tx, name="Library", manifest=CONTENT, by=ANNA, now=NOW)
    programs.add(tx, LIBRARY, name="install", command="x", by=ANNA, now=NOW)
    programs.add(tx, TOOL, name="install", command="x", depends_on=ProgramKey(LIBRARY, ONE), by=ANNA, now=NOW)
    return advertisements.add(tx, package=TOOL, program=ONE, collection=ALL, is_confirmed=True, by=ANNA, now=NOW)


def _is_placed(tx: Connection, state: str = "verified") -> None:
    tx.execute(insert(schema.content_copy).values(point="local", manifest=CONTENT, state=state, since=NOW))


def _waits(tx: Connection, advertised: AdvertisementId) -> tuple[PackageId, ...]:
    return advertisements.shown(tx, advertised).waits_for_content_of


def test_an_advertisement_waits_for_the_content_of_all_that_it_depends_on_and_clients_hear_only_that_it_waits(
    tx: Connection, advertised: AdvertisementId
) -> None:
    offers = compile_offers(tx, ALL)
    assert (offers.advertisements, offers.waiting) == ((), (ProgramKey(TOOL, ONE), ProgramKey(LIBRARY, ONE)))
    assert _waits(tx, advertised) == (LIBRARY,)
    assert status.of_advertisement(tx, advertised).waits_for_content_of == (LIBRARY,)
    assert status.of_collection(tx, ALL).advertisements[0].waits_for_content_of == (LIBRARY,)
    waiting = f"waiting for content: {LIBRARY} is on no distribution point yet"
    assert waiting in preview.of_standing(tx, advertised, Asked(), NOW).notes
    assert waiting in preview.of_new(tx, Asked(), package=TOOL, program=ONE, collection=ALL, now=NOW).notes


def test_it_waits_no_more_when_a_point_holds_it_and_again_when_none_does(tx: Connection, advertised: AdvertisementId) -> None:
    _is_placed(tx, "waiting")
    assert _waits(tx, advertised) == (LIBRARY,)
    tx.execute(update(schema.content_copy).values(state="verified"))
    offers = compile_offers(tx, ALL)
    assert ([one.id for one in offers.advertisements], offers.waiting, _waits(tx, advertised)) == ([advertised], (), ())
    tx.execute(update(schema.content_copy).values(state="unnamed"))
    assert _waits(tx, advertised) == (LIBRARY,)


def test_an_update_that_is_on_no_point_yet_holds_nothing_up(tx: Connection, advertised: AdvertisementId) -> None:
    _is_placed(tx)
    packages.update(tx, LIBRARY, manifest=add_manifest(tx, "d" * 64), by=ANNA, now=NOW)
    assert _waits(tx, advertised) == ()
    assert [one.id for one in compile_offers(tx, ALL).advertisements] == [advertised]


def test_what_depends_on_a_deleted_package_is_offered_to_nobody_and_says_so_and_has_not_been_taken_back(
    tx: Connection, advertised: AdvertisementId
) -> None:
    _is_placed(tx)
    packages.delete(tx, LIBRARY, is_confirmed=True, by=ANNA, now=NOW)
    offers = compile_offers(tx, ALL)
    assert (offers.advertisements, ProgramKey(TOOL, ONE) in offers.waiting) == ((), True)
    seen = status.of_advertisement(tx, advertised)
    assert seen.waits_for_content_of == ()
    assert f"it is offered to nobody: it depends on {LIBRARY}, which was deleted" in seen.warnings


def test_a_program_can_be_deleted_when_what_depended_on_it_was_deleted(tx: Connection, advertised: AdvertisementId) -> None:
    with pytest.raises(RefusedError, match="is needed by S0100001/1"):
        programs.delete(tx, ProgramKey(LIBRARY, ONE), by=ANNA, now=NOW)
    packages.delete(tx, TOOL, is_confirmed=True, by=ANNA, now=NOW)
    programs.delete(tx, ProgramKey(LIBRARY, ONE), by=ANNA, now=NOW)
    assert programs.listed(tx, LIBRARY) == ()


def test_a_chain_that_no_client_would_run_is_refused(tx: Connection, advertised: AdvertisementId) -> None:
    before = ProgramKey(TOOL, ONE)
    for number in range(2, CHAIN_LIMIT):
        before = ProgramKey(
            TOOL, programs.add(tx, TOOL, name=f"n{number}", command="x", depends_on=before, by=ANNA, now=NOW).number
        )
    with pytest.raises(RefusedError, match="33 programs would depend on one another in a row: 32 are possible"):
        programs.add(tx, TOOL, name="last", command="x", depends_on=before, by=ANNA, now=NOW)
    library = programs.add(tx, LIBRARY, name="deeper", command="x", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="33 programs"):
        programs.edit(tx, ProgramKey(LIBRARY, ONE), depends_on=ProgramKey(LIBRARY, library.number), by=ANNA, now=NOW)


def test_an_advertisement_whose_time_never_comes_says_so(tx: Connection, advertised: AdvertisementId) -> None:
    ended = ["2020-01-01T09:00Z FREQ=DAILY;COUNT=3"]
    seen = advertisements.edit(tx, advertised, assignments=ended, is_confirmed=True, by=ANNA, now=NOW)
    assert seen.warnings == ("2020-01-01T09:00Z FREQ=DAILY;COUNT=3 never comes: its last time was before this is available",)


def test_what_nothing_can_uninstall_is_told_of_what_is_to_uninstall_it(tx: Connection, advertised: AdvertisementId) -> None:
    old = programs.add(tx, TOOL, name="old", command="x", by=ANNA, now=NOW)
    replaced = Superseded(key=ProgramKey(TOOL, old.number), is_uninstalled=True)
    new = programs.add(tx, TOOL, name="new", command="x", supersedes=[replaced], by=ANNA, now=NOW)
    (warning,) = programs.shown(tx, ProgramKey(TOOL, new.number)).warnings
    assert f"{TOOL}/{old.number} is not uninstalled" in warning
    assert audit.listed(tx, about=TOOL)[0].detail["argv"] == ["x"], "no password was warned of"
    uninstall = Uninstall(command=Command(argv=("x",)))
    programs.edit(tx, ProgramKey(TOOL, old.number), uninstall=uninstall, by=ANNA, now=NOW)
    assert programs.shown(tx, ProgramKey(TOOL, new.number)).warnings == ()
