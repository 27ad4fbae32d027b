"""In which order a client asks the points of its site. Pure: the same values give the same order.

Nearest first, by the networks that a point is for; then those that are not slow; then the one that answered last; then by weight,
spread over the fleet so that a point which goes moves its own clients alone. What weighs nothing comes late, what drains last.
Source: rendezvous hashing with weights (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005).
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from purveyor.wire.settings import Point
from purveyor.wire.spread import share_of

SLOWER_TIMES = 4
"""A point so many times slower than the fastest one is a class worse: smaller differences are noise."""
LAST_TIMES = 2
"""The point that answered last counts as so many times faster, so that a client does not go to and fro."""
_SLOWEST_CLASS = 5
_SMALLEST_SHARE = 1e-18


class Known(NamedTuple):
    """What a client knows when it chooses.

    Shape: `rates` by address; a point that was not measured lately is not in it. Units: bytes a second.
    `last` is the address of the one that answered last; empty when that is to count for nothing.
    """

    client: str
    addresses: Sequence[str] = ()
    rates: Mapping[str, float] = {}
    last: str = ""
    slow_bytes_per_second: int = 0


class Place(NamedTuple):
    """A point in its place, and what put it there: the first field that differs between two decides.

    Units: `distance` 0 to 32 bits outside the point's network, 33 for a point without networks, 34 for other networks' points.
    """

    is_draining: bool
    is_reserve: bool
    """Its weight is 0: it is there for when no other one answers."""
    distance: int
    slowness: int
    """0: not slow, or not known; each class more is four times slower than the fastest one."""
    is_not_last: bool
    lot: float
    """The point's draw for this client, by its weight: small ones come first."""
    id: str
    url: str
    network: str = ""
    """The network of the point's in which this client is."""


NO_NETWORK, ELSEWHERE = 33, 34


def ordered(points: Sequence[Point], known: Known) -> tuple[Place, ...]:
    """The points in the order in which to ask them; their addresses are whole. Shape: each address once."""
    fastest = max((known.rates[one.url] for one in points if one.url in known.rates), default=0.0)
    addresses = [address for text in known.addresses if (address := _address(text)) is not None]
    places = sorted(_place(one, known, addresses, fastest) for one in points)
    return tuple({place.url: place for place in reversed(places)}[url] for url in dict.fromkeys(one.url for one in places))


def in_words(place: Place) -> str:
    """Why a point has its place, for a person."""
    words = []
    if place.is_draining:
        words.append("it drains")
    if place.is_reserve:
        words.append("it weighs nothing: only where no other one answers")
    if place.network:
        words.append(f"this machine is in its network {place.network}")
    elif place.distance == ELSEWHERE:
        words.append("it is for other networks")
    else:
        words.append("it is for all networks")
    if place.slowness:
        words.append("it is slow")
    return ", ".join(words)


def _place(point: Point, known: Known, addresses: Sequence[IPv4Address | IPv6Address], fastest: float) -> Place:
    distance, network = _nearest(point, addresses)
    return Place(
        is_draining=point.is_draining,
        is_reserve=point.weight == 0,
        distance=distance,
        slowness=_slowness(point.url, known, fastest),
        is_not_last=point.url != known.last,
        lot=_lot(point, known.client),
        id=point.id,
        url=point.url,
        network=network,
    )


def _nearest(point: Point, addresses: Sequence[IPv4Address | IPv6Address]) -> tuple[int, str]:
    """How far a point is, and the narrowest of its networks that holds one of these addresses.

    What cannot be read as a network is passed over. Two bits of an IPv6 prefix count as one: none is narrower than /64.
    """
    best = (ELSEWHERE if point.networks else NO_NETWORK, "")
    for text in point.networks:
        with suppress(ValueError):
            network = ip_network(text, strict=False)
            if any(address.version == network.version and address in network for address in addresses):
                bits = network.prefixlen if network.version == 4 else min(network.prefixlen, 64) // 2
                best = min(best, (32 - bits, text))
    return best


def _slowness(url: str, known: Known, fastest: float) -> int:
    rate = known.rates.get(url)
    if rate is None:
        return 0
    if url == known.last:
        rate *= LAST_TIMES
    beside = math.floor(math.log(max(fastest, 1.0) / max(rate, 1.0), SLOWER_TIMES)) if rate < fastest else 0
    return min(_SLOWEST_CLASS, max(beside, int(rate < known.slow_bytes_per_second)))


def _lot(point: Point, client: str) -> float:
    """The draw of a client for a point. The smallest of several is each one's in proportion to their weights."""
    share = max(share_of(client, f"point {point.id}"), _SMALLEST_SHARE)
    return -math.log(share) / max(point.weight, 1)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
