"""The rules of a site's points: how a CAP or DP is addressed, where the site may push to, which points exclude others. Pure.

A point has an address that clients use, and perhaps another by which the site writes into it. A point without the second is
filled by a mirror. Neither address ever carries a name or password.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import NamedTuple, TypedDict
from urllib.parse import unquote, urlsplit

import msgspec

from purveyor.site_server.model.retirement import unnamed_grace
from purveyor.site_server.model.settings import SiteSettings
from purveyor.transport.s3.address import s3_address
from purveyor.transport.smb.address import address_of, is_share
from purveyor.wire.bandwidth import parse_budget
from purveyor.wire.errors import ForeignError, FullError, ReadOnlyError, RefusedError, RejectedError
from purveyor.wire.pins import LIMIT as PINS_LIMIT
from purveyor.wire.pins import pin_in
from purveyor.wire.settings import DEFAULT_WEIGHT, WEIGHT_LIMIT
from purveyor.wire.status_messages import StatusId

LIMIT = 200
"""Standing points of a site: all of them are told to every client."""
NETWORKS_LIMIT = 100
TROUBLES = frozenset({StatusId.POINT_FAILS, StatusId.POINT_FULL, StatusId.POINT_READ_ONLY, StatusId.POINT_FOREIGN})
"""What status messages tell of a point at which turns fail."""
TEXT_LIMIT = 500
_RELATIVE = re.compile(r"\.{1,2}(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)


class PointKind(StrEnum):
    """What a point holds: boxes, or content."""

    CAP = "cap"
    DP = "dp"


class PointState(StrEnum):
    """Where a point is in its life; the comment says who acts next."""

    ACTIVE = "active"  # the administrator
    DRAINING = "draining"  # clients, by leaving it; then the administrator, by removing it
    EMPTYING = "emptying"  # the site, by taking away what it put there; no client is told of it any more
    REMOVED = "removed"  # nobody: no client is told of it, and nothing is written there


class Target(NamedTuple):
    """Where the site writes: a folder, `smb://…` or `s3://…`; `credentials` is a file on the site's machine that says as whom."""

    url: str
    credentials: str = ""
    endpoint: str = ""
    region: str = ""


class PointSaid(msgspec.Struct, frozen=True, kw_only=True):
    """All that an administrator says of a point. An empty `target`: the site does not write there."""

    url: str
    target: str = ""
    credentials: str = ""
    endpoint: str = ""
    region: str = ""
    networks: tuple[str, ...] = ()
    weight: int = DEFAULT_WEIGHT
    pins: tuple[str, ...] = ()
    bandwidth: str = ""
    """How many bytes a second of content go there, or from the site's own folder to clients (`wire.bandwidth`)."""

    @property
    def place(self) -> Target:
        """Where the site writes."""
        return Target(self.target, self.credentials, self.endpoint, self.region)


class PointGiven(TypedDict, total=False):
    """What is said of a point, or of its change; what is left out or None stays as it is."""

    url: str | None
    target: str | None
    credentials: str | None
    endpoint: str | None
    region: str | None
    networks: Iterable[str] | None
    weight: int | None
    pins: Iterable[str] | None
    bandwidth: str | None


def said_with(before: PointSaid, given: PointGiven) -> PointSaid:
    """What holds of a point when these things are changed, in the form in which it is kept. Errors: RefusedError."""
    changes = {name: value for name, value in given.items() if value is not None}
    if "networks" in changes:
        changes["networks"] = networks_in(given["networks"] or ())
    if "pins" in changes:
        changes["pins"] = pins_in(given["pins"] or ())
    if changes.get("target") == "":
        changes = {"credentials": "", "endpoint": "", "region": "", **changes}
    changed = msgspec.structs.replace(before, **changes)
    if any(len(text) > TEXT_LIMIT or not text.isprintable() for text in (changed.url, *changed.place)):
        raise RefusedError(f"an address or path of a point has at most {TEXT_LIMIT} characters, and no line breaks")
    if not 0 <= changed.weight <= WEIGHT_LIMIT:
        raise RefusedError(f"a weight lies between 0 and {WEIGHT_LIMIT}")
    try:
        parse_budget(changed.bandwidth)
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    _refuse_url(changed.url)
    _refuse_target(changed.place, is_read_as_somebody=not changed.target and is_share(changed.url))
    return changed


