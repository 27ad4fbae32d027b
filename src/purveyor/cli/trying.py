"""`purveyor program test …`: what the site says of a program, tried on this machine."""

import shlex
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output
from purveyor.cli.references import named
from purveyor.cli.rest import rest_of, segment
from purveyor.client import trying
from purveyor.client.machine.disk import RealDisk
from purveyor.client.machine.interface import RUNS
from purveyor.client.trying import Ran, SourcePoint, Trial, Verdict
from purveyor.content.take_in import TakenIn, take_in
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import PackageId, ProgramNumber, SiteCode
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import DEFAULT_RUN_SECONDS, Command, Conditions, PackageInfo, Program
from purveyor.wire.reports import StatusMessage

NOBODY = SiteCode("000")
"""The site of a program that no site knows yet."""
_OF_PROGRAM = frozenset(Program.__struct_fields__)
_NOT_TRIED = ("depends_on", "supersedes")
_WORDS: Mapping[JobState, str] = {
    JobState.SUCCEEDED: "it succeeded",
    JobState.RESTART_PENDING: "it succeeded, and the machine has to restart; nothing was restarted",
    JobState.FAILED: "it failed",
    JobState.TIMED_OUT: "it did not end in its time",
    JobState.INTERRUPTED: "nobody saw it end",
    JobState.REFUSED: "it is not for this machine",
}
_NOT_RUN = "it was not brought to an end now; an agent would go on later"


def test(call: Call) -> int:
    """Tries a program, and says what came of it."""
    options, output = call.arguments, call.output
    trial = _trial(call)
    with _folder(options) as folder:
        verdict = trying.tried(trial, folder, keeps=options.keep, tell=lambda message: output.say(_told(message)))
    if output.is_json:
        output.give_json(_as_json(trial, verdict))
    else:
        _show(output, trial, verdict)
    if verdict.run.state is JobState.DOWNLOADING:
        raise UnavailableError(f"the content cannot be fetched: {verdict.run.text}")
    return 0 if verdict.is_success else 1


def program_of(row: Mapping[str, Any]) -> Program:
    """The program in what the API shows of it; what it depends on and what it replaces are left out.

    Errors: RejectedError: the site shows programs in a form that is not known here.
    """
    said = {name: value for name, value in row.items() if name in _OF_PROGRAM and name not in _NOT_TRIED and value is not None}
    try:
        said["command"] = {"argv": row["argv"], "shell_line": row["shell_line"]}
        if row["uninstall"] is not None:
            uninstall = dict(row["uninstall"])
            said["uninstall"] = uninstall | {"command": {part: uninstall.pop(part) for part in ("argv", "shell_line")}}
        return msgspec.convert(said, Program)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise RejectedError(f"what the site says of this program cannot be read here: {error}") from error


def _trial(call: Call) -> Trial:
    options = call.arguments
    is_unknown = options.command is not None
    if is_unknown == bool(options.package) or (not is_unknown and not options.program) or (options.shell and not is_unknown):
        raise UsageError("name PACKAGE and PROGRAM, or a command line with --command, which may have --shell")
    taken_in = None if options.source is None else take_in(Path(options.source).absolute())
    trial = _unknown(options) if is_unknown else _known(call)
    program = trial.program
    if options.anyway:
        program = msgspec.structs.replace(program, conditions=Conditions())
    if options.max_run is not None:
        program = msgspec.structs.replace(program, max_run_seconds=options.max_run)
    if options.uninstall and program.uninstall is None:
        raise RefusedError(f"{program.name} has no uninstall command: add one with purveyor program edit … --uninstall-command")
    trial = msgspec.structs.replace(trial, program=program, is_uninstalled=options.uninstall)
    return trial if taken_in is None else _with_source(trial, taken_in)


def _with_source(trial: Trial, taken_in: TakenIn) -> Trial:
    package = msgspec.structs.replace(
        trial.package,
        manifest=taken_in.sha256,
        size_bytes=taken_in.manifest.size_bytes,
        source_version=trial.package.source_version + 1,
    )
    return msgspec.structs.replace(trial, package=package, point=SourcePoint(taken_in))


