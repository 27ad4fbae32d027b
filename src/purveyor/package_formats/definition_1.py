"""Package definition files of version 1 (SMS 1.x): a package, and a section for each way to set it up. Pure.

A command of SMS 1.x was run by the Package Command Manager in the session of whoever was logged on, with that person's rights.
"""

from purveyor.package_formats.definition import (
    PACKAGE_SECTION,
    Part,
    Parts,
    checked_listing,
    program_name,
    whole_draft,
)
from purveyor.package_formats.definition_values import PLATFORMS, UNKNOWN_RUN_SECONDS, command, program_file
from purveyor.package_formats.draft import NAME_LIMIT, PACKAGE_NAME_LIMIT, Draft, DraftProgram, PackageFormat, one_line
from purveyor.package_formats.ini import Profile, list_of
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import AfterRun, Conditions, Logon, RunAs

_OTHER_SYSTEMS = ("macintosh", "ms-dos", "os/2")


def draft_of_version_1(profile: Profile) -> Draft:
    """The draft. Errors: RejectedError: something is missing without which no package can be made."""
    package = Part(profile.sections[PACKAGE_SECTION])
    name = one_line(package.take("Product"), PACKAGE_NAME_LIMIT)
    if not name:
        raise RejectedError("the section [Package Definition] has no Product")
    listed = checked_listing(list_of(package.take("SetupVariations")), "SetupVariations")
    comment = one_line(package.take("Comment"), 500)
    sections = {one: _section_of(profile, one) for one in listed}
    programs = tuple((part, _program(part, one, comment)) for one, part in sections.items())
    files = (program_file(program.command.shell_line) for _, program in programs)
    draft = Draft(
        format=PackageFormat.SMS_1,
        name=name,
        version=one_line(package.take("Version"), NAME_LIMIT),
        publisher=one_line(package.take("Company"), NAME_LIMIT),
        comment=comment,
        programs=(),
        source_files=tuple(dict.fromkeys(file for file in files if file)),
        is_folder=True,
    )
    used = frozenset([PACKAGE_SECTION, "pdf", *(part.name.casefold() for part in sections.values())])
    return whole_draft(Parts(draft, package, programs, used), profile)


def _section_of(profile: Profile, variation: str) -> Part:
    """The section of a setup variation: `[NAME Setup]` as is recommended, or the bare name."""
    for name in (f"{variation} setup", variation):
        section = profile.sections.get(name.casefold())
        if section is not None:
            return Part(section)
    raise RejectedError(f"it lists the setup variation {variation[:80]!r}, but has no section [{variation[:80]} Setup]")


def _program(part: Part, variation: str, comment: str) -> DraftProgram:
    if part.flag("UserInputRequired", default=False):
        part.keep("UserInputRequired", "TRUE", "programs are started without a window: give the command its silent option")
    is_ended_by_restart = part.flag("SynchronousSystemExitRequired", default=False)
    platforms = part.take("SupportedPlatforms")
    if platforms:
        part.keep("SupportedPlatforms", platforms)
        if all(one.casefold() in _OTHER_SYSTEMS for one in list_of(platforms)):
            part.note(f"is for {one_line(platforms, 80)}, none of which is a platform here: taken as Windows")
    return DraftProgram(
        name=program_name(part.take("CommandName") or variation, part),
        command=command(part),
        max_run_seconds=UNKNOWN_RUN_SECONDS,
        platforms=PLATFORMS,
        description=comment,
        conditions=Conditions(logon=Logon.USER),
        run_as=RunAs.USER,
        after_run=AfterRun.PROGRAM_RESTARTS if is_ended_by_restart else AfterRun.NOTHING,
    )
