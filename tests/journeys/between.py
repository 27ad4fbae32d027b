"""Stories of what lies between site and clients: links that lose and repeat, mirrors that lag, points that lie, clocks that jump.

Each ends with what an administrator wants to read: it ran once, it was told once, nobody asked for what is not there.
"""

from datetime import timedelta

from journeys.scene import (
    FILES,
    POLL_INTERVAL,
    everything_ran_once,
    nothing_is_forgotten,
    package_is_forgotten,
    remembers,
    scene,
)
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import advertisements, collections, packages, settings, status
from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, Uninstall

LEAVES = Uninstall(command=Command(argv=("remove.exe",)), when_not_offered=True)
A_POLL_SECONDS = int(POLL_INTERVAL.total_seconds())


def story_of_reports_over_a_bad_link() -> None:
    """Requests are lost, items come late, twice and in another order, some are thrown away: each run is told once."""
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        fleet.cap.lose_requests(0.1, seed=1)
        fleet.cap.delay_items(timedelta(minutes=1), spread=timedelta(minutes=30), seed=1)
        fleet.cap.duplicate_items(timedelta(minutes=20), keeps_names=True)
        fleet.cap.discard(client="pc1", until=fleet.clock.now() + 6 * POLL_INTERVAL)
        commands = []
        for number in range(4):
            commands.append(_advertised(fleet, f"setup-{number}.exe"))
            fleet.database.fail(9)
            fleet.advance(minutes=16)
        fleet.advance_polls(4)
        fleet.calm()
        fleet.advance_polls(20)
        for client in fleet.clients:
            for command in commands:
                assert fleet.ran(client, command) == 1, f"{client.name} ran {command} {fleet.ran(client, command)} times"
            told = _successes_told(fleet, client)
            assert told == len(commands), f"the site was told {told} times of the {len(commands)} runs on {client.name}"


def story_of_a_mirror_a_day_behind() -> None:
    """The access point shows everything a day late. What was deleted meanwhile is still there for who believes that it stands."""
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        fleet.cap.lag(timedelta(days=1), only=lambda path: ".json" in path or path.endswith(".lkp"))
        package = fleet.admin.add_package("Short-lived", FILES)
        fleet.script("short.exe", Script())
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "short.exe"))
        fleet.advance(hours=6)
        fleet.admin.update_package(package, {**FILES, "more.txt": b"of the second version"})
        fleet.advance(hours=6)
        fleet.admin.delete_package(package)
        fleet.advance(hours=14)
        for client in fleet.clients:
            assert fleet.ran(client, "short.exe") == 1, f"{client.name} could not run what it was still offered"
        nobody_asked_for(fleet)
        fleet.advance(days=1)
        for client in fleet.clients:
            assert fleet.holds_anything_of(client, package) == [], f"{client.name} still holds it"
        nobody_asked_for(fleet)


def story_of_half_publications() -> None:
    """However little of a publication lies there yet, nobody asks for a file that does not."""
    with scene() as stage:
        fleet = stage.fleet
        for writes in (1, 2, 3, 5):
            fleet.cap.hold(writes)
            _advertised(fleet, f"setup-{writes}.exe")
            fleet.advance_polls(1)
            nobody_asked_for(fleet)
            fleet.cap.mend()
        fleet.settle()
        nobody_asked_for(fleet)
        for client in fleet.clients:
            assert [fleet.ran(client, f"setup-{writes}.exe") for writes in (1, 2, 3, 5)] == [1] * 4, client.name


def story_of_a_point_that_lies() -> None:
    """Points serve damaged files, endless ones, another site's and stuck answers: nothing is believed, run or forgotten."""
    with scene() as stage, Fleet(1) as elsewhere:
        fleet = stage.fleet
        elsewhere.advance(hours=1)
        fleet.cap.keep_moment("another site", of=elsewhere.cap)
        fleet.dp.corrupt_all(lambda path: path.startswith("files/"))
        late = fleet.admin.add_package("Late", {"late.exe": b"the true bytes"})
        fleet.admin.advertise(fleet.admin.add_program(late, "install", "late.exe"))
        fleet.advance_polls(2)
        for client in fleet.clients:
            assert fleet.ran(client, "late.exe") == 0, f"{client.name} ran what it could not verify"
        fleet.cap.serve_moment("another site", client="pc1")
        fleet.cap.never_end(client="pc2")
        fleet.admin.change(packages.edit, stage.package, name="Called otherwise")
        fleet.advance_polls(2)
        nothing_is_forgotten(stage)
        fleet.cap.mend()
        fleet.cap.say_unchanged()
        fleet.advance_polls(2)
        nothing_is_forgotten(stage)
        fleet.calm()
        fleet.advance_polls(12)
        for client in fleet.clients:
            assert [launch.files for launch in client.machine.programs.launches if launch.command == "late.exe"] == [
                {"late.exe": b"the true bytes"}
            ], f"{client.name} did not run what was advertised"
        everything_ran_once(stage)
        nothing_is_forgotten(stage)


