"""The stable numbers of status messages. The ancestor's numbers where it had them; ours start at 10100.

A number, once published, never changes its meaning.
Source: field article numbers beside the names; `docs/status-messages.md` lists them for people.
"""

from enum import IntEnum, StrEnum


class Severity(StrEnum):
    """How much somebody should care."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class StatusId(IntEnum):
    """What a client tells, step by step."""

    POLICY_PROBLEM = 10000  # Q245170
    ADVERTISEMENT_RECEIVED = 10002  # Q277876
    PREPARATION_FAILED = 10003  # Q235205
    START_FAILED = 10004  # Q273754
    PROGRAM_STARTED = 10005  # Q292030
    FAILED_BY_EXIT_CODE = 10006  # Q283130
    FAILED_BY_RESULT_FILE = 10007  # Q283130
    SUCCEEDED_BY_EXIT_CODE = 10008  # Q272174
    SUCCEEDED_BY_RESULT_FILE = 10009  # Q272174
    UNINSTALL_STARTED = 10012  # Q316021
    UNINSTALL_FAILED_BY_EXIT_CODE = 10013  # Q316021
    UNINSTALL_FAILED_BY_RESULT_FILE = 10014  # Q316021
    UNINSTALL_SUCCEEDED_BY_EXIT_CODE = 10015  # Q316021
    UNINSTALL_SUCCEEDED_BY_RESULT_FILE = 10016  # Q316021
    PLATFORM_NOT_SUPPORTED = 10018  # Q321580
    RESTART_PENDING = 10022  # Q263700
    DOWNLOAD_STARTED = 10100
    DOWNLOAD_FINISHED = 10101
    DOWNLOAD_WAITING = 10102
    TIMED_OUT = 10103
    INTERRUPTED = 10104
    INTERRUPTED_RESOLVED = 10105
    NOT_OFFERED = 10106
    OFFERED_AGAIN = 10107
    PACKAGE_FORGOTTEN = 10108
    PROGRAM_FORGOTTEN = 10109
    STOPPED_BY_RETIREMENT = 10110
    NOT_ENOUGH_SPACE = 10111
    DEPENDENCY_FAILED = 10112
    JOB_WAITING = 10113
    REPORTS_LOST = 10114
    POINT_WITHHOLDS = 10115
    CLOCK_DIFFERS = 10116
    LEFT_SITE = 10117
    DETECTED = 10118
    NOT_DETECTED = 10119


_WARNINGS = {
    StatusId.DOWNLOAD_WAITING,
    StatusId.INTERRUPTED,
    StatusId.STOPPED_BY_RETIREMENT,
    StatusId.REPORTS_LOST,
    StatusId.POINT_WITHHOLDS,
    StatusId.CLOCK_DIFFERS,
    StatusId.NOT_DETECTED,
}
_ERRORS = {
    StatusId.POLICY_PROBLEM,
    StatusId.PREPARATION_FAILED,
    StatusId.START_FAILED,
    StatusId.FAILED_BY_EXIT_CODE,
    StatusId.FAILED_BY_RESULT_FILE,
    StatusId.UNINSTALL_FAILED_BY_EXIT_CODE,
    StatusId.UNINSTALL_FAILED_BY_RESULT_FILE,
    StatusId.PLATFORM_NOT_SUPPORTED,
    StatusId.TIMED_OUT,
    StatusId.NOT_ENOUGH_SPACE,
    StatusId.DEPENDENCY_FAILED,
}


def severity_of(status: StatusId) -> Severity:
    """The severity of a status message."""
    if status in _ERRORS:
        return Severity.ERROR
    return Severity.WARNING if status in _WARNINGS else Severity.INFORMATION
