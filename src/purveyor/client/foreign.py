"""A client of any TUF repository over HTTP: brings its metadata up to date, looks a target up, fetches it.

It stands upon the judgement and the transport that the agent uses, and follows the specification where a site of Purveyor asks
less of its points: roots are probed, delegations followed to any role, lengths and hashes held to. The agent never uses it.
Verified metadata stands in one folder, under unversioned names; nothing is written there that was not verified and unexpired.
Source: TUF specification 1.0, section 5 (client workflow).
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import TargetFile, Targets

from purveyor.client import trust
from purveyor.client.judgement import Judged
from purveyor.transport.interface import Point
from purveyor.wire.errors import AbsentError, DeniedError, RejectedError, UnavailableError

ROOTS_A_REFRESH = 256
ROLES_A_SEARCH = 32
_LIMITS_BYTES = {
    "root": trust.ROOT_LIMIT_BYTES,
    "timestamp": trust.TIMESTAMP_LIMIT_BYTES,
    "snapshot": trust.SNAPSHOT_LIMIT_BYTES,
}


class MetadataFolder:
    """The verified metadata of one repository on disk. A role's name is quoted, so that none leaves the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """What is held of a role, or None. Errors: UnavailableError."""
        with _told_of(self._folder):
            try:
                with (self._folder / _file_name(name)).open("rb") as held:
                    return held.read(_limit_of(name) + 1)
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Holds a role's metadata, whole or not at all. Errors: UnavailableError."""
        with _told_of(self._folder), placed_whole(self._folder / _file_name(name)) as aside:
            aside.write_bytes(content)

    def remove(self, name: str) -> None:
        """Holds nothing of a role any more. Errors: UnavailableError."""
        with _told_of(self._folder):
            (self._folder / _file_name(name)).unlink(missing_ok=True)


class Foreign:
    """One pass over a repository: `refresh` first, then any number of `find`. Everything is judged as of `now`.

    Errors: RejectedError when no root that is to be trusted is held; UnavailableError.
    """

    def __init__(self, folder: MetadataFolder, point: Point, now: datetime) -> None:
        self._folder = folder
        self._point = point
        self._now = now
        root = folder.read("root")
        if root is None:
            raise RejectedError("no root is held: begin with one that is to be trusted")
        self._judged = Judged(root)

    @property
    def is_consistent(self) -> bool:
        """Whether the repository keeps a version of each file under a name of its own (specification, section 6.2)."""
        return bool(self._judged.root.consistent_snapshot)

    def refresh(self) -> None:
        """Brings root, timestamp, snapshot and targets up to date. Errors: RejectedError, UnavailableError."""
        self._update_roots()
        self._judged.check_unexpired("root", self._now)
        self._take_held("timestamp", self._judged.take_timestamp)
        self._take_held("snapshot", self._judged.take_held_snapshot)
        self._update_timestamp()
        self._update_snapshot()
        self._need("targets", "root")

    def find(self, path: str) -> TargetFile:
        """What the repository says of a path: the first role in its order that lists it decides.

        Errors: RejectedError when none does, or one on the way cannot be verified; UnavailableError.
        """
        open_roles, seen = [("targets", "root")], set[str]()
        while open_roles and len(seen) < ROLES_A_SEARCH:
            name, delegator = open_roles.pop()
            if name in seen:
                continue
            self._need(name, delegator)
            seen.add(name)
            role = self._judged.targets(name)
            if path in role.targets:
                return role.targets[path]
            delegated, is_final = asked_next(role, path)
            open_roles = [] if is_final else open_roles
            open_roles += [(other, name) for other in reversed(delegated)]
        raise RejectedError(f"none of the {len(seen)} roles that may speak of {path[:200]} lists it")

    def _update_roots(self) -> None:
        """Follows the chain of roots as far as it goes, one root at a time (5.3).

        A root that is denied ends it as one that is absent does: an object store that may not be listed says 403 of both.
        """
        for _ in range(ROOTS_A_REFRESH):
            root = self._judged.root
            try:
                content = self._fetched(f"{root.version + 1}.root.json", trust.ROOT_LIMIT_BYTES)
            except (AbsentError, DeniedError):
                return
            self._judged.take_root(content)
            self._folder.write("root", content)
            if any(root.roles[name].keyids != self._judged.root.roles[name].keyids for name in ("timestamp", "snapshot")):
                self._folder.remove("timestamp")
                self._folder.remove("snapshot")

    def _update_timestamp(self) -> None:
        content = self._fetched("timestamp.json", trust.TIMESTAMP_LIMIT_BYTES)
        is_newer = self._judged.take_timestamp(content)
        self._judged.check_unexpired("timestamp", self._now)
        if is_newer:
            self._folder.write("timestamp", content)

    def _update_snapshot(self) -> None:
        held, named = self._judged.snapshot, self._judged.timestamp
        assert named is not None
        content = None
        if held is None or held.version != named.snapshot_meta.version:
            content = self._fetched_role("snapshot", named.snapshot_meta.version)
            self._judged.take_snapshot(content)
        self._judged.check_unexpired("snapshot", self._now)
        if content is not None:
            self._folder.write("snapshot", content)

    def _need(self, name: str, delegator: str) -> None:
        """Makes a targets role current, and accepted by this delegator. Errors: RejectedError, UnavailableError."""
        version = self._judged.version_of(name)
        if not self._judged.is_accepted(name, delegator):
            self._take_held(name, lambda held: self._judged.take_delegated(name, held, delegator))
        content = None
        if not self._judged.is_accepted(name, delegator):
            content = self._fetched_role(name, version)
            self._judged.take_delegated(name, content, delegator)
        self._judged.check_unexpired(name, self._now)
        if content is not None:
            self._folder.write(name, content)

    def _take_held(self, name: str, take: Callable[[bytes], object]) -> None:
        """Takes what the folder holds of a role; what is refused by now is simply not held any more."""
        content = self._folder.read(name)
        if content is not None:
            with contextlib.suppress(RejectedError):
                take(content)

    def _fetched_role(self, name: str, version: int) -> bytes:
        length = self._judged.length_of(name)
        limit_bytes = _limit_of(name) if length is None else min(length, _limit_of(name))
        return self._fetched(f"{version}.{_file_name(name)}" if self.is_consistent else _file_name(name), limit_bytes)

    def _fetched(self, address: str, limit_bytes: int) -> bytes:
        answer = self._point.read(address, limit_bytes=limit_bytes)
        if answer is None:
            raise RejectedError(f"{self._point.url} says that {address} is unchanged, which nobody asked")
        return answer.content


