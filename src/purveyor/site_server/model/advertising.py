"""How an advertisement runs its program: again or not, for whom, how soon; and whether program and schedule ever meet. Pure."""

from collections.abc import Collection, Iterable
from typing import TypedDict

import msgspec

from purveyor.site_server.model.names import line_of
from purveyor.wire.accounts import account_name
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.form import Wire
from purveyor.wire.offers import EVENTS, Assignment, AssignmentKind, Priority, Rerun
from purveyor.wire.package_info import Logon, Program

ACCOUNT_LIMIT = 100
POSTPONE_LIMIT_SECONDS = 30 * 86_400
SPREAD_LIMIT_SECONDS = 7 * 86_400
REASON_LIMIT = 1000
DISABLED = "the program is disabled: nothing runs until it is enabled"


class Options(Wire):
    """How an advertisement runs its program; the defaults are what most need.

    Shape: `users` and `groups` are accounts as `wire.accounts` writes them.
    Units: seconds, as the names say.
    """

    rerun: Rerun = Rerun.AS_SCHEDULED
    priority: Priority = Priority.NORMAL
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_visible: bool = False
    postpone_seconds: int = 0
    spread_seconds: int = 0
    ignores_windows_because: str = ""
    """Why it runs outside maintenance windows too; empty: it keeps to them."""
    over_slow_link: bool = True

    @property
    def has_targets(self) -> bool:
        """Whether it is for some users alone."""
        return bool(self.users or self.groups)


class OptionsGiven(TypedDict, total=False):
    """What may be said of how an advertisement runs. What is left out, or None, stays as it is."""

    rerun: Rerun | None
    priority: Priority | None
    users: Iterable[str] | None
    groups: Iterable[str] | None
    is_visible: bool | None
    postpone_seconds: int | None
    spread_seconds: int | None
    ignores_windows_because: str | None
    over_slow_link: bool | None


def options_with(before: Options, given: OptionsGiven) -> Options:
    """The options once this was said. Errors: RefusedError, which says what to change."""
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    for name, accounts in (("users", given.get("users")), ("groups", given.get("groups"))):
        if accounts is not None:
            changes[name] = accounts_of(accounts)
    if (reason := given.get("ignores_windows_because")) is not None:
        changes["ignores_windows_because"] = line_of(reason, "the reason to run outside maintenance windows", REASON_LIMIT)
    options = msgspec.structs.replace(before, **changes)
    for seconds, limit, what in (
        (options.postpone_seconds, POSTPONE_LIMIT_SECONDS, "be put off for"),
        (options.spread_seconds, SPREAD_LIMIT_SECONDS, "be spread over"),
    ):
        if not 0 <= seconds <= limit:
            raise RefusedError(f"a run may {what} at most {limit // 86_400} days, not {seconds} seconds")
    return options


def accounts_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The accounts as they were written, each once however it is written. Errors: RefusedError, with an example."""
    accounts: dict[object, str] = {}
    for text in texts:
        try:
            accounts.setdefault(account_name(text), text.strip())
        except RejectedError as error:
            raise RefusedError(str(error)) from error
    if len(accounts) > ACCOUNT_LIMIT:
        raise RefusedError(f"{len(accounts)} users or groups are too many: {ACCOUNT_LIMIT} are possible; name a group of them")
    return tuple(accounts.values())


def check_fit(program: Program, assignments: Collection[Assignment], options: Options, *, each_version: bool) -> None:
    """Nothing when the program could ever run as it is advertised.

    Errors: RefusedError, which says why not, and what to change.
    Source: Q235196.
    """
    kinds = {assignment.kind for assignment in assignments}
    logon = program.conditions.logon
    if logon is Logon.USER and AssignmentKind.LOGOFF in kinds:
        raise RefusedError(
            f"{program.name} runs only while a user is logged on, so it can never run when one logs off: "
            "assign it to a time or to the logon, or let the program run whether or not a user is logged on"
        )
    if logon is Logon.NONE and AssignmentKind.LOGON in kinds:
        raise RefusedError(
            f"{program.name} runs only while nobody is logged on, so it can never run when somebody logs on: "
            "assign it to a time or to the logoff, or let the program run whether or not a user is logged on"
        )
    if options.has_targets and logon is not Logon.USER:
        raise RefusedError(
            f"{program.name} does not need a user, so it cannot be for some users alone: "
            "let the program run only while a user is logged on (logon: user)"
        )
    if options.rerun is Rerun.ON_DRIFT:
        _check_drift(program, kinds)
    if options.rerun is Rerun.NEVER and each_version:
        raise RefusedError("to run each version, and never again once it was started, contradict each other: choose one")


def warnings_about(program: Program, assignments: Collection[Assignment], options: Options) -> tuple[str, ...]:
    """What an administrator may not have meant. Source: Q277876."""
    found: list[str] = []
    if not assignments and program.conditions.logon is Logon.NONE:
        found.append(
            f"nobody can start this: it has no assignment, so a user would have to, and {program.name} runs only while nobody is "
            "logged on; it waits until it is given an assignment"
        )
    if options.postpone_seconds and not options.is_visible and assignments:
        found.append("no user can put this off: users are not shown it (visible)")
    if options.postpone_seconds and not assignments:
        found.append("there is nothing to put off: it has no assignment")
    return tuple(found)


def reaches_further(before: Options, after: Options) -> bool:
    """Whether a change lets programs run where or when they would not have run."""
    is_for_others = (before.users, before.groups) != (after.users, after.groups)
    leaves_windows = bool(after.ignores_windows_because) and not before.ignores_windows_because
    goes_slow = after.over_slow_link and not before.over_slow_link
    return before.rerun is not after.rerun or is_for_others or leaves_windows or goes_slow


def _check_drift(program: Program, kinds: Collection[AssignmentKind]) -> None:
    if program.detection is None:
        raise RefusedError(
            f"nothing tells whether what {program.name} installs is there: give the program a detection rule, "
            "or let it run again in another way than on drift"
        )
    if not EVENTS.union({AssignmentKind.RECURRENCE}).intersection(kinds):
        raise RefusedError("what drifts is looked for again and again: assign it to a recurrence, to logon, logoff or startup")
