"""What a program may say of itself. Pure."""

import re
from collections.abc import Collection, Iterable

from purveyor.site_server.model.names import line_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import PATH_LIMIT_BYTES
from purveyor.wire.package_info import (
    AfterRun,
    Command,
    CommandRule,
    Conditions,
    DetectionRule,
    FileRule,
    IfInterrupted,
    Logon,
    OsPackageRule,
    Program,
    ProgramKey,
    Reporting,
    RunAs,
    RunsFor,
    Superseded,
    Uninstall,
)

NAME_LIMIT = 100
RUN_LIMIT_SECONDS = 7 * 86_400
DETECTION_LIMIT_SECONDS = 3600
CODE_LIMIT = 100
FILE_LIMIT = 200
DESCRIPTION_LIMIT = 1000
SUPERSEDED_LIMIT = 20
FREE_LIMIT_BYTES = 2**50
REPORTING_LIMIT = 200

_DIGEST = re.compile(r"[0-9a-f]{64}")
_OS_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]{0,199}")
_OS_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,99}")


def check_program(program: Program, content_paths: Collection[str] | None) -> None:
    """Nothing when a client can act on this program. `content_paths`: files of the package, where they are known.

    Errors: RefusedError, which says what to change.
    """
    check_run_seconds(program.max_run_seconds, RUN_LIMIT_SECONDS)
    _check_working_directory(program.working_directory)
    _check_codes(program)
    check_conditions(program.conditions)
    _check_user(program)
    _check_end(program)
    if program.uninstall is not None:
        check_uninstall(program.uninstall, content_paths)
    if program.detection is not None:
        check_detection(program.detection)
    if program.reporting is not None:
        check_reporting(program.reporting)


def warnings_of(program: Program) -> tuple[str, ...]:
    """What an administrator may not have meant by a program that can be run."""
    if program.after_run is AfterRun.RESTART and program.runs_for is RunsFor.EVERY_USER:
        return ("the machine is restarted once for every user who runs it",)
    return ()


def check_superseded(own: ProgramKey, supersedes: Collection[Superseded]) -> None:
    """Nothing when a program may say that it replaces these; whether they stand is not judged here. Errors: RefusedError."""
    if len(supersedes) > SUPERSEDED_LIMIT:
        raise RefusedError(f"{len(supersedes)} programs to replace are too many: {SUPERSEDED_LIMIT} are possible")
    keys = [one.key for one in supersedes]
    if own in keys:
        raise RefusedError(f"{own} cannot replace itself")
    for key in keys:
        if keys.count(key) > 1:
            raise RefusedError(f"{key} is replaced with its uninstallation and without: say one of them")


def check_conditions(conditions: Conditions) -> None:
    """Nothing when a machine could ever meet these. Errors: RefusedError."""
    if not 0 <= conditions.min_free_bytes <= FREE_LIMIT_BYTES:
        raise RefusedError(f"{conditions.min_free_bytes} bytes of free space are no sensible condition: 0 to {FREE_LIMIT_BYTES}")


def check_reporting(reporting: Reporting) -> None:
    """Nothing when a status MIF could be told by this. Errors: RefusedError. Source: Q268791."""
    fields = (reporting.file_name, reporting.manufacturer, reporting.product, reporting.version)
    if not any(field.strip() for field in fields):
        raise RefusedError("a status MIF of anybody would match: give its file name, or what product it is of")
    for field in fields:
        line_of(field, "a reporting field", REPORTING_LIMIT)
    if set(reporting.file_name) & set('/\\:*?"<>|') or reporting.file_name in (".", ".."):
        raise RefusedError(f"{reporting.file_name[:80]!r} is no name of a status MIF: write a file name, without a folder")


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


def _check_working_directory(path: str) -> None:
    _check_path(path, "the working directory")
    if not path.startswith("/") and ".." in path.split("/"):
        raise RefusedError(f"the working directory {path[:80]!r} leaves the package: name a folder of it, or an absolute path")


def _check_codes(program: Program) -> None:
    meanings = {"success": program.success_codes, "a restart": program.restart_codes, "another try": program.retry_codes}
    seen: dict[int, str] = {}
    for meaning, codes in meanings.items():
        for code in codes:
            if code in seen:
                raise RefusedError(f"the exit code {code} cannot mean {seen[code]} and {meaning} at once")
            seen[code] = meaning


def _check_user(program: Program) -> None:
    needs_user = program.conditions.logon is Logon.USER
    if program.run_as is RunAs.USER and not needs_user:
        raise RefusedError("to run with a user's rights it needs a user: let it run only when one is logged on (logon: user)")
    if program.runs_for is RunsFor.EVERY_USER and not needs_user:
        raise RefusedError("to run for every user it needs users: let it run only when one is logged on (logon: user)")


def _check_end(program: Program) -> None:
    if program.after_run is AfterRun.PROGRAM_RESTARTS and program.if_interrupted is IfInterrupted.RUN_AGAIN:
        raise RefusedError(
            "a program that restarts the machine itself is not seen to end: run again whenever that is so, it would restart "
            "the machine for ever; leave it (if interrupted: leave)"
        )
