"""The Advertised Programs Manager over real processes: what the agent's own death does to a run, and what a program leaves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from apm_world import ASAP, PACKAGE, FakeContent, NamedPoint, World, key
from purveyor.client.machine.interface import RunState
from purveyor.client.machine.real import RealMachine
from purveyor.client.policy_view import Policy
from purveyor.client.programs import apm
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import Job
from purveyor.client.state.store import State, open_state
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, FileRule, IfInterrupted, Program, Uninstall
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

AGENT = """
import sys
from pathlib import Path
from test_apm_real import Agent
import msgspec
from purveyor.client.policy_view import Policy
agent = Agent(Path(sys.argv[1]))
agent.policy = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Policy)
agent.turn()
print("turned", flush=True)
import time
time.sleep(600)
"""


class Agent:
    """The agent's programs part on this machine, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.machine = RealMachine(folder)
        self.state: State = open_state(str(folder / "agent.db"))
        self.content = FakeContent(self.machine)
        self.policy: Policy = World().policy()

    def turn(self) -> None:
        apm.turn(
            self.policy,
            state=self.state,
            machine=self.machine,
            content=self.content,
            point_for=NamedPoint,  # type: ignore[arg-type]
            now=self.machine.now(),
        )

    def settle(self, *, seconds: float = 30) -> None:
        self.turn()
        self.until(lambda: not apm.is_running(self.state) or apm.has_ended_run(self.state, self.machine), seconds=seconds)
        self.turn()

    def until(self, is_so: Callable[[], bool], *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not come to pass in time"
            time.sleep(0.02)

    @property
    def job(self) -> Job:
        return apm.jobs(self.state)[-1]

    def told(self) -> list[StatusId]:
        rows = self.state.connection.execute("select content from message order by id")
        return [from_bytes(bytes(row[0]), StatusMessage).id for row in rows]


def policy_of(line: str, **changes: object) -> Policy:
    world = World()
    program = Program(number=ProgramNumber(1), name="setup", command=Command(shell_line=line), **changes)  # type: ignore[arg-type]
    world.package(program, manifest="m1")
    world.advertise(1, ASAP)
    world.points["m1"] = ("http://dp.example/dp",)
    return world.policy()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path / "state")
    made.content.available["m1"] = {"data.txt": b"content", "remove.sh": b'#!/bin/sh\nrm "$MARK"\n'}
    yield made
    for name in made.machine.disk.names("runs"):
        made.machine.programs.stop(name, is_forced=True)
    made.state.connection.close()


def test_a_real_program_finds_its_content_and_is_heard_by_its_result_file(agent: Agent, tmp_path: Path) -> None:
    line = (
        f'cat data.txt > {tmp_path}/out; echo "$PURVEYOR_PACKAGE $PWD" >> {tmp_path}/out; '
        'printf \'{"status":"success","description":"well done"}\' > "$PURVEYOR_RESULT_FILE"; exit 9'
    )
    agent.policy = policy_of(line)
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.job.exit_code == 9
    assert "well done" in agent.job.text
    assert (tmp_path / "out").read_text().startswith(f"content{PACKAGE} {agent.folder}/runs/")
    assert agent.machine.disk.names("runs") == []


def test_a_run_is_taken_up_again_after_the_agent_was_killed_in_the_middle(agent: Agent, tmp_path: Path) -> None:
    policy = msgspec.structs.replace(
        policy_of(f"echo begun >> {tmp_path}/mark; sleep 1; echo over >> {tmp_path}/mark"), packages={}
    )
    info = msgspec.structs.replace(
        policy_of(f"echo begun >> {tmp_path}/mark; sleep 1; echo over >> {tmp_path}/mark").packages[PACKAGE]
    )
    policy = msgspec.structs.replace(policy, packages={PACKAGE: msgspec.structs.replace(info, manifest="")}, points={})
    (tmp_path / "policy.json").write_bytes(msgspec.json.encode(policy))
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{tests}:{tests.parent}"}
    words = [sys.executable, "-c", AGENT, str(agent.folder), str(tmp_path / "policy.json")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"turned\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    agent.policy = policy
    assert apm.is_running(agent.state)
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert (tmp_path / "mark").read_text() == "begun\nover\n"


def watcher_of(agent: Agent) -> int:
    return int(msgspec.json.decode((agent.folder / "runs" / agent.job.run / "watch.json").read_bytes())["pid"])


@pytest.mark.parametrize(("is_there", "state"), [(False, JobState.INTERRUPTED), (True, JobState.SUCCEEDED)])
def test_a_run_whose_watcher_was_killed_is_interrupted_or_resolved(
    agent: Agent, tmp_path: Path, is_there: bool, state: JobState
) -> None:
    agent.policy = policy_of(f"echo $$ > {tmp_path}/pid; exec sleep 600", detection=FileRule(path=str(tmp_path / "installed")))
    agent.turn()
    agent.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    os.kill(watcher_of(agent), signal.SIGKILL)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # nobody is there to see how it ended
    agent.until(lambda: agent.machine.programs.look(agent.job.run).state is RunState.UNKNOWN)
    if is_there:
        (tmp_path / "installed").touch()
    agent.turn()
    assert agent.job.state is state
    assert StatusId.INTERRUPTED in agent.told()


def test_an_interrupted_program_that_may_run_again_does(agent: Agent, tmp_path: Path) -> None:
    line = f"echo run >> {tmp_path}/runs; test $(wc -l < {tmp_path}/runs) = 2 || exec sleep 600"
    agent.policy = policy_of(line, if_interrupted=IfInterrupted.RUN_AGAIN)
    agent.turn()
    agent.until((tmp_path / "runs").exists)
    below = watcher_of(agent)
    children = [int(pid) for pid in Path(f"/proc/{below}/task/{below}/children").read_text().split()]
    os.kill(below, signal.SIGKILL)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    agent.until(lambda: agent.machine.programs.look(agent.job.run).state is RunState.UNKNOWN)
    agent.turn()
    assert agent.job.state.value == "waiting"
    with agent.state.transaction():
        records.save_job(agent.state, msgspec.structs.replace(agent.job, next_try_at=None))
    agent.settle()
    assert agent.job.state is JobState.SUCCEEDED
    assert agent.job.attempts == 2
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_program_is_uninstalled_from_its_receipt_without_any_site(agent: Agent, tmp_path: Path) -> None:
    uninstall = Uninstall(command=Command(shell_line=f"MARK={tmp_path}/installed ./remove.sh"), files=("remove.sh",))
    agent.policy = policy_of(f"touch {tmp_path}/installed", uninstall=uninstall)
    agent.settle()
    assert (tmp_path / "installed").exists()
    ended = apm.uninstall(PACKAGE, state=agent.state, machine=agent.machine, now=agent.machine.now, wait=lambda: time.sleep(0.02))
    assert [(job.key, job.state) for job in ended] == [(key(), JobState.SUCCEEDED)]
    assert not (tmp_path / "installed").exists()
    assert records.receipts(agent.state) == []
    assert agent.machine.disk.names("receipts") == []


@pytest.mark.parametrize(("line", "words"), [("exec /no/such/thing", "exit code 127"), ("kill -SEGV $$", "signal 11")])
def test_what_became_of_a_broken_program_is_said(agent: Agent, line: str, words: str) -> None:
    agent.policy = policy_of(line)
    agent.settle()
    assert agent.job.state is JobState.FAILED
    assert words in agent.job.text
