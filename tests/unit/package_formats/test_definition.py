"""Package definition files of both versions: documented meanings, documented defaults, and nothing lost."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.package_formats.definition_values import GRACE_SECONDS, UNKNOWN_RUN_SECONDS, program_file
from purveyor.package_formats.draft import DESCRIPTION_LIMIT, Draft, DraftProgram, Entry, PackageFormat, program_of
from purveyor.package_formats.reading import read_definition
from purveyor.site_server.model.names import line_of, name_of
from purveyor.site_server.model.programs import NAME_LIMIT, check_program
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import AfterRun, Logon, Reporting, RunAs, RunsFor

PACKAGE = "[PDF]\nVersion=2.0\n[Package Definition]\nName=Viewer\nVersion=3.1\nPublisher=Example\nPrograms=Setup\n"
VERSION_1 = """[PDF]
Version=1.0
[Package Definition]
Product=Office 95
Version=7.0
Comment=Microsoft Office 95 Standard
SetupVariations=Typical, Custom, Uninstall
WorkstationAccess=UserRead, UserWrite
[Typical Setup]
CommandLine=setup.exe /Q1 /B1
CommandName=Typical installation
UserInputRequired=FALSE
SynchronousSystemExitRequired=TRUE
SupportedPlatforms=Windows95, Windows NT 3.1 (x86)
[Custom Setup]
CommandLine=setup.exe
CommandName=Custom
UserInputRequired=TRUE
[Uninstall]
CommandLine=setup.exe /Q1 /U
[Setup Package for Inventory]
InventoryThisPackage=TRUE
Detection Rule Part 1=file 1
[file 1]
FILE=WINWORD.EXE
SIZE=3837440
"""


def read(text: str) -> Draft:
    return read_definition(text.encode())


def setup(*lines: str, package: Sequence[str] = ()) -> DraftProgram:
    """The one program of a file of version 2 with these lines."""
    text = PACKAGE + "\n".join([*package, "[Setup]", "CommandLine=setup.exe", *lines])
    (program,) = read(text).programs
    return program


def test_what_is_left_out_has_the_documented_meaning() -> None:
    program = setup()
    assert program.name == "Setup"
    assert (program.conditions.logon, program.run_as, program.runs_for) == (Logon.USER, RunAs.USER, RunsFor.FIRST_USER)
    assert (program.after_run, program.is_enabled, program.reporting, program.uninstall) == (AfterRun.NOTHING, True, None, None)
    assert (program.max_run_seconds, program.conditions.min_free_bytes) == (UNKNOWN_RUN_SECONDS, 0)
    assert (program.platforms, program.command.shell_line) == (("windows",), "setup.exe")


@pytest.mark.parametrize(
    ("lines", "logon", "run_as", "runs_for"),
    [
        (("AdminRightsRequired=True",), Logon.USER, RunAs.SYSTEM, RunsFor.FIRST_USER),
        (("CanRunWhen=NoUserLoggedOn",), Logon.NONE, RunAs.SYSTEM, RunsFor.FIRST_USER),
        (("CanRunWhen=anyuserstatus", "AdminRightsRequired=False"), Logon.ANY, RunAs.SYSTEM, RunsFor.FIRST_USER),
        (("Assignment=EveryUser",), Logon.USER, RunAs.USER, RunsFor.EVERY_USER),
        (("Assignment=EveryUser", "CanRunWhen=AnyUserStatus"), Logon.ANY, RunAs.SYSTEM, RunsFor.FIRST_USER),
        (("CanRunWhen=Sometimes",), Logon.USER, RunAs.USER, RunsFor.FIRST_USER),
    ],
)
def test_who_is_logged_on_decides_with_whose_rights_and_for_whom(
    lines: tuple[str, ...], logon: Logon, run_as: RunAs, runs_for: RunsFor
) -> None:
    program = setup(*lines)
    assert (program.conditions.logon, program.run_as, program.runs_for) == (logon, run_as, runs_for)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("25", 25 * 60 + GRACE_SECONDS), ("Unknown", UNKNOWN_RUN_SECONDS), ("0", UNKNOWN_RUN_SECONDS), ("soon", UNKNOWN_RUN_SECONDS),
     ("999999999", 7 * 86_400), ("5 minutes", 5 * 60 + GRACE_SECONDS)],
)  # fmt: skip
def test_the_estimated_time_and_its_grace_are_the_longest_run(value: str, seconds: int) -> None:
    assert setup(f"EstimatedRunTime={value}").max_run_seconds == seconds


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("38MB", 38 * 2**20),
        ("1.5 GB", 3 * 2**29),
        ("512 kb", 2**19),
        ("Unknown", 0),
        ("12", 0),
        ("much", 0),
        ("999999999999GB", 2**50),
    ],
)
def test_the_estimated_space_must_be_free(value: str, count: int) -> None:
    assert setup(f"EstimatedDiskSpace={value}").conditions.min_free_bytes == count


def test_restarts_and_status_files_are_carried_over() -> None:
    mif = ("MIFFileName=C:\\Temp\\v.mif", "MIFName=Viewer", "MIFVersion=3", "MIFPublisher=Example")
    program = setup("AfterRunning=ProgramRestart", package=mif)
    assert program.after_run is AfterRun.PROGRAM_RESTARTS
    assert program.reporting == Reporting(file_name="v.mif", product="Viewer", version="3", manufacturer="Example")
    assert setup("AfterRunning=SMSRestart").after_run is AfterRun.RESTART
    assert setup("AfterRunning=SMSLogoff").after_run is AfterRun.NOTHING


def test_a_product_code_as_uninstall_key_can_be_uninstalled() -> None:
    program = setup("UninstallKey={01234567-89ab-cdef-0123-456789ABCDEF}", "RemoveProgram=True")
    assert program.uninstall is not None
    assert program.uninstall.command.argv[:3] == ("msiexec", "/x", "{01234567-89AB-CDEF-0123-456789ABCDEF}")
    assert program.uninstall.when_not_offered


def test_any_other_uninstall_key_is_kept_and_said_to_need_a_command() -> None:
    draft = read(PACKAGE + "[Setup]\nCommandLine=x\nUninstallKey=IE40\nRemoveProgram=True\n")
    assert draft.programs[0].uninstall is None
    assert Entry(section="Setup", key="UninstallKey", value="IE40") in draft.kept
    assert any("--uninstall-command" in note for note in draft.notes)


@pytest.mark.parametrize(
    ("value", "folder"),
    [("i386\\sub\\", "i386/sub"), (".\\a", "a"), ("C:\\Temp", "C:\\Temp"), ("\\\\server\\share", "\\\\server\\share"), ("", "")],
)
def test_a_working_directory_lies_in_the_content_or_is_absolute(value: str, folder: str) -> None:
    assert setup(f"StartIn={value}").working_directory == folder


@pytest.mark.parametrize("value", ["..", "..\\x", "a/../../b", "a\\..\\..\\b"])
def test_no_working_directory_leads_out_of_the_source(value: str) -> None:
    with pytest.raises(RejectedError, match="outside of its source"):
        setup(f"StartIn={value}")


def test_unknown_entries_sections_and_lines_are_kept_and_shown() -> None:
    draft = read(
        PACKAGE + "Icon=v.ico\nPackageColour=red\n[Setup]\nCommandLine=x\nColour=blue\nRun=Hidden\nRun=Normal\n"
        "Win NT (I386) MinVersion1=5.0\n[Elsewhere]\na=b\n[Setup]\nlate=1\n"
    )
    kept = {(one.section, one.key, one.value) for one in draft.kept}
    assert kept == {
        ("Package Definition", "Icon", "v.ico"),
        ("Package Definition", "PackageColour", "red"),
        ("Setup", "Colour", "blue"),
        ("Setup", "Run", "Hidden"),
        ("Setup", "Run", "Normal"),
        ("Setup", "Win NT (I386) MinVersion1", "5.0"),
        ("Elsewhere", "a", "b"),
        ("Setup", "late", "1"),
    }
    for key in ("Colour=blue", "PackageColour=red", "a=b", "late=1"):
        assert key in draft.programs[0].description


def test_a_description_holds_as_many_kept_entries_as_there_is_room_for() -> None:
    many = "".join(f"key{number}={'x' * 50}\n" for number in range(100))
    description = read(PACKAGE + "[Setup]\nCommandLine=x\n" + many).programs[0].description
    assert len(description) <= DESCRIPTION_LIMIT
    assert description.endswith("more, in the file itself")


def test_dependencies_within_the_file_decide_the_order() -> None:
    text = PACKAGE.replace("Programs=Setup", "Programs=A, B, C")
    sections = (
        "[A]\nCommandLine=a\nDependentProgram=Second\n[B]\nName=Second\nCommandLine=b\nDependentProgram=c\n[C]\nCommandLine=c\n"
    )
    programs = read(text + sections).programs
    assert [(one.name, one.depends_on) for one in programs] == [("C", ""), ("Second", "C"), ("A", "Second")]


def test_a_dependency_that_the_file_does_not_have_is_kept_and_told() -> None:
    draft = read(PACKAGE + "[Setup]\nCommandLine=x\nDependentProgram=Gone\n")
    assert draft.programs[0].depends_on == ""
    assert Entry(section="Setup", key="DependentProgram", value="Gone") in draft.kept


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no section"),
        ("[PDF]\nVersion=2.0\n", "no section"),
        ("[PDF]\nVersion=9\n[Package Definition]\n", "version '9'"),
        ("[PDF]\nVersion=x\n[Package Definition]\n", "version 'x'"),
        (PACKAGE.replace("Name=Viewer", ""), "no Name"),
        (PACKAGE.replace("Setup", ","), "lists no programs"),
        (PACKAGE, "no section of that name"),
        (PACKAGE + "[Setup]\n", "no CommandLine"),
        (PACKAGE.replace("=Setup", "=Setup, setup") + "[Setup]\nCommandLine=x\n", "twice"),
        (PACKAGE.replace("=Setup", "=A,B") + "[A]\nCommandLine=x\nName=b\n[B]\nCommandLine=x\n", "two programs"),
        (PACKAGE.replace("=Setup", "=A,B") + "[A]\nCommandLine=x\nDependentProgram=B\n[B]\nCommandLine=x\nDependentProgram=A\n",
         "depend on each other"),
        (PACKAGE + "[Setup]\nCommandLine=x\nDependentProgram=Setup\n", "depend on each other"),
        (PACKAGE.replace("=Setup", "=" + ",".join(f"p{number}" for number in range(200))), "100 are possible"),
        (VERSION_1.replace("Product=", "X="), "no Product"),
        (VERSION_1.replace("[Custom Setup]", "[Other]"), "no section .Custom Setup."),
    ],
)  # fmt: skip
def test_what_no_package_can_be_made_of_is_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        read(text)


def test_a_program_called_by_a_number_gets_a_name() -> None:
    draft = read(PACKAGE.replace("=Setup", "=1") + "[1]\nCommandLine=x\n")
    assert draft.programs[0].name == "Program 1"


def test_a_file_without_source_files_says_so() -> None:
    assert not read(PACKAGE + "ContainsNoFiles=True\n[Setup]\nCommandLine=x\n").has_content


def test_without_a_version_the_list_of_programs_tells_which_one_it_is() -> None:
    assert read(PACKAGE.replace("[PDF]\nVersion=2.0\n", "") + "[Setup]\nCommandLine=x\n").format is PackageFormat.SMS_2
    assert read(VERSION_1.replace("[PDF]\nVersion=1.0\n", "")).format is PackageFormat.SMS_1


def test_version_1_has_a_program_for_each_way_to_set_it_up() -> None:
    draft = read(VERSION_1)
    assert (draft.format, draft.name, draft.version, draft.comment) == (
        PackageFormat.SMS_1,
        "Office 95",
        "7.0",
        "Microsoft Office 95 Standard",
    )
    typical, custom, uninstall = draft.programs
    assert (typical.name, custom.name, uninstall.name) == ("Typical installation", "Custom", "Uninstall")
    assert typical.command.shell_line == "setup.exe /Q1 /B1"
    assert (typical.after_run, custom.after_run) == (AfterRun.PROGRAM_RESTARTS, AfterRun.NOTHING)
    assert {(one.conditions.logon, one.run_as) for one in draft.programs} == {(Logon.USER, RunAs.USER)}
    assert any("Custom Setup" in note and "silent" in note for note in draft.notes)
    assert Entry(section="file 1", key="FILE", value="WINWORD.EXE") in draft.kept
    assert Entry(section="Typical Setup", key="SupportedPlatforms", value="Windows95, Windows NT 3.1 (x86)") in draft.kept


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("setup.exe /q", "setup.exe"),
        ('"my setup.exe" /q', "my setup.exe"),
        (".\\i386\\winnt32.exe", "i386/winnt32.exe"),
        ("..\\setup.exe", ""),
        ("a\\..\\..\\setup.exe", ""),
        ("C:\\x.exe", ""),
        ("%windir%\\x.exe", ""),
        ("\\\\server\\x.exe", ""),
        ("net use", ""),
        ("", ""),
    ],
)
def test_the_file_that_a_command_starts_is_told_from_the_source(line: str, file: str) -> None:
    assert program_file(line) == file


KEYS = (
    *(
        "Name",
        "CommandLine",
        "StartIn",
        "Run",
        "AfterRunning",
        "EstimatedDiskSpace",
        "EstimatedRunTime",
        "CanRunWhen",
        "Assignment",
    ),
    *("AdminRightsRequired", "UserInputRequired", "DependentProgram", "RemoveProgram", "UninstallKey", "SupportedClients"),
)
VALUES = st.one_of(
    st.sampled_from(["True", "False", "UserLoggedOn", "NoUserLoggedOn", "EveryUser", "12MB", "7", "B"]), st.text(max_size=30)
)


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=15), VALUES)
def test_any_values_give_programs_that_the_site_takes_or_are_rejected(lines: list[tuple[str, str]], name: str) -> None:
    text = PACKAGE.replace("=Setup", "=A, B").replace("Viewer", name) + "[A]\nCommandLine=a\n"
    text += "\n".join(f"{key}={value}" for key, value in lines) + "\n[B]\nCommandLine=b\n"
    try:
        draft = read_definition(text.encode("utf-8", "surrogatepass"))
    except RejectedError:
        return
    for program in draft.programs:
        assert name_of(program.name, "a program", NAME_LIMIT) == program.name
        assert line_of(program.description, "the description", DESCRIPTION_LIMIT) == program.description
        check_program(program_of(program, 1), None)


@given(st.binary(max_size=400))
def test_any_bytes_give_a_draft_or_are_rejected(content: bytes) -> None:
    try:
        assert isinstance(read_definition(content), Draft)
    except RejectedError:
        return


@given(st.text(alphabet="[]=;\"'\n,:\\. abPF", max_size=300))
def test_any_text_behind_a_proper_beginning_gives_a_draft_or_is_rejected(text: str) -> None:
    for beginning in (PACKAGE, VERSION_1):
        try:
            assert isinstance(read(beginning + text), Draft)
        except RejectedError:
            continue
