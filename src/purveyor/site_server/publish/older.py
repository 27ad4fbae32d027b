"""Whether the database is an older copy of what it was: then the site's own boxes show a publication that it knows nothing of.

What is signed is committed before the first byte reaches a box, so boxes are never ahead of their database, unless somebody put
an older one back: a copy of its file, a dump, a standby that had not heard all. Such a site would give ids twice, and clients
would believe none of what it publishes; so it publishes nothing, and leaves its boxes, which are the witness, as they are.
Upstream: the own CAP; downstream: the turn of publication, the audit, the start of a site.
"""

from contextlib import suppress

from sqlalchemy import Connection
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from purveyor.site_server.database import publication
from purveyor.transport.interface import Shelf
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

TIMESTAMP = "clidata.box/timestamp.json"
_ROOTS = 1024


def refuse_older_database(tx: Connection, cap: Shelf) -> None:
    """Nothing, unless the own boxes show what this site signed after all that its database knows.

    Only what verifies by the root in the database is believed; whoever can write to a box stops no site. What cannot be read says
    nothing.
    Errors: RefusedError, which names the way out.
    """
    shown = _held(cap, TIMESTAMP)
    if shown is None or shown == publication.read_role(tx, "timestamp"):
        return
    known = publication.role_version(tx, "timestamp")
    seen = max(signed_version(root, "timestamp", shown) for root in _roots(tx, cap))
    if seen > known:
        raise RefusedError(
            f"the database is an older copy: the site's own boxes show publication {seen}, which this site signed, and it knows"
            f" none after {known}. Clients would believe nothing of it, and ids be given twice: docs/backup.md says how to go on"
        )


def own_root(tx: Connection) -> Root:
    """The root in the database."""
    return Metadata[Root].from_bytes(publication.read_role(tx, "root")).signed


def _roots(tx: Connection, cap: Shelf) -> list[Root]:
    """The root in the database, and those after it that the boxes have: keys may have been replaced since."""
    roots = [own_root(tx)]
    while len(roots) < _ROOTS:
        version = roots[-1].version + 1
        content = _held(cap, f"clidata.box/{version}.root.json")
        if content is None or signed_version(roots[-1], "root", content) != version:
            break
        roots.append(Metadata[Root].from_bytes(content).signed)
    return roots


def signed_version(root: Root, role: str, content: bytes) -> int:
    """The version of a role's metadata that the root's keys for it have signed; 0 for what they have not."""
    with suppress(RepositoryError, ValueError):
        metadata = Metadata.from_bytes(content)
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        return int(metadata.signed.version)
    return 0


def _held(cap: Shelf, path: str) -> bytes | None:
    try:
        return cap.read(path)
    except (RejectedError, UnavailableError):
        return None