def asked_next(role: Targets, path: str) -> tuple[list[str], bool]:
    """The roles to which this one delegates a path, in its order, and whether nobody else may be asked after them."""
    names: list[str] = []
    for name, is_terminating in role.delegations.get_roles_for_target(path) if role.delegations else ():
        names.append(name)
        if is_terminating:
            return names, True
    return names, False


def target_address(listed: TargetFile, *, is_consistent: bool) -> str:
    """Where below its base a target file is asked for, quoted. Shape: `folder/HASH.name` on a consistent repository."""
    folder, slash, name = listed.path.rpartition("/")
    digest = listed.hashes.get("sha256") or next(iter(listed.hashes.values()))
    return quote(f"{folder}{slash}{digest}.{name}" if is_consistent else listed.path)


def fetch_target(listed: TargetFile, point: Point, folder: Path, *, is_consistent: bool) -> None:
    """Places a target file in a folder, under its quoted path; one that is there unchanged is not asked for again.

    Errors: RejectedError when what comes is not what is listed; UnavailableError.
    """
    place = folder / quote(listed.path, "")
    with _told_of(folder):
        if _is_as_listed(place, listed):
            return
        with placed_whole(place) as aside:
            with aside.open("wb") as written:
                address = target_address(listed, is_consistent=is_consistent)
                written.writelines(point.read_from(address, offset=0, limit_bytes=listed.length))
            if not _is_as_listed(aside, listed):
                raise RejectedError(f"{listed.path[:200]} is not the file that the metadata describes")


@contextlib.contextmanager
def placed_whole(place: Path) -> Iterator[Path]:
    """A file aside, which takes its place, synced, when all went well, and is gone otherwise. Errors: OSError."""
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".aside")
    try:
        yield Path(name)
        os.fsync(descriptor)
        Path(name).replace(place)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _is_as_listed(place: Path, listed: TargetFile) -> bool:
    try:
        with place.open("rb") as content:
            listed.verify_length_and_hashes(content)
    except (FileNotFoundError, RepositoryError):
        return False
    return True


def _file_name(name: str) -> str:
    return f"{quote(name, '')}.json"


def _limit_of(name: str) -> int:
    return _LIMITS_BYTES.get(name, trust.TARGETS_LIMIT_BYTES)


@contextlib.contextmanager
def _told_of(folder: Path) -> Iterator[None]:
    """Tells what the disk refuses as what it is: nothing that the repository said."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be read or written: {error}") from error
