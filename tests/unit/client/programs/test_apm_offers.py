"""Not offered now, refused, waiting, deleted: what is held, what is forgotten, and what is never delayed by another."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, PACKAGE, POINT, World, at, key
from purveyor.client.content.cache import Fetched
from purveyor.client.programs import apm
from purveyor.client.programs.memory import records
from purveyor.lab.clock import START
from purveyor.lab.power import PowerCut
from purveyor.lab.programs import Script
from purveyor.wire.causes import Cause
from purveyor.wire.errors import RefusedError
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import Command, FileRule, ProgramKey, Uninstall
from purveyor.wire.status_messages import StatusId

DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def disable(world: World) -> None:
    world.disabled.add(key())


def enable(world: World) -> None:
    world.disabled.clear()


def pause(world: World) -> None:
    world.advertise(1, at(START + 2 * DAY), is_paused=True)


def expire(world: World) -> None:
    world.advertise(1, at(START + 2 * DAY), expires_at=START)


def restore(world: World) -> None:
    world.advertise(1, at(START + 2 * DAY))


WAYS = {
    "disabled": (disable, enable),
    "paused": (pause, restore),
    "expired": (expire, restore),
    "withdrawn": (lambda world: world.withdraw(), restore),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_job_that_is_not_offered_now_is_held_and_goes_on_when_it_is_again(world: World, way: str) -> None:  # Q318779
    takes_away, gives_back = WAYS[way]
    world.package()
    world.advertise(1, at(START + 2 * DAY))
    world.turn()
    occurrence = world.job().occurrence
    takes_away(world)
    world.turn()
    world.after(HOUR)
    assert world.state_of() is JobState.NOT_OFFERED
    assert len(world.told(StatusId.NOT_OFFERED)) == 1
    world.after(3 * DAY)
    assert world.runs == []
    gives_back(world)
    world.settle()
    assert len(world.told(StatusId.OFFERED_AGAIN)) == 1
    assert world.runs == ["setup"]
    assert [job.occurrence for job in world.jobs] == [occurrence]


@pytest.mark.parametrize("way", WAYS)
def test_a_finished_program_does_not_run_again_after_it_was_not_offered_for_long(world: World, way: str) -> None:  # Q318779
    takes_away, gives_back = WAYS[way]
    world.package()
    world.advertise(1, at(START))
    world.settle()
    takes_away(world)
    for _ in range(10):
        world.after(DAY)
    world.machine.restart_now()
    gives_back(world)
    world.advertise(2, ASAP)
    for _ in range(10):
        world.after(DAY)
    assert world.runs == ["setup"]
    assert world.history().has_succeeded


def test_an_incomplete_policy_withdraws_nothing_and_takes_in_what_is_new(world: World) -> None:  # Q199263
    world.package(world.program(1), world.program(2, "second"))
    world.advertise(1, at(START + DAY))
    world.turn()
    world.is_complete = False
    world.withdraw(1)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    assert world.state_of() is JobState.WAITING
    assert not world.told(StatusId.NOT_OFFERED)
    assert world.runs == ["second"]
    world.after(2 * DAY)
    assert world.runs == ["second"], "a job runs only while its advertisement is seen to stand"


def test_one_of_two_advertisements_going_changes_nothing(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.advertise(2, at(START + DAY))
    world.turn()
    world.withdraw(1)
    assert world.turn() == START + DAY
    assert world.state_of() is JobState.WAITING
    assert not world.told(StatusId.NOT_OFFERED)


def test_a_job_whose_package_cannot_be_read_waits_as_it_is(world: World) -> None:  # Q245170
    world.package()
    world.package(world.program(1, "other"), package=OTHER)
    world.advertise(1, at(START + HOUR))
    world.advertise(2, ASAP, program=key(OTHER))
    world.turn()
    del world.packages[PACKAGE]
    world.after(2 * HOUR)
    assert world.state_of() is JobState.WAITING
    assert world.runs == ["other"]
    world.package()
    world.settle()
    assert world.runs == ["other", "setup"]


def test_with_each_version_a_package_that_cannot_be_read_satisfies_nothing(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.package(version=2)
    world.advertise(2, at(START + DAY), each_version=True)
    world.turn()
    del world.packages[PACKAGE]
    world.after(2 * HOUR)
    assert world.state_of() is JobState.WAITING
    world.package(version=2)
    world.after(DAY)
    world.settle()
    assert world.runs == ["setup", "setup"]


# --- platform ---


def test_a_program_for_another_platform_is_refused_once_and_asked_again_at_every_pass(world: World) -> None:  # Q321580
    world.package(world.program(1, platforms=("windows", "linux/fedora")))
    world.advertise(1, ASAP)
    world.settle()
    world.after(DAY)
    assert world.state_of() is JobState.REFUSED
    assert len(world.told(StatusId.PLATFORM_NOT_SUPPORTED)) == 1
    world.machine.platform = "linux/fedora/41"
    world.settle()
    assert world.runs == ["setup"]


@pytest.mark.parametrize(("platforms", "is_run"), [
    (("linux",), True), (("linux/debian",), True), (("linux/debian/12",), True), (("LINUX/Debian/",), True),
    (("linux/debian/1",), False), (("lin",), False), (("linux/debian/12/arm",), False), ((), True),
])  # fmt: skip
def test_a_platform_is_named_whole_or_by_what_leads_to_it(world: World, platforms: tuple[str, ...], is_run: bool) -> None:
    world.package(world.program(1, platforms=platforms))
    world.advertise(1, ASAP)
    world.settle()
    assert (world.runs == ["setup"]) is is_run


# --- dependencies ---


def chained(world: World) -> None:
    """`top` of one package depends on `middle`, which depends on `base` of another."""
    world.package(world.program(1, "base"), world.program(2, "middle", depends_on=key(OTHER, 1)), package=OTHER, manifest="m2")
    world.package(world.program(1, "top", depends_on=key(OTHER, 2)), manifest="m1")
    world.supply("m1", top=b"1")
    world.supply("m2", base=b"1")


def test_what_a_program_depends_on_runs_first_under_its_occurrence(world: World) -> None:  # Q263700
    chained(world)
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == ["base", "middle", "top"]
    assert len({job.occurrence for job in world.jobs}) == 1
    assert {launch.environment["PURVEYOR_ADVERTISEMENT"] for launch in world.machine.programs.launches} == {"S0120001"}


def test_a_dependency_that_ever_succeeded_does_not_run_again(world: World) -> None:  # Q318779
    chained(world)
    world.advertise(1, ASAP)
    world.settle()
    world.package(
        world.program(1, "top", depends_on=key(OTHER, 2)), world.program(2, "more", depends_on=key(OTHER, 2)), manifest="m1"
    )
    world.withdraw(1)
    world.after(30 * DAY)
    world.advertise(2, ASAP, program=key(number=2))
    world.advertise(3, ASAP)
    world.settle()
    assert world.runs == ["base", "middle", "top", "more"]


def test_a_dependency_that_fails_fails_all_that_depends_on_it_and_nothing_runs_twice(world: World) -> None:  # Q263700
    chained(world)
    world.script("base", Script(exit_code=1))
    world.advertise(1, ASAP)
    world.settle()
    world.after(DAY)
    assert world.runs == ["base"]
    assert world.state_of() is JobState.FAILED
    assert {message.package for message in world.told(StatusId.DEPENDENCY_FAILED)} == {PACKAGE}
    world.script("base", Script())
    world.advertise(2, ASAP)
    world.settle()
    assert world.runs == ["base", "base", "middle", "top"]


def test_the_content_of_the_whole_chain_is_there_before_the_first_runs(world: World) -> None:
    chained(world)
    del world.content.available["m1"]
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == []
    world.supply("m1", top=b"1")
    world.after(DAY)
    world.settle()
    assert world.runs == ["base", "middle", "top"]


@pytest.mark.parametrize("trouble", ["cycle", "missing", "deleted", "long"])
def test_a_chain_that_cannot_be_is_one_problem_and_delays_nobody(world: World, trouble: str) -> None:  # Q245170, Q246614
    if trouble == "cycle":
        world.package(world.program(1, depends_on=key(number=2)), world.program(2, "second", depends_on=key(number=1)))
    elif trouble == "long":
        world.package(*[world.program(number, depends_on=key(number=number + 1)) for number in range(1, 60)])
    else:
        world.package(world.program(1, depends_on=key(OTHER, 9)))
    if trouble == "deleted":
        world.package(world.program(9, "base"), package=OTHER)
        world.deleted_packages.add(OTHER)
    world.package(world.program(1, "fine"), package=ProgramKey("S0100003", 1).package)  # type: ignore[arg-type]
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=ProgramKey("S0100003", 1))  # type: ignore[arg-type]
    world.settle()
    for _ in range(5):
        world.after(HOUR)
    assert world.runs == ["fine"]
    assert len(world.told(StatusId.POLICY_PROBLEM)) == 1
    assert world.state_of() is JobState.WAITING


def test_a_disabled_dependency_makes_its_parent_wait(world: World) -> None:
    chained(world)
    world.disabled.add(key(OTHER, 1))
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == []
    assert len(world.told(StatusId.JOB_WAITING)) == 1
    world.disabled.clear()
    world.settle()
    assert world.runs == ["base", "middle", "top"]


# --- content ---


def test_without_a_point_a_job_waits_and_goes_on_as_soon_as_there_is_one(world: World) -> None:
    world.package(manifest="m1")
    world.advertise(1, ASAP)
    world.turn()
    for _ in range(5):
        world.after(HOUR)
    assert len(world.told(StatusId.DOWNLOAD_WAITING)) == 1
    world.supply("m1", setup=b"1")
    world.turn()
    assert world.runs == ["setup"]


def test_tries_are_spaced_ever_further_within_the_limits(world: World) -> None:  # Q302535, Q268500
    world.package(manifest="m1")
    world.points["m1"] = (POINT,)
    world.advertise(1, ASAP)
    pauses = []
    due = world.turn()
    for _ in range(12):
        assert due is not None
        pauses.append((due - world.clock.now()).total_seconds())
        due = world.after(due - world.clock.now())
    assert len(world.content.fetches) == 13
    assert pauses[0] >= 600
    assert all(pause <= 6 * 3600 for pause in pauses)
    assert pauses[:5] == sorted(pauses[:5])
    assert min(pauses[6:]) >= 5 * 3600
    assert len(world.told(StatusId.DOWNLOAD_WAITING)) == 1
    world.supply("m1", setup=b"1")
    world.after(7 * HOUR)
    assert world.runs == ["setup"]


def test_polls_between_tries_ask_no_point(world: World) -> None:
    world.package(manifest="m1")
    world.points["m1"] = (POINT,)
    world.advertise(1, ASAP)
    world.turn()
    for _ in range(9):
        world.after(MINUTE)
    assert len(world.content.fetches) == 1


def test_after_a_long_download_the_assignment_is_looked_at_again_before_anything_starts(world: World) -> None:
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.content.seconds = 600
    before = world.machine.now()
    assert world.turn() == before + timedelta(seconds=1)
    assert world.runs == []
    assert world.state_of() is JobState.READY
    world.withdraw()
    world.settle()
    assert world.runs == []
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == ["setup"]


def test_a_lack_of_space_is_told_once_with_what_is_needed(world: World) -> None:
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    for free in (10, 20):
        reason = f"needs 500 bytes, has {free}"
        world.content.lack = Fetched(cause=Cause.CONTENT_SPACE, reason=reason, needed_bytes=500)
        world.after(HOUR)
    (message,) = world.told(StatusId.NOT_ENOUGH_SPACE)
    assert "500 bytes" in message.text
    world.content.lack = None
    world.after(7 * HOUR)
    assert world.runs == ["setup"]


def test_one_job_that_cannot_be_fetched_does_not_delay_the_others(world: World) -> None:
    world.package(manifest="m1")
    world.package(world.program(1, "other"), package=OTHER, manifest="m2")
    world.supply("m2", other=b"1")
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(OTHER))
    world.turn()
    assert world.runs == ["other"]


def test_a_job_that_has_not_begun_moves_to_the_newer_content(world: World) -> None:
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.may_run_accepted = False
    world.turn()
    world.may_run_accepted = True
    world.supply("m2", setup=b"2")
    world.package(manifest="m2", version=2)
    world.settle()
    assert world.machine.programs.launches[0].files == {"setup": b"2"}
    assert world.job().source_version == 2
    assert world.content.fetches == ["m2"]


def test_a_run_that_is_under_way_ends_on_what_it_began_with(world: World) -> None:
    world.script("setup", Script(exit_code=7))
    world.package(world.program(1, success_codes=(7,)))
    world.advertise(1, ASAP)
    world.turn()
    world.package(world.program(1, "changed", success_codes=(0,)), version=2)
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    assert world.messages[-1].source_version == 1


# --- staleness ---


def test_with_stale_metadata_what_was_accepted_and_held_runs_and_nothing_new_is_taken(world: World) -> None:
    world.settings["prefetch_seconds"] = 0
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, at(START + HOUR))
    world.turn()
    world.content.held["m1"] = {PACKAGE}
    world.is_fresh = world.is_complete = False
    world.package(world.program(1, "other"), package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))
    world.after(HOUR)
    assert world.runs == ["setup"]
    assert world.content.fetches == []
    assert len(world.told(StatusId.ADVERTISEMENT_RECEIVED)) == 1


def test_with_stale_metadata_no_point_is_asked(world: World) -> None:
    world.settings["prefetch_seconds"] = 0
    world.package(manifest="m1")
    world.supply("m1", setup=b"1")
    world.advertise(1, at(START + HOUR))
    world.turn()
    world.is_fresh = world.is_complete = False
    world.after(2 * HOUR)
    assert world.content.fetches == []
    assert world.runs == []


def test_beyond_the_stale_grace_nothing_starts(world: World) -> None:
    world.package()
    world.advertise(1, at(START + HOUR))
    world.turn()
    world.is_fresh = world.is_complete = world.may_run_accepted = False
    assert world.after(2 * HOUR) is None
    assert world.runs == []


# --- deletion ---


def test_a_deleted_package_is_forgotten_exactly_and_once(world: World) -> None:  # Q293187
    world.package(manifest="m1")
    world.package(world.program(1, "other"), package=OTHER)
    world.supply("m1", setup=b"1")
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(OTHER))
    world.settle()
    world.delete_package()
    for _ in range(5):
        world.after(HOUR)
    assert {job.key.package for job in world.jobs} == {OTHER}
    assert not world.history().has_succeeded
    assert world.history(key(OTHER)).has_succeeded
    assert world.content.held == {}
    assert len(world.told(StatusId.PACKAGE_FORGOTTEN)) == 1
    assert apm.holding(world.machine.state, world.policy()) == ()


def test_a_deleted_package_is_refused_for_ever(world: World) -> None:
    world.package()
    world.delete_package()
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == []
    assert world.jobs == []


def test_what_waited_for_its_time_is_dropped_when_its_package_is_deleted(world: World) -> None:
    world.package()
    world.advertise(1, at(START + DAY))
    world.turn()
    world.delete_package()
    world.after(2 * DAY)
    assert world.jobs == []
    assert world.runs == []


def test_stale_metadata_deletes_nothing(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.is_fresh = world.is_complete = False
    world.delete_package()
    world.settle()
    assert world.history().has_succeeded


@pytest.mark.parametrize(("choice", "is_ended"), [
    (None, False), (RunningChoice.FINISH, False), (RunningChoice.ASK, True), (RunningChoice.STOP, True),
])  # fmt: skip
def test_a_run_of_a_deleted_package_finishes_or_is_stopped_as_the_note_says(
    world: World, choice: RunningChoice | None, is_ended: bool
) -> None:
    world.script("setup", Script(seconds=1800))
    world.package()
    world.advertise(1, ASAP)
    world.turn()
    if choice is not None:
        world.running_choices[PACKAGE] = choice
    world.delete_package()
    world.after(MINUTE)
    assert apm.holding(world.machine.state, world.policy()) == (PACKAGE,)
    world.settle()
    world.turn()
    assert bool(world.told(StatusId.STOPPED_BY_RETIREMENT)) is is_ended
    assert bool(world.told(StatusId.SUCCEEDED_BY_EXIT_CODE)) is not is_ended
    assert world.jobs == []
    assert [message.id for message in world.messages][-1] is StatusId.PACKAGE_FORGOTTEN
    assert apm.holding(world.machine.state, world.policy()) == ()


def test_a_deleted_program_is_forgotten_and_its_neighbours_are_not(world: World) -> None:
    world.package(world.program(1), world.program(2, "second"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    world.package(world.program(2, "second"))
    world.deleted_programs.add(key())
    for _ in range(3):
        world.after(HOUR)
    assert {job.key.program for job in world.jobs} == {2}
    assert not world.history().has_succeeded
    assert world.history(key(number=2)).has_succeeded
    assert len(world.told(StatusId.PROGRAM_FORGOTTEN)) == 1


def test_a_crash_anywhere_while_forgetting_ends_in_the_same_state() -> None:
    for count in range(1, 60):
        world = World()
        world.package()
        world.advertise(1, ASAP)
        world.settle()
        world.delete_package()
        is_over = True
        world.machine.power.fail_at(count)
        try:
            world.turn()
        except PowerCut:
            is_over = False
        world.machine.power_cut()
        world.machine.start()
        world.turn()
        assert world.jobs == []
        assert not world.history().has_succeeded
        assert len(world.told(StatusId.PACKAGE_FORGOTTEN)) == 1
        if is_over:
            return
    raise AssertionError("it never came to its end")


# --- removal ---


def installed(world: World) -> None:
    uninstall = Uninstall(command=Command(argv=("remove", "$PURVEYOR_PACKAGE")), files=("remove",))
    world.supply("m1", setup=b"#!", remove=b"rm")
    world.script("setup", Script(installs=("/opt/app",)))
    world.script(f"remove {PACKAGE}", Script(removes=("/opt/app",)))
    world.package(world.program(1, uninstall=uninstall, detection=FileRule(path="/opt/app")), manifest="m1")
    world.advertise(1, ASAP)
    world.settle()


def test_a_removed_package_is_uninstalled_from_its_receipt_and_told(world: World) -> None:  # Q316021
    installed(world)
    world.withdraw()
    world.removals.add(PACKAGE)
    assert apm.holding(world.machine.state, world.policy()) == (PACKAGE,)
    world.settle()
    assert world.runs == ["setup", f"remove {PACKAGE}"]
    assert world.machine.programs.launches[1].files == {"remove": b"rm"}
    assert "/opt/app" not in world.machine.files
    assert [message.id for message in world.messages][-2:] == [
        StatusId.UNINSTALL_STARTED,
        StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE,
    ]
    assert apm.holding(world.machine.state, world.policy()) == ()
    assert world.machine.disk.files("receipts") == {}
    world.after(DAY)
    assert len(world.runs) == 2


def test_an_uninstall_that_fails_is_tried_a_few_times_and_stays_held(world: World) -> None:
    installed(world)
    world.script(f"remove {PACKAGE}", Script(exit_code=4))
    world.removals.add(PACKAGE)
    for _ in range(40):
        world.settle()
        world.after(7 * HOUR)
    assert world.runs == ["setup"] + [f"remove {PACKAGE}"] * 3
    assert len(world.told(StatusId.UNINSTALL_FAILED_BY_EXIT_CODE)) == 3
    assert apm.holding(world.machine.state, world.policy()) == (PACKAGE,)


def test_what_is_being_removed_is_not_installed_again(world: World) -> None:
    installed(world)
    world.removals.add(PACKAGE)
    world.advertise(1, ASAP, at(START + HOUR, 2))
    world.settle()
    world.after(DAY)
    assert world.runs == ["setup", f"remove {PACKAGE}"]


def test_a_machine_is_uninstalled_from_its_receipt_long_after_the_package_is_gone(world: World) -> None:
    installed(world)
    world.delete_package()
    world.after(400 * DAY)
    assert records.receipts(world.machine.state, PACKAGE)
    uninstalled = apm.uninstall(
        PACKAGE,
        state=world.machine.state,
        machine=world.machine,
        now=world.machine.now,
        wait=lambda: world.clock.advance(MINUTE),
    )
    assert [job.state for job in uninstalled] == [JobState.SUCCEEDED]
    assert "/opt/app" not in world.machine.files
    assert records.receipts(world.machine.state, PACKAGE) == []
    with pytest.raises(RefusedError, match="S0100001 is already uninstalled"):
        apm.uninstall(PACKAGE, state=world.machine.state, machine=world.machine, now=world.machine.now, wait=lambda: None)


def test_forgetting_a_package_leaves_its_receipt_and_tells_nothing_more(world: World) -> None:
    installed(world)
    world.delete_package()
    for _ in range(3):
        world.after(HOUR)
    assert len(world.told(StatusId.PACKAGE_FORGOTTEN)) == 1
    assert [receipt.key for receipt in records.receipts(world.machine.state)] == [key()]


def test_an_uninstall_that_nobody_saw_end_is_resolved_by_what_is_detected(world: World) -> None:
    installed(world)
    world.removals.add(PACKAGE)
    world.turn()
    world.machine.files.pop("/opt/app")
    world.machine.restart_now()
    world.settle()
    assert records.receipts(world.machine.state) == []
    assert world.told(StatusId.INTERRUPTED_RESOLVED)


def test_an_uninstall_that_failed_does_not_spin_while_metadata_is_stale(world: World) -> None:
    installed(world)
    world.script(f"remove {PACKAGE}", Script(exit_code=4))
    world.removals.add(PACKAGE)
    world.settle()
    world.is_fresh = world.is_complete = False
    assert world.after(7 * HOUR) is None


# --- nothing spins ---


def hangs(world: World) -> None:
    world.package()
    world.script("setup", Script(hangs=True))


def owes_a_restart(world: World) -> None:
    world.package()
    world.script("setup", Script(exit_code=3010))


SITUATIONS: dict[str, Callable[[World], None]] = {
    "nothing": lambda world: world.package(),
    "no point": lambda world: world.package(manifest="m1"),
    "unsupported": lambda world: world.package(world.program(1, platforms=("windows",))),
    "undefined variable": lambda world: world.package(world.program(1, "setup $X")),
    "hangs": hangs,
    "cycle": lambda world: world.package(world.program(1, depends_on=key())),
    "restart owed": owes_a_restart,
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_following_the_next_due_time_never_spins(world: World, situation: str) -> None:  # Q240921, Q302535
    SITUATIONS[situation](world)
    world.advertise(1, ASAP)
    due, turns, end = world.turn(), 1, START + DAY
    while due is not None and due < end:
        assert due > world.clock.now()
        due = world.after(due - world.clock.now())
        turns += 1
    assert turns < 40
    assert len(world.messages) < 12
