"""Where a site is restored to: an empty folder, what outlived the machine of the old one, or over the old site itself.

What is there is kept or moved aside, never overwritten: keys are added, the old database is renamed. While a restore is under way
its mark lies in the folder, and no site runs there; a restore that was broken off is begun again from the backup.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from purveyor.recovery import form, restore
from purveyor.recovery.backup import manifest_of
from purveyor.recovery.form import BackupManifest
from purveyor.site_server.database import publication
from purveyor.site_server.database.engine import open_database
from purveyor.site_server.site import (
    DATABASE_FILE,
    SETTINGS_FILE,
    UNFINISHED,
    Site,
    open_site,
    running_alone,
    write_settings,
    written_in,
)
from purveyor.transport.durable import make_durable, replace_whole
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.errors import RefusedError, UnavailableError

Note = Callable[[str], None]
_OUTLIVES = ("content", "rejected", "lock", UNFINISHED)
"""What may lie in a folder that is restored into without --replace, beside CAP and DP: all of it is added to."""


@contextmanager
def laid_out(
    backup: Path, folder: Path, *, database_url: str, keys_from: Path | None, is_replacing: bool, now: datetime, note: Note
) -> Iterator[Site]:
    """The site of a backup's rows, with its keys and content, in a folder; complete once the caller is done with it.

    Errors: RefusedError: the backup is none, is damaged or has no keys, something is in the way and `is_replacing` was not
    said, a site runs there, or the database belongs to another site; UnavailableError: the folder cannot be made.
    """
    manifest = manifest_of(backup)
    keys = keys_from or (backup / form.KEYS if manifest.has_keys else None)
    if keys is None:
        raise RefusedError(f"{backup} was made without keys: name the folder that has them with --keys")
    if not any(keys.glob("*.key")):
        raise RefusedError(f"{keys} holds no keys")
    _check_free(folder, manifest, is_replacing=is_replacing)
    restore.refuse_damaged(backup)  # before the first change: a site that stands is not given up for it
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"the folder {folder} cannot be made: {error.strerror}") from error
    with running_alone(folder):
        mark = folder / UNFINISHED
        mark.touch(mode=0o600)
        make_durable(str(folder), [str(mark)])
        _bring_keys(keys, folder, note)
        _bring_rows(backup, folder, manifest, database_url, is_replacing=is_replacing, now=now, note=note)
        write_settings(folder, manifest.site, database_url)
        site = open_site(folder, is_restoring=True)
        try:
            count = restore.bring_content(backup, site.store, site.points.values(), note)
            note(f"content: {count} trees")
            yield site
        finally:
            site.database.dispose()
        mark.unlink()
        make_durable(str(folder), [str(folder / SETTINGS_FILE)])


def _check_free(folder: Path, manifest: BackupManifest, *, is_replacing: bool) -> None:
    written = written_in(folder)
    if written is not None and written[0] != manifest.site:
        raise RefusedError(
            f"{folder} is the folder of the site {written[0]}, the backup is of {manifest.site}: name another folder"
        )
    allowed = {*_OUTLIVES, cap_folder(manifest.site), dp_folder(manifest.site)}
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    in_the_way = [name for name in found if name not in allowed]
    if in_the_way and not is_replacing and UNFINISHED not in found:
        raise RefusedError(
            f"{folder} has {in_the_way[0]} in it: restore into an empty folder, or into one with nothing but what outlived the "
            "site (CAP, DP, content), or say --replace"
        )


def _bring_keys(keys: Path, folder: Path, note: Note) -> None:
    """Adds keys, and the token among or beside them, that do not lie in the folder yet: what is there is as new or newer."""
    target = folder / "keys"
    target.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(keys.glob("*.key")):
        if not (target / path.name).exists():
            replace_whole(target / path.name, path.read_bytes())
    if (folder / form.TOKEN).exists():
        return
    tokens = [place / form.TOKEN for place in (keys, keys.parent) if (place / form.TOKEN).is_file()]
    if tokens:
        replace_whole(folder / form.TOKEN, tokens[0].read_bytes())
    else:
        note(f"{form.TOKEN} is neither among the keys nor beside them: only who has a token of his own can administer this site")


def _bring_rows(
    backup: Path, folder: Path, manifest: BackupManifest, database_url: str, *, is_replacing: bool, now: datetime, note: Note
) -> None:
    if not database_url:
        _move_aside(folder, now, note)
    url = database_url or f"sqlite:///{(folder / DATABASE_FILE).resolve()}"
    with open_database(url) as database:
        database.migrate()
        with database.read() as tx:
            code = publication.site_code_of(tx) if publication.has_site(tx) else None
        if code is not None and code != manifest.site:
            raise RefusedError(f"this database belongs to the site {code}, the backup to {manifest.site}")
        if code is not None and not is_replacing:
            raise RefusedError(f"this database has the site {code} in it already: say --replace to put the backup in its place")
        restore.load_rows(backup, database, note)
    if not database_url:
        (folder / DATABASE_FILE).chmod(0o600)


def _move_aside(folder: Path, now: datetime, note: Note) -> None:
    """Renames an old SQLite database with all that belongs to it."""
    if not (folder / DATABASE_FILE).exists():
        return
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    for ending in ("-shm", "-wal", ""):
        path = folder / f"{DATABASE_FILE}{ending}"
        if path.exists():
            os.rename(path, folder / f"{DATABASE_FILE}.before-{stamp}{ending}")
    note(f"the old database is kept as {DATABASE_FILE}.before-{stamp}")
