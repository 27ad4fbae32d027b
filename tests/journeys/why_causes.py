"""Causes for which a program is not on a client, each planted in a small fleet, with what `why` has to say of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import update

from purveyor.client import join
from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask
from purveyor.lab.client import LabClient
from purveyor.lab.fleet import Fleet
from purveyor.lab.programs import Script
from purveyor.site_server.admin import (
    advertisements,
    collections,
    join_codes,
    packages,
    programs,
    requests,
    resources,
    settings,
    why,
    windows,
)
from purveyor.site_server.database import schema
from purveyor.site_server.model.why.chain import Explanation
from purveyor.site_server.model.why.link import Who
from purveyor.wire.ids import AdvertisementId, CollectionId
from purveyor.wire.offers import RequestKind
from purveyor.wire.package_info import Command, Conditions, FileRule, Logon, OsPackageRule, ProgramKey, Superseded, Uninstall

TOOL, LIBRARY, REMOVE = "tool.exe", "library.exe", "remove.exe"
DAY_SECONDS = 86_400


@dataclass
class Stage:
    """A fleet with one client that has joined, and a package with one program that nothing advertises yet."""

    fleet: Fleet
    program: ProgramKey
    options: dict[str, object] = field(default_factory=dict)
    asked: str = "pc1"
    """Of which client the explanation is asked."""

    @property
    def client(self) -> LabClient:
        """The client."""
        return self.fleet.clients[0]

    @property
    def all_systems(self) -> CollectionId:
        """The collection of all clients."""
        return self.fleet.admin.all_systems()

    def change(self, command: Callable[..., object], *arguments: object, **options: object) -> object:
        """What the administrator does."""
        return self.fleet.admin.change(command, *arguments, **options)

    def advertise(
        self, program: ProgramKey | None = None, collection: CollectionId | None = None, **options: object
    ) -> AdvertisementId:
        """Advertises the program, to all clients where none are named."""
        return self.fleet.admin.advertise(program or self.program, collection, **options)  # type: ignore[arg-type]

    def edit(self, **options: object) -> None:
        """Changes the program."""
        self.change(programs.edit, self.program, **options)

    def polls(self, count: float = 2) -> None:
        """Lets time go by."""
        self.fleet.advance_polls(count)

    def in_polls(self, count: float) -> datetime:
        """A time ahead."""
        return self.fleet.clock.now() + count * self.fleet.poll_interval

    def explained(self) -> Explanation:
        """Why the program is there, or not."""
        with self.fleet.site.database.read() as tx:
            seen = why.why(
                tx,
                self.asked,
                self.program.package,
                str(self.program.program),
                keys=self.fleet.site.keys,
                now=self.fleet.clock.now(),
            )
        (explanation,) = seen.explanations
        return explanation


class Cause(NamedTuple):
    """A cause: what plants it, the link that it breaks, who acts next, and a part of the sentence that tells it."""

    plant: Callable[[Stage], None]
    link: str
    who: Who
    says: str


CAUSES: dict[str, Cause] = {}


def cause(link: str, who: Who, says: str) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Enters a cause under the name of the function that plants it."""

    def entered(plant: Callable[[Stage], None]) -> Callable[[Stage], None]:
        CAUSES[plant.__name__] = Cause(plant, link, who, says)
        return plant

    return entered


# --- package and program ---


@cause("package", Who.NOBODY, "retired on 2026-01-05 11:02Z by administrator, replaced by S0100002 (Better)")
def package_retired_and_replaced(stage: Stage) -> None:
    stage.advertise()
    stage.polls()
    better = stage.fleet.admin.add_package("Better")
    stage.change(packages.delete, stage.program.package, replaced_by=better, is_confirmed=True)
    stage.polls()


@cause("package", Who.CLIENT, "retired on")
def package_retired_and_not_forgotten(stage: Stage) -> None:
    stage.advertise()
    stage.polls()
    stage.client.machine.power_cut()
    stage.fleet.admin.delete_package(stage.program.package)
    stage.polls()


