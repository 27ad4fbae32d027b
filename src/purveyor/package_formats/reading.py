"""One door for all formats: which kind of file this is, by what it begins with, and the draft that its reader gives.

Errors of every reader: RejectedError, which says what is wrong with the file. Upstream: `purveyor package import`.
"""

from typing import BinaryIO

from purveyor.package_formats.deb import MAGIC as DEB_MAGIC
from purveyor.package_formats.deb import read_deb
from purveyor.package_formats.definition import DOCUMENT_MARK, version_of
from purveyor.package_formats.definition_1 import draft_of_version_1
from purveyor.package_formats.definition_2 import draft_of_version_2
from purveyor.package_formats.draft import Draft
from purveyor.package_formats.ini import SIZE_LIMIT, profile_of, text_of
from purveyor.package_formats.msi import read_msi
from purveyor.package_formats.rpm import read_rpm
from purveyor.package_formats.rpm_header import LEAD_MAGIC
from purveyor.wire.errors import RejectedError

COMPOUND_MAGIC = b"\xd0\xcf\x11\xe0"
DEFINITION_ENDINGS = (".sms", ".pdf")


def read_draft(file: BinaryIO, file_name: str, *, is_purged: bool = False) -> Draft:
    """The draft of whatever kind of package file this is. `is_purged`: uninstalling a Debian package takes its settings too.

    Errors: RejectedError.
    """
    file.seek(0)
    beginning = file.read(8)
    file.seek(0)
    if beginning == DEB_MAGIC:
        return read_deb(file, file_name, is_purged=is_purged)
    if beginning.startswith(LEAD_MAGIC):
        return read_rpm(file, file_name)
    if beginning.startswith(COMPOUND_MAGIC):
        return read_msi(file, file_name)
    if beginning.startswith(DOCUMENT_MARK):
        raise RejectedError("this is a document, not a package definition file of the same ending")
    if not file_name.casefold().endswith(DEFINITION_ENDINGS):
        raise RejectedError("this is none of the files that can be imported: .deb, .rpm, .msi, or a package definition file")
    return read_definition(file.read(SIZE_LIMIT + 1))


def read_definition(content: bytes) -> Draft:
    """The draft of a package definition file, of either version. Errors: RejectedError."""
    profile = profile_of(text_of(content))
    if version_of(profile) == 1:
        return draft_of_version_1(profile)
    return draft_of_version_2(profile)
