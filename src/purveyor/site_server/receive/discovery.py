"""What a client says about its machine, cut to what the site keeps. Pure."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from purveyor.site_server.database.upward import Asked, Discovered
from purveyor.site_server.receive.status import REQUESTS_LIMIT, plain
from purveyor.wire import ids
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import PackageId
from purveyor.wire.reports import Facts

NAME_LIMIT = 255
ADDRESSES_LIMIT = 16
PACKAGES_LIMIT = 5000
"""Packages that one discovery record may name; a machine that holds more is no machine."""


class Machine(NamedTuple):
    """The facts as stored: the machine's name, and all facts as JSON."""

    name: str
    facts: str


def machine_of(facts: Facts) -> Machine:
    """The facts, each cut to a length that no honest one has."""
    kept = msgspec.structs.replace(
        facts,
        name=plain(facts.name, NAME_LIMIT),
        platform=plain(facts.platform, NAME_LIMIT),
        architecture=plain(facts.architecture, NAME_LIMIT),
        system=plain(facts.system, NAME_LIMIT),
        addresses=tuple(plain(address, NAME_LIMIT) for address in facts.addresses[:ADDRESSES_LIMIT]),
        machine_id=plain(facts.machine_id, NAME_LIMIT),
        zone=plain(facts.zone, NAME_LIMIT),
        agent_version=plain(facts.agent_version, NAME_LIMIT),
    )
    return Machine(kept.name, to_bytes(kept).decode())


def asked(discovered: Iterable[Discovered], points: AbstractSet[str]) -> list[Asked]:
    """How many requests for absent files each client made at each of the site's points, and at all other addresses together.

    Shape: by client and point. Of a client there is at least the row of other addresses: so it is known to have spoken.
    """
    rows = []
    for one in discovered:
        told = {name: _requests(one.absent_by_point[name]) for name in points & one.absent_by_point.keys()}
        others = _requests((one.absent_requests or 0) - sum(told.values()))
        rows += [Asked(one.number, name, count) for name, count in {"": others, **told}.items()]
    return sorted(rows)


def _requests(count: int) -> int:
    return max(0, min(count, REQUESTS_LIMIT))


def packages_named(names: tuple[PackageId, ...]) -> frozenset[PackageId]:
    """The package ids among these names; what is none is passed over."""
    found: set[PackageId] = set()
    for name in names[:PACKAGES_LIMIT]:
        try:
            found.add(ids.package_id(name))
        except RejectedError:
            continue
    return frozenset(found)
