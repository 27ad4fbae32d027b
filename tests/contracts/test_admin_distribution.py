"""Packages, programs and advertisements as an administrator handles them, over every database."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, update

from purveyor.site_server.admin import advertisements, audit, collections, packages, programs, resources
from purveyor.site_server.database import schema, settings
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import Command, FileRule, ProgramKey, Uninstall
from site_rows import ANNA, NOW, add_clients, add_manifest, add_site, client_id_at, meet_all_wants, report, wanted_shards, wants

ALL = CollectionId("S0110001")
LATER = NOW + timedelta(hours=1)
ONE = ProgramNumber(1)
REMOVAL = Uninstall(command=Command(argv=("rm", "-r", "x")))


@pytest.fixture(autouse=True)
def five_clients(tx: Connection) -> None:
    """Every test has a site with five clients."""
    add_site(tx)
    add_clients(tx, 5)


def _package(tx: Connection, name: str = "Tool", manifest: str | None = None, *, uninstall: Uninstall | None = None) -> PackageId:
    package = packages.add(tx, name=name, manifest=manifest, by=ANNA, now=NOW)
    programs.add(tx, package, name="install", command="sh install.sh", uninstall=uninstall, by=ANNA, now=NOW)
    return package


def _collection(tx: Connection, *positions: int, name: str = "Pilot") -> CollectionId:
    members = [client_id_at(position) for position in positions]
    return collections.add(tx, name=name, members=members, by=ANNA, now=NOW)


def _advertise(tx: Connection, package: PackageId, collection: CollectionId, *assign: str) -> AdvertisementId:
    return advertisements.add(tx, package=package, program=ONE, collection=collection, assignments=assign, by=ANNA, now=NOW)


def _state_of(tx: Connection, package: PackageId) -> str:
    return str(tx.execute(select(schema.package.c.state).where(schema.package.c.id == package)).scalar_one())


# --- packages ---------------------------------------------------------------------------------------------------------


def test_packages_get_ids_that_are_never_given_again(tx: Connection) -> None:
    first, second = _package(tx, "one"), _package(tx, "two")
    packages.delete(tx, second, is_confirmed=True, by=ANNA, now=NOW)
    assert [first, second, _package(tx, "three")] == ["S0100001", "S0100002", "S0100003"]


def test_a_package_needs_content_that_was_uploaded(tx: Connection) -> None:
    with pytest.raises(RefusedError, match="upload it first"):
        packages.add(tx, name="x", manifest="a" * 64, by=ANNA, now=NOW)
    package = packages.add(tx, name="x", manifest=add_manifest(tx, "a" * 64, 1234), by=ANNA, now=NOW)
    view = packages.shown(tx, package)
    assert (view.size_bytes, view.source_version, view.manifest) == (1234, 1, "a" * 64)
    tx.execute(update(schema.manifest).values(removed_at=NOW))
    with pytest.raises(RefusedError, match="gone again"):
        packages.add(tx, name="y", manifest="a" * 64, by=ANNA, now=NOW)


def test_an_update_is_the_next_source_version_and_says_whom_it_reaches(tx: Connection) -> None:
    package = _package(tx, manifest=add_manifest(tx, "a" * 64))
    _advertise(tx, package, _collection(tx, 1, 2), "asap")
    add_manifest(tx, "b" * 64)
    meet_all_wants(tx)
    done = packages.update(tx, package, manifest="b" * 64, by=ANNA, now=LATER)
    assert (done.source_version, done.offered_to) == (2, 2)
    assert "nothing runs again" in done.note
    assert wants(tx) == {("package", package), ("offers", "S0110002")}
    assert [(one.number, one.manifest) for one in packages.shown(tx, package).source_versions] == [(2, "b" * 64), (1, "a" * 64)]


def test_an_update_with_the_same_content_changes_nothing(tx: Connection) -> None:
    package = _package(tx, manifest=add_manifest(tx, "a" * 64))
    with pytest.raises(RefusedError, match="nothing changed"):
        packages.update(tx, package, manifest="a" * 64, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="nothing changed"):
        packages.update(tx, _package(tx, "without"), manifest=None, by=ANNA, now=NOW)


def test_content_is_superseded_once_no_package_needs_it_and_comes_back_when_one_does(tx: Connection) -> None:
    old, new = add_manifest(tx, "a" * 64), add_manifest(tx, "b" * 64)
    first, second = _package(tx, "one", old), _package(tx, "two", old)

    def superseded() -> set[str]:
        return set(tx.execute(select(schema.manifest.c.sha256).where(schema.manifest.c.superseded_at.is_not(None))).scalars())

    packages.update(tx, first, manifest=new, by=ANNA, now=NOW)
    assert superseded() == set()
    packages.update(tx, second, manifest=new, by=ANNA, now=NOW)
    assert superseded() == {old}
    packages.update(tx, first, manifest=old, by=ANNA, now=NOW)
    assert superseded() == set()


def test_renaming_a_package_breaks_nothing(tx: Connection) -> None:
    package = _package(tx)
    advertisement = _advertise(tx, package, _collection(tx, 1))
    meet_all_wants(tx)
    packages.edit(tx, package, name="Better tool", version="2.0", by=ANNA, now=NOW)
    assert advertisements.shown(tx, advertisement).package_name == "Better tool"
    assert wants(tx) == {("package", package)}
    with pytest.raises(RefusedError, match="nothing changed"):
        packages.edit(tx, package, name="Better tool", by=ANNA, now=NOW)


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_a_deletion_shows_whom_it_concerns_and_wants_confirming(tx: Connection) -> None:
    package = _package(tx)
    other = packages.add(tx, name="Suite", by=ANNA, now=NOW)
    programs.add(tx, other, name="needs", command="x", depends_on=ProgramKey(package, ONE), by=ANNA, now=NOW)
    advertisement = _advertise(tx, package, _collection(tx, 1, 2))
    _advertise(tx, other, _collection(tx, 3, name="Third"))
    report(tx, client_id_at(4), package, 1, JobState.RUNNING)
    report(tx, client_id_at(1), package, 1, JobState.DOWNLOADING)
    preview = packages.preview_deletion(tx, package)
    assert [one.id for one in preview.advertisements] == [advertisement]
    assert [one.id for one in preview.dependents] == [f"{other}/1"]
    assert [one.name for one in preview.collections] == ["Pilot"]
    assert (preview.holder_count, preview.pending_count, preview.running_count) == (4, 1, 1)
    meet_all_wants(tx)
    with pytest.raises(ConfirmationNeededError, match=r"4 clients hold it.*1 advertisements.*1 programs of other packages"):
        packages.delete(tx, package, by=ANNA, now=NOW)
    assert (_state_of(tx, package), wants(tx)) == ("active", set())


def test_a_deletion_freezes_the_holders_and_tells_every_collection_concerned(tx: Connection) -> None:
    package = _package(tx)
    pilot = _collection(tx, 1, 2)
    former = _collection(tx, 3, name="Former")
    _advertise(tx, package, pilot)
    advertisements.delete(tx, _advertise(tx, package, former), by=ANNA, now=NOW)
    report(tx, client_id_at(4), package, 1, JobState.SUCCEEDED)
    collections.edit(tx, pilot, remove_members=[client_id_at(2)], by=ANNA, now=NOW)
    meet_all_wants(tx)
    packages.delete(tx, package, running=RunningChoice.STOP, is_confirmed=True, by=ANNA, now=LATER)
    joined = select(schema.client.c.id).join(schema.holder, schema.holder.c.client == schema.client.c.number)
    assert set(tx.execute(joined).scalars()) == {client_id_at(position) for position in (1, 2, 3, 4)}
    assert wants(tx) == {("package", package), ("offers", pilot), ("offers", former)}
    assert advertisements.listed(tx) == ()
    view = packages.shown(tx, package)
    assert (view.state, view.deleted_by, view.deleted_at, view.state_since) == ("retiring", ANNA, LATER, LATER)
    progress = packages.retirement(tx, package, LATER)
    assert (progress.held, progress.acknowledged) == (4, 0)


def test_clients_that_were_offered_it_through_a_dependency_are_holders(tx: Connection) -> None:
    package = _package(tx)
    other = packages.add(tx, name="Suite", by=ANNA, now=NOW)
    programs.add(tx, other, name="needs", command="x", depends_on=ProgramKey(package, ONE), by=ANNA, now=NOW)
    pilot = _collection(tx, 1, 2)
    advertisements.delete(tx, _advertise(tx, other, pilot), by=ANNA, now=NOW)
    third = _collection(tx, 3, name="Third")
    _advertise(tx, other, third)
    assert packages.delete(tx, package, is_confirmed=True, by=ANNA, now=NOW).holder_count == 3


def test_a_package_is_deleted_once(tx: Connection) -> None:
    package = _package(tx)
    packages.delete(tx, package, is_confirmed=True, by=ANNA, now=NOW)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: packages.delete(tx, package, is_confirmed=True, by=ANNA, now=LATER),
        lambda: packages.edit(tx, package, name="x", by=ANNA, now=LATER),
        lambda: packages.update(tx, package, manifest=None, by=ANNA, now=LATER),
        lambda: packages.preview_deletion(tx, package),
        lambda: programs.add(tx, package, name="x", command="x", by=ANNA, now=LATER),
        lambda: programs.disable(tx, ProgramKey(package, ONE), by=ANNA, now=LATER),
        lambda: _advertise(tx, package, _collection(tx, 1)),
    )
    for refused in refusals:
        with pytest.raises(RefusedError, match=r"deleted by anna at 2026-12-01 09:00Z: it is retiring since 2026-12-01 09:00"):
            refused()
    assert [one.id for one in packages.listed(tx)] == []
    assert [one.id for one in packages.listed(tx, include_deleted=True)] == [package]


def test_deletion_with_uninstallation_needs_a_program_that_can_be_uninstalled(tx: Connection) -> None:
    without, package = _package(tx, "one"), _package(tx, "two", uninstall=REMOVAL)
    with pytest.raises(RefusedError, match=r"no program .* has an uninstall command"):
        packages.delete(tx, without, with_uninstall=True, is_confirmed=True, by=ANNA, now=NOW)
    packages.delete(tx, package, with_uninstall=True, replaced_by=without, is_confirmed=True, by=ANNA, now=NOW)
    assert _state_of(tx, package) == "removing"
    with pytest.raises(RefusedError, match=r"removing since .*; it is replaced by S0100001"):
        packages.preview_deletion(tx, package)


def test_a_package_is_replaced_by_another_active_one_only(tx: Connection) -> None:
    package = _package(tx)
    for replacement in (package, PackageId("S0100099")):
        with pytest.raises(RefusedError):
            packages.delete(tx, package, replaced_by=replacement, is_confirmed=True, by=ANNA, now=NOW)


def test_an_active_package_has_no_retirement(tx: Connection) -> None:
    with pytest.raises(RefusedError, match="is active"):
        packages.retirement(tx, _package(tx), NOW)
    with pytest.raises(RefusedError, match="there is no package"):
        packages.shown(tx, PackageId("S0100099"))


# --- programs ---------------------------------------------------------------------------------------------------------


def test_a_program_keeps_all_that_was_said_of_it(tx: Connection) -> None:
    package = packages.add(tx, name="x", by=ANNA, now=NOW)
    needed = programs.add(tx, package, name="first", command=["true"], by=ANNA, now=NOW)
    view = programs.add(
        tx,
        package,
        name="Install it",
        command="sh install.sh | tee log",
        is_shell=True,
        working_directory="sub",
        max_run_seconds=5,
        success_codes=[0, 3010],
        platforms=["Linux/Debian"],
        depends_on=ProgramKey(package, needed.number),
        uninstall=Uninstall(command=Command(argv=("sh", "remove.sh")), files=("remove.sh",)),
        detection=FileRule(path="/opt/x"),
        content_paths={"remove.sh"},
        by=ANNA,
        now=NOW,
    )
    assert view == programs.shown(tx, programs.find(tx, package, "INSTALL IT"))
    assert (view.number, view.argv, view.shell_line) == (2, (), "sh install.sh | tee log")
    assert (view.success_codes, view.restart_codes) == ((0, 3010), (3011, 1641, 1604))
    assert (view.depends_on, view.platforms) == (f"{package}/1", ("linux/debian",))
    assert view.detection == {"kind": "file", "path": "/opt/x"}
    assert view.uninstall is not None
    assert view.uninstall.files == ("remove.sh",)


def test_program_numbers_are_never_given_again(tx: Connection) -> None:
    package = _package(tx)
    programs.delete(tx, ProgramKey(package, ONE), by=ANNA, now=NOW)
    assert programs.add(tx, package, name="install", command="x", by=ANNA, now=NOW).number == 2
    with pytest.raises(RefusedError, match="was deleted"):
        programs.find(tx, package, "1")


def test_a_password_in_a_command_line_is_taken_with_a_warning_and_kept_out_of_the_audit(tx: Connection) -> None:
    package = _package(tx)
    view = programs.add(tx, package, name="setup", command="setup --password hunter2", by=ANNA, now=NOW)
    assert "password" in view.warnings[0]
    assert programs.shown(tx, ProgramKey(package, view.number)).warnings == view.warnings
    assert "hunter2" not in str(audit.listed(tx))


def test_names_of_programs_differ_within_a_package(tx: Connection) -> None:
    package = _package(tx)
    with pytest.raises(RefusedError, match="already: number 1"):
        programs.add(tx, package, name="INSTALL", command="x", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="reads as the number"):
        programs.add(tx, package, name="7", command="x", by=ANNA, now=NOW)
    programs.edit(tx, ProgramKey(package, ONE), name="Install", by=ANNA, now=NOW)
    assert programs.find(tx, package, "install") == ProgramKey(package, ONE)


def test_a_program_cannot_come_to_depend_on_itself_over_packages(tx: Connection) -> None:
    first, second = ProgramKey(_package(tx, "one"), ONE), ProgramKey(_package(tx, "two"), ONE)
    programs.edit(tx, second, depends_on=first, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match=f"{first} → {second} → {first}"):
        programs.edit(tx, first, depends_on=second, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="depend on itself"):
        programs.edit(tx, first, depends_on=first, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="there is no program"):
        programs.edit(tx, first, depends_on=ProgramKey(second.package, ProgramNumber(9)), by=ANNA, now=NOW)
    programs.edit(tx, second, without=[programs.Part.DEPENDS_ON], by=ANNA, now=NOW)
    assert programs.edit(tx, first, depends_on=second, by=ANNA, now=NOW).depends_on == str(second)


def test_an_edit_changes_what_is_given_and_refuses_to_change_nothing(tx: Connection) -> None:
    key = ProgramKey(_package(tx, uninstall=REMOVAL), ONE)
    meet_all_wants(tx)
    before = programs.shown(tx, key)
    view = programs.edit(tx, key, success_codes=[0, 3010], without=[programs.Part.UNINSTALL], by=ANNA, now=NOW)
    assert (view.success_codes, view.uninstall, view.argv, view.name) == ((0, 3010), None, before.argv, before.name)
    assert 3010 not in view.restart_codes
    assert wants(tx) == {("package", key.package)}
    with pytest.raises(RefusedError, match="nothing changed"):
        programs.edit(tx, key, success_codes=[0, 3010], by=ANNA, now=NOW)


def test_a_disabled_program_is_said_so_to_every_collection_that_is_told_of_programs(tx: Connection) -> None:
    key = ProgramKey(_package(tx), ONE)
    _advertise(tx, key.package, _collection(tx, 1))
    meet_all_wants(tx)
    assert not programs.disable(tx, key, by=ANNA, now=NOW).is_enabled
    assert ("offers", "S0110002") in wants(tx)
    with pytest.raises(RefusedError, match="disabled already"):
        programs.disable(tx, key, by=ANNA, now=NOW)
    assert programs.enable(tx, key, by=ANNA, now=NOW).is_enabled


def test_a_program_on_which_others_depend_is_not_deleted_confirmed_or_not(tx: Connection) -> None:
    key = ProgramKey(_package(tx, "one"), ONE)
    other = ProgramKey(_package(tx, "two"), ONE)
    programs.edit(tx, other, depends_on=key, by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match=f"needed by {other}") as caught:
        programs.delete(tx, key, is_confirmed=True, by=ANNA, now=NOW)
    assert not isinstance(caught.value, ConfirmationNeededError)


def test_an_advertised_program_is_deleted_with_its_advertisements_once_that_is_confirmed(tx: Connection) -> None:
    key = ProgramKey(_package(tx), ONE)
    _advertise(tx, key.package, _collection(tx, 1))
    with pytest.raises(ConfirmationNeededError, match="is advertised: S0120001 to Pilot"):
        programs.delete(tx, key, by=ANNA, now=NOW)
    meet_all_wants(tx)
    programs.delete(tx, key, is_confirmed=True, by=ANNA, now=NOW)
    assert (advertisements.listed(tx), programs.listed(tx, key.package)) == ((), ())
    assert wants(tx) == {("package", key.package), ("offers", "S0110002")}
    assert packages.preview_deletion(tx, key.package).holder_count == 1


def test_a_program_is_found_by_package_and_name(tx: Connection) -> None:
    package = _package(tx)
    assert programs.find_key(tx, f"{package.lower()}/install") == programs.find_key(tx, f"{package}/1") == (package, 1)
    for text in (f"{package}", f"{package}/absent", f"{package}/9", "S0100099/1"):
        with pytest.raises(RefusedError):
            programs.find_key(tx, text)


# --- advertisements ---------------------------------------------------------------------------------------------------


def test_the_first_advertisement_makes_shards_name_the_collection(tx: Connection) -> None:
    package = _package(tx)
    pilot = _collection(tx, 1)
    meet_all_wants(tx)
    first = _advertise(tx, package, pilot, "asap")
    assert (first, wants(tx)) == ("S0120001", {("offers", pilot), ("naming", pilot)})
    meet_all_wants(tx)
    _advertise(tx, package, pilot, "2026-12-02T09:00")
    assert (wants(tx), wanted_shards(tx)) == ({("offers", pilot)}, set())


def test_an_advertisement_without_assignment_is_optional(tx: Connection) -> None:
    view = advertisements.shown(tx, _advertise(tx, _package(tx), _collection(tx, 1, 2)))
    assert (view.is_mandatory, view.members, view.name, view.available_from) == (False, 2, "install to Pilot", NOW)


def test_what_reaches_all_systems_or_many_wants_confirming(tx: Connection) -> None:
    package = _package(tx)
    with pytest.raises(ConfirmationNeededError, match="All Systems, 5 clients now"):
        _advertise(tx, package, ALL)
    settings.change_setting(tx, "confirm_above", 2)
    _advertise(tx, package, _collection(tx, 1, 2))
    many = _collection(tx, 1, 2, 3, name="Many")
    with pytest.raises(ConfirmationNeededError, match="reaches 3 clients"):
        _advertise(tx, package, many)
    assert [one.collection for one in advertisements.listed(tx)] == ["S0110002"]
    advertisements.add(tx, package=package, program=ONE, collection=ALL, is_confirmed=True, by=ANNA, now=NOW)


def test_the_same_advertisement_is_not_made_twice(tx: Connection) -> None:
    package, pilot = _package(tx), _collection(tx, 1)
    first = _advertise(tx, package, pilot, "asap", "2026-12-02T09:00Z")
    with pytest.raises(RefusedError, match=f"{first} .* in the same way already"):
        advertisements.add(
            tx, package=package, program=ONE, collection=pilot, assignments=["2026-12-02T10:00+01:00", "asap"], by=ANNA, now=LATER
        )
    for different in ([], ["asap"], ["asap", "2026-12-02T09:00"]):
        advertisements.add(tx, package=package, program=ONE, collection=pilot, assignments=different, by=ANNA, now=LATER)
    advertisements.delete(tx, first, by=ANNA, now=LATER)
    _advertise(tx, package, pilot, "asap", "2026-12-02T09:00Z")


def test_impossible_advertisements_are_refused(tx: Connection) -> None:
    package, pilot = _package(tx), _collection(tx, 1)
    gone = _collection(tx, 2, name="Gone")
    collections.delete(tx, gone, by=ANNA, now=NOW)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: advertisements.add(tx, package=package, program=ProgramNumber(9), collection=pilot, by=ANNA, now=NOW),
        lambda: advertisements.add(tx, package=PackageId("S0100099"), program=ONE, collection=pilot, by=ANNA, now=NOW),
        lambda: _advertise(tx, package, gone),
        lambda: _advertise(tx, package, CollectionId("S0110099")),
        lambda: _advertise(tx, package, pilot, "tomorrow"),
        lambda: advertisements.add(tx, package=package, program=ONE, collection=pilot, expires_at=NOW, by=ANNA, now=NOW),
        lambda: advertisements.add(
            tx, package=package, program=ONE, collection=pilot, available_from=NOW.replace(tzinfo=None), by=ANNA, now=NOW
        ),
    )
    for refused in refusals:
        with pytest.raises(RefusedError):
            refused()
    assert advertisements.listed(tx) == ()


def test_editing_the_time_of_an_assignment_makes_a_new_one(tx: Connection) -> None:
    advertisement = _advertise(tx, _package(tx), _collection(tx, 1), "asap", "2026-12-02T09:00")
    edited = advertisements.edit(tx, advertisement, assignments=["asap", "2026-12-03T09:00"], by=ANNA, now=NOW)
    assert [(one.number, one.text) for one in edited.assignments] == [(1, "asap"), (3, "2026-12-03T09:00")]
    shorter = advertisements.edit(tx, advertisement, assignments=["asap"], by=ANNA, now=NOW)
    assert [one.number for one in shorter.assignments] == [1]
    again = advertisements.edit(tx, advertisement, assignments=["asap", "2026-12-02T09:00"], by=ANNA, now=NOW)
    assert [one.number for one in again.assignments] == [1, 4]


def test_a_new_assignment_that_reaches_many_wants_confirming_and_a_new_name_does_not(tx: Connection) -> None:
    advertisement = _advertise(tx, _package(tx), _collection(tx, 1, 2))
    settings.change_setting(tx, "confirm_above", 1)
    advertisements.edit(tx, advertisement, name="Called", expires_at=LATER, by=ANNA, now=NOW)
    with pytest.raises(ConfirmationNeededError, match="2 clients"):
        advertisements.edit(tx, advertisement, assignments=["asap"], by=ANNA, now=NOW)
    with pytest.raises(ConfirmationNeededError):
        advertisements.edit(tx, advertisement, each_version=True, by=ANNA, now=NOW)
    view = advertisements.edit(tx, advertisement, assignments=["asap"], never_expires=True, is_confirmed=True, by=ANNA, now=NOW)
    assert (view.name, view.expires_at, view.is_mandatory) == ("Called", None, True)
    with pytest.raises(RefusedError, match="nothing changed"):
        advertisements.edit(tx, advertisement, name="Called", by=ANNA, now=NOW)
    with pytest.raises(RefusedError, match="before it is available"):
        advertisements.edit(tx, advertisement, expires_at=NOW - timedelta(days=1), by=ANNA, now=NOW)


def test_an_advertisement_is_paused_and_resumed_and_each_only_once(tx: Connection) -> None:
    advertisement = _advertise(tx, _package(tx), _collection(tx, 1))
    meet_all_wants(tx)
    assert advertisements.pause(tx, advertisement, by=ANNA, now=NOW).is_paused
    assert wants(tx) == {("offers", "S0110002")}
    with pytest.raises(RefusedError, match="paused already"):
        advertisements.pause(tx, advertisement, by=ANNA, now=NOW)
    assert not advertisements.resume(tx, advertisement, by=ANNA, now=NOW).is_paused
    with pytest.raises(RefusedError, match="not paused"):
        advertisements.resume(tx, advertisement, by=ANNA, now=NOW)


def test_a_deleted_advertisement_is_gone_and_its_members_stay_known_as_holders(tx: Connection) -> None:
    package, pilot = _package(tx), _collection(tx, 1, 2)
    advertisement = _advertise(tx, package, pilot)
    meet_all_wants(tx)
    advertisements.delete(tx, advertisement, by=ANNA, now=NOW)
    assert wants(tx) == {("offers", pilot)}
    assert packages.preview_deletion(tx, package).holder_count == 2
    with pytest.raises(RefusedError, match="was deleted at 2026-12-01 09:00Z"):
        advertisements.pause(tx, advertisement, by=ANNA, now=NOW)


def test_advertisements_are_listed_by_package_and_collection(tx: Connection) -> None:
    one, two = _package(tx, "one"), _package(tx, "two")
    pilot, rest = _collection(tx, 1), _collection(tx, 2, name="Rest")
    ids = [_advertise(tx, one, pilot), _advertise(tx, two, pilot), _advertise(tx, two, rest)]
    assert [view.id for view in advertisements.listed(tx)] == ids
    assert [view.id for view in advertisements.listed(tx, package=two)] == ids[1:]
    assert [view.id for view in advertisements.listed(tx, collection=pilot)] == ids[:2]


def test_a_removed_client_is_no_holder(tx: Connection) -> None:
    package = _package(tx)
    _advertise(tx, package, _collection(tx, 1, 2))
    report(tx, client_id_at(1), package, 1, JobState.SUCCEEDED)
    resources.remove(tx, client_id_at(1), by=ANNA, now=NOW)
    assert packages.delete(tx, package, is_confirmed=True, by=ANNA, now=NOW).holder_count == 1
    resources.remove(tx, client_id_at(2), by=ANNA, now=NOW)
    assert packages.retirement(tx, package, NOW).held == 0


def test_every_change_is_audited_in_its_transaction(tx: Connection) -> None:
    package = _package(tx)
    key = ProgramKey(package, ONE)
    programs.disable(tx, key, by="bert", now=LATER)
    advertisement = _advertise(tx, package, _collection(tx, 1))
    packages.delete(tx, package, is_confirmed=True, by=ANNA, now=LATER)
    assert [(one.action, one.actor) for one in audit.listed(tx, about=package)] == [
        ("package.delete", ANNA),
        ("program.disable", "bert"),
        ("program.add", ANNA),
        ("package.add", ANNA),
    ]
    assert [one.about for one in audit.listed(tx, actor="bert")] == [package]
    assert audit.listed(tx, about=advertisement)[0].detail["program"] == f"{package}/1"
    newest = audit.listed(tx, limit=2)
    assert [one.id for one in audit.listed(tx, before_id=newest[-1].id, limit=1)] == [newest[-1].id - 1]
