"""The folders of a site in memory, with everything that can go wrong between a site and its clients.

`MemoryBoxes` is one such folder, a CAP or a DP. `shelf()` is the site's hand in it (a `Shelf`), `point(client)` what one client
sees of it (a `Point`). Between the two lie the faults, of which `lab.faults` says what they make of a file and `lab.transit` what
is under way. A request for a file that is not there is written down, because nobody is ever to make one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from purveyor.lab import faults
from purveyor.lab.faults import Chosen, Fate, Fault, Files, Loss, Rank, Scope, Stored
from purveyor.lab.power import Power
from purveyor.lab.transit import NONE, AbsentRequest, Delivery, Mirroring, Passing, Request, Slowness, put
from purveyor.transport.interface import Answer, Listed, Stray
from purveyor.transport.paths import check_item, check_path
from purveyor.transport.streams import Measured
from purveyor.wire import boxes
from purveyor.wire.errors import AbsentError, FullError, RejectedError, UnavailableError

PIECE_BYTES = 64 * 1024


class MemoryBoxes:
    """One folder of a site in memory. `url` is what it is known by; paths are those of a CAP or DP.

    Of every fault it says whom it concerns: `client` one client, else all; `only` which paths, else all; `until` when it is over
    by itself, else it lasts until `mend`.
    """

    def __init__(self, url: str, now: Callable[[], datetime], *, power: Power | None = None) -> None:
        self.url = url
        self.now = now
        self.power = power or Power()
        self.files: Files = {}
        self.absent: list[AbsentRequest] = []
        self.requests: list[Request] = []
        self.is_full = False
        """Every write fails, as on a full disk."""
        self.capacity_bytes: int | None = None
        """How much fits; None: the folder cannot say, and takes all."""
        self.is_cut_from_site = False
        """The site does not reach it; clients may."""
        self.put_count = 0
        self.delivery = Delivery()
        self._last_modified: dict[str, int] = {}
        self._unsynced: list[tuple[str, Stored | None]] = []
        self._cuts: list[Scope] = []
        self._faults: list[Fault] = []
        self._losses: list[Loss] = []
        self._mirroring: Mirroring | None = None
        self._moments: dict[str, Files] = {}
        self._lost: set[str] = set()
        self._slowness: Slowness | None = None

    def shelf(self) -> "MemoryShelf":
        """The site's own hand in the folder."""
        return MemoryShelf(self)

    def point(self, client: str, *, power: Power | None = None) -> "MemoryPoint":
        """The folder as this client reaches it; what it puts counts as an effect of the machine with this power."""
        return MemoryPoint(self, client, power=power)

    def mend(self) -> None:
        """Takes back every fault: everybody reaches the newest files again, undamaged; what was under way arrives."""
        self._cuts.clear()
        self._faults.clear()
        self._losses.clear()
        self._slowness = None
        self.is_full = self.is_cut_from_site = False
        self.release()
        late, self.delivery = self.delivery, Delivery()
        for path, content in late.arrived(None):
            self._lay(path, content)

    # --- faults of the link: what becomes of requests ---

    def cut(self, *clients: str, until: datetime | None = None) -> None:
        """Nobody reaches it any more, or these clients do not."""
        self._cuts += [Scope(client, until=until) for client in clients or (None,)]

    def lose_requests(self, share: float, *, seed: int = 0, client: str | None = None, until: datetime | None = None) -> None:
        """So great a share of all requests fails, half of them after they were carried out: their answers are lost."""
        self._losses.append(Loss(share, Random(seed), Scope(client, until=until)))

    def slow_down(self, bytes_per_second: float, passes: Passing, *, answer: timedelta = NONE) -> None:
        """What is read takes its time from now on, each `answer` so much besides; `passes` lets time pass, as a clock does."""
        self._slowness = Slowness(passes, bytes_per_second, answer)

    # --- faults of the folder: what is shown ---

    def hold(self, after_writes: int = 0) -> None:
        """From now on clients see only the first `after_writes` writes of the site: half a publication."""
        self._mirroring = Mirroring(dict(self.files), writes_to_show=after_writes)

    def lag(self, by: timedelta, *, spread: timedelta = NONE, seed: int = 0, only: Chosen = bool) -> None:
        """From now on clients see what the site writes so much later; with a spread each write by itself, in any order."""
        self._mirroring = Mirroring(dict(self.files), by=by, spread=spread, only=only, chance=Random(seed))

    def release(self) -> None:
        """Clients see everything again that the site wrote."""
        self._mirroring = None
        self._lost -= self.files.keys()

    def keep_moment(self, name: str, *, of: "MemoryBoxes | None" = None) -> None:
        """Remembers all files as they are now, to be served later as if this were a mirror that lags; `of` another's, say."""
        self._moments[name] = dict((of or self).files)

    def serve_moment(self, name: str, *, only: Chosen = bool, client: str | None = None, until: datetime | None = None) -> None:
        """Serves the files of a kept moment in place of the newest ones: all or some, to all or to one client."""
        alter = faults.of_moment(self._moments[name])
        self._spoil(Rank.SOURCE, alter, Scope(client, only, until), is_torn=only is not bool)

    def serve_other(self, path: str, other: str, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves another file under the name of this one: another client's shard, an older version, anything."""
        self._spoil(Rank.SOURCE, faults.of_other(self.current, other), Scope(client, path.__eq__, until))

    def forge(self, files: Mapping[str, bytes], *, client: str | None = None) -> None:
        """Serves these bytes under these paths, whatever lies there: what somebody makes who owns the folder."""
        made = {path: Stored(content, int(self.now().timestamp())) for path, content in files.items()}
        self._spoil(Rank.SOURCE, faults.of_moment(made), Scope(client, made.__contains__), is_torn=True)

    def serve_nothing(self, client: str | None = None, *, until: datetime | None = None) -> None:
        """Serves an empty folder, to all or to one client."""
        self._spoil(Rank.ABSENCE, faults.nothing, Scope(client, until=until))

    def hide(self, only: Chosen, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves the folder without these files, though others that are served lead to them."""
        self._spoil(Rank.ABSENCE, faults.nothing, Scope(client, only, until), is_torn=True)

    def truncate(self, path: str, size_bytes: int, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves only the first bytes of a file."""
        self._spoil(Rank.BYTES, faults.first_bytes(size_bytes), Scope(client, path.__eq__, until))

    def corrupt(self, path: str, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves a file with one byte changed in its middle."""
        self.corrupt_all(path.__eq__, client=client, until=until)

    def corrupt_all(self, only: Chosen, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves every file of these, those that come later too, with one byte changed in its middle."""
        self._spoil(Rank.BYTES, faults.one_byte_changed, Scope(client, only, until))

    def never_end(self, only: Chosen = bool, *, client: str | None = None, until: datetime | None = None) -> None:
        """Serves files of which there is always more to come."""
        self._spoil(Rank.BYTES, faults.without_end, Scope(client, only, until))

    def say_unchanged(self, only: Chosen = bool, *, client: str | None = None, until: datetime | None = None) -> None:
        """Says to everybody who holds a version of a file that it is the newest, as a cache in between that is stuck."""
        self._spoil(Rank.BYTES, faults.seemingly_unchanged, Scope(client, only, until))

    def lose(self, path: str) -> None:
        """The file is gone from the folder, as if somebody had deleted it behind the site's back."""
        if self.files.pop(path, None) is not None:
            self._lost.add(path)
        if self._mirroring is not None:
            self._mirroring.files.pop(path, None)

    # --- faults of the up boxes: what becomes of items ---

    def discard(self, only: Chosen = bool, *, client: str | None = None, until: datetime | None = None) -> None:
        """Items that are put are taken and thrown away without a word."""
        self.delivery.discards.append(Scope(client, only, until))

    def delay_items(self, by: timedelta, *, spread: timedelta = NONE, seed: int = 0) -> None:
        """Items that are put lie in their box only later; with a spread each after a time of its own, so in another order."""
        self.delivery.by, self.delivery.spread, self.delivery.chance = by, spread, Random(seed)

    def duplicate_items(self, after: timedelta = NONE, *, keeps_names: bool = False) -> None:
        """Every item that is put comes a second time, so much later: under another name, or under its own after all."""
        self.delivery.duplicates_after, self.delivery.keeps_names = after, keeps_names

    def mix_up_lists(self, seed: int = 0) -> None:
        """Lists of the boxes, as the site asks for them, are out of order, with gaps, names twice, and names of nothing."""
        self.delivery.listing = Random(seed)

    def used_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(len(stored.content) for stored in self.files.values())

    # --- what a client sees ---

    def current(self, path: str) -> Stored | None:
        """The file as it lies there now, without any fault."""
        return self.files.get(path)

    def reach(self, client: str, path: str) -> None:
        """Errors: UnavailableError where the client does not reach the folder now."""
        if any(cut.covers(client, path, self.now()) for cut in self._cuts):
            raise UnavailableError(f"{self.url} cannot be reached")

    def seen_by(self, client: str, path: str) -> Stored | None:
        """What a client is served for a path, all faults applied. Errors: UnavailableError when it reaches nothing."""
        self.reach(client, path)
        now = self.now()
        stored = self.current(path) if self._mirroring is None else self._mirroring.seen(path, now)
        return faults.served(self._faults, client, path, stored, now)

    def absent_requests(self) -> list[AbsentRequest]:
        """Requests for files that were not there, save those that a fault excuses."""
        return [request for request in self.absent if not request.is_excused]

    def asked(self, client: str, verb: str, path: str) -> Fate:
        """A request of a client, which is written down. Errors: UnavailableError where it does not arrive."""
        self.requests.append(Request(client, verb, path, self.now()))
        self.reach(client, path)
        fate = max((loss.fate(client, path, self.now()) for loss in self._losses), default=Fate.ANSWERED)
        if self._slowness is not None:
            self._slowness.passes(self._slowness.answer)
        if fate is Fate.LOST:
            raise UnavailableError(f"a request to {self.url} was lost")
        return fate

    def served(self, client: str, path: str) -> Stored:
        """What a client gets when it asks. Errors: AbsentError, and it is written down."""
        stored = self.seen_by(client, path)
        if stored is None:
            self.absent.append(AbsentRequest(client, path, self.now(), self._is_excused(client, path)))
            raise AbsentError(f"{self.url} has no {path}")
        return stored

    def crossed(self, size_bytes: int) -> None:
        """So many bytes went over the link to a client."""
        if self._slowness is not None:
            self._slowness.cross(size_bytes)

    # --- what the site and its clients change ---

    def next_modified(self, path: str) -> int:
        """A modification time for a mutable file: at least a whole second after any that it had before."""
        self._last_modified[path] = max(self._last_modified.get(path, 0) + 1, int(self.now().timestamp()))
        return self._last_modified[path]

    def wrote(self, path: str, stored: Stored | None) -> None:
        """The site wrote or removed a file."""
        self._unsynced.append((path, self.files.get(path)))
        if self._mirroring is None:
            self._lost.discard(path)  # else clients may not see yet that it is whole again
        put(self.files, path, stored)
        if self._mirroring is not None:
            self._mirroring.wrote(path, stored, self.now())

    def took(self, client: str, path: str, content: bytes) -> None:
        """A client put an item."""
        self.put_count += 1
        self.delivery.take(client, path, content, self.now())
        self.arrive()

    def arrive(self) -> None:
        """Lays down the items that have arrived by now."""
        for path, content in self.delivery.arrived(self.now()):
            self._lay(path, content)

    def synced(self) -> None:
        """Everything written so far outlasts a power cut."""
        self._unsynced = []

    def power_cut(self, seed: int | None = None) -> None:
        """The site's machine lost power: what it wrote and had not synced is undone, with a seed a part of it."""
        chance = None if seed is None else Random(seed)
        for path, before in reversed(self._unsynced):
            if chance is None or chance.random() < 0.5:
                put(self.files, path, before)
        self._unsynced = []

    def _spoil(self, rank: Rank, alter: faults.Alteration, scope: Scope, *, is_torn: bool = False) -> None:
        self._faults.append(Fault(rank, alter, scope, is_torn))
        self._faults.sort(key=lambda fault: fault.rank)

    def _is_excused(self, client: str, path: str) -> bool:
        """Whether anybody may ask for this path, though it is not there."""
        if path in self._lost:
            return True
        if self.current(path) is None:
            return False
        is_torn = self._mirroring is not None and self._mirroring.is_torn
        torn = (fault for fault in self._faults if fault.is_torn and fault.scope.covers(client, path, self.now()))
        return boxes.is_mutable(path) or is_torn or any(torn)

    def _lay(self, path: str, content: bytes) -> None:
        self.files[path] = Stored(content, int(self.now().timestamp()))


class MemoryShelf:
    """Implements `transport.interface.Shelf`."""

    def __init__(self, folder: MemoryBoxes) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none."""
        stored = self._files().get(_checked(path))
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

    def free_bytes(self) -> int | None:
        """How much more fits; None where nothing was said of that."""
        capacity_bytes = self._folder.capacity_bytes
        return None if capacity_bytes is None else capacity_bytes - self._folder.used_bytes()

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none."""
        if _checked(path) in self._files():
            self._folder.power.effect(f"remove {path}")
            self._folder.wrote(path, None)

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Complete files directly in a folder, at most `limit`; only those last written before `until`."""
        start = _checked(folder) + "/" if folder else ""
        self._folder.arrive()
        before = float("inf") if until is None else until.timestamp()
        below = ((path.removeprefix(start), stored) for path, stored in self._files().items() if path.startswith(start))
        found = [Listed(name, len(stored.content)) for name, stored in below if "/" not in name and stored.modified < before]
        return self._folder.delivery.listed(found[:limit])

    def names(self, *, limit: int) -> list[str]:
        """First parts of the paths of all files but hidden ones, at most `limit`."""
        return sorted({path.partition("/")[0] for path in self._files() if not path.startswith(".")})[:limit]

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Nothing: only files are kept."""

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """Files directly in a folder but those of usual names, at most `limit`."""
        parts = {path: path.rpartition("/") for path in self._files()}
        below = [path for path, part in parts.items() if part[0] == folder and not usual.fullmatch(part[2])]
        return [Stray(parts[path][2], self._files()[path].tag) for path in below[:limit]]

    def sweep(self, folder: str, name: str) -> bool:
        """Removes a stray."""
        self._folder.power.effect(f"sweep {folder}/{name}")
        self._folder.wrote(f"{folder}/{name}", None)
        return True

    def close(self) -> None:
        """Nothing: no connection is kept."""

    def sync(self) -> None:
        """Makes everything written so far outlast a power cut."""
        self._folder.power.effect("sync the folder")
        self._folder.synced()

    def _files(self) -> Files:
        if self._folder.is_cut_from_site:
            raise UnavailableError(f"{self._folder.url} cannot be reached by the site")
        return self._folder.files

    def _write(self, path: str, stored: Stored) -> None:
        self._files()
        self._folder.power.effect(f"write {_checked(path)}")
        most = self._folder.capacity_bytes
        if self._folder.is_full or (most is not None and self._folder.used_bytes() + len(stored.content) > most):
            raise FullError(f"the disk is full: cannot write {path}")
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
        stored = self._asked(path)
        if tag and (stored.tag == tag or stored.seems_unchanged):
            return None
        if stored.is_endless or len(stored.content) > limit_bytes:
            size = "no end" if stored.is_endless else f"{len(stored.content)} bytes"
            raise RejectedError(f"{path} has {size}, more than the {limit_bytes} bytes that were expected")
        self._folder.crossed(len(stored.content))
        return Answer(stored.content, stored.tag)

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """Bytes of a file from `offset` on, in pieces. Errors: as the interface says, also in the middle."""
        stored = self._asked(path)
        content = stored.content[offset : offset + limit_bytes]
        return self._pieces(path, content.ljust(limit_bytes, b"\0") if stored.is_endless else content)

    def put(self, path: str, content: bytes) -> None:
        """Puts a new item into an up box; one that is there already stays. Errors: as the interface says."""
        check_path(path)
        check_item(path, content)
        if self._power is not None:
            self._power.effect(f"put {path}")
        fate = self._folder.asked(self._client, "put", path)
        if path not in self._folder.files:
            self._folder.took(self._client, path, content)
        self._answer(fate)

    def _asked(self, path: str) -> Stored:
        check_path(path)
        fate = self._folder.asked(self._client, "read", path)
        stored = self._folder.served(self._client, path)
        self._answer(fate)
        return stored

    def _answer(self, fate: Fate) -> None:
        if fate is Fate.ANSWER_LOST:
            raise UnavailableError(f"the answer of {self._folder.url} was lost")

    def _pieces(self, path: str, content: bytes) -> Iterator[bytes]:
        for start in range(0, len(content), PIECE_BYTES):
            self._folder.reach(self._client, path)
            piece = content[start : start + PIECE_BYTES]
            self._folder.crossed(len(piece))
            yield piece


def _checked(path: str) -> str:
    check_path(path)
    return path
