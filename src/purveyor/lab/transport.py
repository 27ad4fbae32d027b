"""The folders of a site in memory, with everything that can go wrong between a site and its clients.

`MemoryBoxes` is one such folder, a CAP or a DP. `shelf()` is the site's hand in it (a `Shelf`), `point(client)` what one client
sees of it (a `Point`). Between the two lie the faults: cut, held back, stale, empty, truncated, corrupted, discarding. A request
for a file that is not there is written down, because nobody is ever to make one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.lab.power import Power
from purveyor.transport.interface import Answer, Listed
from purveyor.transport.paths import check_item, check_path
from purveyor.transport.streams import Measured
from purveyor.wire import boxes
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

PIECE_BYTES = 64 * 1024

Chosen = Callable[[str], bool]
"""Which paths are meant."""


class Stored(NamedTuple):
    """A file in the folder: its bytes, and its modification time in whole seconds, of which tags are made."""

    content: bytes
    modified: int

    @property
    def tag(self) -> str:
        """As a static server makes it: seconds and size."""
        return f'"{self.modified:x}-{len(self.content):x}"'


Files = dict[str, Stored]


@dataclass(frozen=True, slots=True)
class AbsentRequest:
    """A request for a file that was not there.

    It is excused where a fault that was asked for hid a file that every client may ask for.
    """

    client: str
    path: str
    at: datetime
    is_excused: bool


@dataclass(frozen=True, slots=True)
class Request:
    """Any request, for counting."""

    client: str
    verb: str
    path: str
    at: datetime


class MemoryBoxes:
    """One folder of a site in memory. `url` is what it is known by; paths are those of a CAP or DP."""

    def __init__(self, url: str, now: Callable[[], datetime], *, power: Power | None = None) -> None:
        self.url = url
        self.now = now
        self.power = power or Power()
        self.files: Files = {}
        self.absent: list[AbsentRequest] = []
        self.requests: list[Request] = []
        self.is_discarding = False
        """Items that are put are taken and thrown away without a word."""
        self.put_count = 0
        self._last_modified: dict[str, int] = {}
        self._unsynced: list[tuple[str, Stored | None]] = []
        self._is_cut = False
        self._cut_clients: set[str] = set()
        self._held: Files | None = None
        self._writes_to_show = 0
        self._moments: dict[str, Files] = {}
        self._stale: dict[str | None, tuple[str, Chosen]] = {}
        self._damage: dict[str, Callable[[bytes], bytes]] = {}
        self._corrupted: Chosen | None = None
        self._is_empty_for: set[str | None] = set()
        self._bytes_per_second = 0.0
        self._passes: Callable[[timedelta], None] | None = None

    def shelf(self) -> "MemoryShelf":
        """The site's own hand in the folder."""
        return MemoryShelf(self)

    def point(self, client: str, *, power: Power | None = None) -> "MemoryPoint":
        """The folder as this client reaches it; what it puts counts as an effect of the machine with this power."""
        return MemoryPoint(self, client, power=power)

    # --- faults: what a test does to the folder ---

    def cut(self, *clients: str) -> None:
        """Nobody reaches it any more, or these clients do not."""
        self._is_cut = self._is_cut or not clients
        self._cut_clients.update(clients)

    def slow_down(self, bytes_per_second: float, passes: Callable[[timedelta], None]) -> None:
        """What is read takes its time from now on; `passes` lets time pass, as `Clock.advance` does."""
        self._bytes_per_second, self._passes = bytes_per_second, passes

    def mend(self) -> None:
        """Takes back every fault: everybody reaches the newest files again, undamaged."""
        self._is_cut = False
        self._cut_clients.clear()
        self._stale.clear()
        self._damage.clear()
        self._corrupted = None
        self._is_empty_for.clear()
        self._passes = None
        self.is_discarding = False
        self.release()

    def hold(self, after_writes: int = 0) -> None:
        """From now on clients see only the first `after_writes` writes of the site: half a publication."""
        self._held = dict(self.files)
        self._writes_to_show = after_writes

    def release(self) -> None:
        """Clients see everything again that the site wrote."""
        self._held = None

    def keep_moment(self, name: str) -> None:
        """Remembers all files as they are now, to be served later as if this were a mirror that lags."""
        self._moments[name] = dict(self.files)

    def serve_moment(self, name: str, *, only: Chosen = bool, client: str | None = None) -> None:
        """Serves the files of a kept moment in place of the newest ones: all or some, to all or to one client."""
        if name not in self._moments:
            raise KeyError(name)
        self._stale[client] = (name, only)

    def serve_nothing(self, client: str | None = None) -> None:
        """Serves an empty folder, to all or to one client."""
        self._is_empty_for.add(client)

    def truncate(self, path: str, size_bytes: int) -> None:
        """Serves only the first bytes of a file."""
        self._damage[path] = lambda content: content[:size_bytes]

    def corrupt(self, path: str) -> None:
        """Serves a file with one byte changed in its middle."""
        self._damage[path] = _with_one_byte_changed

    def corrupt_all(self, only: Chosen) -> None:
        """Serves every file of these, those that come later too, with one byte changed in its middle."""
        self._corrupted = only

    def lose(self, path: str) -> None:
        """The file is gone from the folder, as if somebody had deleted it behind the site's back."""
        self.files.pop(path, None)
        if self._held is not None:
            self._held.pop(path, None)

    def power_cut(self) -> None:
        """The site's machine lost power: what it wrote and had not synced is undone."""
        for path, before in reversed(self._unsynced):
            if before is None:
                self.files.pop(path, None)
            else:
                self.files[path] = before
        self._unsynced = []

    # --- what a client sees ---

    def current(self, path: str) -> Stored | None:
        """The file as it lies there now, without any fault."""
        return self.files.get(path)

    def seen_by(self, client: str, path: str) -> Stored | None:
        """What a client is served for a path, all faults applied. Errors: UnavailableError when it reaches nothing."""
        if self._is_cut or client in self._cut_clients:
            raise UnavailableError(f"{self.url} cannot be reached")
        if None in self._is_empty_for or client in self._is_empty_for:
            return None
        moment, only = self._stale.get(client) or self._stale.get(None) or ("", bool)
        if moment and only(path):
            stored = self._moments[moment].get(path)
        else:
            stored = self.current(path) if self._held is None else self._held.get(path)
        if stored is None or not (path in self._damage or (self._corrupted is not None and self._corrupted(path))):
            return stored
        return Stored(self._damage.get(path, _with_one_byte_changed)(stored.content), stored.modified)

    def absent_requests(self) -> list[AbsentRequest]:
        """Requests for files that were not there, save those that an empty folder excuses."""
        return [request for request in self.absent if not request.is_excused]

    def served(self, client: str, path: str) -> Stored:
        """What a client gets when it asks. Errors: AbsentError, and it is written down."""
        stored = self.seen_by(client, path)
        if stored is None:
            is_excused = boxes.is_mutable(path) and self.current(path) is not None
            self.absent.append(AbsentRequest(client, path, self.now(), is_excused))
            raise AbsentError(f"{self.url} has no {path}")
        return stored

    def crossed(self, size_bytes: int) -> None:
        """So many bytes went over the link to a client."""
        if self._passes is not None:
            self._passes(timedelta(seconds=size_bytes / self._bytes_per_second))

    def note(self, client: str, verb: str, path: str) -> None:
        """Writes a request down."""
        self.requests.append(Request(client, verb, path, self.now()))

    def next_modified(self, path: str) -> int:
        """A modification time for a mutable file: at least a whole second after any that it had before."""
        self._last_modified[path] = max(self._last_modified.get(path, 0) + 1, int(self.now().timestamp()))
        return self._last_modified[path]

    def wrote(self, path: str, stored: Stored | None) -> None:
        """The site wrote or removed a file. A write counts as shown while publications are held back."""
        self._unsynced.append((path, self.files.get(path)))
        _put(self.files, path, stored)
        if self._held is not None and self._writes_to_show > 0:
            self._writes_to_show -= 1
            _put(self._held, path, stored)

    def took(self, path: str, content: bytes) -> None:
        """A client put an item."""
        self.put_count += 1
        if not self.is_discarding:
            self.files[path] = Stored(content, int(self.now().timestamp()))

    def synced(self) -> None:
        """Everything written so far outlasts a power cut."""
        self._unsynced = []


