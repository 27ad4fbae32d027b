"""Package definition files of version 2 (SMS 2.0 and later): one section for the package, one for each program. Pure.

An entry that is left out has the meaning that the documentation gives it, not the one that would be convenient.
"""

import re

from purveyor.package_formats.definition import (
    PACKAGE_SECTION,
    Part,
    Parts,
    checked_listing,
    program_name,
    whole_draft,
)
from purveyor.package_formats.definition_values import (
    PLATFORMS,
    command,
    free_bytes,
    program_file,
    run_seconds,
    working_directory,
)
from purveyor.package_formats.draft import NAME_LIMIT, PACKAGE_NAME_LIMIT, Draft, DraftProgram, PackageFormat, one_line
from purveyor.package_formats.ini import Profile, list_of
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import AfterRun, Command, Conditions, Logon, Reporting, RunAs, RunsFor, Uninstall

_PRODUCT_CODE = re.compile(r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
_LOGONS = {"userloggedon": Logon.USER, "nouserloggedon": Logon.NONE, "anyuserstatus": Logon.ANY}
_AFTER = {"": AfterRun.NOTHING, "smsrestart": AfterRun.RESTART, "programrestart": AfterRun.PROGRAM_RESTARTS}
_WINDOWS = re.compile(r"win|x64|x86|i386", re.IGNORECASE)


def draft_of_version_2(profile: Profile) -> Draft:
    """The draft. Errors: RejectedError: something is missing without which no package can be made."""
    package = Part(profile.sections[PACKAGE_SECTION])
    name = one_line(package.take("Name"), PACKAGE_NAME_LIMIT)
    if not name:
        raise RejectedError("the section [Package Definition] has no Name")
    listed = checked_listing(list_of(package.take("Programs")), "Programs")
    missing = [one for one in listed if one.casefold() not in profile.sections]
    if missing:
        raise RejectedError(f"it lists the program {missing[0][:80]!r}, but has no section of that name")
    comment = one_line(package.take("Comment"), 500)
    reporting = _reporting(package)
    sections = [Part(profile.sections[one.casefold()]) for one in listed]
    names: dict[str, str] = {}
    for one, part in zip(listed, sections, strict=True):
        called = program_name(part.take("Name") or one, part)
        names |= {one.casefold(): called, called.casefold(): called}
    programs = tuple(
        (part, _program(part, names[one.casefold()], names, comment=comment, reporting=reporting))
        for one, part in zip(listed, sections, strict=True)
    )
    files = (program_file(program.command.shell_line) for _, program in programs)
    draft = Draft(
        format=PackageFormat.SMS_2,
        name=name,
        version=one_line(package.take("Version"), NAME_LIMIT),
        publisher=one_line(package.take("Publisher"), NAME_LIMIT),
        comment=comment,
        programs=(),
        source_files=tuple(dict.fromkeys(file for file in files if file)),
        has_content=not package.flag("ContainsNoFiles", default=False),
        is_folder=True,
    )
    used = frozenset([PACKAGE_SECTION, "pdf", *(one.casefold() for one in listed)])
    return whole_draft(Parts(draft, package, programs, used), profile)


def _program(part: Part, name: str, names: dict[str, str], *, comment: str, reporting: Reporting | None) -> DraftProgram:
    logon = _logon(part)
    is_for_users = logon is Logon.USER
    has_rights = part.flag("AdminRightsRequired", default=not is_for_users) or not is_for_users
    _look_at_what_has_no_counterpart(part, is_for_users=is_for_users)
    return DraftProgram(
        name=name,
        command=command(part),
        working_directory=working_directory(part),
        max_run_seconds=run_seconds(part),
        platforms=_platforms(part),
        depends_on=_depends_on(part, names),
        uninstall=_uninstall(part),
        description=_description(part, comment),
        conditions=Conditions(logon=logon, min_free_bytes=free_bytes(part)),
        run_as=RunAs.SYSTEM if has_rights else RunAs.USER,
        runs_for=_runs_for(part, is_for_users=is_for_users),
        after_run=_after_run(part),
        reporting=reporting,
        is_enabled=not part.flag("Disabled", default=False),
    )


def _reporting(package: Part) -> Reporting | None:
    fields = {"file_name": "MIFFileName", "product": "MIFName", "version": "MIFVersion", "manufacturer": "MIFPublisher"}
    said = {field: one_line(package.take(key), NAME_LIMIT) for field, key in fields.items()}
    file_name = said["file_name"]
    if re.search(r"[\\/:]", file_name):
        package.keep("MIFFileName", file_name, "is a path: the file is looked for by its name alone")
        said["file_name"] = re.split(r"[\\/:]", file_name)[-1]
    return Reporting(**said) if any(said.values()) else None


def _logon(part: Part) -> Logon:
    value = part.take("CanRunWhen")
    if value and value.casefold() not in _LOGONS:
        part.keep("CanRunWhen", value, "is not known: taken as UserLoggedOn, which is what counts where nothing is said")
    return _LOGONS.get(value.casefold(), Logon.USER)


def _runs_for(part: Part, *, is_for_users: bool) -> RunsFor:
    value = part.take("Assignment")
    if value and value.casefold() not in ("firstuser", "everyuser"):
        part.keep("Assignment", value, "is not known: taken as FirstUser")
    is_every = value.casefold() == "everyuser"
    if is_every and not is_for_users:
        part.keep("Assignment", value, "counts only where CanRunWhen is UserLoggedOn")
    return RunsFor.EVERY_USER if is_every and is_for_users else RunsFor.FIRST_USER


def _after_run(part: Part) -> AfterRun:
    value = part.take("AfterRunning")
    if value.casefold() == "smslogoff":
        part.keep("AfterRunning", value, "nobody is logged off here: log the user off in the program, or restart")
    elif value.casefold() not in _AFTER:
        part.keep("AfterRunning", value, "is not known: nothing is done")
    return _AFTER.get(value.casefold(), AfterRun.NOTHING)


def _depends_on(part: Part, names: dict[str, str]) -> str:
    value = part.take("DependentProgram")
    wanted = value.removeprefix(";;").casefold()
    if value and wanted not in names:
        part.keep("DependentProgram", value, "the file has no such program: it depends on nothing")
    return names.get(wanted, "")


def _uninstall(part: Part) -> Uninstall | None:
    key, is_removed = part.take("UninstallKey"), part.flag("RemoveProgram", default=False)
    if _PRODUCT_CODE.fullmatch(key):
        words = ("msiexec", "/x", key.upper(), "/qn", "/norestart")
        return Uninstall(command=Command(argv=words), when_not_offered=is_removed)
    if key:
        part.keep(
            "UninstallKey",
            key,
            "the command that uninstalls it stands in the registry of each machine: add it with --uninstall-command",
        )
    if is_removed:
        part.keep("RemoveProgram", "True", "without an uninstall command nothing is removed when it is not offered any more")
    return None


def _platforms(part: Part) -> tuple[str, ...]:
    value = part.take("SupportedClients")
    clients = list_of(value)
    if clients:
        part.keep("SupportedClients", value)
        if not any(_WINDOWS.search(client) for client in clients):
            part.note(f"is for {one_line(value, 80)}, none of which is a platform here: taken as Windows")
    return PLATFORMS


def _look_at_what_has_no_counterpart(part: Part, *, is_for_users: bool) -> None:
    _look_at_input(part, default=is_for_users)
    for key in ("UseInstallAccount", "DriveLetterConnection", "ReconnectDriveAtLogon"):
        if part.flag(key, default=False):
            part.keep(key, "True")
    run = part.take("Run")
    if run.casefold() not in ("", "normal"):
        part.keep("Run", run)


def _look_at_input(part: Part, *, default: bool) -> None:
    is_said = part.says("UserInputRequired")
    if not part.flag("UserInputRequired", default=default):
        return
    why = "programs are started without a window, so give the command its silent option"
    if is_said:
        part.keep("UserInputRequired", "True", why)
    else:
        part.note(f"is taken to ask its user something, as nothing says UserInputRequired=False; {why}")


def _description(part: Part, comment: str) -> str:
    own, needs = one_line(part.take("Comment"), 500), one_line(part.take("AdditionalProgramRequirements"), 500)
    parts = [own or comment, f"Requirements: {needs}" if needs else ""]
    return " ".join(part for part in parts if part)
