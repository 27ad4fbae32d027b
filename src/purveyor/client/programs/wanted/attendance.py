"""Whether anything that a client is told depends on who is at the machine: then its sentinel watches logons and logoffs. Pure."""

from purveyor.client.policy_view import Policy
from purveyor.wire.offers import Advertisement, AssignmentKind
from purveyor.wire.package_info import Logon, Program, RunAs, RunsFor

_SESSION_EVENTS = frozenset({AssignmentKind.LOGON, AssignmentKind.LOGOFF})


def waits_for_sessions(policy: Policy) -> bool:
    """Whether a pass is worth making when somebody logs on or off: somebody is told, or something may start then, or not."""
    if any(_is_for_people(offer.advertisement) for offer in policy.offers):
        return True
    return any(_needs_people(program) for info in policy.packages.values() for program in info.programs)


def _is_for_people(advertisement: Advertisement) -> bool:
    is_shown = advertisement.is_visible or not advertisement.assignments
    has_event = any(assignment.kind in _SESSION_EVENTS for assignment in advertisement.assignments)
    return is_shown or has_event or bool(advertisement.users or advertisement.groups)


def _needs_people(program: Program) -> bool:
    is_for_user = program.run_as is RunAs.USER or program.runs_for is RunsFor.EVERY_USER
    return is_for_user or program.conditions.logon is not Logon.ANY