def refuse_unkept_budget(kind: PointKind, said: PointSaid, *, is_home: bool) -> None:
    """Refuses a budget that nobody would keep. Errors: RefusedError."""
    if not said.bandwidth:
        return
    if kind is PointKind.CAP:
        raise RefusedError("what a CAP holds is small and never held back: a budget is for a DP")
    if not said.target and not is_home:
        raise RefusedError("a mirror fills this point: give the budget to it, `purveyor cap mirror … --limit BUDGET`")


def refuse_filled_by_hand(kind: PointKind, said: PointSaid, *, is_home: bool) -> None:
    """Refuses somebody's word that a point is filled, where the site sees that itself. Errors: RefusedError."""
    if kind is PointKind.DP:
        raise RefusedError("content is named at a DP once the site has read it there: that a point is filled is said of a CAP")
    if said.target or is_home:
        raise RefusedError("the site fills this CAP, and knows when it is full: --filled is for one that a mirror fills")


def networks_in(written: Iterable[str]) -> tuple[str, ...]:
    """Networks in the one form in which they are kept, each once, in order. Errors: RefusedError."""
    found = set()
    for text in written:
        try:
            found.add(ipaddress.ip_network(text.strip()))
        except ValueError as error:
            raise RefusedError(f"{text[:60]!r} is no network: 10.1.0.0/16 or fd00:1::/48 is expected ({error})") from error
    for one in found:
        if isinstance(one, ipaddress.IPv6Network) and (one.is_link_local or one.network_address.ipv4_mapped):
            raise RefusedError(f"no client is ever in {one}: write IPv4 as such, and the network that is routed, as fd00:1::/48")
    if len(found) > NETWORKS_LIMIT:
        raise RefusedError(f"{len(found)} networks are more than the {NETWORKS_LIMIT} that a point can have")
    return tuple(str(one) for one in sorted(found, key=lambda one: (one.version, int(one.network_address), one.prefixlen)))


def pins_in(written: Iterable[str]) -> tuple[str, ...]:
    """Pins in the one form in which they are kept, each once, in the order given. Errors: RefusedError."""
    try:
        found = tuple(dict.fromkeys(pin_in(text) for text in written))
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    if len(found) > PINS_LIMIT:
        raise RefusedError(f"{len(found)} pins are more than the {PINS_LIMIT} that a point can have")
    return found


def is_relative(url: str) -> bool:
    """Whether an address is relative to the CAP that is asked."""
    return url.startswith(".")


def clash(said: PointSaid, others: Iterable[tuple[str, PointSaid]]) -> str:
    """What keeps a point from standing beside these others (id, what is said of it); empty when nothing does."""
    for name, other in others:
        if place_of(said.url) == place_of(other.url):
            return f"{said.url} is the address of {name} already"
        if said.target and other.target:
            mine, theirs = place_of(said.target) + "/", place_of(other.target) + "/"
            if _server(said) == _server(other) and (mine.startswith(theirs) or theirs.startswith(mine)):
                return f"{said.target} and {other.target}, where {name} lies, are one place, or one lies in the other"
    return ""


def ambiguous(access_points: Iterable[tuple[str, str]], points: Iterable[tuple[str, str]]) -> str:
    """Why relative addresses would mislead clients; empty when they do not. Both are standing points: id and address.

    "Beside the CAP that is asked" is one place only where there is one CAP.
    """
    if len(list(access_points)) < 2:
        return ""
    relative = [f"{name} ({url})" for name, url in points if is_relative(url)]
    if not relative:
        return ""
    name = relative[0].partition(" ")[0]
    return (
        f"{' and '.join(relative)} would be looked for beside every CAP: give each its whole address first, "
        f"as in `purveyor point edit {name} --url https://site.example/{name.rstrip('0123456789')}`"
    )


def place_of(url: str) -> str:
    """What two addresses of one place have in common, however they are written."""
    if is_share(url):
        return address_of(url).url.casefold()
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        port = {"http": 80, "https": 443}[parts.scheme] if parts.port is None else parts.port
        return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
    if parts.scheme == "s3":
        return url.rstrip("/")
    path = unquote(parts.path) if parts.scheme == "file" else url
    return str(PurePosixPath(path)) if path.startswith("/") else url.rstrip("/")


def trouble_of(error: Exception) -> StatusId:
    """Of what kind the failure of a turn at a point is, or what it came from."""
    for one in (error, error.__cause__):
        match one:
            case ForeignError():
                return StatusId.POINT_FOREIGN
            case FullError():
                return StatusId.POINT_FULL
            case ReadOnlyError():
                return StatusId.POINT_READ_ONLY
    return StatusId.POINT_FAILS


