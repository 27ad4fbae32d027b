"""A simulated disk with two views: what a running system sees, and what would be left after a power cut.

It keeps what the contract of `Disk` promises and no more: bytes, names and renames that were not synced are lost at a power
cut, in the worst case all of them, or a subset that a seed chooses, as real filesystems do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from random import Random

from purveyor.client.machine.interface import Account
from purveyor.lab.power import Power
from purveyor.lab.transit import Passing, Slowness
from purveyor.wire.errors import RejectedError, UnavailableError

PIECE_BYTES = 64 * 1024
UNLIMITED_BYTES = 2**40


class Kind(StrEnum):
    """What a name stands for."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"


@dataclass(slots=True, eq=False)
class Node:
    """What lies under a name. Only bytes below `synced_bytes` are sure to outlast a power cut."""

    kind: Kind
    content: bytearray = field(default_factory=bytearray)
    synced_bytes: int = 0
    target: str = ""
    is_executable: bool = False
    modified_at: datetime | None = None


Change = dict[str, Node | None]
"""Names that change at one stroke: what each stands for afterwards, None for nothing."""


@dataclass(frozen=True, slots=True)
class Image:
    """All that lay on a disk at one moment; `root` is how programs name it, which is written in what lies there."""

    root: str
    names: dict[str, Node]


def no_clock() -> datetime:
    """The time on a disk to which nobody gave a clock."""
    return datetime(2000, 1, 1, tzinfo=UTC)


