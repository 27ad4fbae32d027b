"""Stories in which the power fails: at every effect of a client, and at every commit and box write of the site.

In round n there is a new package, and the power fails right before the n-th effect from then; the story ends with the first round
that has fewer effects than that. A fleet lives through some rounds, then a new one follows. Its first round is left alone: it has
effects that no later one has, so a moment of it is another moment than that of the same number later.
"""

from collections.abc import Callable
from datetime import timedelta

from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import packages, status
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import IfInterrupted, OsPackageRule, ProgramKey

MOST_MOMENTS = 400
ROUNDS_A_FLEET = 12
POLL_INTERVAL = timedelta(minutes=10)
POLLS_A_HALF = 3


def story_of_client_power_cuts(
    if_interrupted: IfInterrupted, *, is_detectable: bool, seed: int | None = None, first: int = 1
) -> int:
    """The power of the client fails everywhere once, from the `first` moment on. Shape: how many moments there were."""

    def lives_through(fleet: Fleet, moment: int) -> bool:
        client = fleet.clients[0]
        client.power_cut_seed = seed
        program = _advertise(fleet, moment, if_interrupted, is_detectable=is_detectable)
        was_cut = _live_through(fleet, client, moment)
        _ran_as_it_should(fleet, client, program, moment, if_interrupted, is_detectable=is_detectable)
        if not was_cut:
            _nothing_is_left_when_everything_is_deleted(fleet, client)
        return was_cut

    return _first_without_a_cut(1, lives_through, first=first)


def story_of_an_acknowledgement_cut_off(*, seed: int | None = None, first: int = 1) -> int:
    """The power of a client fails everywhere while it forgets a deleted package, and stays off for a while.

    The site may count it as done only if it is done; switched on again, the client gets it done.
    """

    def lives_through(fleet: Fleet, moment: int) -> bool:
        client = fleet.clients[0]
        client.stays_off = True
        client.power_cut_seed = seed
        program = _advertise(fleet, moment, IfInterrupted.LEAVE, is_detectable=False)
        fleet.advance_polls(POLLS_A_HALF)
        fleet.admin.delete_package(program.package)
        was_cut = _live_through(fleet, client, moment)
        acknowledged = fleet.admin.ask(packages.retirement, program.package, fleet.clock.now()).acknowledged
        if acknowledged:
            assert client.holds_anything_of(program.package) == [], f"it acknowledged before it had forgotten (moment {moment})"
        if was_cut:
            client.switch_on()
            fleet.advance_polls(POLLS_A_HALF)
        _is_forgotten(fleet, program.package)
        return was_cut

    return _first_without_a_cut(1, lives_through, first=first)


def story_of_site_power_cuts() -> int:
    """The power of the site fails once between every two commits and box writes. Shape: how many moments there were."""

    def lives_through(fleet: Fleet, moment: int) -> bool:
        program = _advertise(fleet, moment, IfInterrupted.LEAVE, is_detectable=False)
        was_cut = _site_lives_through(fleet, moment)
        for client in fleet.clients:
            assert fleet.ran(client, _command(moment)) == 1, f"{client.name}, moment {moment}"
            assert _state_at_the_site(fleet, client, program) is JobState.SUCCEEDED
        fleet.admin.delete_package(program.package)
        was_cut = _site_lives_through(fleet, moment) or was_cut
        _is_forgotten(fleet, program.package)
        return was_cut

    return _first_without_a_cut(2, lives_through)


def _first_without_a_cut(client_count: int, lives_through: Callable[[Fleet, int], bool], *, first: int = 1) -> int:
    """Lives through one moment after the other, until one comes that the round no longer has."""
    for begun in range(first, MOST_MOMENTS, ROUNDS_A_FLEET):
        with Fleet(client_count, poll_interval=POLL_INTERVAL) as fleet:
            assert not lives_through(fleet, MOST_MOMENTS + begun)
            for moment in range(begun, begun + ROUNDS_A_FLEET):
                if not lives_through(fleet, moment):
                    return moment
    raise AssertionError(f"there were more than {MOST_MOMENTS} moments")


def _command(moment: int) -> str:
    return f"setup-{moment}.exe"


def _advertise(fleet: Fleet, moment: int, if_interrupted: IfInterrupted, *, is_detectable: bool) -> ProgramKey:
    thing = f"thing-{moment}"
    fleet.script(_command(moment), Script(installs=(f"{thing}=1",)))
    package = fleet.admin.add_package(
        f"Package {moment}", {"setup.exe": b"setup of %d" % moment, "more.txt": b"more of %d" % moment}
    )
    detection = OsPackageRule(name=thing) if is_detectable else None
    program = fleet.admin.add_program(package, "install", _command(moment), if_interrupted=if_interrupted, detection=detection)
    fleet.admin.advertise(program)
    return program


def _live_through(fleet: Fleet, client: LabClient, moment: int) -> bool:
    """Lets some polls go by, in which the client's power fails. True when it did."""
    crashes = client.crashes
    client.machine.power.fail_at(moment)
    fleet.advance_polls(POLLS_A_HALF)
    client.machine.power.fail_at(None)
    return client.crashes > crashes


def _site_lives_through(fleet: Fleet, moment: int) -> bool:
    crashes = fleet.site_crashes
    fleet.power.fail_at(moment)
    fleet.advance_polls(2)
    fleet.power.fail_at(None)
    fleet.advance_polls(3)
    return fleet.site_crashes > crashes


def _ran_as_it_should(
    fleet: Fleet, client: LabClient, program: ProgramKey, moment: int, if_interrupted: IfInterrupted, *, is_detectable: bool
) -> None:
    """Never twice to its end; and client and site agree on how it went."""
    command, where = _command(moment), f"moment {moment}"
    completed = client.machine.programs.completed.count(command)
    state = _state_at_the_site(fleet, client, program)
    if if_interrupted is IfInterrupted.RUN_AGAIN and is_detectable:
        assert (completed, state) == (1, JobState.SUCCEEDED), where
        assert f"thing-{moment}" in client.machine.installed, where
        return
    assert fleet.ran(client, command) <= 1, f"it was started twice, {where}"
    assert completed <= 1, where
    assert state in (JobState.SUCCEEDED, JobState.INTERRUPTED), f"the site believes {state}, {where}"
    assert state is JobState.INTERRUPTED or completed == 1, where


def _state_at_the_site(fleet: Fleet, client: LabClient, program: ProgramKey) -> JobState | None:
    jobs = fleet.admin.ask(status.of_client, client.id).jobs
    return next((job.state for job in jobs if (job.package, job.program) == program), None)


def _nothing_is_left_when_everything_is_deleted(fleet: Fleet, client: LabClient) -> None:
    """What crashes left behind is gone at the latest with the next run and deletion."""
    for package in fleet.admin.ask(packages.listed):
        fleet.admin.delete_package(package.id)
    fleet.advance_polls(POLLS_A_HALF)
    left = client.machine.disk.files()
    assert left == {}, f"files that nothing leads to: {sorted(left)}"


def _is_forgotten(fleet: Fleet, package: PackageId) -> None:
    for client in fleet.clients:
        assert fleet.holds_anything_of(client, package) == []
    retirement = fleet.admin.ask(packages.retirement, package, fleet.clock.now())
    assert retirement.acknowledged == retirement.held == len(fleet.clients), retirement
    assert fleet.absent_requests() == []
    assert fleet.problems() == []
