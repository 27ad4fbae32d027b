"""Debian packages: the outer `ar` archive, the `control` file in its inner one, and the draft that follows from it.

Only the control part is read, however large the package is; nothing is unpacked to disk and no script of it is run.
Source: deb(5), deb-control(5), Debian Policy 5.3 and 7.1.
"""

import re
from typing import BinaryIO

from purveyor.package_formats.bounded import exactly, inflated, length_of
from purveyor.package_formats.draft import (
    NAME_LIMIT,
    PACKAGE_NAME_LIMIT,
    Draft,
    DraftProgram,
    PackageFormat,
    literal,
    one_line,
)
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Command, OsPackageRule, Uninstall

MAGIC = b"!<arch>\n"
MEMBER_LIMIT = 50
CONTROL_ARCHIVE_LIMIT = 16 * 2**20
CONTROL_ARCHIVE_INFLATED_LIMIT = 32 * 2**20
CONTROL_LIMIT = 2**20
FIELD_LIMIT = 500
REQUIRES_LIMIT = 100
PLATFORMS = ("linux/debian", "linux/ubuntu")
NONINTERACTIVE = ("env", "DEBIAN_FRONTEND=noninteractive")

_HEADER_BYTES = 60
_BLOCK_BYTES = 512
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,199}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:-]{0,99}")
_FIELD = re.compile(r"([!-,.-9;-~][!-9;-~]*):(.*)")


def read_deb(file: BinaryIO, file_name: str, *, is_purged: bool = False) -> Draft:
    """The draft of a Debian package. `is_purged`: an uninstallation takes its settings too.

    Errors: RejectedError: no Debian package that can be believed.
    """
    fields = control_fields(_control_file(file))
    name, version, architecture = (_required(fields, field) for field in ("package", "version", "architecture"))
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise RejectedError(f"{name[:80]!r} {version[:80]!r} is no name and version of a Debian package")
    requires = _requires(fields)
    return Draft(
        format=PackageFormat.DEB,
        name=one_line(name, PACKAGE_NAME_LIMIT),
        version=version,
        publisher=one_line(fields.get("maintainer", "").partition("<")[0], NAME_LIMIT),
        comment=one_line(fields.get("description", "").partition("\n")[0], 500),
        architecture=one_line(architecture, NAME_LIMIT),
        requires=requires[:REQUIRES_LIMIT],
        source_files=(file_name,),
        notes=_notes(architecture, requires),
        programs=(
            DraftProgram(
                name="Install",
                command=_install(file_name, with_archives=bool(requires)),
                platforms=PLATFORMS,
                uninstall=_uninstall(name, is_purged=is_purged),
                detection=OsPackageRule(name=name, at_least=version),
                description=one_line(f"{fields.get('description', '').partition(chr(10))[0]} ({architecture})", 500),
            ),
        ),
    )


def control_fields(text: str) -> dict[str, str]:
    """The fields of the first paragraph, names in lower case; lines of a long field are kept apart.

    Errors: RejectedError: a line that is no field, a field that stands twice.
    """
    fields: dict[str, list[str]] = {}
    current = ""
    for line in text.lstrip("\n").split("\n"):
        if not line.strip():
            break
        if line.startswith("#"):
            continue
        if line[0] in " \t":
            if not current:
                raise RejectedError("the control file begins with the middle of a field")
            fields[current].append(line.strip())
            continue
        found = _FIELD.fullmatch(line)
        if not found:
            raise RejectedError(f"the control file has a line that is no field: {line[:80]!r}")
        current = found[1].lower()
        if current in fields or len(fields) >= FIELD_LIMIT:
            raise RejectedError(f"the control file has the field {found[1][:80]!r} twice, or too many fields")
        fields[current] = [found[2].strip()]
    return {name: "\n".join(lines) for name, lines in fields.items()}