@cause("package", Who.CLIENT, "retired on")
def package_removed_from_machines_first(stage: Stage) -> None:
    stage.edit(uninstall=Uninstall(command=Command(argv=(REMOVE,))))
    stage.advertise()
    stage.polls()
    stage.client.machine.power_cut()
    stage.fleet.admin.delete_package(stage.program.package, with_uninstall=True)
    stage.polls()


@cause("program", Who.ADMINISTRATOR, "is disabled")
def program_disabled(stage: Stage) -> None:
    stage.advertise()
    stage.change(programs.disable, stage.program)
    stage.polls()


@cause("program", Who.ADMINISTRATOR, "was deleted on")
def program_deleted(stage: Stage) -> None:
    stage.change(programs.delete, stage.program, is_confirmed=True)
    stage.polls()


# --- the client ---


@cause("client", Who.ADMINISTRATOR, "pc2 waits for approval")
def client_waits_for_approval(stage: Stage) -> None:
    stage.advertise()
    stage.fleet.add_client("pc2", stage.fleet.new_join_code(needs_approval=True))
    stage.polls()
    stage.asked = "pc2"


@cause("client", Who.ADMINISTRATOR, "pc1 is blocked: it was stolen")
def client_blocked(stage: Stage) -> None:
    stage.advertise()
    stage.change(resources.block, stage.client.id, reason="it was stolen")
    stage.polls()


@cause("client", Who.ADMINISTRATOR, "the machine pc2 was refused: the join code expired")
def client_refused(stage: Stage) -> None:
    stage.advertise()
    code = stage.fleet.new_join_code()
    listed = stage.fleet.admin.ask(join_codes.listed, now=stage.fleet.clock.now())
    with stage.fleet.site.database.write() as tx:
        tx.execute(
            update(schema.join_code)
            .where(schema.join_code.c.id == max(one.id for one in listed))
            .values(expires_at=stage.fleet.clock.now())
        )
    stage.fleet.add_client("pc2", code)
    stage.fleet.advance(minutes=30)
    stage.asked = "pc2"


@cause("client", Who.ADMINISTRATOR, "pc1 is no client of the site any more: has left the site")
def client_left(stage: Stage) -> None:
    stage.advertise()
    client = stage.client
    stage.asked = client.id
    join.leave(client.machine.state, client.machine, point_for=client.point_for)
    client.wake_at = stage.in_polls(100)
    stage.polls()


@cause("client", Who.ADMINISTRATOR, "pc1 is no client of the site any more: removed by administrator")
def client_removed(stage: Stage) -> None:
    stage.advertise()
    stage.change(resources.remove, stage.client.id)
    stage.polls()


@cause("client", Who.ADMINISTRATOR, "two machines use the identity of pc1")
def client_forked(stage: Stage) -> None:
    stage.advertise()
    stage.polls()
    with stage.fleet.site.database.write() as tx:
        fork = '{"sequence": 4, "digests": ["aa", "bb"]}'
        tx.execute(update(schema.client).where(schema.client.c.id == stage.client.id).values(fork=fork))
        tx.execute(schema.job_state.delete())


# --- collection and advertisement ---


@cause("advertisement", Who.ADMINISTRATOR, "no advertisement offers it")
def nothing_advertises_it(stage: Stage) -> None:
    stage.polls()


@cause("advertisement", Who.ADMINISTRATOR, "its advertisement S0120001 (install to All Systems) was deleted on")
def advertisement_deleted(stage: Stage) -> None:
    advertisement = stage.advertise(assignments=[f"{stage.in_polls(50):%Y-%m-%dT%H:%M}Z"])
    stage.polls()
    stage.change(advertisements.delete, advertisement)
    stage.polls()


@cause("membership", Who.ADMINISTRATOR, "pc1 is no member of S0110002 (Pilot): no rule names it")
def no_rule_names_the_client(stage: Stage) -> None:
    stage.advertise(collection=stage.fleet.admin.add_collection("Pilot"))
    stage.polls()


