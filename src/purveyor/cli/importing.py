"""`purveyor package import`: a package file of another system becomes a package with its programs, through the REST API.

All that can be judged is judged before the first change. What then fails in the middle says what stands, and how to go on.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, cell, counted, duration, size
from purveyor.cli.rest import Rest, rest_of, segment
from purveyor.cli.upload import taken_in_at_site
from purveyor.content.source import find_source
from purveyor.package_formats.draft import PACKAGE_NAME_LIMIT, Draft, DraftProgram, program_of
from purveyor.package_formats.reading import read_draft
from purveyor.site_server.model.command_line import command_of
from purveyor.site_server.model.names import line_of, name_of
from purveyor.site_server.model.platforms import platforms_of
from purveyor.site_server.model.programs import DESCRIPTION_LIMIT, NAME_LIMIT, check_program, exit_codes_of
from purveyor.wire.errors import PurveyorError, RefusedError, RejectedError
from purveyor.wire.package_info import AfterRun, Command, CommandRule, DetectionRule, Logon, RunAs, RunsFor, Uninstall


class Made(NamedTuple):
    """What an import made: the package's id, and its programs as the site shows them."""

    package: str
    programs: tuple[dict[str, Any], ...]


def import_file(call: Call) -> int:
    """Imports a package file; with --dry-run shows what would be made."""
    options, output = call.arguments, call.output
    draft = with_options(read_file(Path(options.file), is_purged=options.purge), name=options.name, is_disabled=options.disabled)
    source = source_of(draft, Path(options.file), options.source)
    draft = msgspec.structs.replace(draft, notes=(*draft.notes, *notes_about_source(draft, source)))
    check_draft(draft)
    if options.dry_run:
        if output.is_json:
            output.give_json(msgspec.to_builtins(draft))
        else:
            show_draft(output, draft, source)
        return 0
    made = make(rest_of(call), output, draft, source)
    if output.is_json:
        output.give_json({"id": made.package, "programs": made.programs, "draft": msgspec.to_builtins(draft)})
    else:
        output.give(made.package)
        _tell(output, draft, made)
    return 0


def read_file(path: Path, *, is_purged: bool) -> Draft:
    """What a package file says. Errors: RefusedError: there is no such file; RejectedError: it cannot be imported."""
    source = find_source(path)
    if not source.file_name:
        raise RefusedError(f"{str(path)!r} is a folder: name the package file itself")
    with open(source.place, "rb") as file:
        try:
            return read_draft(file, source.file_name, is_purged=is_purged)
        except RejectedError as error:
            raise RejectedError(f"{source.file_name}: {error}") from error


def with_options(draft: Draft, *, name: str | None, is_disabled: bool) -> Draft:
    """The draft with what the command line says otherwise."""
    programs = draft.programs
    if is_disabled:
        programs = tuple(msgspec.structs.replace(program, is_enabled=False) for program in programs)
    return msgspec.structs.replace(draft, name=draft.name if name is None else name, programs=programs)


def source_of(draft: Draft, file: Path, named: str | None) -> Path | None:
    """What is taken in: the file itself, or for a definition file the folder that is named, else the one it lies in.

    Errors: UsageError: another source is named for a file that is its own.
    """
    if not draft.is_folder:
        if named is not None:
            raise UsageError("--source goes with a package definition file: every other package is its own source")
        return file.absolute()
    if named is not None:
        return Path(named).absolute()
    return file.absolute().parent if draft.has_content else None


def notes_about_source(draft: Draft, source: Path | None) -> Iterator[str]:
    """What the programs start that the source does not hold, as Windows compares names."""
    if not draft.is_folder:
        return
    for path in draft.source_files:
        if source is None or not _holds(source, path):
            yield f"{path} is not in the source: good only where the machines have it"


def check_draft(draft: Draft) -> None:
    """Nothing when the site can be expected to take all of it. Errors: RefusedError, which names the program."""
    name_of(draft.name, "a package", PACKAGE_NAME_LIMIT)
    line_of(draft.version, "the version", NAME_LIMIT)
    line_of(draft.publisher, "the publisher", NAME_LIMIT)
    for number, program in enumerate(draft.programs, start=1):
        try:
            name_of(program.name, "a program", NAME_LIMIT)
            line_of(program.description, "the description", DESCRIPTION_LIMIT)
            _check_command(program.command)
            platforms_of(program.platforms)
            for codes in (program.success_codes, program.restart_codes, program.retry_codes):
                exit_codes_of(codes)
            check_program(program_of(program, number), None)
        except RefusedError as error:
            raise RefusedError(f"the program {program.name!r} cannot be made: {error}; nothing was changed") from error


def make(rest: Rest, output: Output, draft: Draft, source: Path | None) -> Made:
    """Makes the package and its programs. Errors: as `Rest`; once the package stands, with what stands and how to go on."""
    asked: dict[str, object] = {"name": draft.name, "version": draft.version, "publisher": draft.publisher}
    if source is not None:
        asked |= {"manifest": taken_in_at_site(rest, output, source), "source": str(source)}
    package: str = rest.post("/packages", asked)["id"]
    made: dict[str, dict[str, Any]] = {}
    try:
        for program in draft.programs:
            needed = made[program.depends_on]["number"] if program.depends_on else None
            depends_on = None if needed is None else f"{package}/{needed}"
            made[program.name] = rest.post(f"/packages/{segment(package)}/programs", asked_of(program, depends_on))
    except PurveyorError as error:
        standing = ", ".join(f"{row['number']} ({name})" for name, row in made.items()) or "none"
        raise type(error)(
            f"{error}. Package {package} stands, with these programs: {standing}. Add the others with: purveyor program add "
            f"{package} …; or take it back with: purveyor package delete {package} --yes, and import again"
        ) from error
    return Made(package, tuple(made.values()))


