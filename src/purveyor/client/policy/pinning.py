"""Which pins count for a server, as the site's signed settings say; before there are any, as the join code said. Asks nobody.

Pins belong to a server, its name and port: all points there show one certificate.
"""

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from purveyor.client.policy import view
from purveyor.client.policy_view import Problem
from purveyor.client.state.identity import has_identity, read_identity
from purveyor.client.state.store import State
from purveyor.wire.pins import is_pin
from purveyor.wire.settings import AgentSettings, Point
from purveyor.wire.status_messages import StatusId

_FROM_CODE = "pin of the join code"
_HTTPS_PORT = 443


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
    if _server(url) is None:
        return ()
    from_code = state.fact(_FROM_CODE)
    settings = view.held_settings(state) if has_identity(state) else None
    if settings is None:
        return (from_code,) if from_code else ()
    access_points = {state.fact("access_point"), read_identity(state).access_point} - {""}
    if from_code and not _points_at(settings, url, access_points):
        return _pins_in((*settings.access_points, *settings.distribution_points))
    return named_pins(settings, url, access_points)


def named_pins(settings: AgentSettings, url: str, access_points: Collection[str]) -> tuple[str, ...]:
    """The pins that settings name for the server of an address. `access_points`: those beside which relative places lie."""
    return _pins_in(_points_at(settings, url, access_points))


def problem_of(url: str) -> Problem:
    """What is wrong with a server that shows a key that is not pinned. The text is the same as long as it does."""
    reason = "it shows a key that the site has not named: it is read, as what it serves is signed, and nothing is sent there"
    return Problem(about=url, reason=reason, status=StatusId.POINT_UNPINNED)


def _points_at(settings: AgentSettings, url: str, access_points: Collection[str]) -> list[Point]:
    """The points that settings name at the server of an address."""
    server = _server(url)
    return [
        point
        for point in (*settings.access_points, *settings.distribution_points)
        if server is not None and any(_server(view.resolved(point.url, cap, settings.site)) == server for cap in access_points)
    ]


def _pins_in(points: Iterable[Point]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pin for point in points for pin in point.pins if is_pin(pin)))


def _server(url: str) -> tuple[str, int] | None:
    """The name and port of an HTTPS server; None for all other addresses."""
    try:
        parts = urlsplit(url)
        return (parts.hostname, parts.port or _HTTPS_PORT) if parts.scheme == "https" and parts.hostname else None
    except ValueError:
        return None
