"""What happens to the machines of a story: restarts, power, clocks, disks, and how programs behave."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from purveyor.lab.stories.administration import WAYS, installing
from purveyor.lab.stories.stage import NoSuchThingError, Stage
from purveyor.lab.stories.steps import kind

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC")
JUMPS = (-48, -25, -3, -1, 1, 3, 25, 48)
"""Hours by which a clock jumps."""
LITTLE_ROOM_BYTES = 200


@kind("restart", "{0} is restarted", lambda d: (d.client(),))
def _restart(stage: Stage, name: str) -> None:
    if stage.client(name).machine.power.is_on:
        stage.client(name).machine.restart_now()


@kind("power-cut", "the power of {0} fails, and is back at once", lambda d: (d.client(), d.number(0, 99)), weight=3)
def _power_cut(stage: Stage, name: str, seed: int) -> None:
    client = stage.client(name)
    if client.machine.power.is_on:
        client.machine.power_cut(seed)
        client.switch_on()
        stage.witness.cut(client)


@kind(
    "power-fails-at",
    "the power of {0} will fail right before its effect number {1}",
    lambda d: (d.client(), d.number(1, 60)),
    weight=4,
)
def _power_fails_at(stage: Stage, name: str, effect: int) -> None:
    stage.client(name).machine.power.fail_at(effect)


@kind("switched-off", "{0} is switched off by its plug", lambda d: (d.client(), d.number(0, 99)))
def _switched_off(stage: Stage, name: str, seed: int) -> None:
    client = stage.client(name)
    if client.machine.power.is_on:
        stage.switched_off.add(name)
        client.machine.power_cut(seed)
        stage.witness.cut(client)


@kind("switched-on", "{0} is switched on, if it is off", lambda d: (d.client(),), weight=3)
def _switched_on(stage: Stage, name: str) -> None:
    if not stage.client(name).machine.power.is_on:
        stage.switched_off.discard(name)
        stage.client(name).switch_on()


@kind("clock-jumps", "the clock of {0} jumps: it is {1} hours off now", lambda d: (d.client(), d.pick(JUMPS)))
def _clock_jumps(stage: Stage, name: str, hours: int) -> None:
    stage.client(name).machine.clock.skew = timedelta(hours=hours)


@kind("clock-drifts", "the clock of {0} gains {1} seconds an hour", lambda d: (d.client(), d.pick((-120, -10, 10, 120))))
def _clock_drifts(stage: Stage, name: str, seconds_an_hour: int) -> None:
    stage.client(name).machine.clock.drift(seconds_an_hour * 1_000_000 / 3600)


@kind("clock-set-right", "the clock of {0} is set right", lambda d: (d.client(),))
def _clock_set_right(stage: Stage, name: str) -> None:
    stage.client(name).machine.clock.set_right()


@kind("zone-changes", "{0} is in the time zone {1} now", lambda d: (d.client(), d.pick(ZONES)))
def _zone_changes(stage: Stage, name: str, zone: str) -> None:
    stage.client(name).machine.local_zone = ZoneInfo(zone)


@kind("disk-full", "the disk of {0} has room for {1} bytes more", lambda d: (d.client(), d.pick((0, 10, LITTLE_ROOM_BYTES))))
def _disk_full(stage: Stage, name: str, room_bytes: int) -> None:
    stage.client(name).machine.disk.leave_free(room_bytes)


@kind("disk-read-only", "the disk of {0} is read-only", lambda d: (d.client(),), weight=1)
def _disk_read_only(stage: Stage, name: str) -> None:
    stage.client(name).machine.disk.is_read_only = True


@kind("disk-mended", "the disk of {0} has room and can be written to", lambda d: (d.client(),))
def _disk_mended(stage: Stage, name: str) -> None:
    stage.client(name).machine.disk.mend()


@kind("new-machine", "a new machine joins, called {0}", lambda d: (d.pick(("pc5", "pc6")),), weight=1)
def _new_machine(stage: Stage, name: str) -> None:
    if any(client.name == name for client in stage.fleet.clients):
        raise NoSuchThingError(name)
    stage.witness.watch(stage.fleet.add_client(name, stage.join_code))


@kind("program-behaves", "from now on the program of {0} on {1}: {2}", lambda d: (d.package(), d.client(), d.pick(list(WAYS))))
def _program_behaves(stage: Stage, product: str, name: str, way: str) -> None:
    command = stage.product(product).command
    programs = stage.client(name).machine.programs
    begun = sum(launch.command == command for launch in programs.launches)
    scripts = [installing(script, command.removesuffix(".exe")) for script in WAYS[way]]
    programs.script(command, *scripts[:1] * begun, *scripts)