@cause("membership", Who.ADMINISTRATOR, "it is excluded with S0110002 (Servers)")
def client_excluded(stage: Stage) -> None:
    stage.fleet.admin.add_collection("Servers", ["pc1"])
    pilot = stage.change(collections.add, name="Pilot", includes=["All Systems"], excludes=["Servers"])
    stage.advertise(collection=pilot)  # type: ignore[arg-type]
    stage.polls()


@cause("offer", Who.ADMINISTRATOR, "S0120001 (install to All Systems) is paused")
def advertisement_paused(stage: Stage) -> None:
    stage.change(advertisements.pause, stage.advertise())
    stage.polls()


@cause("offer", Who.ADMINISTRATOR, "expired on")
def advertisement_expired(stage: Stage) -> None:
    stage.client.machine.power_cut()
    stage.advertise(expires_at=stage.in_polls(1))
    stage.polls()


@cause("offer", Who.CLIENT, "is not available before")
def advertisement_not_yet_available(stage: Stage) -> None:
    stage.advertise(available_from=stage.in_polls(20))
    stage.polls()


@cause("platform", Who.ADMINISTRATOR, "the program is for windows/11, the machine is linux/debian/12@x86_64")
def platform_does_not_fit(stage: Stage) -> None:
    stage.edit(platforms=["windows/11"])
    stage.advertise()
    stage.polls()


@cause("replaced", Who.NOBODY, "S0100002/1 (install) replaces it and is offered to this client")
def program_replaced(stage: Stage) -> None:
    better = stage.fleet.admin.add_package("Better")
    other = stage.fleet.admin.add_program(better, "install", "better.exe", supersedes=[Superseded(key=stage.program)])
    stage.advertise()
    stage.advertise(other)
    stage.polls()


def _library(stage: Stage) -> ProgramKey:
    package = stage.fleet.admin.add_package("Library")
    library = stage.fleet.admin.add_program(package, "lay out", LIBRARY)
    stage.edit(depends_on=library)
    return library


@cause("dependency", Who.ADMINISTRATOR, "the program S0100002/1 (lay out), on which it depends, is disabled")
def dependency_disabled(stage: Stage) -> None:
    stage.change(programs.disable, _library(stage))
    stage.advertise()
    stage.polls()


@cause("dependency", Who.ADMINISTRATOR, "on which it depends, ended as failed: exit code 7")
def dependency_failed(stage: Stage) -> None:
    stage.fleet.script(LIBRARY, Script(exit_code=7))
    _library(stage)
    stage.advertise()
    stage.polls()


@cause("dependency", Who.ADMINISTRATOR, "on which it depends, does not exist any more")
def dependency_deleted(stage: Stage) -> None:
    library = _library(stage)
    stage.advertise()
    stage.fleet.admin.delete_package(library.package)
    stage.polls()


# --- content and publication ---


@cause("content", Who.SITE, "the content of S0100001 (Tool) is on no distribution point yet")
def content_not_copied_yet(stage: Stage) -> None:
    stage.advertise()


@cause("content", Who.POINT, "tries failed, the last:")
def distribution_point_broken(stage: Stage) -> None:
    package = stage.fleet.admin.add_package("Other", {"other.exe": b"other bytes"})
    stage.program = stage.fleet.admin.add_program(package, "install", "other.exe")
    folder = stage.fleet.dp.store.folder
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"a file where a folder was")
    stage.advertise()
    stage.polls()


@cause("publication", Who.SITE, "of the offers of collection S0110001 is not published yet")
def offers_not_published_yet(stage: Stage) -> None:
    stage.polls()
    stage.advertise()


@cause("publication", Who.ADMINISTRATOR, "of package S0100001 waits to be signed by 'packages', whose key is away")
def key_of_packages_away(stage: Stage) -> None:
    stage.polls()
    stage.advertise()
    stage.polls(0.1)
    keys = stage.fleet.site.keys
    keys.forget([name for name in keys.names() if name.role == "packages"])
    stage.edit(description="a word more")
    stage.fleet.advance(minutes=1)