def is_trouble_news(trouble: StatusId, told: int | None, failures: int) -> bool:
    """Whether another failure after so many is worth a message: it is of another kind than the one told last.

    What may pass by itself is told when it has happened twice in a row: one try that was lost on the way is no news.
    """
    return trouble != told and (trouble is not StatusId.POINT_FAILS or failures > 0)


def retry_after(failures: int) -> timedelta:
    """How long a point is left alone after so many failures in a row: ten seconds, doubled each time, ten minutes at most."""
    return min(LONGEST_RETRY, _FIRST_RETRY * (1 << min(max(0, failures - 1), 10)))


def drain_grace(settings: SiteSettings) -> timedelta:
    """How long nothing may have come to a draining point before nobody is taken to use it.

    A client that is on hears of it at its next poll, and says something once in each heartbeat.
    """
    return timedelta(seconds=settings.heartbeat_interval_seconds + 2 * settings.poll_interval_seconds)


def is_drained(state: PointState, quiet_since: datetime | None, settings: SiteSettings, now: datetime) -> bool:
    """Whether a draining point has been quiet for so long that it may be removed."""
    return state is PointState.DRAINING and quiet_since is not None and now >= quiet_since + drain_grace(settings)


def emptied_from(since: datetime, settings: SiteSettings) -> datetime:
    """When the first file may be taken from a point of which clients are told no more since then.

    By then nobody believes what still told of it: whoever comes has heard of the other points (protocol 3.5).
    """
    return since + max(unnamed_grace(settings), timedelta(seconds=settings.point_grace_seconds))


def _server(said: PointSaid) -> str:
    return said.endpoint.rstrip("/") if said.target.startswith("s3://") else ""


def _refuse_url(url: str) -> None:
    """Refuses what clients could not use as an address."""
    if is_relative(url):
        if not _RELATIVE.fullmatch(url):
            raise RefusedError(f"{url!r} is no address beside a CAP: `.` or `../dp` is expected")
        return
    try:
        if is_share(url):
            address_of(url)
            return
        parts = urlsplit(url)
        _ = parts.port
    except (RejectedError, ValueError) as error:
        raise RefusedError(f"clients cannot use this address: {error}") from error
    if "@" in parts.netloc:
        raise RefusedError("the address of a point is told to every client, and must carry no name or password")
    if " " in url and parts.scheme in ("http", "https"):
        raise RefusedError(f"{url!r} has a space in it")
    match parts.scheme:
        case "http" | "https" if parts.hostname and not parts.query and not parts.fragment:
            return
        case "file" if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            return
        case "" if url.startswith("/") and "/../" not in f"{url}/":
            return
        case "s3":
            raise RefusedError(f"clients read a bucket over HTTP: give its https:// address, and {url} with --push-to")
    raise RefusedError(
        f"{url!r} is no address that clients can use: http://HOST/PATH, https://, smb://HOST/SHARE, "
        r"\\HOST\SHARE, file:///PATH or /PATH is expected"
    )


def _refuse_target(target: Target, *, is_read_as_somebody: bool) -> None:
    """Refuses what the site could not write into, and credentials that it would not use."""
    if target.credentials and not target.credentials.startswith("/"):
        raise RefusedError("credentials are given as the whole path of a file on the site's machine, never as such")
    is_bucket = target.url.startswith("s3://")
    if (target.endpoint or target.region) and not is_bucket:
        raise RefusedError("an endpoint and a region belong to a bucket: --push-to s3://BUCKET/PREFIX")
    try:
        if is_share(target.url):
            address_of(target.url)
        elif is_bucket:
            s3_address(target.url, endpoint=target.endpoint, region=target.region)
    except RejectedError as error:
        raise RefusedError(f"the site cannot push there: {error}") from error
    needs_credentials = is_bucket or is_share(target.url)
    if needs_credentials and not target.credentials:
        raise RefusedError(f"{target.url} is written to as somebody: name the file that says as whom, with --credentials")
    if target.credentials and not (needs_credentials or is_read_as_somebody):
        raise RefusedError("credentials are for shares and buckets; a folder of this machine is written to as the site")
    is_folder = target.url.startswith("/") and "/../" not in f"{target.url}/" and place_of(target.url) != "/"
    if target.url and not (needs_credentials or is_folder):
        raise RefusedError(
            f"the site cannot push to {target.url!r}: the whole path of a folder, smb://SERVER/SHARE or s3://BUCKET/PREFIX can be"
        )
