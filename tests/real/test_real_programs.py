"""Real programs of each kind under the real agent's programs part: what they leave is believed by rules, and nothing else is."""

import os
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from apm_world import PACKAGE
from purveyor.client.machine.interface import RunState
from purveyor.client.programs import apm
from purveyor.client.programs.memory import records
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import AfterRun, FileRule, OsPackageRule, Reporting, Uninstall
from purveyor.wire.package_info import Command as CommandLine
from purveyor.wire.status_messages import StatusId
from real.test_apm_real import Agent, policy_of

REPORTING = Reporting(manufacturer="Example", product="Editor")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path / "state")
    made.content.available["m1"] = {"data.txt": b"content"}
    yield made
    for name in made.machine.disk.names("runs"):
        made.machine.programs.stop(name, is_forced=True)
    made.state.connection.close()


def python(agent: Agent, text: str) -> str:
    """A Python program in the package's content, and the line that starts it."""
    agent.content.available["m1"]["program.py"] = textwrap.dedent(text).encode()
    return "python3 program.py"


def mif(status: str, description: str = "", *, product: str = "Editor") -> str:
    """A status MIF as a setup program writes it."""

    def attribute(name: str, value: str) -> str:
        return f'START ATTRIBUTE\r\nNAME = "{name}"\r\nID = 1\r\nTYPE = STRING(64)\r\nVALUE = "{value}"\r\nEND ATTRIBUTE\r\n'

    identity = attribute("Manufacturer", "Example") + attribute("Product", product) + attribute("Version", "2.1")
    ended = attribute("Status", status) + attribute("Description", description)
    return (
        'START COMPONENT\r\nNAME = "WORKSTATION"\r\n'
        f'START GROUP\r\nNAME = "ComponentID"\r\nCLASS = "DMTF|ComponentID|1.0"\r\n{identity}END GROUP\r\n'
        f'START GROUP\r\nNAME = "InstallStatus"\r\nCLASS = "MICROSOFT|JOBSTATUS|1.0"\r\n{ended}END GROUP\r\nEND COMPONENT\r\n'
    )


def test_a_python_program_that_raises_has_failed_and_its_last_words_are_told(agent: Agent) -> None:
    agent.policy = policy_of(python(agent, "print('step 1')\nraise RuntimeError('no licence')"))
    agent.settle()
    assert agent.job.state is JobState.FAILED
    assert agent.job.exit_code == 1
    assert agent.job.text.endswith("RuntimeError: no licence")


def test_a_program_that_daemonises_is_waited_for_with_all_that_it_started(agent: Agent, tmp_path: Path) -> None:
    line = python(
        agent,
        f"""
        import os, time
        if os.fork():
            os._exit(7)
        os.setsid()
        if os.fork():
            os._exit(8)
        os.chdir("/")
        os.umask(0)
        time.sleep(1)
        with open("{tmp_path}/mark", "w") as file:
            file.write("done")
        with open(os.environ["PURVEYOR_RESULT_FILE"], "w") as file:
            file.write('{{"status": "success", "description": "by the daemon"}}')
        """,
    )
    agent.policy = policy_of(line)
    agent.settle()
    assert (tmp_path / "mark").read_text() == "done"
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.job.exit_code == 7
    assert "by the daemon" in agent.job.text


def test_a_program_that_relaunches_itself_ends_with_its_last_process(agent: Agent, tmp_path: Path) -> None:
    line = python(
        agent,
        f"""
        import os, subprocess, sys, time
        generation = int(sys.argv[1]) if len(sys.argv) > 1 else 0
        with open("{tmp_path}/mark", "a") as file:
            file.write(str(generation))
        if generation < 3:
            subprocess.Popen([sys.executable, __file__, str(generation + 1)], start_new_session=True)
            sys.exit(0)
        time.sleep(0.5)
        with open("{tmp_path}/mark", "a") as file:
            file.write(" installed")
        """,
    )
    agent.policy = policy_of(line, detection=FileRule(path=str(tmp_path / "mark")))
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert (tmp_path / "mark").read_text() == "0123 installed"
    assert agent.told()[-2:] == [StatusId.SUCCEEDED_BY_EXIT_CODE, StatusId.DETECTED]


def test_a_program_that_leaves_a_process_for_ever_is_ended_at_its_time(agent: Agent) -> None:
    agent.policy = policy_of("setsid sleep 600 & exit 0", max_run_seconds=1)
    agent.settle()
    assert agent.job.state is JobState.TIMED_OUT


