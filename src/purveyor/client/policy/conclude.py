"""What a client may conclude from what it holds. Pure: the core promise stands here.

A client forgets exactly what a complete, signed, fresh statement says was deleted, and nothing else.
Source: the protocol, section 6; Q293187, Q318779, Q321168.
"""

from datetime import datetime
from typing import NamedTuple

from purveyor.client.state.published import HeldEntry
from purveyor.client.trust import Trusted
from purveyor.wire import package_info
from purveyor.wire.ids import PackageId, ProgramNumber, number_of
from purveyor.wire.package_info import PackageInfo, ProgramKey
from purveyor.wire.shards import ClientState, Shard


class Freshness(NamedTuple):
    """Whether new things may be accepted, and whether accepted ones may still run."""

    is_fresh: bool
    may_run_accepted: bool


def is_proven_deleted(trusted: Trusted, package: PackageId) -> bool:
    """Whether the held metadata proves that the site deleted a package.

    The id's own bin, held at exactly the version that the current snapshot names, lacks the id, and `packages` of the same
    snapshot states that the id was given. That the metadata has not expired is the caller's to know.
    """
    path = package_info.path_of(package)
    bin_name = trusted.bin_of("packages", path)
    if not trusted.is_current(bin_name):
        return False
    return trusted.target(bin_name, path) is None and was_given(package, trusted.highest("packages"))


def was_given(package: PackageId, highest: int) -> bool:
    """Whether the site has ever given this id."""
    return number_of(package) <= highest


def programs_deleted(info: PackageInfo) -> frozenset[ProgramKey]:
    """Programs that a package, complete, says were deleted: their numbers were given, and it lacks them."""
    present = {program.number for program in info.programs}
    gone = set(range(1, info.highest_program + 1)) - present
    return frozenset(ProgramKey(info.id, ProgramNumber(number)) for number in gone)


def is_shard_acceptable(shard: Shard, *, newest_publication: int, now: datetime) -> bool:
    """Whether a verified shard may replace the one held: not older than any seen, and not expired."""
    return shard.publication >= newest_publication and shard.expires_at > now


def is_offering_complete(
    entry: HeldEntry | None, *, snapshot: int, is_everything_read: bool, is_fresh: bool, now: datetime
) -> bool:
    """Whether what is not offered in what was read is truly not offered now.

    The shard must be unexpired, and compiled against a publication that the held snapshot includes; every `.ofr` of the entry
    must have been read; no metadata may have expired.
    """
    if entry is None or entry.entry is None or not entry.is_stated or not is_fresh or not is_everything_read:
        return False
    return entry.entry.state is ClientState.MEMBER and entry.expires_at > now and entry.snapshot <= snapshot


def freshness(*, expires_at: datetime | None, stale_grace_seconds: int, now: datetime) -> Freshness:
    """What may be done at a time, given when the first piece of the held metadata expires (protocol, section 7)."""
    if expires_at is None:
        return Freshness(False, False)
    over_seconds = (now - expires_at).total_seconds()
    return Freshness(over_seconds < 0, over_seconds < stale_grace_seconds)


def is_withheld(issued_at: datetime | None, rhythm_seconds: int, now: datetime) -> bool:
    """Whether a timestamp is so old that newer ones must have been kept back (protocol, section 7)."""
    return issued_at is not None and (now - issued_at).total_seconds() > 2 * rhythm_seconds
