"""Windows Installer packages: the draft that follows from the table Property. Nothing in the package is run or unpacked."""

import re
from typing import BinaryIO

from purveyor.package_formats.draft import (
    NAME_LIMIT,
    PACKAGE_NAME_LIMIT,
    Draft,
    DraftProgram,
    PackageFormat,
    literal,
    one_line,
)
from purveyor.package_formats.msi_tables import properties
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Command, CommandRule, Uninstall

RESTART_CODES = (3010, 1641)
RETRY_CODES = (1618,)
"""Another installation is under way."""
UNINSTALL_KEY = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"

_PRODUCT_CODE = re.compile(r"\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
_IMPOSSIBLE_ON_WINDOWS = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$|^[-/]')


def read_msi(file: BinaryIO, file_name: str) -> Draft:
    """The draft of a Windows Installer package. Errors: RejectedError: no such package that can be believed."""
    if _IMPOSSIBLE_ON_WINDOWS.search(file_name):
        raise RejectedError(f"Windows cannot have a file that is called {file_name[:80]!r}: rename it first")
    said = properties(file)
    code = said.get("ProductCode", "").upper()
    name = one_line(said.get("ProductName", ""), PACKAGE_NAME_LIMIT)
    if not _PRODUCT_CODE.fullmatch(code) or not name:
        raise RejectedError("this is no Windows Installer package of a product: it has no ProductCode or no ProductName")
    return Draft(
        format=PackageFormat.MSI,
        name=name,
        version=one_line(said.get("ProductVersion", ""), NAME_LIMIT),
        publisher=one_line(said.get("Manufacturer", ""), NAME_LIMIT),
        comment=one_line(said.get("ARPCOMMENTS", ""), 500),
        source_files=(file_name,),
        notes=_notes(code, said.get("ALLUSERS", "")),
        programs=(
            DraftProgram(
                name="Install",
                command=_msiexec("/i", literal(file_name)),
                restart_codes=RESTART_CODES,
                retry_codes=RETRY_CODES,
                platforms=("windows",),
                uninstall=Uninstall(command=_msiexec("/x", code)),
                detection=_detection(code),
                description=one_line(said.get("ARPCOMMENTS", "") or name, 500),
            ),
        ),
    )


def _msiexec(verb: str, subject: str) -> Command:
    return Command(argv=("msiexec", verb, subject, "/qn", "/norestart"))


def _detection(code: str) -> CommandRule:
    """Looks for the product among the installed programs, of 64 and of 32 bits."""
    queries = (f'reg query "{UNINSTALL_KEY}\\{code}" /reg:{bits}' for bits in (64, 32))
    return CommandRule(command=Command(shell_line=" || ".join(queries)))


def _notes(code: str, all_users: str) -> tuple[str, ...]:
    notes = [
        f"there is no detection rule for product codes: reg query looks for {code} among the programs that are installed for all "
        "users; a newer version of the product has another code, and is not seen as this one"
    ]
    if all_users != "1":
        notes.append(
            "the package does not say that it is for all users (ALLUSERS=1): it may install for the account of the agent alone, "
            "and is then not detected; add ALLUSERS=1 to the command where the product allows it"
        )
    return tuple(notes)
