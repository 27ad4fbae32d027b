"""Which pins count for a server, as the site's signed settings say; before there are any, as the join code said. Asks nobody.

Pins belong to a server, its name and port: all points there show one certificate.
"""

from purveyor.client.points.addresses import named_pins, pins_in, points_at, server_of
from purveyor.client.policy import view
from purveyor.client.policy_view import Problem
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State
from purveyor.wire.status_messages import StatusId

_FROM_CODE = "pin of the join code"


def begin(state: State, pin: str) -> None:
    """Remembers the pin of a join code; it counts until this client has a site's settings.

    Empty: the code had none, or its key is not that of the server that was joined at.
    """
    state.remember(_FROM_CODE, pin)


def pins_of(state: State, url: str) -> tuple[str, ...]:
    """The pins that count at an address now; none: the CAs of the system decide.

    A server that settings do not name, as the one that was joined at once its points were given another name, shows one of the
    site's keys or is sent nothing, where no CA knew it: who mistypes a name loses nobody.
    """
    if server_of(url) is None:
        return ()
    from_code = state.fact(_FROM_CODE)
    settings = view.held_settings(state) if has_identity(state) else None
    if settings is None:
        return (from_code,) if from_code else ()
    access_points = {state.fact("access_point"), read_identity(state).access_point} - {""}
    if from_code and not points_at(settings, url, access_points):
        return pins_in((*settings.access_points, *settings.distribution_points))
    return named_pins(settings, url, access_points)


def problem_of(url: str) -> Problem:
    """What is wrong with a server that shows a key that is not pinned. The text is the same as long as it does."""
    reason = "it shows a key that the site has not named: it is read, as what it serves is signed, and nothing is sent there"
    return Problem(about=url, reason=reason, status=StatusId.POINT_UNPINNED)
