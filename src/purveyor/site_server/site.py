"""A site, put together: its folder, database, keys, boxes and points, and the one clock that all of them share.

Nothing decides here. `create_site` makes one, `open_site` opens one that was made; the lab builds `Site` from parts of its own.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from purveyor.content.store import ContentStore
from purveyor.site_server.admin import tokens
from purveyor.site_server.admin.tokens import Role
from purveyor.site_server.claim import FIRST_ROOT, Mark
from purveyor.site_server.database import collections, points, publication
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.database.settings import patient_settings, read_settings
from purveyor.site_server.keys import Keyring, Keys, make_keys, open_keyring, save_keys
from purveyor.site_server.model.points import PointSaid, Target
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.publish import turn as publish
from purveyor.site_server.publish.older import refuse_older_database
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Point, Shelf
from purveyor.transport.open_point import point_for
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import SiteCode, site_code

BIN_BITS = 8
LOCAL_POINT = points.HOME_DP
SETTINGS_FILE = "site.toml"
DATABASE_FILE = "site.db"
KEYS = "keys"
UNFINISHED = "restore.unfinished"
"""Lies in the folder of a site from the beginning of a restore to its end."""


@contextmanager
def as_anybody(said: PointSaid) -> Iterator[Point]:
    """A point that a mirror fills, as whoever has no credentials reads it."""
    yield point_for(said.url, lambda: said.pins)


def no_shelf(target: Target) -> Shelf:
    """Where nothing beside the site's own folders can be reached. Errors: UnavailableError, always."""
    raise UnavailableError(f"this process does not reach {target.url}")


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def seconds_running() -> float:
    """The seconds since the machine was started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that a site's components are given. `folder` is None in the lab."""

    code: SiteCode
    folder: Path | None
    database: Database
    keys: Keyring
    cap: Shelf
    rejected: Shelf
    store: ContentStore
    points: Mapping[str, ContentStore]
    """The distribution points in the site's own hand, by id."""
    open_shelf: Callable[[Target], Shelf] = no_shelf
    """Opens the folder, share or bucket of a point elsewhere. It says nothing over a wire before it is used."""
    open_point: Callable[[PointSaid], AbstractContextManager[Point]] = as_anybody
    """Opens a point that a mirror fills, at the address that clients use, and known to it as to them."""
    clock: Callable[[], datetime] = utc_now
    running: Callable[[], float] = seconds_running
    """Seconds that go on whatever the clock is set to; only what lies between two of them says something."""
    mark_full_boxes: Callable[[], list[str]] = list
    """Lets up boxes that are full take nothing more, where a web server of others fills them. Shape: their names."""
    wake: threading.Event = field(default_factory=threading.Event)

    def settings(self) -> SiteSettings:
        """The settings that hold now."""
        with self.database.read() as tx:
            return read_settings(tx)

    def patient_settings(self) -> SiteSettings:
        """The settings by which anything may end for good: grace times are longer by what is in doubt of the clock."""
        with self.database.read() as tx:
            return patient_settings(tx, self.clock())

    def folders(self) -> tuple[Path, ...]:
        """Where the site itself writes on this machine: its own folder, and its content."""
        return (self.store.folder,) if self.folder is None else (self.folder, self.store.folder)

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction in which people change the site. Errors: RefusedError when the database is an older copy."""
        with self.database.write() as tx:
            refuse_older_database(tx, self.cap)
            yield tx

    def root_for_joining(self) -> tuple[int, bytes]:
        """The newest root, which a join code names. Shape: (version, SHA-256 of its bytes)."""
        with self.database.read() as tx:
            version = publication.role_version(tx, "root")
            content = publication.read_role(tx, "root")
        return version, hashlib.sha256(content).digest()

    def mark(self) -> tuple[Mark, bytes]:
        """What says in a point that it is this site's, and the first root, by which its boxes are known."""
        with self.database.read() as tx:
            root = publication.down_file(tx, FIRST_ROOT)
        assert root is not None  # roots stay for ever
        return Mark(self.code, hashlib.sha256(root).hexdigest()), root

    def poke(self) -> None:
        """Wakes the executive: something was changed that clients are to hear of. If this is lost, its next turn finds it."""
        self.wake.set()


def prepare_database(database: Database, *, code: SiteCode, keys: Keys, bin_bits: int, now: datetime) -> None:
    """The rows of a new site: itself, All Systems, the first version of every role."""
    database.migrate()
    with database.write() as tx:
        publication.insert_site(tx, code=code, bin_bits=bin_bits, now=now)
        collections.insert_all_systems(tx, code, now)
        points.insert_home(tx, now)
        publish.create(tx, keys=keys, bin_bits=bin_bits, now=now)


def create_site(folder: Path, *, code: str, database_url: str = "", now: datetime) -> Path:
    """Makes a site in a new or empty folder. Shape: the file that holds the token of its first administrator.

    What fails in the middle leaves the folder as it was, so that it can be said again.
    Errors: RefusedError when something is there already, or the database is in use by another site.
    """
    site = site_code(code)
    is_new = not folder.exists()
    try:
        if not is_new and any(folder.iterdir()):
            raise FileExistsError
        folder.mkdir(parents=True, exist_ok=True)
        (folder / KEYS).mkdir(mode=0o700)  # of two who make a site here at once, one goes on
    except FileExistsError as error:
        raise RefusedError(f"{folder} is not empty: a site is made in a folder of its own") from error
    try:
        return _made_site(folder, site, database_url, now)
    except BaseException:
        _take_away(folder, with_itself=is_new)
        raise