def _control_file(file: BinaryIO) -> str:
    archive, kind = _control_archive(file)
    content = _member_named_control(inflated(archive, kind, CONTROL_ARCHIVE_INFLATED_LIMIT))
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _control_archive(file: BinaryIO) -> tuple[bytes, str]:
    """The inner archive with the control file, and how it is compressed. Source: deb(5), ar(5)."""
    total = length_of(file)
    if exactly(file, len(MAGIC), "its first line") != MAGIC:
        raise RejectedError("this is no Debian package: it is no ar archive")
    for place in range(MEMBER_LIMIT):
        header = exactly(file, _HEADER_BYTES, "an archive member's header")
        name = header[:16].decode("latin-1").rstrip().removesuffix("/")
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            raise RejectedError("this is no Debian package: an archive member has no proper header")
        size = int(digits)
        start = file.tell()
        if size > total - start:
            raise RejectedError(f"the file ends in the middle of its member {name!r}")
        if place == 0 and (name != "debian-binary" or size > 100 or not exactly(file, size, "its version").startswith(b"2.")):
            raise RejectedError("this is no Debian package of format 2")
        if name.startswith("control.tar"):
            if size > CONTROL_ARCHIVE_LIMIT:
                raise RejectedError(f"its control part has {size} bytes, more than the {CONTROL_ARCHIVE_LIMIT} that are read")
            return exactly(file, size, "its control part"), name.removeprefix("control.tar")
        file.seek(start + size + size % 2)
    raise RejectedError("this is no Debian package: it has no control part")


def _member_named_control(archive: bytes) -> bytes:
    """The file `control` in a tar archive. Source: POSIX.1-2017, pax, ustar interchange format."""
    place = 0
    while place + _BLOCK_BYTES <= len(archive):
        block = archive[place : place + _BLOCK_BYTES]
        name = block[:100].partition(b"\0")[0].removeprefix(b"./")
        size = _octal(block[124:136])
        place += _BLOCK_BYTES
        if name == b"control" and block[156:157] in (b"0", b"\0"):
            if size > CONTROL_LIMIT or place + size > len(archive):
                raise RejectedError("its control file is too large, or cut off")
            return archive[place : place + size]
        place += -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
    raise RejectedError("this is no Debian package: its control part has no control file")


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits:
        return 0
    try:
        size = int(digits, 8)
    except ValueError as error:
        raise RejectedError("its control part is no tar archive") from error
    if size < 0:
        raise RejectedError("its control part is no tar archive")
    return size


def _required(fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise RejectedError(f"the control file has no field {name.capitalize()}")
    return fields[name]


def _requires(fields: dict[str, str]) -> tuple[str, ...]:
    """What must be installed before, as the file says it."""
    listed = ",".join(fields[field] for field in ("pre-depends", "depends") if fields.get(field))
    return tuple(one for part in listed.split(",") if (one := one_line(part, 200)))


def _install(file_name: str, *, with_archives: bool) -> Command:
    place = literal(f"./{file_name}")
    if not with_archives:
        return Command(argv=(*NONINTERACTIVE, "dpkg", "--force-confdef", "--force-confold", "-i", place))
    options = ("Dpkg::Options::=--force-confdef", "Dpkg::Options::=--force-confold", "DPkg::Lock::Timeout=300")
    words = tuple(word for option in options for word in ("-o", option))
    return Command(argv=(*NONINTERACTIVE, "apt-get", "install", "-y", *words, place))


def _uninstall(name: str, *, is_purged: bool) -> Uninstall:
    return Uninstall(command=Command(argv=(*NONINTERACTIVE, "dpkg", "--purge" if is_purged else "--remove", name)))


def _notes(architecture: str, requires: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if architecture != "all":
        notes.append(
            f"the package is for the architecture {one_line(architecture, 80)} alone: a platform does not say that, so advertise "
            "it to machines of that kind"
        )
    if requires:
        notes.append("it needs other packages: apt-get fetches those that are missing from the archives that the machine knows")
    notes.append("platforms are Debian and Ubuntu; add others that are made from them with: purveyor program edit … --platform")
    return tuple(notes)