# --- contact and delivery ---


@cause("contact", Who.MACHINE, "pc1 is silent since")
def client_silent(stage: Stage) -> None:
    stage.change(settings.change, "heartbeat_interval_seconds", 7200)
    stage.polls()
    stage.client.machine.power_cut()
    stage.advertise()
    stage.fleet.advance(hours=10)


@cause(
    "contact", Who.POINT, "and so is every other client: no access point answers them; next: point: see that clients reach cap1"
)
def no_access_point_answers(stage: Stage) -> None:
    stage.change(settings.change, "heartbeat_interval_seconds", 7200)
    stage.fleet.add_client("pc2", stage.fleet.new_join_code())
    stage.polls()
    stage.fleet.cap.cut()
    stage.advertise()
    stage.fleet.advance(hours=10)


@cause("delivery", Who.CLIENT, "needs")
def client_has_not_polled_yet(stage: Stage) -> None:
    stage.polls()
    stage.advertise()
    stage.fleet.advance(seconds=30)


@cause("delivery", Who.POINT, "its access point gives it nothing newer")
def access_point_lags(stage: Stage) -> None:
    stage.change(settings.change, "heartbeat_interval_seconds", 7200)
    stage.polls()
    stage.fleet.cap.keep_moment("before")
    stage.fleet.cap.serve_moment("before")
    stage.advertise()
    stage.polls(8)


@cause("delivery", Who.CLIENT, "has said nothing of S0120001 yet")
def member_since_a_moment(stage: Stage) -> None:
    pilot = stage.fleet.admin.add_collection("Pilot")
    stage.advertise(collection=pilot)
    stage.change(settings.change, "heartbeat_interval_seconds", 3600)
    stage.polls(4)
    stage.change(collections.edit, pilot, add_members=["pc1"], is_confirmed=True)
    stage.fleet.advance(seconds=30)


# --- requests, audience, time ---


@cause("request", Who.ADMINISTRATOR, "administrator (request 1) cancelled it before it began: not this week")
def run_cancelled(stage: Stage) -> None:
    advertisement = stage.advertise(assignments=[f"{stage.in_polls(4):%Y-%m-%dT%H:%M}Z"])
    stage.polls()
    stage.change(requests.ask, RequestKind.CANCEL, advertisement, reason="not this week", is_confirmed=True)
    stage.polls(4)


@cause("request", Who.ADMINISTRATOR, "administrator (request 1) stopped its run")
def run_stopped(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(seconds=DAY_SECONDS / 2))
    advertisement = stage.advertise()
    stage.polls()
    stage.change(requests.ask, RequestKind.STOP, advertisement, is_confirmed=True)
    stage.polls()


@cause("request", Who.CLIENT, "asked that it runs again (request 1), and the client has not answered yet")
def run_again_not_answered(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(exit_code=5), Script())
    advertisement = stage.advertise()
    stage.polls()
    stage.change(requests.ask, RequestKind.RUN_AGAIN, advertisement, is_confirmed=True)
    stage.fleet.advance(seconds=30)


@cause("audience", Who.USER, "S0120001 is optional: it runs where somebody starts it")
def advertisement_optional(stage: Stage) -> None:
    stage.advertise(assignments=())
    stage.polls()


@cause("audience", Who.USER, "it is for alice alone, and no run of theirs is known")
def advertisement_for_other_users(stage: Stage) -> None:
    stage.edit(conditions=Conditions(logon=Logon.USER))
    stage.advertise(users=["alice"])
    stage.client.machine.people.log_on("bob")
    stage.polls()


@cause("schedule", Who.CLIENT, "it is not due before 2026-01-07T22:00:00+01:00")
def not_due_by_the_clients_clock(stage: Stage) -> None:
    stage.client.machine.local_zone = ZoneInfo("Europe/Berlin")
    stage.change(settings.change, "heartbeat_interval_seconds", 3600)
    stage.advertise(assignments=["2026-01-07T22:00"])
    stage.polls(4)