def test_a_debian_package_is_installed_detected_and_removed_by_dpkg_itself(agent: Agent, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "opt").mkdir()
    (tree / "opt" / "greeting").write_text("hello")
    (tree / "DEBIAN" / "control").write_text(
        "Package: greeting\nVersion: 1.2\nArchitecture: all\nMaintainer: Example <a@example.org>\nDescription: says hello\n"
    )
    tree.chmod(0o755)
    (tree / "DEBIAN").chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tree), str(tmp_path / "greeting.deb")], check=True)
    agent.content.available["m1"]["greeting.deb"] = (tmp_path / "greeting.deb").read_bytes()
    root = tmp_path / "root"
    admin = root / "var" / "lib" / "dpkg"
    for folder in ("info", "updates"):
        (admin / folder).mkdir(parents=True)
    (admin / "status").touch()
    dpkg = f"dpkg --root={root} --force-not-root --force-script-chrootless --log=/dev/null"
    agent.policy = policy_of(
        f"{dpkg} -i greeting.deb",
        detection=OsPackageRule(name="greeting", at_least="1.2", root=str(root)),
        uninstall=Uninstall(command=CommandLine(shell_line=f"{dpkg} -r greeting")),
    )
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert (root / "opt" / "greeting").read_text() == "hello"
    assert agent.told()[-1] is StatusId.DETECTED
    apm.uninstall(PACKAGE, state=agent.state, machine=agent.machine, now=agent.machine.now, wait=lambda: time.sleep(0.02))
    assert not (root / "opt" / "greeting").exists()
    assert StatusId.UNINSTALL_SUCCEEDED_BY_EXIT_CODE in agent.told()
    assert agent.told().count(StatusId.DETECTED) == 1


def test_dpkg_says_itself_that_a_package_is_damaged(agent: Agent, tmp_path: Path) -> None:
    agent.content.available["m1"]["greeting.deb"] = b"no archive" * 20
    agent.policy = policy_of(f"dpkg --root={tmp_path} --force-not-root -i greeting.deb")
    agent.settle()
    assert agent.job.state is JobState.FAILED
    assert "not a Debian format archive" in agent.job.text


@pytest.mark.parametrize(
    ("said", "code", "state", "status"),
    [
        ("Success", 1, JobState.SUCCEEDED, StatusId.SUCCEEDED_BY_RESULT_FILE),
        ("Success", 10, JobState.RESTART_PENDING, StatusId.RESTART_PENDING),
        ("Failed", 0, JobState.FAILED, StatusId.FAILED_BY_RESULT_FILE),
    ],
)
@pytest.mark.parametrize("folder", ["TMPDIR", "PURVEYOR_CONTENT"])
def test_a_status_mif_of_the_program_beats_its_exit_code(
    agent: Agent, said: str, code: int, state: JobState, status: StatusId, folder: str
) -> None:
    agent.content.available["m1"]["status.txt"] = mif(said, "code 80070643").encode("latin-1")
    agent.policy = policy_of(f'cp status.txt "${folder}/Editor.MIF"; exit {code}', reporting=REPORTING, restart_codes=(10,))
    agent.settle()
    assert agent.job.state is state
    assert agent.told()[-1] is status
    assert "code 80070643" in agent.job.text
    assert "Editor.MIF" in agent.job.text


def test_a_success_by_mif_is_followed_by_the_restart_that_the_program_is_declared_to_need(agent: Agent) -> None:
    agent.content.available["m1"]["status.txt"] = mif("Success").encode()
    agent.policy = policy_of('cp status.txt "$TMPDIR/a.mif"; exit 1', reporting=REPORTING, after_run=AfterRun.RESTART)
    agent.settle()
    assert agent.job.state is JobState.RESTART_PENDING


MIFS = {
    "of another product": 'cp other.txt "$TMPDIR/a.mif"',
    "of another name": 'cp own.txt "$TMPDIR/b.mif"',
    "from before": 'cp own.txt "$TMPDIR/a.mif"; touch -d "1 hour ago" "$TMPDIR/a.mif"',
    "from the future": 'cp own.txt "$TMPDIR/a.mif"; touch -d "next year" "$TMPDIR/a.mif"',
    "that came with the package": "true",
    "in a folder below": 'mkdir "$TMPDIR/x"; cp own.txt "$TMPDIR/x/a.mif"',
    "that is a link": 'ln -s "$PWD/own.txt" "$TMPDIR/a.mif"',
    "that is a pipe": 'mkfifo "$TMPDIR/a.mif"',
    "that is a folder": 'mkdir "$TMPDIR/a.mif"',
}


@pytest.mark.parametrize("line", MIFS.values(), ids=MIFS)
def test_a_mif_that_is_not_of_this_run_and_program_does_not_count(agent: Agent, line: str) -> None:
    files = agent.content.available["m1"]
    files["own.txt"] = files["a.mif"] = mif("Failed").encode()
    files["other.txt"] = mif("Failed", product="Viewer").encode()
    agent.policy = policy_of(f"{line}; exit 0", reporting=msgspec.structs.replace(REPORTING, file_name="a"))
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.told()[-1] is StatusId.SUCCEEDED_BY_EXIT_CODE


