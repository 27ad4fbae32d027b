"""`purveyor package import` against a site that runs: what a file says is what the site then holds."""

from pathlib import Path

import pytest

from package_files import deb
from running_site import RunningSite

DEFINITION = """[PDF]
Version=2.0

[Package Definition]
Name=Viewer
Version=3.1
Publisher=Example
Programs=Setup, Tools
MIFName=Viewer

[Setup]
Comment=Installs the viewer
CommandLine=setup.exe /q "C:\\Program Files\\Viewer"
EstimatedRunTime=10
EstimatedDiskSpace=2MB
DependentProgram=Tools
Assignment=EveryUser
AfterRunning=SMSRestart
Colour=blue

[Tools]
CommandLine=tools.exe
CanRunWhen=AnyUserStatus
UninstallKey={01234567-89ab-cdef-0123-456789abcdef}
RemoveProgram=True
"""


def deb_in(folder: Path) -> Path:
    """A small Debian package with a name that is awkward."""
    path = folder / "sample $x.deb"
    path.write_bytes(deb())
    return path


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """A definition file in a source folder of its own."""
    folder = tmp_path / "viewer"
    folder.mkdir()
    (folder / "SETUP.EXE").write_bytes(b"MZ")
    (folder / "viewer.sms").write_bytes(DEFINITION.replace("\n", "\r\n").encode("utf-16"))
    return folder / "viewer.sms"


def test_a_debian_package_becomes_a_package_with_a_program(running_site: RunningSite, tmp_path: Path) -> None:
    said = running_site.purveyor("package", "import", str(deb_in(tmp_path)))
    assert said.code == 0, said
    package = running_site.purveyor("package", "show", said.line, "--json").json
    program = running_site.purveyor("program", "show", said.line, "Install", "--json").json
    assert (package["name"], package["version"], package["publisher"]) == ("sample", "1:2.0-1", "Ann")
    assert package["size_bytes"] == deb_in(tmp_path).stat().st_size
    assert program["argv"][-2:] == ["-i", "./sample $$x.deb"], "a dollar sign of the name stands for itself"
    assert program["uninstall"]["argv"][-2:] == ["--remove", "sample"]
    assert program["detection"] == {"kind": "os-package", "name": "sample", "at_least": "1:2.0-1"}
    assert program["platforms"] == ["linux/debian", "linux/ubuntu"]


def test_uninstalling_can_take_settings_too(running_site: RunningSite, tmp_path: Path) -> None:
    made = running_site.purveyor("package", "import", str(deb_in(tmp_path)), "--purge", "--name", "Other", "--disabled").line
    program = running_site.purveyor("program", "show", made, "Install", "--json").json
    assert program["uninstall"]["argv"][-2:] == ["--purge", "sample"]
    assert not program["is_enabled"]
    assert running_site.purveyor("package", "show", made, "--json").json["name"] == "Other"


def test_a_definition_file_becomes_its_programs_in_an_order_that_works(running_site: RunningSite, definition: Path) -> None:
    said = running_site.purveyor("package", "import", str(definition), "--json")
    assert said.code == 0, said
    made = said.json
    tools, setup = made["programs"]
    assert (tools["name"], setup["name"]) == ("Tools", "Setup")
    assert setup["depends_on"] == f"{made['id']}/{tools['number']}"
    assert setup["shell_line"] == 'setup.exe /q "C:\\Program Files\\Viewer"'
    assert setup["max_run_seconds"] == 25 * 60
    assert (setup["conditions"]["logon"], setup["conditions"]["min_free_bytes"]) == ("user", 2 * 2**20)
    assert (setup["run_as"], setup["runs_for"], setup["after_run"]) == ("user", "every-user", "restart")
    assert setup["reporting"]["product"] == "Viewer"
    assert "[Setup] Colour=blue" in setup["description"]
    assert tools["uninstall"]["when_not_offered"]
    assert made["draft"]["kept"] == [{"section": "Setup", "key": "Colour", "value": "blue"}]
    assert "tools.exe is not in the source: good only where the machines have it" in made["draft"]["notes"]
    assert not any("setup.exe is not" in note for note in made["draft"]["notes"]), "Windows does not tell SETUP.EXE from it"


def test_the_source_of_a_definition_file_may_lie_elsewhere(running_site: RunningSite, definition: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "tools.exe").write_bytes(b"MZ")
    said = running_site.purveyor("package", "import", str(definition), "--source", str(other))
    assert "note: setup.exe is not in the source" in said.err
    assert running_site.purveyor("package", "show", said.line, "--json").json["source"] == str(other)


def test_a_dry_run_shows_all_and_asks_no_site(running_site: RunningSite, definition: Path) -> None:
    said = running_site.purveyor("package", "import", str(definition), "--dry-run")
    assert said.code == 0
    for shown in ("Viewer", "setup.exe /q", "Colour", "blue", "UserInputRequired=False", "25m"):
        assert shown in said.out
    assert running_site.purveyor("package", "list", "--json").json == []
    nowhere = running_site.purveyor("package", "import", str(definition), "--dry-run", "--json", "--site", "http://127.0.0.1:9")
    assert nowhere.code == 0
    assert nowhere.json["name"] == "Viewer"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7\n", "is a document"),
        (b"", "no section [Package Definition]"),
        (b"[Package Definition]\nName=A\nPrograms=B\n[B]\nCommandLine=x\nStartIn=..\\..\\x\n", "outside of its source"),
        (b"[Package Definition]\nName=A\nPrograms=B\n", "no section of that name"),
    ],
)
def test_a_file_that_cannot_be_imported_changes_nothing(
    running_site: RunningSite, tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(content)
    said = running_site.purveyor("package", "import", str(file))
    assert (said.code, said.out) == (1, "")
    assert reason in said.err
    assert running_site.purveyor("package", "list", "--json").json == []


def test_a_folder_or_a_missing_file_is_refused(running_site: RunningSite, tmp_path: Path) -> None:
    assert running_site.purveyor("package", "import", str(tmp_path)).code == 1
    assert running_site.purveyor("package", "import", str(tmp_path / "gone.deb")).code == 1
    assert running_site.purveyor("package", "import", str(deb_in(tmp_path)), "--source", str(tmp_path)).code == 2


def test_what_fails_in_the_middle_says_what_stands(
    running_site: RunningSite, definition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("purveyor.cli.importing.check_draft", lambda _: None)
    definition.write_text(DEFINITION.replace("MIFName=Viewer", "MIFFileName=*.mif"))
    said = running_site.purveyor("package", "import", str(definition))
    assert said.code == 1
    assert "Package S0100001 stands, with these programs: none" in said.err
    assert "purveyor package delete S0100001 --yes" in said.err


def test_what_the_site_would_refuse_is_refused_before_the_first_change(running_site: RunningSite, definition: Path) -> None:
    definition.write_text(DEFINITION.replace("MIFName=Viewer", "MIFFileName=*.mif"))
    said = running_site.purveyor("package", "import", str(definition))
    assert said.code == 1
    assert "nothing was changed" in said.err
    assert running_site.purveyor("package", "list", "--json").json == []
