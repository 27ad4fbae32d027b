"""`purveyor program test`: real programs tried on this machine, from a real site and from a folder, and nothing left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from purveyor.cli.trying import program_of
from purveyor.wire.package_info import AfterRun, Command, CommandRule, Conditions, Reporting
from running_site import RunningSite


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trials make their folders, so that it can be seen that they are gone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "setup.sh").write_text('#!/bin/sh\necho "installing $(cat sub/what)"; touch "$1"\n')
    (folder / "setup.sh").chmod(0o755)
    (folder / "remove.sh").write_text('#!/bin/sh\necho removing; rm "$1"\n')
    (folder / "sub" / "what").write_text("the editor")
    return folder


def added(site: RunningSite, source: Path, command: str, *options: str) -> str:
    package = site.purveyor("package", "add", str(source), "--name", "Editor").line
    done = site.purveyor("program", "add", package, "Install", "--command", command, *options)
    assert done.code == 0, done.err
    while site.executive.turn():
        continue
    return package


def test_a_program_of_a_site_is_fetched_verified_run_and_judged(
    running_site: RunningSite, source: Path, tmp_path: Path, place: Path
) -> None:
    mark = tmp_path / "installed"
    package = added(running_site, source, f"./setup.sh {mark}", "--detect-file", str(mark))
    said = running_site.purveyor("program", "test", package, "Install")
    assert said.code == 0, said.err
    assert mark.exists()
    assert "it succeeded" in said.out
    assert "installing the editor" in said.out
    assert "detected before      no" in said.out
    assert "detected afterwards  yes" in said.out
    assert "10005 program started" in said.err
    assert list(place.iterdir()) == []
    assert running_site.purveyor("status", "messages", "--json").json == [], "nothing is reported"


def test_it_is_uninstalled_again_from_a_receipt_where_that_is_asked_for(
    running_site: RunningSite, source: Path, tmp_path: Path, place: Path
) -> None:
    mark = tmp_path / "installed"
    removal = ("--uninstall-command", f"sh remove.sh {mark}", "--uninstall-file", "remove.sh", "--detect-file", str(mark))
    package = added(running_site, source, f"./setup.sh {mark}", *removal)
    said = running_site.purveyor("program", "test", package, "1", "--uninstall", "--json")
    assert said.code == 0, said.err
    assert (said.json["run"]["is_there"], said.json["uninstall"]["is_there"]) == (True, False)
    assert said.json["uninstall"]["output"] == "removing\n"
    assert not mark.exists()
    assert list(place.iterdir()) == []


def test_a_new_content_is_tried_before_any_site_has_it(running_site: RunningSite, source: Path, tmp_path: Path) -> None:
    package = added(running_site, source, f"./setup.sh {tmp_path}/installed")
    (source / "sub" / "what").write_text("the new editor")
    said = running_site.purveyor("program", "test", package, "Install", "--source", str(source))
    assert "installing the new editor" in said.out
    shown = running_site.purveyor("package", "show", package, "--json").json
    assert shown["source_version"] == 1


def test_a_failure_is_told_with_its_output_and_gives_exit_code_1(running_site: RunningSite, source: Path, tmp_path: Path) -> None:
    package = added(running_site, source, "sh -c 'echo no licence; exit 9'")
    said = running_site.purveyor("program", "test", package, "Install", "--json")
    assert said.code == 1
    assert (said.json["run"]["state"], said.json["run"]["exit_code"], said.json["is_success"]) == ("failed", 9, False)
    assert said.json["run"]["output"] == "no licence\n"


def test_a_restart_is_told_and_never_made(running_site: RunningSite, source: Path) -> None:
    package = added(running_site, source, "sh -c 'exit 10'", "--restart-codes", "10")
    said = running_site.purveyor("program", "test", package, "Install")
    assert said.code == 0
    assert "has to restart; nothing was restarted" in said.out


def test_content_that_no_point_gives_is_exit_code_3(running_site: RunningSite, source: Path, place: Path) -> None:
    package = running_site.purveyor("package", "add", str(source), "--name", "Editor").line
    running_site.purveyor("program", "add", package, "Install", "--command", "./setup.sh")
    said = running_site.purveyor("program", "test", package, "Install")
    assert said.code == 3
    assert "content cannot be fetched" in said.err
    assert list(place.iterdir()) == []


def test_what_the_site_shows_of_a_program_is_read_whole(running_site: RunningSite, source: Path) -> None:
    options = ("--max-run", "5m", "--success-codes", "0,2", "--if-interrupted", "run-again", "--platform", "linux")
    removal = ("--uninstall-command", "sh remove.sh", "--uninstall-file", "remove.sh", "--detect-command", "test -e /x")
    results = ("--retry-codes", "75", "--after-run", "restart", "--mif-product", "Editor", "--needs-mains", "--min-free", "1M")
    package = added(running_site, source, "./setup.sh 'a b'", *options, *removal, *results)
    row = running_site.purveyor("program", "show", package, "Install", "--json").json
    program = program_of(row)
    assert program.command.argv == ("./setup.sh", "a b")
    assert (program.max_run_seconds, program.success_codes, program.platforms) == (300, (0, 2), ("linux",))
    assert program.uninstall is not None
    assert program.uninstall.command.argv == ("sh", "remove.sh")
    assert program.uninstall.files == ("remove.sh",)
    assert program.detection == CommandRule(command=Command(argv=("test", "-e", "/x")))
    assert (program.retry_codes, program.after_run) == ((75,), AfterRun.RESTART)
    assert program.reporting == Reporting(product="Editor")
    assert program.conditions == Conditions(needs_mains=True, min_free_bytes=2**20)


def test_a_condition_that_does_not_hold_is_told_and_can_be_passed_over(running_site: RunningSite, source: Path) -> None:
    package = added(running_site, source, "true", "--min-free", "1000000G")
    said = running_site.purveyor("program", "test", package, "Install")
    assert said.code == 1
    assert "bytes" in said.out
    assert running_site.purveyor("program", "test", package, "Install", "--anyway").code == 0


# --- without any site ---


def tried(*words: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "purveyor.cli", "program", "test", *words],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_a_command_line_is_tried_that_no_site_knows(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    code, out, _ = tried("--command", f"./setup.sh {tmp_path}/installed", "--source", str(source), "--folder", str(folder))
    assert code == 0
    assert "installing the editor" in out
    assert not folder.exists()


def test_the_folder_it_ran_in_stays_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    line = 'echo content > here; echo scratch > "$TMPDIR/there"'
    code, out, _ = tried("--command", line, "--shell", "--keep", "--folder", str(folder), "--json")
    assert code == 0
    (kept,) = json.loads(out)["kept"]
    assert Path(kept, "content", "here").read_text() == "content\n"
    assert Path(kept, "scratch", "there").read_text() == "scratch\n"


def test_an_agent_s_environment_is_given_and_nothing_of_the_person_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PURVEYOR_TOKEN", "secret")
    code, out, _ = tried("--command", "env", "--json")
    assert code == 0
    names = {line.partition("=")[0] for line in json.loads(out)["run"]["output"].splitlines()}
    assert {"PURVEYOR_CONTENT", "PURVEYOR_RESULT_FILE", "TMPDIR", "HOME"} <= names
    assert "PURVEYOR_TOKEN" not in names


def test_a_folder_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    code, _, err = tried("--command", "true", "--folder", str(tmp_path))
    assert code == 1
    assert "is there already" in err
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("S0100001",),
        ("S0100001", "1", "--command", "x"),
        ("S0100001", "1", "--shell"),
        ("--command", " "),
        ("--command", "'x"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert tried(*words)[0] == 2


def test_a_trial_that_is_given_up_ends_its_program_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    line = f"echo $$ > {tmp_path}/pid; exec sleep 600"
    words = [sys.executable, "-m", "purveyor.cli", "program", "test", "--command", line, "--shell", "--folder", str(folder)]
    trial = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    trial.send_signal(signal.SIGINT)
    assert trial.wait(timeout=60) == 130
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