def test_the_newest_of_several_mifs_counts_as_a_setup_that_begins_with_a_failure_means_it(agent: Agent) -> None:
    files = agent.content.available["m1"]
    files["failed.txt"], files["good.txt"] = mif("Failed", "not finished").encode(), mif("Success", "at last").encode()
    agent.policy = policy_of('cp failed.txt "$TMPDIR/1.mif"; sleep 0.1; cp good.txt 2.mif; exit 3', reporting=REPORTING)
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert "at last" in agent.job.text


def test_a_result_file_is_stronger_than_a_mif_and_a_damaged_one_leaves_it_to_the_mif(agent: Agent) -> None:
    agent.content.available["m1"]["status.txt"] = mif("Success").encode()
    result = '{\\"status\\": \\"failure\\"}'
    agent.policy = policy_of(f'cp status.txt a.mif; echo "{result}" > "$PURVEYOR_RESULT_FILE"', reporting=REPORTING)
    agent.settle()
    assert agent.job.state is JobState.FAILED


def test_a_damaged_result_file_leaves_the_word_to_the_mif(agent: Agent) -> None:
    agent.content.available["m1"]["status.txt"] = mif("Success").encode()
    agent.policy = policy_of('cp status.txt a.mif; echo damaged > "$PURVEYOR_RESULT_FILE"; exit 1', reporting=REPORTING)
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED


RESULTS = {
    "larger than any": 'truncate -s 1G "$PURVEYOR_RESULT_FILE"',
    "a link to a good one": (
        'echo "{\\"status\\": \\"failure\\"}" > "$TMPDIR/other"; ln -s "$TMPDIR/other" "$PURVEYOR_RESULT_FILE"'
    ),
    "a link to a secret": 'ln -s /etc/shadow "$PURVEYOR_RESULT_FILE"',
    "a pipe": 'mkfifo "$PURVEYOR_RESULT_FILE"',
    "a folder": 'mkdir "$PURVEYOR_RESULT_FILE"',
    "no JSON": 'head -c 60000 /dev/urandom > "$PURVEYOR_RESULT_FILE"',
    "of another form": 'echo "[1, 2]" > "$PURVEYOR_RESULT_FILE"',
    "empty": ': > "$PURVEYOR_RESULT_FILE"',
    "deeply nested": 'yes "[" | head -n 30000 > "$PURVEYOR_RESULT_FILE"',
    "written after the end": (
        'echo "{\\"status\\": \\"failure\\"}" > "$PURVEYOR_RESULT_FILE"; touch -d "1 hour" "$PURVEYOR_RESULT_FILE"'
    ),
}


@pytest.mark.parametrize("line", RESULTS.values(), ids=RESULTS)
def test_a_result_file_that_says_nothing_leaves_the_word_to_the_exit_code(agent: Agent, line: str) -> None:
    agent.policy = policy_of(f"{line}; exit 0")
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert "the exit code decides" in agent.job.text
    assert "root:" not in agent.job.text
    assert len(agent.job.text) < 600
    assert agent.machine.disk.names("runs") == []


def test_a_program_that_says_not_now_is_started_again_later_and_then_succeeds(agent: Agent, tmp_path: Path) -> None:
    line = f"echo run >> {tmp_path}/runs; test $(wc -l < {tmp_path}/runs) = 3 || exit 75"
    agent.policy = policy_of(line, retry_codes=(75,))
    agent.settle()
    for attempt in (1, 2):
        assert (agent.job.state, agent.job.attempts) == (JobState.WAITING, attempt)
        assert agent.job.next_try_at is not None
        agent.settle()
        assert agent.job.attempts == attempt, "it is not started again before its pause is over"
        with agent.state.transaction():
            records.save_job(agent.state, msgspec.structs.replace(agent.job, next_try_at=None))
        agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.told().count(StatusId.RETRY_LATER) == 2
    assert (tmp_path / "runs").read_text() == "run\n" * 3


def test_what_a_program_prints_stays_bounded_and_its_environment_is_never_told(agent: Agent) -> None:
    agent.policy = policy_of("yes 'a line of output' | head -c 20000000; exit 1")
    agent.settle()
    assert agent.job.state is JobState.FAILED
    assert len(agent.job.text) < 700
    assert "PATH=" not in agent.job.text


def test_what_a_run_left_is_settled_once_even_if_it_was_killed_in_the_middle(agent: Agent, tmp_path: Path) -> None:
    line = f'echo "{{\\"status\\": \\"success\\"}}" > "$PURVEYOR_RESULT_FILE"; echo $$ > {tmp_path}/pid; exec sleep 600'
    agent.policy = policy_of(line)
    agent.turn()
    agent.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    watcher = msgspec.json.decode((agent.folder / "runs" / agent.job.run / "watch.json").read_bytes())["pid"]
    os.kill(int(watcher), 9)
    os.kill(int((tmp_path / "pid").read_text()), 9)
    agent.until(lambda: agent.machine.programs.look(agent.job.run).state is RunState.UNKNOWN)
    agent.turn()
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.told()[-2:] == [StatusId.INTERRUPTED, StatusId.INTERRUPTED_RESOLVED]