def story_of_what_was_taken_back() -> None:
    """A program is planned for later and taken back; then the access point serves what it said before. It does not run."""
    with scene() as stage:
        fleet = stage.fleet
        at = fleet.clock.now() + 6 * POLL_INTERVAL
        program = fleet.admin.add_program(stage.package, "wrong", "wrong.exe")
        advertised = fleet.admin.advertise(program, stage.collection, assignments=[at.isoformat()])
        fleet.advance_polls(2)
        fleet.cap.keep_moment("planned")
        fleet.admin.change(advertisements.pause, advertised)
        fleet.advance_polls(2)
        fleet.cap.serve_moment("planned")
        fleet.advance_polls(5)
        for client in fleet.clients:
            assert fleet.ran(client, "wrong.exe") == 0, f"{client.name} ran what had been taken back"


def story_of_an_expired_deletion() -> None:
    """A machine that was off sees a deletion only in words that have expired since: it forgets when they are fresh, no sooner."""
    with scene() as stage:
        fleet, (late, _) = stage.fleet, stage.fleet.clients
        for name, hours in {"timestamp_rhythm_seconds": 2, "timestamp_lifetime_seconds": 6}.items():
            fleet.admin.change(settings.change, name, hours * 3600)
        fleet.settle()
        late.switch_off()
        fleet.admin.delete_package(stage.package)
        fleet.advance_polls(1)
        fleet.cap.keep_moment("the deletion")
        fleet.advance(hours=12)
        fleet.cap.serve_moment("the deletion")
        late.switch_on()
        fleet.advance_polls(3)
        assert remembers(late, stage.subject), f"{late.name} has forgotten by expired words"
        fleet.cap.mend()
        fleet.advance_polls(3)
        package_is_forgotten(stage)


def story_of_leaving() -> None:
    """A client leaves the collection of a program that goes with it: at the second poll that says so, whole and fresh."""
    with Fleet(2, poll_interval=POLL_INTERVAL) as fleet:
        leaving, staying = fleet.clients
        collection = fleet.admin.add_collection("Pilots", [leaving.name, staying.name])
        others = fleet.admin.add_collection("Others", [leaving.name])
        program = fleet.admin.add_program(fleet.admin.add_package("Tool"), "install", "setup.exe", uninstall=LEAVES)
        fleet.admin.advertise(program, collection)
        fleet.settle()
        fleet.cap.corrupt_all(lambda path: path.endswith(f"{others}.ofr"))
        fleet.admin.advertise(program, others)
        fleet.admin.change(collections.edit, collection, remove_members=[leaving.name], is_confirmed=True)
        fleet.advance_polls(5)
        assert fleet.ran(leaving, "remove.exe") == 0, "it was uninstalled because offers could not be read"
        fleet.cap.mend()
        fleet.advance_polls(3)
        assert fleet.ran(leaving, "remove.exe") == 0, "it was uninstalled though another collection offers it"
        fleet.admin.change(collections.edit, others, remove_members=[leaving.name], is_confirmed=True)
        polls_before = _polls(fleet, leaving)
        while fleet.ran(leaving, "remove.exe") == 0 and _polls(fleet, leaving) < polls_before + 6:
            fleet.advance(minutes=1)
        assert _polls(fleet, leaving) >= polls_before + 2, "it was uninstalled at the first poll that did not offer it"
        fleet.advance_polls(4)
        assert [fleet.ran(client, "remove.exe") for client in fleet.clients] == [1, 0]


def story_of_an_absent_holder() -> None:
    """A package is deleted while a client that holds it is off: it is not gone until that one has said so."""
    with scene() as stage:
        fleet, (absent, _) = stage.fleet, stage.fleet.clients
        absent.switch_off()
        fleet.admin.delete_package(stage.package)
        fleet.advance(days=2)
        state = fleet.admin.ask(packages.shown, stage.package).state
        assert state is PackageState.RETIRING, f"it is {state}, and {absent.name} still holds it"
        absent.switch_on()
        fleet.advance_polls(4)
        package_is_forgotten(stage)
        assert fleet.admin.ask(packages.shown, stage.package).state is PackageState.WITHDRAWN


