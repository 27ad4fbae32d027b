"""Makes a backup of a site, running or stopped; keeps the newest, and reads one back to say whether it is whole.

    keys → the rows, of one moment → keys again → content → everything synced → the manifest → the name

The rows come first, because they say what content is needed; content outlives what needs it by weeks, so what the rows name is
there still. Keys are taken on both sides of that moment: one that was made or went meanwhile is in the backup all the same.
What is stopped on the way leaves a folder that is no backup, and all older backups as they were.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from sqlalchemy import Connection

from purveyor.content.source import READ_FLAGS
from purveyor.content.store import ContentStore
from purveyor.recovery import form
from purveyor.recovery.form import BackupManifest
from purveyor.site_server.database import audit, publication, restoring, row_files
from purveyor.site_server.database.engine import revision_of
from purveyor.site_server.database.row_files import Stored
from purveyor.site_server.site import Site
from purveyor.transport.durable import make_durable, write_new
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import SiteCode
from purveyor.wire.manifest import distinct_files

Note = Callable[[str], None]
_PIECE_BYTES = 2**20
LOCK = ".lock"
"""In a folder of backups: held while one is made, and left as the mark that it is one."""


class Made(NamedTuple):
    """A backup that was made, and what was taken away for it. Units: bytes, of rows and keys; content comes on top."""

    folder: Path
    manifest: BackupManifest
    size_bytes: int
    new_files: int
    """Files of content that no earlier backup had."""
    dropped: tuple[str, ...]


def make(site: Site, to: Path, *, keep: int, with_keys: bool, by: str, note: Note) -> Made:
    """A new backup in the folder of backups `to`; of this site's backups there only the newest `keep` stay, 0: all.

    Errors: RefusedError: it is no folder for backups, or another is under way there; UnavailableError: disk full, database away …
    """
    now = site.clock()
    _refuse_target(site, to)
    with _translated(to), _alone_in(to):
        for left in to.glob(f"*{form.PARTIAL}"):
            if form.is_backup_name(left.name.removesuffix(form.PARTIAL)):
                shutil.rmtree(left)
        folder = _new_folder(to, site.code, now)
        aside = to / (folder.name + form.PARTIAL)
        aside.mkdir(mode=0o700)
        manifest, new_files = _write(site, aside, ContentStore(to / form.CONTENT), with_keys=with_keys, now=now, note=note)
        make_durable(str(to), [str(aside / path) for path in manifest.files])
        write_new(aside / form.MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        os.rename(aside, folder)
        make_durable(str(to), [str(folder / form.MANIFEST)])
        dropped = _drop_old(to, folder, site.code, keep) if keep else ()
    size_bytes = sum(stored.size_bytes for stored in manifest.files.values())
    detail = {"folder": folder.name, "with_keys": with_keys, "missing_content": len(manifest.missing), "dropped": list(dropped)}
    with site.database.write() as tx:
        audit.record(tx, by=by, now=site.clock(), action="site.backup", about=site.code, detail=detail)
    return Made(folder, manifest, size_bytes, new_files, dropped)


def manifest_of(backup: Path) -> BackupManifest:
    """What a backup holds, as it says. Errors: RefusedError: this is no complete backup."""
    path = backup / form.MANIFEST
    try:
        with _opened(path) as file:
            content = file.read(form.MANIFEST_LIMIT_BYTES)
    except OSError as error:
        inside = complete_in(backup)
        hint = f"; name one of the backups in it, such as {inside[-1]}" if inside else ""
        raise RefusedError(f"{backup} is no complete backup: {form.MANIFEST} cannot be read ({error.strerror}){hint}") from error
    try:
        return form.read_manifest(content)
    except RejectedError as error:
        raise RefusedError(f"{backup} cannot be used: {error}") from error


def by_quarters(trees: Sequence[str], note: Note) -> Iterator[str]:
    """The same trees of content, and a word whenever another quarter of them was seen to: each may be many gigabytes."""
    for number, sha256 in enumerate(trees, 1):
        yield sha256
        if number * 4 // len(trees) > (number - 1) * 4 // len(trees):
            note(f"content: tree {number} of {len(trees)}")


def problems_of(backup: Path, *, with_content: bool = True, note: Note = lambda _: None) -> Iterator[str]:
    """Reads a backup back: what is missing or damaged, in words. With the content, every file of it is read too."""
    manifest = manifest_of(backup)
    for path, stored in sorted(manifest.files.items()):
        found = _measured(backup / path)
        if found != stored:
            yield f"{path} is {'missing' if found is None else 'damaged'}"
    if not with_content:
        return
    store = ContentStore(backup.parent / form.CONTENT)
    for sha256 in by_quarters(manifest.contents, note):
        try:
            yield from (f"content {path} is missing or damaged" for path in store.verify(store.read_manifest(sha256)))
        except (UnavailableError, RejectedError) as error:
            yield f"content {sha256[:12]}: {error}"


def complete_in(to: Path, site: SiteCode | None = None) -> list[Path]:
    """The complete backups in a folder of backups, oldest first; of one site where one is named."""
    found = [path for path in to.iterdir() if form.is_backup_name(path.name, site)] if to.is_dir() else []
    return sorted(found, key=lambda path: form.order_of(path.name))


def _write(
    site: Site, aside: Path, content: ContentStore, *, with_keys: bool, now: datetime, note: Note
) -> tuple[BackupManifest, int]:
    for name in (form.ROWS, form.KEYS):
        (aside / name).mkdir(mode=0o700)
    if with_keys:
        site.keys.save_to(aside / form.KEYS)
    with site.database.read() as tx:
        counts, files = row_files.dump(tx, aside, lambda table, count: note(f"{table}: {count} rows"))
        manifest = _described(tx, counts, files, now)
        needed = restoring.manifests_kept(tx)
    if with_keys:
        site.keys.reload()
        site.keys.save_to(aside / form.KEYS)
        if site.folder is not None and (site.folder / form.TOKEN).exists():
            token = (site.folder / form.TOKEN).read_bytes()
            write_new(aside / form.KEYS / form.TOKEN, token)
    held, missing, new_files = _copy_content(site.store, content, needed, note)
    secrets = {f"{form.KEYS}/{path.name}": path for path in sorted((aside / form.KEYS).iterdir())}
    measured = {name: found for name, path in secrets.items() if (found := _measured(path)) is not None}
    manifest = msgspec.structs.replace(manifest, files={**files, **measured}, contents=held, missing=missing, has_keys=with_keys)
    return manifest, new_files


def _described(tx: Connection, counts: dict[str, int], files: dict[str, Stored], now: datetime) -> BackupManifest:
    versions = {name: publication.role_version(tx, name) for name in ("root", "timestamp", "snapshot")}
    highest = restoring.highest_numbers(tx)
    return BackupManifest(
        format=form.FORMAT,
        site=publication.site_code_of(tx),
        made_at=now,
        revision=revision_of(tx),
        incarnation=publication.incarnation_of(tx),
        publication=publication.publication_of(tx),
        versions=versions,
        highest=highest,
        rows=counts,
        files=files,
    )


def _copy_content(
    store: ContentStore, to: ContentStore, needed: list[str], note: Note
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Gives the shared store what it lacks. Shape: manifests that are there now, those that are not, how many files were new."""
    held, missing, new_files = [], [], 0
    for sha256 in by_quarters(sorted(needed), note):
        try:
            new_files += store.copy_to(to, store.read_manifest(sha256))
            held.append(sha256)
        except (UnavailableError, RejectedError) as error:
            missing.append(sha256)
            note(f"content {sha256[:12]} is not in this backup: {error}")
    note(f"content: {len(held)} trees, {new_files} new files")
    return tuple(held), tuple(missing), new_files


