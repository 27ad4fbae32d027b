"""The power fails before every effect of requests, wishes, restarts, removal and notices: each is told once and done once."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, World, at, key
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.asks import AskKind
from purveyor.lab.clock import START
from purveyor.lab.power import PowerCut
from purveyor.lab.programs import Script
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RequestKind
from purveyor.wire.package_info import Command, Superseded, Uninstall
from purveyor.wire.status_messages import StatusId

REMOVE = Uninstall(command=Command(argv=("remove",)))
LEAVES = Uninstall(command=Command(argv=("remove",)), when_not_offered=True)
MOST_MOMENTS = 200


def at_every_moment(prepare: Callable[[World], None], *, turns: int = 8, step: timedelta = HOUR) -> Iterator[World]:
    """A world for each moment at which the power failed after it was prepared, some turns later; at last one where it did not."""
    for moment in range(1, MOST_MOMENTS):
        world = World()
        world.machine.people.log_on("alice")
        prepare(world)
        world.machine.power.fail_at(moment)
        was_cut = False
        for _ in range(turns):
            try:
                world.poll(step)
            except PowerCut:
                was_cut = True
                world.machine.power_cut()
                world.machine.start()
                world.machine.people.log_on("alice")
        yield world
        if not was_cut:
            assert moment > 3
            return
    raise AssertionError(f"there were more than {MOST_MOMENTS} moments")


def times_told(world: World, *status: StatusId) -> int:
    return sum(len(world.told(one)) for one in status)


def installed(world: World, uninstall: Uninstall = REMOVE) -> None:
    world.package(world.program(1, uninstall=uninstall))
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == ["setup"]


def test_a_run_that_is_called_off_is_never_made_and_that_is_told_once() -> None:
    def prepare(world: World) -> None:
        world.package()
        world.advertise(1, at(START + 3 * HOUR))
        world.turn()
        world.request(7, RequestKind.CANCEL)

    for world in at_every_moment(prepare):
        assert world.runs == []
        assert [one.request for one in world.told(StatusId.CANCELLED)] == [7]


def test_what_is_to_be_run_again_is_started_once_more_and_accepted_once() -> None:
    def prepare(world: World) -> None:
        installed(world)
        world.request(7, RequestKind.RUN_AGAIN)

    for world in at_every_moment(prepare):
        assert 1 <= len(world.runs) <= 2
        assert times_told(world, StatusId.RUN_AGAIN_ACCEPTED) == 1
        ended = [run.state for run in world.history().runs]
        assert ended in ([JobState.SUCCEEDED, JobState.SUCCEEDED], [JobState.SUCCEEDED, JobState.INTERRUPTED])


def test_what_is_to_be_stopped_is_answered_once() -> None:
    def prepare(world: World) -> None:
        world.script("setup", Script(seconds=30 * 3600))
        world.package()
        world.advertise(1, ASAP)
        world.turn()
        world.request(7, RequestKind.STOP)

    for world in at_every_moment(prepare, step=10 * MINUTE):
        answers = times_told(world, StatusId.STOPPED, StatusId.REQUEST_TOO_LATE, StatusId.REQUEST_REFUSED)
        assert answers == 1
        assert world.runs == ["setup"]
        assert world.machine.running() == []


def test_what_a_user_asks_for_is_started_once_and_told_once() -> None:
    def prepare(world: World) -> None:
        world.package()
        world.advertise(1)
        world.turn()
        world.ask("alice")

    for world in at_every_moment(prepare):
        assert len(world.runs) <= 1
        assert times_told(world, StatusId.ASKED_BY_USER) == 1
        assert len(world.history().runs) == 1


def test_what_a_user_puts_off_is_told_once_and_comes() -> None:
    def prepare(world: World) -> None:
        world.package()
        world.advertise(1, at(START + HOUR), postpone_seconds=4 * 3600)
        world.turn()
        world.ask("alice", AskKind.POSTPONE, after=3 * HOUR)

    for world in at_every_moment(prepare):
        assert times_told(world, StatusId.POSTPONED) == 1
        assert len(world.history().runs) == 1


def test_what_is_replaced_is_uninstalled_before_what_replaces_it_runs() -> None:
    def prepare(world: World) -> None:
        installed(world)
        replaces = (Superseded(key=key(), is_uninstalled=True),)
        world.package(world.program(1, "newer", supersedes=replaces), package=OTHER)
        world.advertise(2, ASAP, program=key(OTHER))

    for world in at_every_moment(prepare):
        assert world.runs.count("newer") <= 1
        if "newer" in world.runs:
            assert "remove" in world.runs[: world.runs.index("newer")]
            assert records.receipt_of(world.machine.state, key()) is None
        assert world.runs.count("setup") == 1
        assert not world.job(key(OTHER)).is_open


def test_what_has_left_is_uninstalled_however_the_power_fails() -> None:
    def prepare(world: World) -> None:
        installed(world, LEAVES)
        world.withdraw()

    for world in at_every_moment(prepare, turns=12):
        assert 1 <= world.runs.count("remove") <= 2
        assert records.receipt_of(world.machine.state, key()) is None
        assert times_told(world, StatusId.NOT_OFFERED_ANY_MORE) == 1


def test_a_restart_is_owed_until_it_came_and_is_told_once() -> None:
    def prepare(world: World) -> None:
        world.settings |= {"may_restart": True, "restart_countdown_seconds": 900}
        world.script("setup", Script(exit_code=3010, seconds=60))
        world.package()
        world.advertise(1, ASAP)
        world.turn()
        world.clock.advance(2 * MINUTE)
        world.machine.programs.turn()

    for world in at_every_moment(prepare, step=10 * MINUTE):
        assert world.runs == ["setup"]
        assert world.machine.boot_count == 2
        assert times_told(world, StatusId.RESTARTING) <= 1
        assert world.job().state in (JobState.SUCCEEDED, JobState.INTERRUPTED)


@pytest.mark.parametrize("count", [1, 5])
def test_a_notice_of_what_is_new_comes_at_most_once(count: int) -> None:
    def prepare(world: World) -> None:
        world.package(*(world.program(number, f"tool{number}") for number in range(1, count + 1)))
        for number in range(1, count + 1):
            world.advertise(number, program=key(number=number))

    for world in at_every_moment(prepare, turns=4):
        assert len(world.machine.notices.shown) <= 1