def story_of_a_clock_that_goes_back() -> None:
    """An hourly program; the clock of the machine is set back a day, and forward again: no hour is run twice."""
    with Fleet(1, poll_interval=POLL_INTERVAL) as fleet:
        (client,) = fleet.clients
        program = fleet.admin.add_program(fleet.admin.add_package("Inventory"), "collect", "collect.exe")
        fleet.admin.advertise(program, assignments=["2026-01-04T00:30Z FREQ=HOURLY"])
        fleet.advance(hours=3)
        before = fleet.ran(client, "collect.exe")
        client.machine.clock.skew = timedelta(hours=-2)
        fleet.advance(hours=1)
        assert fleet.ran(client, "collect.exe") == before, "hours that were run before ran again"
        client.machine.clock.set_right()
        fleet.advance(hours=2)
        assert before + 2 <= fleet.ran(client, "collect.exe") <= before + 3


def story_of_edits() -> None:
    """What is advertised is renamed, given another time, updated and advertised again: what was run is not run again."""
    with scene() as stage:
        fleet = stage.fleet
        weekly = f"{fleet.clock.now() + POLL_INTERVAL:%Y-%m-%dT%H:%M}Z FREQ=WEEKLY"
        fleet.script("scan.exe", Script(exit_code=1))
        program = fleet.admin.add_program(stage.package, "scan", "scan.exe")
        advertised = fleet.admin.advertise(program, stage.collection, assignments=[weekly])
        fleet.advance_polls(3)
        assert [fleet.ran(client, "scan.exe") for client in fleet.clients] == [1, 1]
        fleet.admin.change(advertisements.edit, advertised, expires_at=fleet.clock.now() + timedelta(days=300))
        fleet.admin.change(advertisements.edit, advertised, assignments=["2026-09-01T00:00Z", weekly], is_confirmed=True)
        fleet.admin.update_package(stage.package, {**FILES, "more.txt": b"of the second version"})
        fleet.advance_polls(3)
        runs = [fleet.ran(client, "scan.exe") for client in fleet.clients]
        assert runs == [1, 1], f"an edit made it run again: {runs}"
        everything_ran_once(stage)


def story_of_a_program_that_fills_the_disk() -> None:
    """A program leaves no room on the disk and its own content is deleted by it: the next one waits, runs, and all is told."""
    with scene(client_count=1) as stage:
        fleet, client = stage.fleet, stage.fleet.clients[0]
        package = fleet.admin.add_package("Greedy", {"greedy.exe": b"x", "more.bin": b"y"})
        fleet.script("greedy.exe", Script(fills_disk=True, deletes_content=True))
        fleet.admin.advertise(fleet.admin.add_program(package, "install", "greedy.exe"))
        fleet.advance_polls(2)
        assert fleet.ran(client, "greedy.exe") == 1
        late = fleet.admin.add_package("Late", {"late.exe": b"the true bytes"})
        fleet.admin.advertise(fleet.admin.add_program(late, "install", "late.exe"))
        fleet.advance_polls(2)
        assert fleet.ran(client, "late.exe") == 0, "it ran without its content"
        nothing_is_forgotten(stage)
        fleet.calm()
        fleet.settle()
        assert [fleet.ran(client, command) for command in ("greedy.exe", "late.exe")] == [1, 1]
        jobs = {job.package: job.state for job in fleet.admin.ask(status.of_client, client.id).jobs}
        assert jobs[package] is jobs[late] is JobState.SUCCEEDED


def nobody_asked_for(fleet: Fleet) -> None:
    """Nobody asked for a file that was not there."""
    asked = fleet.absent_requests()
    assert asked == [], f"{len(asked)} requests for what is not there, such as {asked[0]}"


def _advertised(fleet: Fleet, command: str) -> str:
    """Advertises a new package with one file to everybody."""
    fleet.script(command, Script(seconds=5))
    package: PackageId = fleet.admin.add_package(command, {command: command.encode()})
    fleet.admin.advertise(fleet.admin.add_program(package, "install", command))
    return command


def _successes_told(fleet: Fleet, client: LabClient) -> int:
    """How many successes of runs a client has told the site of."""
    told = fleet.admin.ask(status.messages, client=client.id, limit=500)
    return sum(message.state is JobState.SUCCEEDED for message in told)


def _polls(fleet: Fleet, client: LabClient) -> int:
    """How often a client has polled."""
    return sum(request.client == client.name and request.path.endswith("timestamp.json") for request in fleet.cap.requests)
