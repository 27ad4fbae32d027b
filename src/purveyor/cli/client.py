"""`purveyor client …`: the agent of this machine, as its commands show it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from purveyor.cli.call import Call
from purveyor.cli.output import counted, moment
from purveyor.client import checking, running
from purveyor.client import main as agent
from purveyor.client.programs.memory.job import Job
from purveyor.wire.ids import package_id
from purveyor.wire.jobs import JobState
from purveyor.wire.shards import ClientState

_MAY_NOT = (ClientState.REFUSED, ClientState.BLOCKED, ClientState.REJOIN)
_WELL = (JobState.SUCCEEDED, JobState.RESTART_PENDING)


def join(call: Call) -> int:
    """Joins a site, and says what it answered."""
    options, output = call.arguments, call.output
    code = output.stdin.readline().strip() if options.code == "-" else options.code
    joined = agent.join(
        _folder(call),
        cap=options.cap,
        code=code,
        wait_seconds=float(options.wait),
        tell=output.say,
        name=options.name,
        credentials=Path(options.credentials) if options.credentials else None,
    )
    state = joined.standing.state
    answer = {"site": joined.site, "client": joined.client, "state": state, "reason": joined.standing.reason}
    output.done(answer, joined.words)
    match state:
        case ClientState.MEMBER | ClientState.WAITING:
            return 0
        case None:
            return 3
        case _:
            return 1


def run(call: Call) -> int:
    """Runs the agent: one pass, or until it is told to end."""
    folder, output = _folder(call), call.output
    if not call.arguments.once:
        running.become_sentinel(folder)
    made = running.run_pass(folder, is_forced=True, waits=True)
    for problem in made.problems:
        output.say(f"problem: {problem.about}: {problem.reason}")
    polled = f"polled {made.access_point}" if made.access_point else "no client access point could be reached"
    standing, words = running.standing_told(folder)
    answer = {
        "access_point": made.access_point,
        "standing": standing.state,
        "sent": made.sent,
        "problems": msgspec.to_builtins(made.problems),
    }
    output.done(answer, f"{polled}; {counted(made.sent, 'report')} sent")
    if standing.state is not ClientState.MEMBER:
        output.say(words)
    if not made.access_point:
        return 3
    return 1 if standing.state in _MAY_NOT else 0


def jobs(call: Call) -> int:
    """Lists the jobs of this machine."""
    found, output = running.jobs(_folder(call)), call.output
    output.give_list(
        [msgspec.to_builtins(job) for job in found],
        ("program", "kind", "state", "source version", "due", "ended", "exit code", "text"),
        (
            (
                str(job.key),
                job.kind,
                job.state,
                job.source_version,
                _moment(job.due_at),
                _moment(job.ended_at),
                job.exit_code,
                job.text or job.problem,
            )
            for job in found
        ),
        empty="this machine has no jobs",
    )
    return 0


def log(call: Call) -> int:
    """Shows the newest lines of the agent's log."""
    lines, output = running.log_lines(_folder(call), call.arguments.lines), call.output
    if output.is_json:
        output.give_json(lines)
    else:
        for line in lines:
            output.give(line)
    return 0


def check(call: Call) -> int:
    """Says what is well and what is not, as monitoring wants it."""
    verdict, output = checking.check(_folder(call)), call.output
    if output.is_json:
        output.give_json(
            {
                "grade": verdict.grade,
                "summary": verdict.summary,
                "findings": [
                    {"subject": one.subject, "grade": one.grade, "words": one.words, "measured": dict(one.measured)}
                    for one in verdict.findings
                ],
                "points": [msgspec.to_builtins(one) for one in verdict.points],
            }
        )
    else:
        output.give(verdict.summary)
        for one in verdict.findings:
            output.give(f"{one.grade.upper():8}  {one.subject}: {' '.join(one.words.split())}")
        for place, point in enumerate(verdict.points, start=1):
            output.give(f"{f'{place}.':8}  {_point_in_words(point)}")
    return checking.EXIT_CODES[verdict.grade]


def uninstall(call: Call) -> int:
    """Uninstalls a package from its receipts."""
    ended, output = running.uninstall(_folder(call), package_id(call.arguments.package)), call.output
    if output.is_json:
        output.give_json([msgspec.to_builtins(job) for job in ended])
    else:
        for job in ended:
            output.say(f"{job.key}: {_in_words(job)}")
    return 0 if all(job.state in _WELL for job in ended) else 1


def credentials(call: Call) -> int:
    """Takes other credentials for shares."""
    user = agent.change_credentials(_folder(call), Path(call.arguments.file))
    call.output.done({"user": user}, f"shares are used as {user} from the next pass on")
    return 0


def leave(call: Call) -> int:
    """Leaves the site."""
    folder = _folder(call)
    agent.leave(folder)
    call.output.done({"state": "left"}, f"the client in {folder} has left its site; receipts of what was installed stay")
    return 0


def _in_words(job: Job) -> str:
    reason = job.problem or job.text
    is_said = job.exit_code is None or f"exit code {job.exit_code}" in reason
    exit_code = "" if is_said else f", exit code {job.exit_code}"
    return f"uninstallation {job.state}{exit_code}" + (f": {reason}" if reason else "")


def _point_in_words(point: checking.Ordered) -> str:
    words = [point.why]
    if point.bytes_per_second is not None:
        words.append(f"{point.bytes_per_second} bytes a second")
    if point.is_last:
        words.append("served last")
    if point.left_alone_until is not None:
        words.append(f"left alone until {_moment(point.left_alone_until)}: {' '.join(point.trouble.split()) or 'behind others'}")
    if point.absent_requests:
        words.append(f"{point.absent_requests} requests for absent files")
    return f"{point.kind.upper()} {point.id + ' ' if point.id else ''}{point.url}: {', '.join(words)}"


def _moment(time: datetime | None) -> str:
    return moment(None if time is None else time.astimezone(UTC).isoformat())


def _folder(call: Call) -> Path:
    return Path(call.arguments.state)