@cause("schedule", Who.USER, "it waits for the next logon")
def waits_for_a_logon(stage: Stage) -> None:
    stage.advertise(assignments=["logon"])
    stage.polls()


@cause("schedule", Who.MACHINE, "it waits for the next startup")
def waits_for_a_start_of_the_machine(stage: Stage) -> None:
    stage.advertise(assignments=["startup"])
    stage.polls()


@cause("schedule", Who.ADMINISTRATOR, "no time of it comes any more")
def no_time_comes_any_more(stage: Stage) -> None:
    start = stage.fleet.clock.now() - timedelta(days=3)
    rule = f"{start:%Y-%m-%dT%H:%M}Z FREQ=DAILY;COUNT=4"
    stage.advertise(assignments=[rule], available_from=stage.in_polls(2))
    stage.fleet.advance(hours=26)


# --- windows and conditions ---


@cause("window", Who.CLIENT, "the next one that is long enough opens at 2026-01-10 02:00Z")
def window_closed(stage: Stage) -> None:
    stage.edit(max_run_seconds=600)
    stage.change(
        windows.add, stage.all_systems, name="Nights", start="2026-01-10T02:00Z", duration_seconds=7200, is_confirmed=True
    )
    stage.advertise()
    stage.polls()


@cause("window", Who.ADMINISTRATOR, "long")
def window_too_short_for_ever(stage: Stage) -> None:
    stage.edit(max_run_seconds=20_000)
    stage.change(windows.add, stage.all_systems, rule="FREQ=DAILY;BYHOUR=2", duration_seconds=3600, is_confirmed=True)
    stage.advertise()
    stage.polls()


@cause("condition", Who.USER, "waits: no user is logged on")
def no_user_logged_on(stage: Stage) -> None:
    stage.edit(conditions=Conditions(logon=Logon.USER))
    stage.advertise()
    stage.polls()


@cause("condition", Who.USER, "somebody is logged on (bob)")
def somebody_logged_on(stage: Stage) -> None:
    stage.edit(conditions=Conditions(logon=Logon.NONE))
    stage.client.machine.people.log_on("bob")
    stage.advertise()
    stage.polls()


@cause("condition", Who.MACHINE, "the machine runs on its battery")
def machine_on_battery(stage: Stage) -> None:
    stage.edit(conditions=Conditions(needs_mains=True))
    stage.client.machine.is_on_mains = False
    stage.advertise()
    stage.polls()


@cause("condition", Who.MACHINE, "waits for the restart that first needs")
def restart_of_another_program_comes_first(stage: Stage) -> None:
    first = stage.fleet.admin.add_package("First")
    stage.fleet.script("first.exe", Script(exit_code=3010))
    stage.advertise(stage.fleet.admin.add_program(first, "first", "first.exe"))
    stage.polls()
    stage.advertise()
    stage.polls()


@cause("dependency", Who.ADMINISTRATOR, "on which S0100001/1 depends, is disabled")
def dependency_was_disabled_when_the_client_looked(stage: Stage) -> None:
    library = _library(stage)
    stage.change(programs.disable, library)
    stage.advertise()
    stage.polls()
    stage.change(programs.enable, library)


@cause("condition", Who.CLIENT, "its agent is too old to give the cause in a word: waits: no user is logged on")
def older_agent_gives_no_cause(stage: Stage) -> None:
    stage.edit(conditions=Conditions(logon=Logon.USER))
    stage.advertise()
    stage.polls()
    with stage.fleet.site.database.write() as tx:
        tx.execute(update(schema.job_state).values(cause=None))