def _drop_old(to: Path, made: Path, site: SiteCode, keep: int) -> tuple[str, ...]:
    """Takes away all but the newest backups of a site, and content that no backup needs any more.

    The one that was `made` now stays, whatever names a clock that was ahead has left beside it.
    """
    others = [backup for backup in complete_in(to, site) if backup != made]
    old = others[: max(0, len(others) + 1 - keep)]
    for backup in old:
        aside = backup.with_name(backup.name + form.PARTIAL)
        os.rename(backup, aside)
        shutil.rmtree(aside)
    if old:
        needed: set[str] = set()
        for backup in complete_in(to):
            needed.update(manifest_of(backup).contents)
        _sweep(ContentStore(to / form.CONTENT), needed)
    return tuple(backup.name for backup in old)


def _sweep(content: ContentStore, needed: set[str]) -> None:
    """Takes away what lies in the shared store for no backup. Errors: RejectedError: a tree that is needed is damaged."""
    files = {stored.sha256 for sha256 in needed for stored in distinct_files(content.read_manifest(sha256))}
    for stored in list(content.walk()):
        if stored.sha256 not in (needed if stored.path.startswith("manifests/") else files):
            content.remove(stored)


def _refuse_target(site: Site, to: Path) -> None:
    """Nothing that is not a backup's own is ever removed, so no folder of others is taken for one of backups (Q256586).

    Errors: RefusedError: no folder is named, what it would lie in is not there, it and the site's folders lie in each other, or
    its content is somebody else's.
    """
    if not to.name:
        raise RefusedError("into which folder? Name one that is for backups alone")
    place = to.resolve()
    for own in (folder.resolve() for folder in site.folders()):
        if place == own or place in own.parents or own in place.parents:
            raise RefusedError(f"backups go into a folder of their own: {to} and the site's {own} lie in each other")
    if not os.path.isdir(place.parent):
        raise RefusedError(f"{place.parent} is not there, and only the last folder of {to} is made: is a disk not mounted?")
    if (to / form.CONTENT).exists() and not (to / LOCK).exists() and not complete_in(to):
        raise RefusedError(f"{to / form.CONTENT} is there, and no backup made it: name a folder that is for backups alone")


def _new_folder(to: Path, site: SiteCode, now: datetime) -> Path:
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    numbers = [number for at, number, _ in map(form.order_of, (path.name for path in complete_in(to, site))) if at == stamp]
    return to / form.name_of(site, stamp, max(numbers, default=-1) + 1)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A plain file to read: a backup may lie where others can write. Errors: OSError, also for a link, pipe or device."""
    with open(path, "rb", opener=lambda name, _: os.open(name, READ_FLAGS)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        yield file


def _measured(path: Path) -> Stored | None:
    try:
        digest = hashlib.sha256()
        with _opened(path) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        return Stored(size_bytes=path.stat().st_size, sha256=digest.hexdigest())
    except OSError:
        return None


@contextmanager
def _alone_in(to: Path) -> Iterator[None]:
    to.mkdir(mode=0o700, exist_ok=True)
    with (to / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(f"another backup into {to} is under way") from error
        yield


@contextmanager
def _translated(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"the backup cannot be written to {to}: {error.strerror or error}") from error
