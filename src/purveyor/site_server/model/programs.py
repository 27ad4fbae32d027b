"""What a program may say of itself. Pure."""

import re
from collections.abc import Collection, Iterable

from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import PATH_LIMIT_BYTES
from purveyor.wire.package_info import Command, CommandRule, DetectionRule, FileRule, OsPackageRule, Program, Uninstall

NAME_LIMIT = 100
RUN_LIMIT_SECONDS = 7 * 86_400
DETECTION_LIMIT_SECONDS = 3600
CODE_LIMIT = 100
FILE_LIMIT = 200

_DIGEST = re.compile(r"[0-9a-f]{64}")
_OS_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]{0,199}")
_OS_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,99}")


def check_program(program: Program, content_paths: Collection[str] | None) -> None:
    """Nothing when a client can act on this program. `content_paths`: files of the package, where they are known.

    Errors: RefusedError, which says what to change.
    """
    check_run_seconds(program.max_run_seconds, RUN_LIMIT_SECONDS)
    _check_path(program.working_directory, "the working directory")
    if set(program.success_codes) & set(program.restart_codes):
        both = sorted(set(program.success_codes) & set(program.restart_codes))
        raise RefusedError(f"the exit code {both[0]} cannot mean success and restart at once")
    if program.uninstall is not None:
        check_uninstall(program.uninstall, content_paths)
    if program.detection is not None:
        check_detection(program.detection)


def check_run_seconds(seconds: int, limit: int) -> None:
    """Nothing when a program may be given so long. Errors: RefusedError."""
    if not 1 <= seconds <= limit:
        raise RefusedError(f"a run may take 1 to {limit} seconds, not {seconds}")


def exit_codes_of(codes: Iterable[int]) -> tuple[int, ...]:
    """The exit codes, each once, in the order given. Errors: RefusedError."""
    listed = tuple(dict.fromkeys(codes))
    if len(listed) > CODE_LIMIT:
        raise RefusedError(f"{len(listed)} exit codes are too many: {CODE_LIMIT} are possible")
    for code in listed:
        if not -(2**31) <= code < 2**32:
            raise RefusedError(f"{code} is no exit code of any system")
    return listed


def check_uninstall(uninstall: Uninstall, content_paths: Collection[str] | None) -> None:
    """Nothing when a client could remove the program so. Errors: RefusedError."""
    _check_command(uninstall.command, "the uninstall command")
    check_run_seconds(uninstall.max_run_seconds, RUN_LIMIT_SECONDS)
    if len(uninstall.files) > FILE_LIMIT:
        raise RefusedError(f"{len(uninstall.files)} files to keep for the uninstallation are too many: {FILE_LIMIT} are possible")
    for path in uninstall.files:
        if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path or len(path) > PATH_LIMIT_BYTES:
            raise RefusedError(f"{path[:80]!r} is no path inside the package")
        if content_paths is not None and path not in content_paths:
            raise RefusedError(f"the package has no file {path[:200]!r} to keep for the uninstallation")


def check_detection(rule: DetectionRule) -> None:
    """Nothing when a client can look for this. Errors: RefusedError."""
    match rule:
        case FileRule():
            if not rule.path.strip():
                raise RefusedError("the file by which the program is detected has no path")
            _check_path(rule.path, "the file by which the program is detected")
            if rule.sha256 and not _DIGEST.fullmatch(rule.sha256):
                raise RefusedError("the digest of the file must be a SHA-256: 64 hexadecimal digits in lower case")
        case CommandRule():
            _check_command(rule.command, "the command by which the program is detected")
            check_run_seconds(rule.max_run_seconds, DETECTION_LIMIT_SECONDS)
        case OsPackageRule():
            if not _OS_PACKAGE.fullmatch(rule.name):
                raise RefusedError(f"{rule.name[:80]!r} is no name of a package of an operating system")
            if rule.at_least and not _OS_VERSION.fullmatch(rule.at_least):
                raise RefusedError(f"{rule.at_least[:80]!r} is no version of a package of an operating system")
            _check_path(rule.root, "the root folder")
            if rule.root and not rule.root.startswith(("/", "$")):
                raise RefusedError(f"the root folder {rule.root[:80]!r} must be an absolute path")


def _check_command(command: Command, what: str) -> None:
    if bool(command.argv) == bool(command.shell_line):
        raise RefusedError(f"{what} must be words, or one shell line")


def _check_path(path: str, what: str) -> None:
    if len(path) > PATH_LIMIT_BYTES or "\0" in path or "\n" in path:
        raise RefusedError(f"{what}: {path[:80]!r} is no path")