def _unknown(options: Namespace) -> Trial:
    """A command line that no site knows. Errors: UsageError: a quote in it is not closed, or it is empty."""
    try:
        command = Command(shell_line=options.command) if options.shell else Command(argv=tuple(shlex.split(options.command)))
    except ValueError as error:
        raise UsageError(f"the command line cannot be read: {error}") from error
    if not options.command.strip():
        raise UsageError("the command line is empty")
    program = Program(number=ProgramNumber(1), name="test", command=command, max_run_seconds=DEFAULT_RUN_SECONDS)
    return Trial(site=NOBODY, package=PackageInfo(id=PackageId(f"{NOBODY}00001"), name="test", source_version=0), program=program)


def _known(call: Call) -> Trial:
    """A program as the site has it, with the site's own distribution point."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    listing = f"/packages/{segment(options.package)}/programs"
    package = rest.get(f"/packages/{segment(options.package)}")
    row = rest.get(f"{listing}/{named(rest, listing, options.program, key='number')}")
    for part, what in (("depends_on", "runs after"), ("supersedes", "replaces")):
        if row.get(part):
            output.say(f"note: an agent {what} other programs first ({row[part]}); here this one is run alone")
    info = PackageInfo(
        id=PackageId(package["id"]),
        name=package["name"],
        source_version=package["source_version"],
        version=package["version"] or "",
        publisher=package["publisher"] or "",
        manifest=package["manifest"] or "",
        size_bytes=package["size_bytes"] or 0,
    )
    point = rest.distribution_point() if info.manifest else None
    return Trial(site=SiteCode(info.id[:3]), package=info, program=program_of(row), point=point)


@contextmanager
def _folder(options: Namespace) -> Iterator[Path]:
    """A new folder for one trial, gone afterwards unless it is to be kept. Errors: RefusedError, OSError."""
    if options.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="purveyor-test-"))
    else:
        folder = Path(options.folder).absolute()
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise RefusedError(f"{folder} is there already: name a folder that is to be made") from error
    try:
        yield folder
    finally:
        if not options.keep:
            disk = RealDisk(folder)
            for name in disk.names(RUNS):
                disk.remove(f"{RUNS}/{name}")
            shutil.rmtree(folder)


def _told(message: StatusMessage) -> str:
    return f"{message.id.value} {message.id.name.lower().replace('_', ' ')}: {message.text}"


def _show(output: Output, trial: Trial, verdict: Verdict) -> None:
    run, rule = verdict.run, trial.program.detection
    fields: list[tuple[str, object]] = [
        ("program", f"{trial.package.id}/{trial.program.number} ({trial.program.name})"),
        ("result", _WORDS.get(run.state, _NOT_RUN)),
        ("because", run.text),
        ("exit code", run.exit_code),
    ]
    if rule is not None:
        fields += [("detected before", _known_words(verdict.was_there)), ("detected afterwards", _known_words(run.is_there))]
    if verdict.uninstall is not None:
        fields += [("uninstall", _WORDS.get(verdict.uninstall.state, _NOT_RUN)), ("because", verdict.uninstall.text)]
        if rule is not None:
            fields.append(("detected after that", _known_words(verdict.uninstall.is_there)))
    fields.append(("kept in", list(verdict.kept)))
    output.give_fields(fields)
    _show_output(output, "it printed", run)
    if verdict.uninstall is not None:
        _show_output(output, "its uninstall printed", verdict.uninstall)


def _show_output(output: Output, what: str, ran: Ran) -> None:
    if ran.output.strip():
        output.give(f"\n{what}:")
        output.give(ran.output.rstrip("\n"))


def _known_words(is_there: bool | None) -> str:
    return "cannot be told" if is_there is None else "yes" if is_there else "no"


def _as_json(trial: Trial, verdict: Verdict) -> object:
    return {
        "package": trial.package.id,
        "program": trial.program.number,
        "name": trial.program.name,
        "source_version": trial.package.source_version,
        "is_success": verdict.is_success,
        **msgspec.to_builtins(verdict),
    }
