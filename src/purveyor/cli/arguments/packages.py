"""`purveyor package …`."""

import argparse

from purveyor.cli.arguments.shape import Noun, add_yes

_MODULE = "purveyor.cli.packages"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    packages = root.noun("package", "software to distribute: content and programs")
    add = packages.verb(
        "add",
        f"{_MODULE}:add",
        "add a package, and print its id alone",
        more="SOURCE is a folder or a file on this machine; it is taken in, and only what the site lacks is sent.\n"
        "Without SOURCE the package has no content: its programs use what is on the machine.",
        examples=(
            "purveyor package add ./7zip --name 7-Zip --version 24.08 --publisher 'Igor Pavlov'",
            "purveyor package add --name 'Disk check'",
        ),
    )
    add.add_argument("source", metavar="SOURCE", nargs="?", help="folder or file to take in")
    add.add_argument("--name", metavar="N", required=True, help="the package's name")
    add.add_argument("--version", metavar="V", default="", help="the software's own version, for people")
    add.add_argument("--publisher", metavar="P", default="", help="who makes the software, for people")
    _add_import(packages)
    packages.verb("list", f"{_MODULE}:show_all", "list packages", examples=("purveyor package list",)).add_argument(
        "--all", action="store_true", help="also those that were deleted"
    )
    _by_id(packages, "show", "show a package and its programs", "purveyor package show S0100001")
    edit = _by_id(
        packages,
        "edit",
        "change a package's name, version or publisher",
        "purveyor package edit S0100001 --name '7-Zip (64 bit)'",
    )
    edit.add_argument("--name", metavar="N", help="the package's name")
    edit.add_argument("--version", metavar="V", help="the software's own version, for people")
    edit.add_argument("--publisher", metavar="P", help="who makes the software, for people")
    update = packages.verb(
        "update",
        f"{_MODULE}:update",
        "take in a new source version, and print its number alone",
        more="Alone it runs nothing again: only advertisements made with --each-version do, and it says how far they reach.",
        examples=("purveyor package update S0100001", "purveyor package update S0100001 ./7zip-24.09 --version 24.09"),
    )
    update.add_argument("package", metavar="ID", help="the package")
    update.add_argument(
        "source", metavar="SOURCE", nargs="?", help="folder or file to take in (default: where it was taken from last)"
    )
    update.add_argument("--version", metavar="V", help="the software's own version, for people")
    preview = _by_id(packages, "preview", "show what deleting a package would touch", "purveyor package preview S0100001")
    _add_deletion_options(preview)
    delete = _by_id(
        packages,
        "delete",
        "delete a package: machines forget it, its content goes",
        "purveyor package delete S0100001 --running finish --yes",
    )
    delete.description = (
        delete.description or ""
    ) + "\n\nWithout --yes it shows what deleting would touch, and deletes nothing (exit code 1)."
    _add_deletion_options(delete)
    add_yes(delete, "delete it")
    _by_id(packages, "retirement", "show how far the deletion of a package has come", "purveyor package retirement S0100001")


def _add_import(packages: Noun) -> None:
    parser = packages.verb(
        "import",
        "purveyor.cli.importing:import_file",
        "make a package and its programs from a package file of another system, and print its id alone",
        more="FILE is a .deb, an .rpm, an .msi, or a package definition file (.sms or .pdf, versions 1 and 2).\n"
        "Programs, uninstallation and detection come from what the file says; entries of a definition file that have no\n"
        "counterpart are kept in the programs' descriptions and shown. docs/importing.md has the tables.\n"
        "Everything is judged before the first change; what fails after that says what stands, and how to go on.",
        examples=(
            "purveyor package import ./hello_2.10-3_amd64.deb --dry-run",
            "purveyor package import ./office/off95std.pdf --name 'Office 95' --disabled",
            "purveyor package import ./definitions/viewer.sms --source ./viewer",
        ),
    )
    parser.add_argument("file", metavar="FILE", help="package file to read")
    parser.add_argument("--name", metavar="N", help="the package's name (default: what the file says)")
    parser.add_argument(
        "--source", metavar="DIR", help="for a definition file: folder to take in (default: the folder that it lies in)"
    )
    parser.add_argument("--purge", action="store_true", help="for a .deb: uninstalling it takes its settings too")
    parser.add_argument("--disabled", action="store_true", help="offer the programs to nobody until they are enabled")
    parser.add_argument("--dry-run", action="store_true", help="show what would be made, and ask no site")


def _by_id(packages: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = packages.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("package", metavar="ID", help="the package, such as S0100001")
    return parser


def _add_deletion_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--running",
        choices=("finish", "ask", "stop"),
        default="finish",
        help="what becomes of programs that run just then (default: finish)",
    )
    parser.add_argument(
        "--uninstall", action="store_true", help="first remove the software from the machines, then forget the package"
    )
    parser.add_argument("--replaced-by", metavar="ID", help="the package that takes its place, for whoever asks later")
