"""What policy concluded in one pass: the only thing that the Advertised Programs Manager sees of the site.

Frozen. Made by `policy`, read by `programs`. Nothing in it follows from an absence, save where a complete, signed, fresh
statement proves it (protocol, section 6).
"""

from collections.abc import Mapping

import msgspec

from purveyor.wire.ids import AdvertisementId, ClientId, CollectionId, PackageId
from purveyor.wire.offers import Advertisement, Request, RunningChoice, Window
from purveyor.wire.package_info import PackageInfo, ProgramKey
from purveyor.wire.settings import AgentSettings
from purveyor.wire.status_messages import StatusId


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One advertisement that reaches this client, and through which collection."""

    collection: CollectionId
    advertisement: Advertisement


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be read or believed. It never delays anything else (Q245170)."""

    about: str
    reason: str
    advertisement: AdvertisementId | None = None
    status: StatusId = StatusId.POLICY_PROBLEM


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the site says, as far as it can be believed now.

    Shape: `packages` has the `.pkg` of every offered program and of all that it depends on, where it could be read;
    `points` maps a manifest to the URLs of the distribution points that hold it, in the order in which to ask them.
    """

    settings: AgentSettings
    is_complete: bool
    """Everything that could offer a program was read: what is not in `offers` is not offered now."""
    is_fresh: bool
    """No metadata has expired. If false: accept nothing new, forget and remove nothing, ask no distribution point."""
    may_run_accepted: bool
    """Whether what was accepted earlier may still run: fresh, or within the stale grace time."""
    offers: tuple[Offer, ...] = ()
    disabled: frozenset[ProgramKey] = frozenset()
    packages: Mapping[PackageId, PackageInfo] = {}
    points: Mapping[str, tuple[str, ...]] = {}
    deleted_packages: frozenset[PackageId] = frozenset()
    """Proven deleted, ever: refused for ever."""
    deleted_programs: frozenset[ProgramKey] = frozenset()
    """Proven deleted by a complete `.pkg` held now."""
    running_choices: Mapping[PackageId, RunningChoice] = {}
    removals: frozenset[PackageId] = frozenset()
    client: ClientId = ClientId("")
    """This client, for what is meant for some clients alone, and for its share where a fleet is spread."""
    windows: tuple[Window, ...] = ()
    """The maintenance windows of all its collections; none: mandatory programs run at any time."""
    requests: tuple[Request, ...] = ()
    """What administrators ask of runs on this client, by number."""
    waiting: frozenset[ProgramKey] = frozenset()
    """Programs whose advertisements wait for content, and what they depend on: not offered now, but not taken back either."""
    problems: tuple[Problem, ...] = ()