def _made_site(folder: Path, site: SiteCode, database_url: str, now: datetime) -> Path:
    folder.chmod(0o755)
    FolderShelf(folder / cap_folder(site)).make_boxes()
    (folder / dp_folder(site)).mkdir()
    keys = make_keys()
    url = database_url or f"sqlite:///{(folder / DATABASE_FILE).resolve()}"
    with open_database(url) as database:
        _refuse_used(database, url)
        save_keys(keys, folder / KEYS)
        prepare_database(database, code=site, keys=keys, bin_bits=BIN_BITS, now=now)
        with database.write() as tx:
            random = secrets.token_bytes(tokens.SECRET_BYTES)
            token = tokens.create(tx, name="local administrator", role=Role.ADMIN, random=random, by="site init", now=now).secret
    if not database_url:
        (folder / DATABASE_FILE).chmod(0o600)
    token_file = folder / "admin.token"
    _write_secret(token_file, token)
    write_settings(folder, site, database_url)
    return token_file


def _take_away(folder: Path, *, with_itself: bool) -> None:
    """Takes away what a site that was not finished has left in its folder, as far as that is possible now."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if with_itself:
        with suppress(OSError):
            folder.rmdir()


def write_settings(folder: Path, site: SiteCode, database_url: str) -> None:
    """Says in a site's folder which site it is, and where its database is; empty: beside it."""
    written = {"code": str(site), "database": database_url}  # a string of JSON is one of TOML
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in written.items())
    _write_secret(folder / SETTINGS_FILE, "".join(lines))


def open_site(
    folder: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    open_shelf: Callable[[Target], Shelf] = no_shelf,
    open_point: Callable[[PointSaid], AbstractContextManager[Point]] = as_anybody,
    is_restoring: bool = False,
) -> Site:
    """The site in a folder, its tables brought to what this release needs.

    Errors: RefusedError when there is none, its parts do not fit together, or a restore there was broken off.
    """
    if (folder / UNFINISHED).exists() and not is_restoring:
        raise RefusedError(f"a restore into {folder} was broken off: begin it again (purveyor site restore BACKUP {folder})")
    written = written_in(folder)
    if written is None:
        raise no_site_in(folder)
    code, url = written
    if not url and not (folder / DATABASE_FILE).exists():
        raise _lost(folder, f"the database {folder / DATABASE_FILE} is not there")
    database = open_database(url or f"sqlite:///{(folder / DATABASE_FILE).resolve()}")
    database.migrate()
    with database.read() as tx:
        if not publication.has_site(tx):
            raise _lost(folder, "the database is empty")
        if publication.site_code_of(tx) != code:
            raise RefusedError(f"the database belongs to the site {publication.site_code_of(tx)}, the folder {folder} to {code}")
    cap = FolderShelf(folder / cap_folder(code))
    cap.make_boxes()
    return Site(
        code=code,
        folder=folder,
        database=database,
        keys=open_keyring(folder / KEYS),
        cap=cap,
        mark_full_boxes=cap.mark_full_boxes,
        rejected=FolderShelf(folder / "rejected"),
        store=ContentStore(folder / "content"),
        points={LOCAL_POINT: ContentStore(folder / dp_folder(code))},
        open_shelf=open_shelf,
        open_point=open_point,
        clock=clock,
    )


@contextmanager
def opened_site(folder: Path) -> Iterator[Site]:
    """The site in a folder, for as long as something is done with it. Errors: as `open_site`."""
    site = open_site(folder)
    try:
        yield site
    finally:
        site.database.dispose()


def no_site_in(folder: Path) -> RefusedError:
    """What is said of a folder where a site is looked for in vain."""
    if (folder / SETTINGS_FILE).exists():
        return RefusedError(f'{folder / SETTINGS_FILE} cannot be read: it says code = "S01" and database = "", or its URL')
    return RefusedError(f"{folder} holds no site: make one with `purveyor site init {folder} --code S01`")


def written_in(folder: Path) -> tuple[SiteCode, str] | None:
    """What a site's folder says of it: its code, and the URL of its database. None: nothing that can be read."""
    try:
        written = tomllib.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8-sig"))
        return site_code(str(written["code"])), str(written["database"])
    except (OSError, KeyError, ValueError, RecursionError, RejectedError):
        return None


@contextmanager
def running_alone(folder: Path) -> Iterator[None]:
    """Holds the site's folder for one running site server. Errors: RefusedError when another one runs."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise RefusedError(f"a site server already runs on {folder} (process {file.read().strip() or 'unknown'})") from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lost(folder: Path, what: str) -> RefusedError:
    return RefusedError(f"{what}: make the site again of a backup: purveyor site restore BACKUP {folder} --replace")


def _refuse_used(database: Database, url: str) -> None:
    database.migrate()
    with database.read() as tx:
        if publication.has_site(tx):
            shown = url.rpartition("@")[2].partition("?")[0]
            raise RefusedError(f"the database {shown} already belongs to the site {publication.site_code_of(tx)}")


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