class MemoryShelf:
    """Implements `transport.interface.Shelf`."""

    def __init__(self, folder: MemoryBoxes) -> None:
        self._folder = folder
        self.is_full = False
        """Every write fails, as on a full disk."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none."""
        stored = self._folder.files.get(_checked(path))
        return None if stored is None else stored.content

    def write(self, path: str, content: bytes) -> None:
        """Writes a file that will never change. Errors: UnavailableError."""
        self._write(path, Stored(bytes(content), int(self._folder.now().timestamp())))

    def replace(self, path: str, content: bytes) -> None:
        """Replaces a mutable file, its modification time at least one whole second after the one before."""
        check_path(path)
        self._write(path, Stored(bytes(content), self._folder.next_modified(path)))

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """Writes a file that will never change from pieces; gives its size in bytes. Errors: as the interface says."""
        content = b"".join(Measured(pieces, _checked(path), limit_bytes))
        self.write(path, content)
        return len(content)

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces. Errors: AbsentError."""
        content = self.read(path)
        if content is None:
            raise AbsentError(f"{self._folder.url} has no {path}")
        for start in range(0, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]

    def size_of(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none."""
        content = self.read(path)
        return None if content is None else len(content)

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none."""
        if _checked(path) in self._folder.files:
            self._folder.power.effect(f"remove {path}")
            self._folder.wrote(path, None)

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Complete files directly in a folder, at most `limit`; only those last written before `until`."""
        start = _checked(folder) + "/" if folder else ""
        found: list[Listed] = []
        for path, stored in self._folder.files.items():
            is_meant = until is None or stored.modified < until.timestamp()
            if is_meant and path.startswith(start) and "/" not in path[len(start) :]:
                found.append(Listed(path[len(start) :], len(stored.content)))
                if len(found) == limit:
                    break
        return found

    def sync(self) -> None:
        """Makes everything written so far outlast a power cut."""
        self._folder.power.effect("sync the folder")
        self._folder.synced()

    def _write(self, path: str, stored: Stored) -> None:
        self._folder.power.effect(f"write {_checked(path)}")
        if self.is_full:
            raise UnavailableError(f"the disk is full: cannot write {path}")
        self._folder.wrote(path, stored)


