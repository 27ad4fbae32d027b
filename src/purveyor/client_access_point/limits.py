"""How much a client access point lets anybody put, and how fast: the settings of the role, and the two counts behind them."""

import os
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from purveyor.transport.folder.shelf import FULL
from purveyor.wire.boxes import Box

_IPV6_SITE_PREFIX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client access point takes. Sizes and depths of single boxes stand in the table of boxes.

    Units: items a second and items for one address (a whole office may stand behind one), seconds,
    bytes a second.
    """

    puts_per_second: float = 50.0
    put_burst: int = 500
    address_limit: int = 65_536
    put_limit: int = 256
    body_grace_seconds: float = 60.0
    """How long an item is waited for, besides what its bytes may take."""
    slowest_bytes_per_second: int = 1024
    recount_seconds: float = 60.0
    full_recount_seconds: float = 5.0
    retry_after_seconds: int = 60
    is_synced: bool = True


class AddressRates:
    """How many items each address may still put: a bucket that fills at a steady rate. Pure: the time is given.

    The addresses longest unheard of are forgotten first, which only ever does them a favour.
    """

    def __init__(self, *, per_second: float, burst: int, address_limit: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._address_limit = address_limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, address: str, now: float) -> float:
        """Takes one item from the address's bucket and gives 0, or leaves it and gives the seconds until there is one."""
        key = network_of(address)
        left, seen_at = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - seen_at) * self._per_second)
        is_allowed = left >= 1.0
        self._buckets[key] = (left - 1.0 if is_allowed else left, now)
        if len(self._buckets) > self._address_limit:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1.0 - left) / self._per_second


class Depths:
    """How many items wait in each up box: counted now and then, and raised by what was put since."""

    def __init__(self, folder: str, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._counts: dict[str, tuple[int, float]] = {}

    def has_room(self, box: Box, now: float) -> bool:
        """Whether the box takes one more. May list the box: to be called off the event loop. Errors: OSError."""
        if os.path.lexists(f"{self._folder}/{box.name}/{FULL}"):
            return False
        count, counted_at = self._counts.get(box.name, (0, float("-inf")))
        age_seconds = now - counted_at
        is_old = age_seconds >= self._limits.recount_seconds
        if is_old or (count >= box.depth_limit and age_seconds >= self._limits.full_recount_seconds):
            count = len(os.listdir(f"{self._folder}/{box.name}"))
            self._counts[box.name] = (count, now)
        return count < box.depth_limit

    def add(self, box: Box) -> None:
        """One more item was put."""
        count, counted_at = self._counts[box.name]
        self._counts[box.name] = (count + 1, counted_at)


def network_of(address: str) -> str:
    """Whose bucket an address draws from: an IPv4 address its own, an IPv6 address that of its network of 64 bits."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{int(found) >> (128 - _IPV6_SITE_PREFIX):x}::"
