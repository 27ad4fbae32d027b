"""What clients are told of a package: the database's rows as a `.pkg`."""

from sqlalchemy import Connection

from purveyor.site_server.database import compiled
from purveyor.wire import package_info
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import PackageId


def compile_package(tx: Connection, package: PackageId) -> package_info.PackageInfo | None:
    """The package as clients are to know it, or None when it was deleted.

    It names the newest source version whose content a distribution point holds: clients hear of an update when they can have it.
    """
    row = compiled.package_row(tx, package)
    if row is None:
        return None
    programs = [from_bytes(definition, package_info.Program) for definition in compiled.program_definitions(tx, package)]
    versions = compiled.verified_manifests(tx, package)
    source_version, manifest = versions[0] if versions else (int(str(row["source_version"])), row["manifest"])
    digest = str(manifest) if manifest else ""
    return package_info.PackageInfo(
        id=package,
        name=str(row["name"]),
        version=str(row["version"]),
        publisher=str(row["publisher"]),
        source_version=source_version,
        manifest=digest,
        size_bytes=compiled.manifest_size(tx, digest) if digest else 0,
        highest_program=int(str(row["highest_program"])),
        programs=tuple(programs),
    )