class MemoryPoint:
    """Implements `transport.interface.Point` for one client."""

    def __init__(self, folder: MemoryBoxes, client: str, *, power: Power | None = None) -> None:
        self._folder = folder
        self._client = client
        self._power = power

    @property
    def url(self) -> str:
        """What it is known by."""
        return self._folder.url

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file, or None when it is still the one that `tag` stands for. Errors: as the interface says."""
        check_path(path)
        self._folder.note(self._client, "read", path)
        stored = self._folder.served(self._client, path)
        if tag and stored.tag == tag:
            return None
        if len(stored.content) > limit_bytes:
            raise RejectedError(f"{path} has {len(stored.content)} bytes, more than the {limit_bytes} that were expected")
        self._folder.crossed(len(stored.content))
        return Answer(stored.content, stored.tag)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """Bytes of a file from `offset` on, in pieces. Errors: as the interface says, also in the middle."""
        check_path(path)
        self._folder.note(self._client, "read", path)
        content = self._folder.served(self._client, path).content[offset : offset + limit_bytes]
        return self._pieces(path, content)

    def put(self, path: str, content: bytes) -> None:
        """Puts a new item into an up box; one that is there already stays. Errors: as the interface says."""
        check_path(path)
        check_item(path, content)
        if self._power is not None:
            self._power.effect(f"put {path}")
        self._folder.note(self._client, "put", path)
        self._folder.seen_by(self._client, path)
        if path not in self._folder.files:
            self._folder.took(path, content)

    def _pieces(self, path: str, content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), PIECE_BYTES):
            self._folder.seen_by(self._client, path)
            piece = content[start : start + PIECE_BYTES]
            self._folder.crossed(len(piece))
            yield piece


def _put(files: Files, path: str, stored: Stored | None) -> None:
    if stored is None:
        files.pop(path, None)
    else:
        files[path] = stored


def _with_one_byte_changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else content


def _checked(path: str) -> str:
    check_path(path)
    return path
