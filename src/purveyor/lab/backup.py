"""Backups and restores in the lab: the real ones, of a whole site, into a site whose machine is new.

A backup is a folder on disk, as outside. After a restore the site has a new database, the keys and the content of the backup, and
the CAP that outlived the old machine, or an empty one under the same address. Clients and their machines notice nothing but that.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from purveyor.content.store import ContentStore
from purveyor.lab.database import LabDatabase, lend
from purveyor.lab.power import Power
from purveyor.lab.transport import MemoryBoxes
from purveyor.recovery import backup as backups
from purveyor.recovery import form, restore
from purveyor.recovery.restore import Restored
from purveyor.site_server.database.engine import Database
from purveyor.site_server.keys import open_keyring
from purveyor.site_server.site import Site
from purveyor.transport.interface import Point

BY = "the lab"


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup of a lab's site."""

    folder: Path


class Found(NamedTuple):
    """A restored site, its database as it was opened and as the lab runs it, and what the restore says."""

    site: Site
    opened: Database
    database: LabDatabase
    restored: Restored


def back_up(site: Site, to: Path, *, keep: int = 0) -> Backup:
    """A backup of a site as it is now, beside its earlier ones in the folder `to`."""
    made = backups.make(site, to, keep=keep, with_keys=True, by=BY, note=_silent)
    return Backup(made.folder)


def restored_site(
    backup: Backup, site: Site, folder: Path, *, cap: MemoryBoxes, power: Power, with_cap: bool, mirrors: Sequence[Point]
) -> Found:
    """A site restored into a new folder, in the place of one that is lost.

    `with_cap`: the boxes outlived the site's machine, and are read. Without, they are emptied first. `mirrors` are read too.
    """
    if not with_cap:
        cap.files.clear()
    opened = lend()
    database = LabDatabase(opened, power)
    restore.load_rows(backup.folder, database, _silent)
    shutil.copytree(backup.folder / form.KEYS, folder / form.KEYS)
    new = replace(
        site,
        database=database,
        keys=open_keyring(folder / form.KEYS),
        cap=cap.shelf(),
        store=ContentStore(folder / form.CONTENT),
    )
    restore.bring_content(backup.folder, new.store, new.points.values(), _silent)
    own = cap.point("the site itself") if with_cap else None
    return Found(new, opened, database, restore.renew(new, backup.folder, own=own, others=mirrors, by=BY, note=_silent))


def _silent(text: str) -> None:
    del text
