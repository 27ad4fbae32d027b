"""What a backup is on disk: one folder, complete from the moment in which it has its name, and the content that backups share.

    DIR/S01-20260105T080000Z/manifest.json    what this backup holds, with digests; written last
    DIR/S01-20260105T080000Z/rows/<table>.gz  the rows of each table, a line of JSON each, the names of its columns first
    DIR/S01-20260105T080000Z/keys/            private keys and the administrator's token, unless they were left out
    DIR/content/                              a content store: each file once, however many backups need it

Pure.
"""

import re
from pathlib import PurePosixPath

import msgspec

from purveyor.content.verify import checked_digest
from purveyor.site_server.database import row_files
from purveyor.site_server.database.row_files import Stored
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant
from purveyor.wire.ids import SiteCode

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_LIMIT_BYTES = 64 * 2**20
CONTENT = "content"
ROWS = row_files.FOLDER
KEYS, TOKEN = "keys", "admin.token"
PARTIAL = ".partial"
NUMBERS = "numbers.json"
"""Beside the backups: the highest numbers that any site restored from here has begun with."""

_NAME = re.compile(r"[A-Z0-9]{3}-\d{8}T\d{6}Z(?:-\d{1,9})?")


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one backup holds. Shape: `rows` by table, `files` by path, `versions` of root, timestamp and snapshot."""

    format: int
    site: SiteCode
    made_at: Instant
    revision: str
    """Of the tables: which release can read them."""
    incarnation: int
    publication: int
    versions: dict[str, int]
    highest: dict[str, int]
    rows: dict[str, int]
    files: dict[str, Stored]
    contents: tuple[str, ...] = ()
    """Hashes of the content manifests whose files are in the shared store."""
    missing: tuple[str, ...] = ()
    """Of content that the site itself did not have, or had damaged."""
    has_keys: bool = True


def name_of(site: SiteCode, made_at: str, number: int) -> str:
    """The name of a backup's folder; the second one of a second has a number."""
    return f"{site}-{made_at}" + (f"-{number}" if number else "")


def order_of(name: str) -> tuple[str, int, str]:
    """What backups are ordered by: when they were made, which of that second, whose."""
    site, made_at, *number = name.split("-")
    return made_at, int(number[0]) if number else 0, site


def is_backup_name(name: str, site: SiteCode | None = None) -> bool:
    """Whether a folder of this name is a complete backup, of this site where one is named."""
    return bool(_NAME.fullmatch(name)) and (site is None or name.startswith(f"{site}-"))


def read_manifest(content: bytes) -> BackupManifest:
    """The manifest in a file. Errors: RejectedError: none, of another format, or one whose paths leave the backup."""
    try:
        manifest = msgspec.json.decode(content, type=BackupManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(f"this is no manifest of a backup: {error}") from error
    if manifest.format != FORMAT:
        raise RejectedError(f"this backup has the format {manifest.format}; this release reads {FORMAT}")
    for path in manifest.files:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or len(parts) != 2 or parts[0] not in (ROWS, KEYS):
            raise RejectedError(f"the manifest of this backup names {path[:120]!r}, which can be no file of a backup")
    for sha256 in manifest.contents:
        checked_digest(sha256)
    return manifest
