"""What the site says to clients: metadata, and the files that it leads to."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fuzz import seeds
from fuzz.parser import Parser
from purveyor.client.points.addresses import resolved
from purveyor.client.trust import Trusted, version_in
from purveyor.content.tree import canonical_tree
from purveyor.wire import (
    firings,
    offers,
    package_info,
    schedule,
    settings,
    shards,
    signed,
    windows,
)
from purveyor.wire.form import to_bytes

BERLIN = ZoneInfo("Europe/Berlin")
DECEMBER = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def offered(content: bytes) -> object:
    """Offers, with what their windows and recurrences come to."""
    said = offers.decode(content)
    calendar = windows.calendar_of(said.windows, seeds.MACHINE.id, BERLIN)
    windows.open_until(calendar, DECEMBER)
    windows.next_opening(calendar, DECEMBER)
    windows.missed(calendar, DECEMBER, None)
    windows.first_start(calendar, DECEMBER, timedelta(hours=1))
    for advertisement in said.advertisements:
        for assignment in advertisement.assignments:
            if assignment.at is not None:
                fires(assignment.at, assignment.rule, assignment.zone)
    return said


def fires(at: datetime, rule: str, zone: schedule.Zone) -> None:
    """When an assignment is due, whatever it says. Errors: RejectedError, as where the client asks."""
    moments = firings.moments_of(at, rule, zone, BERLIN)
    firings.latest_firing(moments, DECEMBER)
    firings.next_firing(moments, DECEMBER)


def settings_and_points(content: bytes) -> object:
    """Settings, with where each point is."""
    said = settings.decode(content)
    for point in (*said.access_points, *said.distribution_points):
        for access_point in ("http://cap.test/cap", "smb://server/CAP_S01", "/srv/CAP_S01"):
            resolved(point.url, access_point, said.site)
        resolved("../dp", point.url, said.site)
    return said


def of_role(name: str) -> Parser:
    """The metadata of one role: judged by who holds all that stands below it."""

    def read(content: bytes) -> object:
        if name == "root":
            return Trusted(content, {}).root
        trusted = Trusted(seeds.role("root"), {})
        for role in ("timestamp", "snapshot", "targets", name.partition("-")[0], name):
            given = content if role == name else seeds.role(role)
            match role:
                case "timestamp":
                    trusted.take_timestamp(given)
                    trusted.rhythm()
                case "snapshot":
                    trusted.take_snapshot(given)
                case _:
                    trusted.take_targets(role, given)
            if role == name:
                break
        if name in ("packages", "offers"):
            trusted.bin_of(name, "pkginfo.box/S0100001.pkg")
        return trusted.contents[name]

    return Parser(
        read=read,
        seeds=[seeds.signed_part(name)],
        seal=lambda payload: seeds.metadata_of(payload, name),
        reads=("client/judgement.py:_parsed", "client/judgement.py:_leave_out_unknown_keys", "client/judgement.py:_verify"),
    )


FROM_THE_SITE: Mapping[str, Parser] = {
    "package info": Parser(
        read=package_info.decode,
        seeds=[to_bytes(seeds.PACKAGE_INFO)],
        seal=bytes,
        write=to_bytes,
        reads=("wire/package_info.py:decode",),
    ),
    "offers": Parser(
        read=offered,
        seeds=[to_bytes(seeds.OFFERS)],
        seal=bytes,
        write=to_bytes,
        reads=("wire/offers.py:decode", "wire/rules.py:_until", "wire/windows.py:_around"),
    ),
    "settings": Parser(
        read=settings_and_points,
        seeds=[to_bytes(seeds.SETTINGS)],
        seal=bytes,
        write=to_bytes,
        reads=("wire/settings.py:decode", "client/points/addresses.py:resolved"),
        found=[to_bytes(seeds.SETTINGS).replace(b'"https://cap.example/cap"', b'"http://["')],
    ),
    "shard": Parser(
        read=lambda content: shards.decode(content, (seeds.PUBLIC,)),
        seeds=[to_bytes(seeds.SHARD)],
        seal=lambda payload: signed.sign("shard", payload, seeds.LOOKUP),
        write=lambda shard: shards.encode(shard, seeds.LOOKUP),  # type: ignore[arg-type]  # of this parser
        reads=("wire/shards.py:decode", "wire/signed.py:split", "wire/signed.py:verified"),
    ),
    "manifest": Parser(
        read=canonical_tree,
        seeds=[to_bytes(seeds.MANIFEST)],
        seal=bytes,
        write=to_bytes,
        reads=("wire/manifest.py:decode", "content/tree.py:canonical_tree", "content/tree.py:check_links"),
    ),
    "unverified version": Parser(
        read=version_in,
        seeds=[seeds.role("root")],
        is_json=True,
        reads=("client/trust.py:version_in",),
    ),
    **{
        f"{name} metadata": of_role(name)
        for name in ("root", "timestamp", "snapshot", "targets", "settings", "packages", "packages-0", "offers", "offers-0")
    },
}
