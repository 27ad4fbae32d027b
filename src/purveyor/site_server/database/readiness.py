"""Which packages clients could not have now, as stored: no content on any distribution point, or deleted. Read only."""

from sqlalchemy import Connection, exists, or_, select

from purveyor.site_server.database import programs, schema
from purveyor.site_server.model.readiness import Readiness
from purveyor.site_server.model.retirement import PackageState
from purveyor.wire.ids import PackageId


def read_readiness(tx: Connection) -> Readiness:
    """What stands in the way of advertisements now; the same that `publish` goes by when it leaves one out."""
    package, version, copy = schema.package, schema.source_version, schema.content_copy
    is_held = exists().where(copy.c.manifest == version.c.manifest, copy.c.state == "verified")
    can_be_had = exists().where(version.c.package == package.c.id, or_(version.c.manifest.is_(None), is_held))
    is_here = package.c.state.in_((PackageState.ACTIVE, PackageState.REMOVING))
    without_content = select(package.c.id).where(is_here, ~can_be_had)
    return Readiness(
        dependencies=programs.dependencies(tx),
        without_content=frozenset(PackageId(one) for one in tx.execute(without_content).scalars()),
        gone=frozenset(PackageId(one) for one in tx.execute(select(package.c.id).where(~is_here)).scalars()),
    )
