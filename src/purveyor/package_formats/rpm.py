"""RPM packages: the draft that follows from the main header. Pure but for the stream; payload and scripts are never looked at."""

import re
import shlex
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
from purveyor.package_formats.rpm_header import Header, main_header
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Command, OsPackageRule, Uninstall

PLATFORMS = tuple(
    f"linux/{system}"
    for system in (
        "fedora",
        "rhel",
        "centos",
        "rocky",
        "almalinux",
        "ol",
        "amzn",
        "opensuse-leap",
        "opensuse-tumbleweed",
        "sles",
        "mageia",
    )
)
"""The families that keep their packages with rpm, by the names that they give themselves in os-release."""
REQUIRES_LIMIT = 100

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_SUMMARY, _VENDOR, _ARCHITECTURE = 1004, 1011, 1022
_REQUIRED_FLAGS, _REQUIRED_NAMES, _REQUIRED_VERSIONS = 1048, 1049, 1050
_SOURCE_PACKAGE = 1106
_LESS, _GREATER, _EQUAL = 2, 4, 8
_OF_RPM_ITSELF = re.compile(r"rpmlib\(|config\(|/|rtld\(")

_NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,199}")
_VERSION_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_^]{0,99}")


def read_rpm(file: BinaryIO, file_name: str) -> Draft:
    """The draft of an RPM package. Errors: RejectedError: no RPM package that can be believed."""
    file.seek(0)
    header = main_header(file)
    if header.has(_SOURCE_PACKAGE):
        raise RejectedError("this is a source package: build it first, and import what is built")
    name, version, release = (header.text(tag) for tag in (_NAME, _VERSION, _RELEASE))
    if not _NAME_FORM.fullmatch(name) or not _VERSION_FORM.fullmatch(version) or not _VERSION_FORM.fullmatch(release):
        raise RejectedError(f"{name[:80]!r} {version[:80]!r} {release[:80]!r} is no name, version and release of an RPM package")
    architecture = one_line(header.text(_ARCHITECTURE), NAME_LIMIT)
    requires = requirements(header)
    summary = one_line(header.text(_SUMMARY), 500)
    epoch = next(iter(header.numbers(_EPOCH)), 0)
    whole_version = f"{epoch}:{version}-{release}" if epoch else f"{version}-{release}"
    return Draft(
        format=PackageFormat.RPM,
        name=one_line(name, PACKAGE_NAME_LIMIT),
        version=one_line(whole_version, NAME_LIMIT),
        publisher=one_line(header.text(_VENDOR), NAME_LIMIT),
        comment=summary,
        architecture=architecture,
        requires=requires[:REQUIRES_LIMIT],
        source_files=(file_name,),
        notes=_notes(architecture, requires, whole_version),
        programs=(
            DraftProgram(
                name="Install",
                command=_install(file_name, with_archives=bool(requires)),
                platforms=PLATFORMS,
                uninstall=Uninstall(command=Command(argv=("rpm", "-e", name))),
                detection=_detection(name, whole_version),
                description=one_line(f"{summary} ({architecture})", 500),
            ),
        ),
    )


def requirements(header: Header) -> tuple[str, ...]:
    """What must be there before, as people write it; what rpm itself and the package bring is left out."""
    names = header.texts(_REQUIRED_NAMES)
    versions = header.texts(_REQUIRED_VERSIONS)
    flags = header.numbers(_REQUIRED_FLAGS)
    found = []
    for place, name in enumerate(names):
        if _OF_RPM_ITSELF.match(name):
            continue
        version = versions[place] if place < len(versions) else ""
        flag = flags[place] if place < len(flags) else 0
        sign = ("<" if flag & _LESS else "") + (">" if flag & _GREATER else "") + ("=" if flag & _EQUAL else "")
        found.append(one_line(f"{name} {sign} {version}" if version and sign else name, 200))
    return tuple(dict.fromkeys(found))


def _install(file_name: str, *, with_archives: bool) -> Command:
    if not with_archives:
        return Command(argv=("rpm", "-U", "--replacepkgs", literal(f"./{file_name}")))
    place = shlex.quote(f"./{file_name}")
    return Command(
        shell_line=(
            f"if command -v dnf >/dev/null; then exec dnf install -y {place}; "
            f"elif command -v yum >/dev/null; then exec yum install -y {place}; "
            f"elif command -v zypper >/dev/null; then exec zypper --non-interactive install --allow-unsigned-rpm {place}; "
            f"else exec rpm -U --replacepkgs {place}; fi"
        )
    )


def _detection(name: str, whole_version: str) -> OsPackageRule:
    return OsPackageRule(name=name, at_least=whole_version if _is_comparable(whole_version) else "")


def _is_comparable(whole_version: str) -> bool:
    return "^" not in whole_version and len(whole_version) <= NAME_LIMIT


def _notes(architecture: str, requires: tuple[str, ...], whole_version: str) -> tuple[str, ...]:
    notes = []
    if architecture not in ("noarch", ""):
        notes.append(
            f"the package is for the architecture {architecture} alone: a platform does not say that, so advertise it to "
            "machines of that kind"
        )
    if requires:
        notes.append("it needs other packages: dnf, yum or zypper fetches those that are missing from the archives that it knows")
    if not _is_comparable(whole_version):
        notes.append("its version is too long for a detection rule, or has a ^ in it: any version counts as detected")
    return tuple(notes)