class SimulatedDisk:
    """Implements `client.machine.interface.Disk` in memory. `now` is the clock by which files get their times."""

    def __init__(
        self,
        power: Power,
        *,
        root: str = "/lab",
        capacity_bytes: int = UNLIMITED_BYTES,
        now: Callable[[], datetime] = no_clock,
    ) -> None:
        self.power = power
        self._now = now
        self.root = root
        self.capacity_bytes = capacity_bytes
        """How much fits on it, the agent's and everybody else's; a story may change it."""
        self.is_read_only = False
        self.owners: dict[str, str] = {}
        """Which folders were given to which accounts."""
        self._names: dict[str, Node] = {}
        self._durable: dict[str, Node] = {}
        self._unsynced: list[Change] = []
        self._is_dirty = False
        self._used_bytes = 0
        self._built_bytes = capacity_bytes
        self._others_bytes = 0
        self._slowness: Slowness | None = None

    # --- reading ---

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None when there is none."""
        node = self._file(path)
        return None if node is None else bytes(node.content)

    def read_pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces; nothing when there is none."""
        content = self.read(path) or b""
        for start in range(0, len(content), PIECE_BYTES):
            piece = content[start : start + PIECE_BYTES]
            self._moved(len(piece))
            yield piece

    def size(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none."""
        node = self._file(path)
        return None if node is None else len(node.content)

    def modified_at(self, path: str) -> datetime | None:
        """When a file was last written to; None when there is no such file."""
        node = self._names.get(_checked(path))
        return None if node is None or node.kind is not Kind.FILE else node.modified_at

    def names(self, folder: str) -> list[str]:
        """Names directly in a folder, sorted; empty when there is none."""
        start = _prefix(folder)
        return sorted({path[len(start) :].split("/", 1)[0] for path in self._names if path.startswith(start)})

    def give(self, path: str, account: Account) -> None:
        """Makes a folder, and all in it, the account's own."""
        self.owners[_checked(path)] = account.name

    def free_bytes(self) -> int:
        """Bytes that can still be written; none on a disk that was made read-only."""
        return 0 if self.is_read_only else max(0, self.capacity_bytes - self._used_bytes - self._others_bytes)

    def absolute(self, path: str) -> str:
        """The path as a program would name it."""
        return f"{self.root}/{_checked(path)}" if path else self.root

    def relative(self, absolute: str) -> str | None:
        """The path on this disk of what a program names, or None when it lies elsewhere."""
        return absolute[len(self.root) + 1 :] if absolute.startswith(self.root + "/") else None

    def files(self, folder: str = "") -> dict[str, bytes]:
        """All files below a folder with their bytes, by their path from there (links count as what they point to)."""
        start = _prefix(folder)
        found = {path[len(start) :]: self.read(path) for path in sorted(self._names) if path.startswith(start)}
        return {path: content for path, content in found.items() if content is not None}

    # --- writing ---

    def append(self, path: str, content: bytes) -> None:
        """Adds bytes at the end of a file. A full disk takes what fits, then raises UnavailableError."""
        self._effect(f"append to {path}")
        self._add(path, content)

    def sync(self, *paths: str) -> None:
        """Makes the bytes of files, their names, and the names in the folders that lead to them outlast a power cut.

        The power may fail between any two of them.
        """
        for path in paths:
            self._effect(f"sync {path}")
            node = self._file(path)
            if node is not None:
                node.synced_bytes = len(node.content)
            self._make_durable({str(parent) for parent in PurePosixPath(_checked(path)).parents})

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what has it: both or neither after a power cut. Errors: UnavailableError."""
        self._effect(f"rename {old} to {new}")
        node = self._names.get(_checked(old))
        if node is None:
            raise UnavailableError(f"{old!r} is not there to be renamed")
        if node.kind is Kind.FOLDER:
            raise UnavailableError(f"{old!r} is a folder")
        self._make_parents(new)
        replaced = self._names.get(_checked(new))
        self._used_bytes -= len(replaced.content) if replaced is not None and replaced is not node else 0
        self._change({old: None, new: node})

    def remove(self, path: str) -> None:
        """Removes a file or a whole folder; nothing happens when there is none."""
        self._effect(f"remove {path}")
        below = _prefix(_checked(path))
        for name in [name for name in self._names if name == path or name.startswith(below)]:
            self._used_bytes -= len(self._names[name].content)
            self._change({name: None})

    def place(self, stored: str, path: str, *, is_executable: bool) -> None:
        """Puts a copy of a stored file at `path`. Errors: UnavailableError."""
        self._effect(f"place {stored} at {path}")
        node = self._file(stored)
        if node is None:
            raise UnavailableError(f"{stored!r} is not there to be placed")
        if len(node.content) > self.free_bytes():
            raise UnavailableError(f"the disk is full: {self.free_bytes()} bytes are free, {len(node.content)} are needed")
        self._put(path, Node(Kind.FILE, bytearray(node.content), is_executable=is_executable, modified_at=self._now()))

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link."""
        self._effect(f"link {path}")
        self._put(path, Node(Kind.LINK, target=target))

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""
        self._effect(f"make folder {path}")
        if _checked(path) not in self._names:
            self._put(path, Node(Kind.FOLDER))

    # --- what happens to the disk ---

    def leave_free(self, room_bytes: int) -> None:
        """Others fill the disk but for so many bytes: it is full after that much more."""
        self._others_bytes = max(0, self.capacity_bytes - self._used_bytes - room_bytes)

    def slow_down(self, bytes_per_second: float, passes: Passing) -> None:
        """What is read and written takes its time from now on; `passes` lets time pass, as a clock does."""
        self._slowness = Slowness(passes, bytes_per_second)

    def mend(self) -> None:
        """It is as large as it was built, others need nothing of it, it can be written to, and nothing takes time."""
        self.capacity_bytes, self._others_bytes = self._built_bytes, 0
        self.is_read_only = False
        self._slowness = None

    def write_as_program(self, path: str, content: bytes, *, at: datetime | None = None) -> None:
        """What a program that runs here writes: no effect of the agent's, and not synced. `at`: by the local clock, when."""
        if not self.is_read_only:
            self._put(path, Node(Kind.FILE, bytearray(content[: self.free_bytes()]), modified_at=at or self._now()))

    def remove_as_program(self, folder: str) -> None:
        """What a program that runs here deletes: all files below a folder; the folder stays."""
        for path in [path for path in self._names if path.startswith(_prefix(folder)) and not self.is_read_only]:
            self._used_bytes -= len(self._names[path].content)
            self._change({path: None})

    def sync_all(self) -> None:
        """What an orderly shutdown does, and a running system every now and then: everything outlasts what comes."""
        if not self._is_dirty:
            return
        self._is_dirty = False
        for node in self._names.values():
            node.synced_bytes = len(node.content)
        self._durable = dict(self._names)
        self._unsynced = []

    def power_cut(self, seed: int | None = None) -> None:
        """Drops what was not synced: all of it, or with a seed what a real filesystem might drop.

        With a seed each unsynced change of names survives or not, and each unsynced tail is cut anywhere, or is there in length
        with zeros in place of its bytes.
        """
        chance = None if seed is None else Random(seed)
        for change in self._unsynced:
            if chance is not None and chance.random() < 0.5:
                _apply(self._durable, change)
        self._unsynced = []
        for node in {id(node): node for node in self._durable.values()}.values():
            _cut_tail(node, chance)
        self._is_dirty = False
        self._names = dict(self._durable)
        self._used_bytes = sum(len(node.content) for node in self._names.values())

    # --- copies ---

    def image(self) -> Image:
        """All that lies here now."""
        return Image(self.root, _copied(self._names))

    def load(self, image: Image) -> None:
        """Puts what an image holds in place of all that lies here, and synced."""
        self.root = image.root
        self._names = _copied(image.names)
        self._used_bytes = sum(len(node.content) for node in self._names.values())
        self._is_dirty = True
        self.sync_all()

    def _effect(self, what: str) -> None:
        self.power.effect(what)
        if self.is_read_only:
            raise UnavailableError(f"the disk is read-only: cannot {what}")

    def _moved(self, size_bytes: int) -> None:
        if self._slowness is not None:
            self._slowness.cross(size_bytes)

    def _file(self, path: str) -> Node | None:
        for _ in range(8):
            node = self._names.get(_checked(path))
            if node is None or node.kind is Kind.FILE:
                return node
            if node.kind is Kind.FOLDER:
                return None
            path = _joined(path, node.target)
        return None

    def _add(self, path: str, content: bytes) -> None:
        node = self._file(path)
        if node is None:
            node = Node(Kind.FILE)
            self._put(path, node)
        fits = content[: self.free_bytes()]
        node.content += fits
        node.modified_at = self._now()
        self._is_dirty = True
        self._used_bytes += len(fits)
        self._moved(len(fits))
        if len(fits) < len(content):
            raise UnavailableError(f"the disk is full: {len(content) - len(fits)} bytes of {path!r} found no place")

    def _put(self, path: str, node: Node) -> None:
        self._make_parents(path)
        replaced = self._names.get(_checked(path))
        self._used_bytes += len(node.content) - (len(replaced.content) if replaced is not None else 0)
        self._change({path: node})

    def _make_parents(self, path: str) -> None:
        for parent in reversed(PurePosixPath(_checked(path)).parents[:-1]):
            there = self._names.get(str(parent))
            if there is None:
                self._change({str(parent): Node(Kind.FOLDER)})
            elif there.kind is Kind.FILE:
                raise UnavailableError(f"{str(parent)!r} is a file, so nothing can lie below it")

    def _change(self, change: Change) -> None:
        _apply(self._names, change)
        self._unsynced.append(change)
        self._is_dirty = True

    def _make_durable(self, folders: set[str]) -> None:
        """Makes all changes that touch these folders durable, in order; an older change never undoes a newer one."""
        kept: list[Change] = []
        for change in self._unsynced:
            if any(str(PurePosixPath(name).parent) in folders for name in change):
                _apply(self._durable, change)
                for earlier in kept:
                    for name in change:
                        earlier.pop(name, None)
            else:
                kept.append(change)
        self._unsynced = [change for change in kept if change]


def _copied(names: dict[str, Node]) -> dict[str, Node]:
    """The same names for copies of their nodes; names of one node are names of one copy."""
    copies = {id(node): replace(node, content=bytearray(node.content)) for node in names.values()}
    return {name: copies[id(node)] for name, node in names.items()}


def _apply(names: dict[str, Node], change: Change) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _cut_tail(node: Node, chance: Random | None) -> None:
    whole = len(node.content)
    if node.synced_bytes >= whole:
        return
    if chance is None:
        del node.content[node.synced_bytes :]
    elif chance.random() < 0.5:
        node.content[node.synced_bytes :] = bytes(whole - node.synced_bytes)
    else:
        del node.content[chance.randint(node.synced_bytes, whole) :]
    node.synced_bytes = len(node.content)


def _checked(path: str) -> str:
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        raise RejectedError(f"{path!r} is no path inside the agent's folder")
    return path


def _prefix(folder: str) -> str:
    return _checked(folder) + "/" if folder else ""


def _joined(path: str, target: str) -> str:
    parts = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
