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


FIRST, LAST = 10_000, 99_999
"""Numbers of status messages, now and in releases to come."""


class StatusId(IntEnum):
    """What a client tells, step by step; from POINT_FAILS on, what the site tells of its points."""

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
    DETECTED = 10118
    NOT_DETECTED = 10119
    CANCELLED = 10120
    STOPPED = 10121
    REQUEST_TOO_LATE = 10122
    REQUEST_REFUSED = 10123
    RUN_AGAIN_ACCEPTED = 10124
    ALREADY_THERE = 10125
    DRIFTED = 10126
    POSTPONED = 10127
    RETRY_LATER = 10128
    SUPERSEDED = 10129
    RESTART_POSTPONED = 10130
    RESTARTING = 10131
    ASKED_BY_USER = 10132
    NOT_OFFERED_ANY_MORE = 10133
    WENT_BACK = 10134
    CLONED = 10135
    CAME_WITH_IMAGE = 10136
    JOINED_AGAIN = 10137
    AGENT_CHANGED = 10138  # Q256125
    ITEM_UNREADABLE = 10139
    POINT_UNPINNED = 10140
    SITE_ELSEWHERE = 10141
    POINT_FAILS = 10142
    POINT_FULL = 10143
    POINT_READ_ONLY = 10144
    POINT_FOREIGN = 10145
    POINT_BACK = 10146
    POINT_DRAINED = 10147
    POINT_EMPTIED = 10148

    @classmethod
    def _missing_(cls, value: object) -> "StatusId | None":
        """A number that a newer agent knows and this release does not: kept as the number that it is."""
        if not isinstance(value, int) or not FIRST <= value <= LAST:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_, unknown._value_ = f"UNKNOWN_{value}", value
        return unknown


_WARNINGS = {
    StatusId.DOWNLOAD_WAITING,
    StatusId.INTERRUPTED,
    StatusId.STOPPED_BY_RETIREMENT,
    StatusId.REPORTS_LOST,
    StatusId.POINT_WITHHOLDS,
    StatusId.POINT_UNPINNED,
    StatusId.CLOCK_DIFFERS,
    StatusId.ITEM_UNREADABLE,
    StatusId.NOT_DETECTED,
    StatusId.STOPPED,
    StatusId.REQUEST_REFUSED,
    StatusId.DRIFTED,
    StatusId.WENT_BACK,
    StatusId.CLONED,
    StatusId.POINT_FAILS,
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
    StatusId.SITE_ELSEWHERE,
    StatusId.POINT_FULL,
    StatusId.POINT_READ_ONLY,
    StatusId.POINT_FOREIGN,
}


def severity_of(status: StatusId) -> Severity:
    """The severity of a status message."""
    if status in _ERRORS:
        return Severity.ERROR
    return Severity.WARNING if status in _WARNINGS else Severity.INFORMATION


