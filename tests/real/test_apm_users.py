"""The Advertised Programs Manager over real processes with a user's rights: what they can reach, what is told, what is left."""

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apm_world import ASAP, FakeContent, NamedPoint, World, key
from purveyor.client.machine.interface import Session, Surroundings
from purveyor.client.machine.real import RealMachine
from purveyor.client.policy_view import Policy
from purveyor.client.programs import apm
from purveyor.client.programs.memory.job import Job
from purveyor.client.state.store import open_state
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, Program, RunAs
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs for another account")
USER = "nobody"
RUNS = 30


class UsedMachine(RealMachine):
    """This machine, with one user in front of it."""

    user = USER

    def surroundings(self) -> Surroundings:
        session = Session(id="1", user=self.user, since=datetime(2020, 1, 1, tzinfo=UTC))
        return Surroundings(sessions=(session,) if self.user else ())


class Agent:
    """The agent's programs part on such a machine, in a folder of its own that every user can pass through to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = UsedMachine(folder)
        self.state = open_state(str(folder / "agent.db"))
        self.content = FakeContent(self.machine)
        self.content.available["m1"] = {"data.txt": b"content\n"}
        self.policy: Policy = World().policy()

    def offer(self, *lines: str, **changes: object) -> None:
        world = World()
        programs = [
            Program(
                number=ProgramNumber(number), name=f"p{number}", command=Command(shell_line=line), run_as=RunAs.USER, **changes
            )  # type: ignore[arg-type]
            for number, line in enumerate(lines, 1)
        ]
        world.package(*programs, manifest="m1")
        world.points["m1"] = ("http://dp.example/dp",)
        for number in range(1, len(lines) + 1):
            world.advertise(number, ASAP, program=key(number=number))
        self.policy = world.policy()

    def turn(self) -> None:
        apm.turn(
            self.policy,
            state=self.state,
            machine=self.machine,
            content=self.content,
            point_for=NamedPoint,  # type: ignore[arg-type]
            now=self.machine.now(),
        )

    def settle(self, *, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        self.turn()
        while apm.is_running(self.state):
            assert time.monotonic() < deadline, "the runs did not end in time"
            if apm.has_ended_run(self.state, self.machine):
                self.turn()
            else:
                time.sleep(0.01)

    @property
    def jobs(self) -> list[Job]:
        return apm.jobs(self.state)

    def told(self, status: StatusId) -> list[str]:
        rows = self.state.connection.execute("select content from message order by id")
        messages = [from_bytes(bytes(row[0]), StatusMessage) for row in rows]
        return [message.text for message in messages if message.id is status]


@pytest.fixture
def agent() -> Iterator[Agent]:
    folder = Path(tempfile.mkdtemp(prefix="purveyor-users-"))
    made = Agent(folder)
    yield made
    for name in made.machine.disk.names("runs"):
        made.machine.programs.stop(name, is_forced=True)
    made.state.connection.close()
    shutil.rmtree(folder)


def test_a_users_program_reads_its_content_and_is_heard_by_its_result_file(agent: Agent) -> None:
    agent.offer(
        'cat data.txt && test "$(id -un)" = "$USER" && test "$USER" = "$PURVEYOR_USER" && echo changed >> data.txt && '
        'printf \'{"status":"success","description":"by %s"}\' "$USER" > "$PURVEYOR_RESULT_FILE"; exit 9'
    )
    agent.settle()
    job = agent.jobs[-1]
    assert (job.state, job.user) == (JobState.SUCCEEDED, USER)
    assert f"by {USER}" in job.text
    assert agent.machine.disk.names("runs") == []


def test_a_users_program_finds_nothing_of_the_agents_own_and_nothing_of_other_runs(agent: Agent) -> None:
    agent.machine.disk.append("runs/other/content/secret", b"secret")
    agent.machine.disk.append("cache/files/aa/secret", b"secret")
    agent.machine.disk.append("receipts/secret", b"secret")
    places = ["agent.db", "runs/other/content/secret", "cache/files/aa/secret", "receipts/secret"]
    reads = " || ".join(f"cat {agent.folder}/{place} >/dev/null 2>&1" for place in places)
    lists = f"ls {agent.folder} >/dev/null 2>&1 || ls {agent.folder}/runs >/dev/null 2>&1"
    agent.offer(f'{reads} || {lists} || touch "$PURVEYOR_CONTENT/../mine" 2>/dev/null && exit 7; exit 0')
    agent.settle()
    assert agent.jobs[-1].exit_code == 0


@pytest.mark.parametrize("is_there", [False, True])
def test_q273754_a_working_directory_that_cannot_be_entered_is_told_with_path_and_account(agent: Agent, is_there: bool) -> None:
    folder = agent.folder / "closed"
    if is_there:
        folder.mkdir(mode=0o700)
    agent.offer("true", working_directory=str(folder))
    agent.settle()
    text = " ".join([*agent.told(StatusId.START_FAILED), *agent.told(StatusId.PREPARATION_FAILED)])
    assert str(folder) in text
    assert USER in text


def test_a_state_folder_that_a_user_may_not_pass_through_is_told_with_path_and_account(agent: Agent) -> None:
    above = agent.folder / "above"
    above.mkdir(mode=0o700)
    (above / "state").mkdir()
    deeper = Agent(above / "state")
    deeper.offer("true")
    deeper.settle()
    text = " ".join([*deeper.told(StatusId.START_FAILED), *deeper.told(StatusId.PREPARATION_FAILED)])
    assert f"{above}/state/runs/" in text
    assert USER in text
    deeper.state.connection.close()


def test_q294939_many_runs_leave_nothing_behind(agent: Agent) -> None:
    before = _leftovers()
    agent.offer(*['echo x > "$TMPDIR/file"; (sleep 0.01 &); mkdir -p "$TMPDIR/a/b"; chmod 0 "$TMPDIR/a"'] * RUNS)
    agent.settle()
    assert [job.state for job in agent.jobs] == [JobState.SUCCEEDED] * RUNS
    assert agent.machine.disk.names("runs") == []
    assert _leftovers() == before


def _leftovers() -> tuple[int, int, list[str]]:
    """Mounts, descriptors of this process, and processes of the user."""
    mounts = len(Path("/proc/mounts").read_text().splitlines())
    uid = pwd.getpwnam(USER).pw_uid
    own = [name for name in os.listdir("/proc") if name.isdigit() and _owner(name) == uid]
    return mounts, len(os.listdir("/proc/self/fd")), own


def _owner(pid: str) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


@pytest.mark.parametrize("user", ["", USER])
def test_q218474_the_words_of_a_command_arrive_as_they_were_given(agent: Agent, user: str) -> None:
    words = ("a b", 'c"d', "e'f", "ü漢", "*", ";", "&&", "", "$$HOME", "back\\slash", "new\nline", "-n", "`id`")
    script = b'#!/bin/sh\nfor word in "$@"; do printf "%s\\036" "$word"; done > "$TMPDIR/words"\n'
    agent.content.available["m1"] = {"put them.sh": script + b'cat "$TMPDIR/words"\n'}
    world = World()
    command = Command(argv=("/bin/sh", "put them.sh", *words))
    run_as = RunAs.USER if user else RunAs.SYSTEM
    world.package(
        Program(number=ProgramNumber(1), name='it\'s "odd" ü', command=command, run_as=run_as, success_codes=(7,)), manifest="m1"
    )
    world.points["m1"] = ("http://dp.example/dp",)
    world.advertise(1, ASAP)
    agent.policy = world.policy()
    agent.settle()
    given = "\x1e".join("$HOME" if word == "$$HOME" else word for word in words)
    assert given in agent.jobs[-1].text
