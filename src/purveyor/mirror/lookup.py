"""Lookup shards on their way to a mirror: verified by the key that the settings name, never older than the one that is there."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from purveyor.mirror.intake import Intake
from purveyor.transport.interface import Shelf
from purveyor.wire import shards
from purveyor.wire.errors import RejectedError
from purveyor.wire.settings import Shards
from purveyor.wire.shards import Shard

SLICE = 512
"""Shards read before any of them is written."""
_LISTING_LIMIT = 2**25


class Changed(NamedTuple):
    """One shard that the source has and the target has not: its path, its signed bytes, what they say."""

    path: str
    content: bytes
    tag: str
    shard: Shard


def folder_of(generation: int) -> str:
    """The folder of a generation's shards on a CAP."""
    return shards.path_of(generation, 0).rpartition("/")[0]


def lying(target: Shelf, generation: int) -> set[str]:
    """The paths of a generation's shards that lie on a target. Errors: UnavailableError."""
    folder = folder_of(generation)
    return {f"{folder}/{item.name}" for item in target.listed(folder, limit=_LISTING_LIMIT) if item.size_bytes}


def slices_of(where: Shards) -> Iterator[range]:
    """The numbers of all shards of a generation, a slice at a time."""
    count = 1 << where.bits
    for first in range(0, count, SLICE):
        yield range(first, min(first + SLICE, count))


def changed(
    source: Intake, target: Shelf, where: Shards, numbers: Sequence[int], tags: dict[str, str], problems: list[str]
) -> list[Changed]:
    """The shards among these that are to be written; what cannot be believed is a problem, and the old one stays.

    Errors: UnavailableError.
    """
    found = []
    for number in numbers:
        path = shards.path_of(where.generation, number)
        held = _held(target, path, where)
        answer = source.read_changed(path, shards.SIZE_LIMIT_BYTES, tags.get(path, "") if held is not None else "")
        if answer is None:
            continue
        try:
            shard = _checked(answer.content, where, number)
            if held is not None and shard.publication < held.publication:
                raise RejectedError(f"it is of publication {shard.publication}, and one of {held.publication} is here")
        except RejectedError as error:
            problems.append(f"{path} at {source.url}: {error}")
            continue
        if held == shard:
            tags[path] = answer.tag
            continue
        found.append(Changed(path, answer.content, answer.tag, shard))
    return found


def write(target: Shelf, ready: Sequence[Changed], tags: dict[str, str]) -> None:
    """Puts shards in their place. Errors: UnavailableError."""
    for one in ready:
        target.replace(one.path, one.content)
        tags[one.path] = one.tag
    if ready:
        target.sync()


def _held(target: Shelf, path: str, where: Shards) -> Shard | None:
    """The shard that lies on the target, where it holds."""
    try:
        content = target.read(path)
        return None if content is None else shards.decode(content, where.keys)
    except RejectedError:
        return None


def _checked(content: bytes, where: Shards, number: int) -> Shard:
    shard = shards.decode(content, where.keys)
    if (shard.generation, shard.number) != (where.generation, number):
        raise RejectedError("this is the shard of another number, served in its place")
    return shard
