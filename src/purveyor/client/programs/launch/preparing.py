"""Lays out what a run needs: a folder of its own with copies of the content, its variables, its command in full.

Whatever stands in the way is a value, not an error: the run is tried again later, and the reason is told (Q235205, Q273754).
"""

from collections.abc import Callable

import msgspec

from purveyor.client.machine.interface import RUNS, Account, Disk, RunOrder
from purveyor.client.programs.launch import environment
from purveyor.client.programs.memory.job import Job
from purveyor.wire.causes import Cause
from purveyor.wire.errors import PurveyorError
from purveyor.wire.package_info import Program


class Obstacle(msgspec.Struct, frozen=True):
    """Why a run cannot be prepared now. With another cause nothing is wrong with it, it is only that nobody can tell now."""

    reason: str
    cause: Cause = Cause.NOT_PREPARED


def folder_of(run: str) -> str:
    """The folder of a run in the state folder; all of it goes when the run has been settled."""
    return f"{RUNS}/{run}"


def content_of(run: str) -> str:
    """Where a run finds its content."""
    return f"{folder_of(run)}/content"


def kept_of(run: str) -> str:
    """Where the files lie that the receipt will need, copied before the program could change them."""
    return f"{folder_of(run)}/kept"


def scratch_of(run: str) -> str:
    """The folder of a run's temporary files, which is also its home unless it runs as a user."""
    return f"{folder_of(run)}/scratch"


def result_of(run: str) -> str:
    """Where a run may leave its result file."""
    return f"{scratch_of(run)}/result.json"


def prepared(
    disk: Disk,
    job: Job,
    program: Program,
    *,
    run: str,
    site: str,
    lay_out: Callable[[str], None],
    user: str = "",
    account: Account | None = None,
) -> RunOrder | Obstacle:
    """The order for a run, once all that it needs is there.

    Shape:  `lay_out` puts the content into a folder; `user` is who it is for; with an `account` it has the rights of that one, to
            whom its content and its scratch folder are given, and to nobody else.
    """
    scratch = scratch_of(run)
    try:
        lay_out(content_of(run))
        disk.make_folder(scratch)
        obstacle = _keep_files(disk, program, run)
        if account is not None:
            disk.give(content_of(run), account)
            disk.give(scratch, account)
    except PurveyorError as error:
        return Obstacle(f"its content cannot be laid out: {error}")
    if obstacle is not None:
        return obstacle
    variables = environment.environment(
        content=disk.absolute(content_of(run)),
        result_file=disk.absolute(result_of(run)),
        scratch=disk.absolute(scratch),
        package=job.key.package,
        program=program.name,
        advertisement=job.advertisement or "",
        site=site,
        source_version=job.source_version,
        run=run,
        state=disk.absolute(""),
        user=user,
        account=account,
    )
    try:
        command = environment.expanded_command(program.command, variables)
        working_directory = environment.expanded(program.working_directory, variables)
    except environment.UndefinedVariableError as error:
        return Obstacle(str(error))
    if not command.shell_line and not (command.argv and command.argv[0]):
        return Obstacle("its command is empty")
    folder = _working_directory(disk, run, working_directory)
    if isinstance(folder, Obstacle):
        return folder
    return RunOrder(
        run=run,
        command=command,
        working_directory=folder,
        environment=variables,
        max_run_seconds=max(1, program.max_run_seconds),
        result_file=disk.absolute(result_of(run)),
        account=account,
    )


def files_below(disk: Disk, folder: str) -> list[str]:
    """All files in a folder and below, by their paths from there."""
    found = []
    for name in disk.names(folder):
        path = f"{folder}/{name}"
        if disk.size(path) is not None:
            found.append(name)
        else:
            found += [f"{name}/{below}" for below in files_below(disk, path)]
    return found


def _keep_files(disk: Disk, program: Program, run: str) -> Obstacle | None:
    if program.uninstall is None:
        return None
    for wanted in program.uninstall.files:
        path = f"{content_of(run)}/{wanted.strip('/')}"
        if disk.size(path) is not None:
            disk.place(path, f"{kept_of(run)}/{wanted.strip('/')}", is_executable=True)
            continue
        below = files_below(disk, path)
        if not below:
            return Obstacle(f"the file {wanted!r}, which its uninstall command needs, is not in the package")
        for name in below:
            disk.place(f"{path}/{name}", f"{kept_of(run)}/{wanted.strip('/')}/{name}", is_executable=True)
    return None


def _working_directory(disk: Disk, run: str, wanted: str) -> str | Obstacle:
    """The absolute working directory: in the content, where it is not absolute already."""
    if wanted.startswith("/"):
        return wanted
    parts = [part for part in wanted.split("/") if part not in ("", ".")]
    if ".." in parts:
        return Obstacle(f"the working directory {wanted!r} leaves the package")
    folder = content_of(run)
    for part in parts:
        if part not in disk.names(folder) or disk.size(f"{folder}/{part}") is not None:
            return Obstacle(f"the working directory {wanted!r} is not a folder of the package")
        folder = f"{folder}/{part}"
    return disk.absolute(folder)