@cause("condition", Who.USER, "a user put it off")
def user_put_it_off(stage: Stage) -> None:
    due_at = stage.in_polls(4)
    advertisement = stage.advertise(assignments=[f"{due_at:%Y-%m-%dT%H:%M}Z"], postpone_seconds=DAY_SECONDS, is_visible=True)
    stage.client.machine.people.log_on("alice")
    stage.polls()
    stage.fleet.advance(minutes=1)
    wish = Ask(
        kind=AskKind.POSTPONE,
        user="alice",
        made_at=stage.fleet.clock.now(),
        at=due_at + timedelta(hours=8),
        key=stage.program,
        advertisement=advertisement,
    )
    add_ask(stage.client.machine.state, wish)
    stage.polls(4)


# --- download, run, result ---


@cause("download", Who.POINT, "it cannot fetch the content: no distribution point gives the manifest")
def distribution_point_cannot_be_reached(stage: Stage) -> None:
    stage.fleet.dp.cut()
    stage.advertise()
    stage.polls()


@cause("download", Who.MACHINE, "there is not enough room on its disk")
def disk_full(stage: Stage) -> None:
    stage.client.machine.disk.capacity_bytes = 1000
    stage.advertise()
    stage.polls()


@cause("run", Who.MACHINE, "it runs since")
def program_runs(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(seconds=DAY_SECONDS / 2))
    stage.advertise()
    stage.polls()


@cause("run", Who.ADMINISTRATOR, "its run failed (exit code 5)")
def program_failed(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(exit_code=5))
    stage.advertise()
    stage.polls()


@cause("run", Who.ADMINISTRATOR, "its run did not end in its time")
def program_timed_out(stage: Stage) -> None:
    stage.edit(max_run_seconds=120)
    stage.fleet.script(TOOL, Script(hangs=True))
    stage.advertise()
    stage.polls()


@cause("run", Who.ADMINISTRATOR, "nobody knows how its run ended")
def power_failed_in_the_run(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(seconds=7200))
    stage.advertise()
    stage.polls(1.1)
    stage.client.machine.power_cut()
    stage.client.switch_on()
    stage.polls()


@cause("run", Who.MACHINE, "it waits for a restart of the machine")
def restart_pending(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(exit_code=3010))
    stage.advertise()
    stage.polls()


@cause("run", Who.CLIENT, "its program said: not now")
def program_says_not_now(stage: Stage) -> None:
    stage.change(settings.change, "retry_limit_seconds", DAY_SECONDS)
    stage.change(settings.change, "retry_seconds", DAY_SECONDS)
    stage.fleet.script(TOOL, Script(exit_code=1618))
    stage.polls(1)
    stage.advertise()
    stage.polls()


@cause("run", Who.ADMINISTRATOR, "no such command")
def command_does_not_exist(stage: Stage) -> None:
    stage.fleet.script(TOOL, Script(start_error="no such command"))
    stage.advertise()
    stage.polls()


@cause("run", Who.CLIENT, "version 1 ran, and version 2 is to run too")
def new_version_not_run_yet(stage: Stage) -> None:
    stage.advertise(each_version=True)
    stage.polls()
    stage.fleet.admin.update_package(stage.program.package, {"tool.exe": b"the second version"})
    stage.fleet.advance(seconds=30)


@cause("result", Who.ADMINISTRATOR, "what it installs is not there")
def not_detected_after_success(stage: Stage) -> None:
    stage.edit(detection=OsPackageRule(name="tool"))
    stage.advertise()
    stage.polls()


@cause("result", Who.CLIENT, "because no advertisement of it reached this client any more")
def uninstalled_as_nobody_offers_it(stage: Stage) -> None:
    stage.edit(uninstall=Uninstall(command=Command(argv=(REMOVE,)), when_not_offered=True), detection=FileRule(path="/opt/tool"))
    stage.fleet.script(TOOL, Script(installs=("/opt/tool",)))
    stage.fleet.script(REMOVE, Script(removes=("/opt/tool",)))
    pilot = stage.fleet.admin.add_collection("Pilot", ["pc1"])
    stage.advertise(collection=pilot)
    stage.polls()
    stage.change(collections.edit, pilot, remove_members=["pc1"], is_confirmed=True)
    stage.polls(5)
    stage.change(collections.edit, pilot, add_members=["pc1"], is_confirmed=True)
