"""The people at the machines of a story: they log on and off, start what is offered to them, put runs off; programs for them."""

from datetime import timedelta

from purveyor.client.programs.memory.asks import Ask, AskKind, add_ask
from purveyor.lab.client import LabClient
from purveyor.lab.stories.stage import NoSuchThingError, Stage
from purveyor.lab.stories.steps import Argument, Draft, kind
from purveyor.site_server.admin import programs
from purveyor.wire.package_info import Conditions, Logon, RunAs, RunsFor

PEOPLE = ("alice", "bob")
WHOM = {
    "the machine, whoever is there": (Logon.ANY, RunAs.SYSTEM, RunsFor.FIRST_USER),
    "the machine, while nobody is logged on": (Logon.NONE, RunAs.SYSTEM, RunsFor.FIRST_USER),
    "whoever is logged on, with their rights": (Logon.USER, RunAs.USER, RunsFor.FIRST_USER),
    "every user, with their rights": (Logon.USER, RunAs.USER, RunsFor.EVERY_USER),
    "every user, with the rights of the system": (Logon.USER, RunAs.SYSTEM, RunsFor.EVERY_USER),
}
"""For whom a program runs: who has to be logged on, with whose rights, and whether each user has a run of their own."""
THEY_START_IT, MAY_PUT_OFF = "they start it themselves", "in two hours, and they may put it off for a day"
PUT_OFF_SECONDS = 24 * 3600


@kind("logon", "{1} logs on to {0}", lambda d: (d.client(), d.pick(PEOPLE)))
def _logon(stage: Stage, name: str, user: str) -> None:
    stage.client(name).machine.people.log_on(user)


@kind("logoff", "{1} logs off from {0}", lambda d: (d.client(), d.pick(PEOPLE)), weight=1)
def _logoff(stage: Stage, name: str, user: str) -> None:
    stage.client(name).machine.people.log_off(user)


@kind("program-for", "the program of {0} is for {1}", lambda d: (d.package(), d.pick(tuple(WHOM))))
def _program_for(stage: Stage, name: str, whom: str) -> None:
    logon, run_as, runs_for = WHOM[whom]
    conditions = Conditions(logon=logon)
    stage.fleet.admin.change(programs.edit, stage.product(name).program, conditions=conditions, run_as=run_as, runs_for=runs_for)


def _new_offer(draft: Draft) -> tuple[Argument, ...]:
    return (draft.new_advertisement(), draft.package(), draft.pick((THEY_START_IT, MAY_PUT_OFF)))


@kind("offered", "{1} is offered to the users of Pilot: {2} ({0})", _new_offer)
def _offered(stage: Stage, name: str, product: str, how: str) -> None:
    if name in stage.ordered.advertisements:
        raise NoSuchThingError(name)
    at = stage.fleet.clock.now() + timedelta(hours=2)
    stage.ordered.advertisements[name] = stage.fleet.admin.advertise(
        stage.product(product).program,
        stage.pilot,
        assignments=[] if how == THEY_START_IT else [f"{at:%Y-%m-%dT%H:%M}Z"],
        is_visible=True,
        postpone_seconds=None if how == THEY_START_IT else PUT_OFF_SECONDS,
    )
    stage.ordered.give(name, stage.ordered.advertisements[name])


@kind("user-starts", "{2} starts the program of {0} on {1}", lambda d: (d.package(), d.client(), d.pick(PEOPLE)))
def _user_starts(stage: Stage, product: str, name: str, user: str) -> None:
    client = _used(stage, name, user)
    now = client.machine.now()
    _ask(stage, client, Ask(kind=AskKind.RUN, user=user, made_at=now, at=now, key=stage.product(product).program))


@kind(
    "user-puts-off",
    "{2} puts the program of {0} on {1} off for {3} hours",
    lambda d: (d.package(), d.client(), d.pick(PEOPLE), d.number(1, 30)),
    weight=1,
)
def _user_puts_off(stage: Stage, product: str, name: str, user: str, hours: int) -> None:
    client = _used(stage, name, user)
    now = client.machine.now()
    until = now + timedelta(hours=hours)
    _ask(stage, client, Ask(kind=AskKind.POSTPONE, user=user, made_at=now, at=until, key=stage.product(product).program))


def _used(stage: Stage, name: str, user: str) -> LabClient:
    """The client, where this user is logged on. Errors: NoSuchThingError."""
    client = stage.client(name)
    if not client.machine.power.is_on or user not in {session.user for session in client.machine.people.present()}:
        raise NoSuchThingError(user)
    return client


def _ask(stage: Stage, client: LabClient, ask: Ask) -> None:
    """Stores what somebody asks for, as the agent's page does, and wakes the agent."""
    add_ask(client.machine.state, ask)
    client.wake_at = stage.fleet.clock.now()
