"""Real programs with the rights of an account: they can do their work, and nothing of the agent's is open to them."""

import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from purveyor.client.machine import supervisor
from purveyor.client.machine.interface import Account, RunOrder, RunReport, RunState
from purveyor.client.machine.real import RealMachine
from purveyor.wire.package_info import Command

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs for another account")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Runs:
    """Starts programs as `nobody` on the real machine, laid out as the agent lays them out."""

    def __init__(self, folder: Path) -> None:
        self.machine = RealMachine(folder / "state")
        self.folder = folder
        found = self.machine.account("nobody")
        assert found is not None
        self.account = found
        self.count = 0

    def order(self, command: Command, **changed: object) -> RunOrder:
        self.count += 1
        run = f"run{self.count}"
        disk = self.machine.disk
        disk.append("agent.db", b"secret")
        disk.append("cache/tree", b"secret")
        disk.append(f"runs/{run}/content/readme", b"for everybody")
        disk.make_folder(f"runs/{run}/scratch")
        disk.give(f"runs/{run}/content", self.account)
        disk.give(f"runs/{run}/scratch", self.account)
        scratch = disk.absolute(f"runs/{run}/scratch")
        order = RunOrder(
            run=run,
            command=command,
            working_directory=disk.absolute(f"runs/{run}/content"),
            environment={"PATH": PATH, "HOME": self.account.home, "TMPDIR": scratch, "R": f"{scratch}/result.json"},
            max_run_seconds=30,
            result_file=f"{scratch}/result.json",
            account=self.account,
        )
        return msgspec.structs.replace(order, **changed)

    def ended(self, order: RunOrder) -> RunReport:
        self.machine.programs.start(order)
        return self.wait(order.run)

    def wait(self, run: str) -> RunReport:
        deadline = time.monotonic() + 30
        while (report := self.machine.programs.look(run)).state is RunState.RUNNING:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return report

    def says(self, line: str) -> str:
        return self.ended(self.order(Command(shell_line=line))).output_tail


@pytest.fixture
def runs() -> Iterator[Runs]:
    folder = Path(tempfile.mkdtemp(prefix="purveyor-rights-"))
    folder.chmod(0o755)
    made = Runs(folder)
    yield made
    for number in range(1, made.count + 1):
        made.machine.programs.stop(f"run{number}", is_forced=True)
        made.wait(f"run{number}")
    shutil.rmtree(folder)


def test_a_program_runs_as_the_account_and_as_nothing_else(runs: Runs) -> None:
    nobody = pwd.getpwnam("nobody")
    assert runs.says("id -u; id -ru; id -g; id -G; id -rg").split() == [str(nobody.pw_uid)] * 2 + [str(nobody.pw_gid)] * 3
    assert runs.says("grep -E '^(CapEff|CapPrm):' /proc/self/status").split()[1::2] == ["0" * 16] * 2


def test_it_reads_its_content_and_writes_its_result_and_temporary_files(runs: Runs) -> None:
    order = runs.order(Command(shell_line='cat readme && echo {} > "$R" && mktemp && echo said > /dev/stdout'))
    report = runs.ended(order)
    assert report.exit_code == 0
    assert report.output_tail.startswith("for everybody/")
    assert report.output_tail.endswith("said\n")
    assert runs.machine.disk.read(f"runs/{order.run}/scratch/result.json") == b"{}\n"
    runs.machine.disk.remove(f"runs/{order.run}")
    assert runs.machine.disk.names("runs") == []


def test_nothing_else_of_the_agent_is_open_to_it(runs: Runs) -> None:
    other = runs.order(Command(shell_line="true"))
    state = runs.folder / "state"
    (state / "left.db").write_bytes(b"secret")
    (state / "left.db").chmod(0o644)
    (state / "open").mkdir(mode=0o755)
    (state / "open" / "file").write_bytes(b"secret")
    for place in (
        "",
        "agent.db",
        "left.db",
        "cache",
        "cache/tree",
        "open/file",
        "runs",
        f"runs/{other.run}",
        "runs/run2/order.json",
    ):
        target = state / place
        said = runs.says(f"cat {target} {target}/* 2>&1; ls {target} 2>&1; touch {target} {target}/x 2>&1; true")
        assert "secret" not in said, place
        assert "Permission denied" in said, place
    assert not any(name == "x" for _, _, names in os.walk(state) for name in names)
    assert stat.S_IMODE(state.stat().st_mode) == 0o711


def test_a_program_for_the_system_is_started_as_ever(runs: Runs) -> None:
    order = msgspec.structs.replace(runs.order(Command(shell_line="id -u")), account=None)
    assert runs.ended(order).output_tail == "0\n"


def test_a_command_or_folder_that_the_account_cannot_use_is_named_with_it(runs: Runs) -> None:
    closed = runs.folder / "closed"
    closed.mkdir(mode=0o700)
    tool = closed / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    there = Command(argv=(str(tool),))
    for order, words in {
        "command": (runs.order(there), f"nobody cannot start {tool}"),
        "absent": (runs.order(Command(argv=("no-such-tool",))), "nobody cannot start no-such-tool"),
        "folder": (runs.order(Command(shell_line="true"), working_directory=str(closed)), f"nobody cannot enter .* {closed}"),
        "option": (runs.order(Command(argv=("-x",))), "nobody cannot start -x"),
    }.values():
        report = runs.ended(order)
        assert report.state is RunState.ENDED
        assert not report.is_transient
        assert report.started_at is not None
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(report.start_error)


def test_a_command_beside_its_content_is_started(runs: Runs) -> None:
    order = runs.order(Command(argv=("setup",)))
    tool = Path(order.working_directory) / "setup"
    tool.write_text("#!/bin/sh\nid -un\n")
    tool.chmod(0o755)
    assert runs.ended(order).output_tail == "nobody\n"


def test_it_is_stopped_with_all_that_it_started(runs: Runs) -> None:
    order = runs.order(Command(shell_line="setsid sleep 600 & sleep 600"))
    runs.machine.programs.start(order)
    runs.machine.programs.stop(order.run, is_forced=True)
    assert runs.wait(order.run).is_stopped


def test_an_agent_that_is_not_root_says_so_instead_of_starting_it(runs: Runs) -> None:
    order = runs.order(Command(shell_line="id -u"))
    child = os.fork()
    if child == 0:
        os.chmod(runs.folder / "state", 0o777)
        os.chmod(runs.folder / "state" / "runs", 0o777)
        os.chmod(runs.folder / "state" / "runs" / order.run, 0o777)
        os.setgid(runs.account.group_id)
        os.setuid(runs.account.user_id)
        machine = RealMachine(runs.folder / "state")
        other = Account(name="alice", user_id=12345, group_id=12345, group_ids=(12345,), home="/")
        machine.programs.start(msgspec.structs.replace(order, account=other))
        report = machine.programs.look(order.run)
        os._exit(0 if "does not run as root" in report.start_error and "alice" in report.start_error else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_watcher_itself_keeps_its_rights(runs: Runs) -> None:
    order = runs.order(Command(shell_line="sleep 600"))
    runs.machine.programs.start(order)
    watch = msgspec.json.decode((runs.folder / "state" / "runs" / order.run / "watch.json").read_bytes())
    assert os.stat(f"/proc/{watch['pid']}").st_uid == 0
    below = supervisor.tree_below(watch["pid"])
    assert {os.stat(f"/proc/{pid}").st_uid for pid in below} == {runs.account.user_id}
