"""What the site tells every agent: `clidata.box/settings.json`, signed by the `settings` role."""

import re
from collections.abc import Mapping

import msgspec

from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Wire, from_bytes, to_bytes
from purveyor.wire.ids import SiteCode, site_code
from purveyor.wire.pins import LIMIT as PINS_LIMIT

BITS_LIMIT = 24
"""More than sixteen million shards are never made."""

SECONDS_LIMIT = 10 * 366 * 86_400
"""Ten years: who says more means never."""
POLL_LIMIT_SECONDS = 31 * 86_400
"""A month: whatever settings say, an agent looks for newer ones, so that whoever forged them cannot make it deaf."""
COUNT_LIMIT = 10_000_000
BYTES_LIMIT = 2**60
LAST_PORT = 65_535

_RAW_KEY = re.compile(r"[0-9a-f]{64}")

PATH = "clidata.box/settings.json"


DEFAULT_WEIGHT = 100
WEIGHT_LIMIT = 1000


class Point(Wire):
    """A client access point or distribution point. A URL that starts with `.` is relative to the CAP that is asked."""

    id: str
    url: str
    networks: tuple[str, ...] = ()
    """The networks it is there for, as `10.1.0.0/16` or `fd00:1::/48`; none: it serves whoever has no nearer one. A client passes
    over what it cannot read as a network: later sites may say more."""
    weight: int = DEFAULT_WEIGHT
    """Its share among points that are equally near; 0: only where no other one answers."""
    is_draining: bool = False
    """It is about to go: nothing new is begun there, while another point can be had."""
    takes_items: bool = True
    """Whether clients may put items into its up boxes; a bucket has none."""
    pins: tuple[str, ...] = ()
    """Pins of the keys that its HTTPS server may show (`wire.pins`), the one in use first; none: the CAs of the system decide."""


class SealingKey(Wire):
    """A key to which upward items are sealed (X25519, raw bytes in hexadecimal)."""

    id: str
    public: str


class Shards(Wire):
    """Where a client finds its shard, and who may sign it."""

    generation: int
    bits: int
    keys: tuple[str, ...]
    """Raw ed25519 public keys in hexadecimal; any one of them may have signed a shard."""


class AgentSettings(Wire):
    """How agents behave. Units: seconds, bytes, as the names say."""

    site: SiteCode
    incarnation: int
    shards: Shards
    sealing_keys: tuple[SealingKey, ...]
    access_points: tuple[Point, ...] = ()
    distribution_points: tuple[Point, ...] = ()
    poll_interval_seconds: int = 3600
    heartbeat_interval_seconds: int = 86_400
    retry_seconds: int = 600
    retry_limit_seconds: int = 6 * 3600
    stale_grace_seconds: int = 30 * 86_400
    cache_quota_bytes: int = 10 * 2**30
    disk_reserve_bytes: int = 200 * 2**20
    history_limit: int = 50
    """Runs remembered per program in detail; whether it ever succeeded is remembered for good."""
    spool_limit: int = 5000
    log_limit_bytes: int = 2_000_000
    condition_interval_seconds: int = 60
    """How often a job that waits for a condition (a user, mains, a window) is looked at, at most."""
    prefetch_seconds: int = 86_400
    """How long before a job is due its content may be fetched."""
    slow_link_bytes_per_second: int = 5000
    """A distribution point that serves more slowly is behind a slow link."""
    bandwidth: str = ""
    """How many bytes a second of content may come, by hour of the week (`wire.bandwidth`); empty: as many as can."""
    may_restart: bool = False
    """Whether the agent restarts machines by itself where a program needs it; else it waits until somebody does."""
    restart_countdown_seconds: int = 900
    restart_postponements: int = 3
    """How many times the users of a machine may put one restart off."""
    restart_postpone_seconds: int = 4 * 3600
    page_port: int = 0
    """The port of the agent's page on the loopback address; 0: there is none."""


def encode(settings: AgentSettings) -> bytes:
    """The bytes of the settings file."""
    return to_bytes(settings)


def decode(content: bytes) -> AgentSettings:
    """The settings in the file.

    Shape:  numbers that no agent could work with are brought within limits.
    Errors: RejectedError, also when a key in them is none, or no sealing key is named.
    """
    settings = from_bytes(content, AgentSettings)
    site_code(settings.site)
    if not 0 <= settings.shards.bits <= BITS_LIMIT or not settings.sealing_keys:
        raise RejectedError("these settings name no shards that can be found, or no key to seal to")
    for public in (*settings.shards.keys, *(key.public for key in settings.sealing_keys)):
        if not _RAW_KEY.fullmatch(public):
            raise RejectedError("a key that these settings name is not one")
    return _within_limits(settings)


def _within_limits(settings: AgentSettings) -> AgentSettings:
    """The settings with every number as near to what was said as an agent can work with.

    A port that is none is nowhere; a budget that cannot be read holds nothing back.
    """
    changes: dict[str, object] = {}
    for name in ("access_points", "distribution_points"):
        said_points = getattr(settings, name)
        if any(not 0 <= point.weight <= WEIGHT_LIMIT or len(point.pins) > PINS_LIMIT for point in said_points):
            changes[name] = tuple(
                msgspec.structs.replace(point, weight=min(max(0, point.weight), WEIGHT_LIMIT), pins=point.pins[:PINS_LIMIT])
                for point in said_points
            )
    if not _is_budget(settings.bandwidth):
        changes["bandwidth"] = ""
    for name, limit in _LIMITS.items():
        said = getattr(settings, name)
        kept = min(max(0, said), limit)
        if kept != said:
            changes[name] = 0 if name == "page_port" else kept
    return msgspec.structs.replace(settings, **changes) if changes else settings


def _is_budget(text: str) -> bool:
    """Whether a budget can be read: a later site may write one in other words."""
    try:
        parse_budget(text)
    except RejectedError:
        return False
    return True


def _limit_of(name: str) -> int:
    if name == "page_port":
        return LAST_PORT
    if name == "poll_interval_seconds":
        return POLL_LIMIT_SECONDS
    if "_bytes" in name:
        return BYTES_LIMIT
    return SECONDS_LIMIT if name.endswith("_seconds") else COUNT_LIMIT


_LIMITS: Mapping[str, int] = {
    field.name: _limit_of(field.name)
    for field in msgspec.structs.fields(AgentSettings)
    if field.type is int and field.name != "incarnation"
}