def asked_of(program: DraftProgram, depends_on: str | None) -> dict[str, object]:
    """A program as the API takes it."""
    return {
        "name": program.name,
        **_command_asked(program.command),
        "working_directory": program.working_directory,
        "max_run_seconds": program.max_run_seconds,
        "success_codes": program.success_codes,
        "restart_codes": program.restart_codes,
        "retry_codes": program.retry_codes,
        "platforms": program.platforms,
        "depends_on": depends_on,
        "uninstall": None if program.uninstall is None else _uninstall_asked(program.uninstall),
        "detection": None if program.detection is None else _detection_asked(program.detection),
        "description": program.description,
        "conditions": msgspec.to_builtins(program.conditions),
        "run_as": program.run_as,
        "runs_for": program.runs_for,
        "after_run": program.after_run,
        "reporting": None if program.reporting is None else msgspec.to_builtins(program.reporting),
        "is_enabled": program.is_enabled,
    }


def show_draft(output: Output, draft: Draft, source: Path | None) -> None:
    """Prints a draft for people: the package, each program, what is kept, and what is to be known."""
    output.give_fields(
        (
            ("format", draft.format.value),
            ("name", draft.name),
            ("version", draft.version),
            ("publisher", draft.publisher),
            ("comment", draft.comment),
            ("architecture", draft.architecture),
            ("needs", list(draft.requires)),
            ("source", str(source) if source else "no content"),
        )
    )
    for program in draft.programs:
        output.give("")
        output.give_fields(_fields_of(program))
    if draft.kept:
        output.give("\nkept, because nothing here has its meaning:")
        output.give_table(("section", "entry", "value"), ((one.section, one.key, one.value) for one in draft.kept), empty="")
    for note in draft.notes:
        output.give(f"\nnote: {note}")


def _fields_of(program: DraftProgram) -> Iterator[tuple[str, object]]:
    uninstall, conditions = program.uninstall, program.conditions
    yield "program", program.name
    yield "command", _in_words(program.command)
    yield "run by", "the machine's shell" if program.command.shell_line else "itself, without a shell"
    yield "working directory", program.working_directory
    yield "max run", duration(program.max_run_seconds)
    yield "success codes", program.success_codes
    yield "restart codes", program.restart_codes
    yield "retry codes", program.retry_codes
    yield "platforms", program.platforms or "all"
    yield "depends on", program.depends_on
    yield "runs when", {Logon.USER: "a user is logged on", Logon.NONE: "nobody is logged on", Logon.ANY: ""}[conditions.logon]
    yield "needs free", size(conditions.min_free_bytes) if conditions.min_free_bytes else ""
    yield "with rights of", "the user" if program.run_as is RunAs.USER else "the system"
    yield "runs for", "every user" if program.runs_for is RunsFor.EVERY_USER else ""
    yield "after it", "" if program.after_run is AfterRun.NOTHING else program.after_run.value
    yield "status MIF", msgspec.to_builtins(program.reporting) if program.reporting else ""
    yield "uninstall", _in_words(uninstall.command) if uninstall else ""
    yield "uninstall by itself", "when it is not offered any more" if uninstall and uninstall.when_not_offered else ""
    yield "detection", msgspec.to_builtins(program.detection) if program.detection else ""
    yield "description", program.description
    yield "enabled", program.is_enabled


def _tell(output: Output, draft: Draft, made: Made) -> None:
    output.say(f"package {made.package} ({draft.name}) is made, with {counted(len(made.programs), 'program')}")
    for entry in draft.kept:
        output.say(f"kept: [{entry.section}] {entry.key}={entry.value}")
    for text in dict.fromkeys((*draft.notes, *(warning for row in made.programs for warning in row.get("warnings", ())))):
        output.say(f"note: {text}")


def _in_words(command: Command) -> str:
    return command.shell_line or cell(" ".join(command.argv))


def _check_command(command: Command) -> None:
    command_of(command.shell_line or command.argv, is_shell=bool(command.shell_line))


def _command_asked(command: Command) -> dict[str, object]:
    return {"command": command.shell_line or command.argv, "is_shell": bool(command.shell_line)}


def _uninstall_asked(uninstall: Uninstall) -> dict[str, object]:
    return {
        **_command_asked(uninstall.command),
        "files": uninstall.files,
        "max_run_seconds": uninstall.max_run_seconds,
        "when_not_offered": uninstall.when_not_offered,
    }


def _detection_asked(rule: DetectionRule) -> dict[str, object]:
    if isinstance(rule, CommandRule):
        return {"kind": "command", **_command_asked(rule.command), "max_run_seconds": rule.max_run_seconds}
    asked: dict[str, object] = msgspec.to_builtins(rule)
    return asked


def _holds(folder: Path, path: str) -> bool:
    """Whether a file lies below a folder, names compared without regard to case."""
    place = folder
    for step in path.split("/"):
        try:
            found = next((name for name in os.listdir(place) if name.casefold() == step.casefold()), None)
        except OSError:
            return False
        if found is None:
            return False
        place /= found
    return place.is_file()
