"""Finds out whether something is there: a file, what a command says, a package of the operating system.

Says yes or no only when it knows; whatever keeps it from knowing is an UnavailableError, never a no (Q321580).
"""

import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest

from purveyor.client.machine.system_commands import ENVIRONMENT, asked, is_installed
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Command, CommandRule, DetectionRule, FileRule, OsPackageRule

QUERY_SECONDS = 60
PIECE_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:-]*")
_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def is_detected(rule: DetectionRule) -> bool:
    """Whether what the rule describes is there now. Errors: UnavailableError."""
    match rule:
        case FileRule(path=path, sha256=sha256):
            return _is_file_there(path, sha256)
        case CommandRule(command=command, max_run_seconds=seconds):
            return _exit_code(words_of(command), seconds) == 0
        case OsPackageRule(name=name, at_least=at_least, root=root):
            return _is_package_there(name, at_least, root)


def words_of(command: Command) -> list[str]:
    """The words to start a command with. Errors: UnavailableError when it is empty."""
    words = ["/bin/sh", "-c", command.shell_line] if command.shell_line else list(command.argv)
    if not words or not words[0]:
        raise UnavailableError("the command of this detection rule is empty")
    return words


def compared_rpm_packages(one: str, other: str) -> int:
    """As `compared_rpm_versions`, of `EPOCH:VERSION-RELEASE`: no epoch is 0, and a release counts where both have one."""
    (epoch, version, release), (other_epoch, other_version, other_release) = _parts_of(one), _parts_of(other)
    if epoch != other_epoch:
        return 1 if epoch > other_epoch else -1
    order = compared_rpm_versions(version, other_version)
    return compared_rpm_versions(release, other_release) if order == 0 and release and other_release else order


def compared_rpm_versions(one: str, other: str) -> int:
    """Less than, equal to or more than 0, as rpm orders two versions. Source: rpmvercmp in rpm's rpmio/rpmvercmp.c."""
    for left, right in zip_longest(_SEGMENT.findall(one), _SEGMENT.findall(other)):
        if left == right:
            continue
        if "~" in (left, right):
            return -1 if left == "~" else 1
        if left is None or right is None:
            return 1 if right is None else -1
        if "^" in (left, right):
            return -1 if left == "^" else 1
        if left.isdigit() != right.isdigit():
            return 1 if left.isdigit() else -1
        if left.isdigit() and int(left) == int(right):
            continue
        if left.isdigit():
            return 1 if int(left) > int(right) else -1
        return 1 if left > right else -1
    return 0


def _parts_of(whole: str) -> tuple[int, str, str]:
    epoch, colon, rest = whole.partition(":") if ":" in whole else ("", "", whole)
    version, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return (int(epoch) if colon and epoch.isascii() and epoch.isdigit() else 0), version, release


def _is_file_there(path: str, sha256: str) -> bool:
    try:
        if not sha256:
            os.stat(path)
            return True
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest() == sha256.lower()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except IsADirectoryError:
        return False
    except (OSError, ValueError) as error:
        raise UnavailableError(f"whether {path} is there cannot be seen: {error}") from error


def _is_package_there(name: str, at_least: str, root: str) -> bool:
    if not _NAME.fullmatch(name):
        raise UnavailableError(f"{name!r} is no name of a package of the operating system")
    if is_installed("dpkg-query"):
        version = _dpkg_version(name, root)
        if version is None or not at_least:
            return version is not None
        return _exit_code(["dpkg", "--compare-versions", version, "ge", at_least], QUERY_SECONDS) == 0
    if is_installed("rpm"):
        versions = _rpm_versions(name, root)
        return any(not at_least or compared_rpm_packages(version, at_least) >= 0 for version in versions)
    raise UnavailableError("this machine has neither dpkg nor rpm to ask for its packages")


def _dpkg_version(name: str, root: str) -> str | None:
    place = [f"--root={root}"] if root else []
    code, output = asked(["dpkg-query", *place, "-W", "-f", "${db:Status-Status} ${Version}\\n", name], seconds=QUERY_SECONDS)
    if code == 1:
        return None  # documented: no such package
    if code != 0:
        raise UnavailableError(f"dpkg-query ended with {code}")
    installed = [line.partition(" ")[2] for line in output.splitlines() if line.startswith("installed ")]
    return installed[0] if installed else None


def _rpm_versions(name: str, root: str) -> list[str]:
    """All that are installed: of a kernel there may be several."""
    place = ["--root", root] if root else []
    code, output = asked(["rpm", *place, "-q", "--qf", "%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n", name], seconds=QUERY_SECONDS)
    return output.splitlines() if code == 0 else []


def _exit_code(words: Sequence[str], seconds: int) -> int:
    """The exit code of a command that is given so long; whatever it started goes with it."""
    try:
        started = subprocess.Popen(
            words,
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{words[0]} cannot be started: {error}") from error
    try:
        return started.wait(timeout=max(1, seconds))
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{words[0]} did not end within {seconds} seconds") from error
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