MEANINGS: dict[StatusId, str] = {
    StatusId.POLICY_PROBLEM: "Something that the site published could not be read or believed here; everything else goes on.",
    StatusId.ADVERTISEMENT_RECEIVED: "An advertisement reached this client and became a job.",
    StatusId.PREPARATION_FAILED: "The run could not be prepared: its content was not laid out, or its working folder is missing.",
    StatusId.START_FAILED: "The program could not be started: there is no such command, or it may not be run.",
    StatusId.PROGRAM_STARTED: "The program was started.",
    StatusId.FAILED_BY_EXIT_CODE: "The program ended with an exit code that does not mean success.",
    StatusId.FAILED_BY_RESULT_FILE: "The program said in its result file that it failed.",
    StatusId.SUCCEEDED_BY_EXIT_CODE: "The program ended with an exit code that means success.",
    StatusId.SUCCEEDED_BY_RESULT_FILE: "The program said in its result file that it succeeded.",
    StatusId.UNINSTALL_STARTED: "The uninstall program was started.",
    StatusId.UNINSTALL_FAILED_BY_EXIT_CODE: "The uninstall program ended with an exit code that does not mean success.",
    StatusId.UNINSTALL_FAILED_BY_RESULT_FILE: "The uninstall program said in its result file that it failed.",
    StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE: "The uninstall program ended with an exit code that means success.",
    StatusId.UNINSTALL_SUCCEEDED_BY_RESULT_FILE: "The uninstall program said in its result file that it succeeded.",
    StatusId.PLATFORM_NOT_SUPPORTED: "The program is not for this platform; it is not run here.",
    StatusId.RESTART_PENDING: "The program succeeded and asks for a restart; success counts once the machine has restarted.",
    StatusId.DOWNLOAD_STARTED: "The client began to fetch the content of a package.",
    StatusId.DOWNLOAD_FINISHED: "All content is here and verified.",
    StatusId.DOWNLOAD_WAITING: "No distribution point has the content now, or none can be reached. It is tried again.",
    StatusId.TIMED_OUT: "The program did not end in its time; its whole process tree was ended.",
    StatusId.INTERRUPTED: "Nobody can tell how a run ended: the power failed, or whatever watched it was killed.",
    StatusId.INTERRUPTED_RESOLVED: "How an interrupted run ended was found out afterwards, by its result file or by detection.",
    StatusId.NOT_OFFERED: "The program is not offered now. The job is held as it is, and nothing is forgotten.",
    StatusId.OFFERED_AGAIN: "The program is offered again; the held job goes on.",
    StatusId.PACKAGE_FORGOTTEN: "The package was proven deleted: its jobs, records and cached files are gone from this client.",
    StatusId.PROGRAM_FORGOTTEN: "The program was proven deleted: its jobs and records are gone from this client.",
    StatusId.STOPPED_BY_RETIREMENT: "A run was ended because its package was deleted, and whoever deleted it asked for that.",
    StatusId.NOT_ENOUGH_SPACE: "There is not enough free space for the content; the text says how much is needed.",
    StatusId.DEPENDENCY_FAILED: "A program that this one depends on failed, so this one is not run.",
    StatusId.JOB_WAITING: "The job waits; its cause says for what.",
    StatusId.REPORTS_LOST: "Reports were lost; the text says how many. Results of runs are the last to be dropped.",
    StatusId.POINT_WITHHOLDS: "An access point keeps newer publications back.",
    StatusId.CLOCK_DIFFERS: "A new timestamp reads as expired: the clock here is ahead, or the site was away.",
    StatusId.DETECTED: "What the program installs was found on this machine by its detection rule.",
    StatusId.NOT_DETECTED: "The program reported success, but its detection rule does not find what it installs.",
    StatusId.CANCELLED: "An administrator cancelled the run before it began.",
    StatusId.STOPPED: "The run was ended because an administrator asked for that.",
    StatusId.REQUEST_TOO_LATE: "What an administrator asked for came too late; the text says why.",
    StatusId.REQUEST_REFUSED: "What an administrator asked for is not possible on this client; the text says why.",
    StatusId.RUN_AGAIN_ACCEPTED: "The program will be run again, as an administrator asked.",
    StatusId.ALREADY_THERE: "What the program installs was there already, so it was not run.",
    StatusId.DRIFTED: "What the program installed earlier is not there any more.",
    StatusId.POSTPONED: "A user put the run off; the text says who, and until when.",
    StatusId.RETRY_LATER: "The program ended with an exit code that means: not now. It is started again later.",
    StatusId.SUPERSEDED: "Another program replaces this one on this client, so it is not run.",
    StatusId.RESTART_POSTPONED: "A user put a restart off; the text says who, and until when.",
    StatusId.RESTARTING: "The machine is restarted now, as a program needs it.",
    StatusId.ASKED_BY_USER: "A user asked for the run, now or at a chosen time.",
    StatusId.NOT_OFFERED_ANY_MORE: "No advertisement of the program reaches this client any more, so it is uninstalled.",
    StatusId.WENT_BACK: "The site has later reports of this client than it remembers: the machine went back to an older copy of "
    "itself, or another machine uses its identity. What it does not remember is decided anew, by records and detection.",
    StatusId.CLONED: "Two machines or more used this client's identity. One keeps it; the others were told to join again.",
    StatusId.CAME_WITH_IMAGE: "The program was not run by this client: the record of it came with the image of another one.",
    StatusId.JOINED_AGAIN: "This machine came with the identity of another client, and joined as one of its own.",
    StatusId.ITEM_UNREADABLE: "The site could not read what this client sent, perhaps as its agent is newer than the site.",
    StatusId.POINT_UNPINNED: "An access point shows a key over HTTPS that the site has not named; nothing is sent there.",
    StatusId.SITE_ELSEWHERE: "The client follows this site as restored elsewhere: two sites run with the same keys; stop one.",
    StatusId.POINT_FAILS: "The site's turns at this point fail, twice in a row at least; the text says why. It goes on trying.",
    StatusId.POINT_FULL: "There is no room left at this point for what the site writes there.",
    StatusId.POINT_READ_ONLY: "This point can be read, and the site may not write there any more.",
    StatusId.POINT_FOREIGN: "The boxes or the content of another site lie at this point; nothing is written there.",
    StatusId.POINT_BACK: "The site's turns at this point go well again.",
    StatusId.POINT_DRAINED: "This point drains, and for so long nothing has come there that it may be removed.",
    StatusId.POINT_EMPTIED: "What the site had put at this point is taken away; the text says what else lies there.",
    StatusId.AGENT_CHANGED: "The agent of this client was replaced by another version; the text names both.",
}
"""What each means, in a sentence for people; `docs/status-messages.md` is written from it."""
