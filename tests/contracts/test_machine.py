"""What the agent may rely on of a machine's disk and programs, whichever machine it is."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from purveyor.client.machine.interface import Disk, Machine, RunOrder, RunReport, RunState, Session
from purveyor.client.machine.real import RealMachine
from purveyor.lab.clock import Clock
from purveyor.lab.machine import SimulatedMachine
from purveyor.lab.programs import Script
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Command

SCRIPTS = {
    "exit 0": Script(seconds=0, exit_code=0),
    "exit 42": Script(seconds=0, exit_code=42),
    "sleep 600": Script(seconds=600),
    "trap '' TERM; while :; do sleep 0.2; done": Script(hangs=True),
    "sleep 0.3 & exit 5": Script(seconds=0, forks_seconds=1, exit_code=5),
    "echo hello": Script(seconds=0, prints="hello\n"),
}


@dataclass
class Subject:
    """A machine under test, and how time goes on for it."""

    machine: Machine
    pass_time: Callable[[], None]

    @property
    def disk(self) -> Disk:
        return self.machine.disk

    def order(self, line: str, *, run: str = "r1", max_run_seconds: int = 60) -> RunOrder:
        self.disk.make_folder(f"runs/{run}/content")
        return RunOrder(
            run=run,
            command=Command(shell_line=line),
            working_directory=self.disk.absolute(f"runs/{run}/content"),
            environment={"PATH": "/usr/bin:/bin"},
            max_run_seconds=max_run_seconds,
            result_file=self.disk.absolute(f"runs/{run}/result.json"),
        )

    def started(self, line: str, *, max_run_seconds: int = 60) -> None:
        self.machine.programs.start(self.order(line, max_run_seconds=max_run_seconds))

    def ended(self) -> RunReport:
        deadline = time.monotonic() + 30
        while (report := self.machine.programs.look("r1")).state is RunState.RUNNING:
            assert time.monotonic() < deadline
            self.pass_time()
        return report


@pytest.fixture(params=["real", "simulated"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "real":
        (tmp_path / "state").mkdir()
        real = Subject(RealMachine(tmp_path / "state"), lambda: time.sleep(0.02))
        yield real
        real.machine.programs.stop("r1", is_forced=True)
        return
    clock = Clock()
    machine = SimulatedMachine("pc1", clock)
    for line, script in SCRIPTS.items():
        machine.programs.script(line, script)
    yield Subject(machine, lambda: clock.advance(timedelta(seconds=1)))


# --- disk ---


def test_what_is_appended_can_be_read(subject: Subject) -> None:
    subject.disk.append("a/b/c", b"one")
    subject.disk.append("a/b/c", b"two")
    assert subject.disk.read("a/b/c") == b"onetwo"
    assert b"".join(subject.disk.read_pieces("a/b/c")) == b"onetwo"
    assert subject.disk.size("a/b/c") == 6


def test_an_empty_file_is_there(subject: Subject) -> None:
    subject.disk.append("empty", b"")
    assert subject.disk.read("empty") == b""
    assert subject.disk.size("empty") == 0
    assert subject.disk.names("empty") == []


def test_a_large_file_comes_in_pieces(subject: Subject) -> None:
    content = bytes(range(256)) * 8000
    subject.disk.append("large", content)
    pieces = list(subject.disk.read_pieces("large"))
    assert b"".join(pieces) == content
    assert len(pieces) > 1


def test_what_is_not_there_is_nothing_and_no_error(subject: Subject) -> None:
    assert subject.disk.read("no/such") is None
    assert list(subject.disk.read_pieces("no/such")) == []
    assert subject.disk.size("no/such") is None
    assert subject.disk.names("no") == []
    subject.disk.remove("no/such")


def test_a_folder_is_no_file(subject: Subject) -> None:
    subject.disk.make_folder("folder")
    assert subject.disk.read("folder") is None
    assert subject.disk.size("folder") is None
    assert subject.disk.names("folder") == []


def test_names_are_those_directly_in_a_folder_sorted(subject: Subject) -> None:
    for path in ("f/b", "f/a", "f/deep/er/c", "g/x"):
        subject.disk.append(path, b"1")
    assert subject.disk.names("f") == ["a", "b", "deep"]


@pytest.mark.parametrize("name", ["with space", "naïve", "new\nline", "50%", 'quo"te', "-dash", "x" * 200])
def test_names_of_any_kind_are_kept(subject: Subject, name: str) -> None:
    subject.disk.append(f"f/{name}", b"1")
    assert subject.disk.names("f") == [name]
    assert subject.disk.read(f"f/{name}") == b"1"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../out", "a/../../out", "a//b", "./a", "a/."])
def test_no_path_leaves_the_folder(subject: Subject, path: str) -> None:
    with pytest.raises(Exception, match="no path inside"):
        subject.disk.append(path, b"1")
    with pytest.raises(Exception, match="no path inside"):
        subject.disk.read(path)


def test_renaming_replaces_what_had_the_name(subject: Subject) -> None:
    subject.disk.append("old", b"old")
    subject.disk.append("deep/new", b"before")
    subject.disk.rename("old", "deep/new")
    subject.disk.sync("deep/new")
    assert subject.disk.read("deep/new") == b"old"
    assert subject.disk.read("old") is None


def test_renaming_what_is_not_there_is_told(subject: Subject) -> None:
    with pytest.raises(UnavailableError):
        subject.disk.rename("nothing", "new")


def test_removing_takes_a_file_or_a_whole_folder(subject: Subject) -> None:
    for path in ("f/a", "f/deep/b", "g"):
        subject.disk.append(path, b"1")
    subject.disk.link("f/link", "deep")
    subject.disk.remove("f")
    subject.disk.remove("g")
    assert subject.disk.names("f") == []
    assert subject.disk.read("g") is None


def test_a_placed_copy_is_apart_from_what_it_was_made_of(subject: Subject) -> None:
    subject.disk.append("store/1", b"one")
    subject.disk.place("store/1", "run/setup", is_executable=True)
    subject.disk.append("run/setup", b" changed")
    assert subject.disk.read("store/1") == b"one"
    assert subject.disk.read("run/setup") == b"one changed"
    subject.disk.place("store/1", "run/setup", is_executable=False)
    assert subject.disk.read("run/setup") == b"one"


def test_placing_what_is_not_there_is_told(subject: Subject) -> None:
    with pytest.raises(UnavailableError):
        subject.disk.place("nothing", "run/setup", is_executable=False)


def test_a_link_is_a_name_in_its_folder(subject: Subject) -> None:
    subject.disk.append("f/a", b"1")
    subject.disk.link("f/link", "a")
    assert subject.disk.names("f") == ["a", "link"]


def test_syncing_what_is_there_or_not_is_no_error(subject: Subject) -> None:
    subject.disk.append("f/a", b"1")
    subject.disk.sync("f/a")
    subject.disk.sync("f/none")
    assert subject.disk.read("f/a") == b"1"


@pytest.mark.parametrize("count", [0, 3, 30])
def test_any_number_of_files_is_synced_in_one_call(subject: Subject, count: int) -> None:
    for number in range(count):
        subject.disk.append(f"f/{number % 3}/{number}", b"1")
    subject.disk.sync("f/none", *(f"f/{number % 3}/{number}" for number in range(count)))
    with pytest.raises(Exception, match="no path inside"):
        subject.disk.sync(*(f"f/{number}" for number in range(count)), "../outside")


def test_a_file_has_the_time_of_its_last_writing(subject: Subject) -> None:
    before = subject.machine.now() - timedelta(seconds=1)
    subject.disk.append("f/a", b"1")
    first = subject.disk.modified_at("f/a")
    assert first is not None
    assert before <= first <= subject.machine.now()
    subject.pass_time()
    subject.disk.append("f/a", b"2")
    subject.disk.place("f/a", "f/copy", is_executable=False)
    assert (subject.disk.modified_at("f/a") or before) > first
    assert (subject.disk.modified_at("f/copy") or before) > first


def test_what_is_no_file_has_no_time(subject: Subject) -> None:
    subject.disk.make_folder("f")
    subject.disk.link("link", "f")
    assert [subject.disk.modified_at(path) for path in ("f", "link", "none", "none/deeper")] == [None] * 4


def test_a_disk_knows_its_free_bytes_and_the_paths_that_programs_see(subject: Subject) -> None:
    assert subject.disk.free_bytes() > 0
    root = subject.disk.absolute("")
    assert root.startswith("/")
    assert subject.disk.absolute("a/b") == f"{root}/a/b"


# --- programs ---


@pytest.mark.parametrize(("line", "code"), [("exit 0", 0), ("exit 42", 42)])
def test_a_run_ends_with_the_code_of_its_program(subject: Subject, line: str, code: int) -> None:
    subject.started(line)
    report = subject.ended()
    assert (report.state, report.exit_code) == (RunState.ENDED, code)
    assert not report.is_timed_out
    assert not report.is_stopped
    assert report.started_at is not None
    assert report.ended_at is not None


def test_what_a_program_printed_last_is_kept(subject: Subject) -> None:
    subject.started("echo hello")
    assert subject.ended().output_tail == "hello\n"


def test_a_run_under_way_is_running(subject: Subject) -> None:
    subject.started("sleep 600")
    assert subject.machine.programs.look("r1").state is RunState.RUNNING


def test_a_run_goes_on_until_its_whole_tree_has_ended(subject: Subject) -> None:
    subject.started("sleep 0.3 & exit 5")
    assert subject.machine.programs.look("r1").state is RunState.RUNNING
    assert subject.ended().exit_code == 5


def test_a_run_is_ended_at_its_time(subject: Subject) -> None:
    subject.started("sleep 600", max_run_seconds=1)
    assert subject.ended().is_timed_out


def test_a_run_that_is_asked_to_end_is_stopped(subject: Subject) -> None:
    subject.started("sleep 600")
    subject.machine.programs.stop("r1", is_forced=False)
    report = subject.ended()
    assert report.is_stopped
    assert not report.is_timed_out


def test_a_run_that_does_not_heed_is_ended_by_force(subject: Subject) -> None:
    subject.started("trap '' TERM; while :; do sleep 0.2; done")
    subject.machine.programs.stop("r1", is_forced=True)
    assert subject.ended().is_stopped


def test_starting_a_run_again_starts_nothing(subject: Subject) -> None:
    order = subject.order("exit 42")
    subject.machine.programs.start(order)
    subject.ended()
    subject.machine.programs.start(order)
    assert subject.ended().exit_code == 42


def test_of_a_run_that_never_was_nothing_is_known(subject: Subject) -> None:
    assert subject.machine.programs.look("never").state is RunState.UNKNOWN
    subject.machine.programs.stop("never", is_forced=True)
    subject.machine.programs.forget("never")


def test_of_a_run_that_was_forgotten_nothing_is_known(subject: Subject) -> None:
    subject.started("exit 0")
    subject.ended()
    subject.machine.programs.forget("r1")
    assert subject.machine.programs.look("r1").state is RunState.UNKNOWN


# --- the machine ---


def test_a_machine_knows_what_it_is(subject: Subject) -> None:
    facts = subject.machine.facts()
    assert facts.name
    assert facts.platform.startswith("linux")
    assert facts.machine_id == subject.machine.facts().machine_id
    assert len(facts.addresses) <= 16
    assert subject.machine.boot_id() == subject.machine.boot_id() != ""
    assert subject.machine.now().utcoffset() == timedelta(0)
    assert subject.machine.now().astimezone(subject.machine.zone()).utcoffset() is not None


def test_random_bytes_differ(subject: Subject) -> None:
    assert len(subject.machine.random_bytes(16)) == 16
    assert subject.machine.random_bytes(16) != subject.machine.random_bytes(16)


def test_the_time_since_the_start_goes_on_and_never_back(subject: Subject) -> None:
    before = subject.machine.uptime_seconds()
    subject.pass_time()
    assert subject.machine.uptime_seconds() > before >= 0


# --- people ---


def test_every_session_has_an_id_of_its_own_and_a_user(subject: Subject) -> None:
    if isinstance(subject.machine, SimulatedMachine):
        subject.machine.people.log_on("alice", ("staff",))
        subject.machine.people.log_on("CORP\\bob")
        subject.machine.people.log_on("alice")
    found = subject.machine.surroundings()
    assert not found.is_going_down
    assert len({session.id for session in found.sessions}) == len(found.sessions)
    for session in found.sessions:
        assert session.user
        assert session.since is None or session.since.utcoffset() == timedelta(0)


def test_an_account_is_found_by_its_name_and_one_that_is_not_there_is_none(subject: Subject) -> None:
    if isinstance(subject.machine, SimulatedMachine):
        subject.machine.people.add_account("nobody")
    found = subject.machine.account("nobody")
    assert found is not None
    assert found.name == "nobody"
    assert found.user_id > 0
    assert found.group_id in found.group_ids
    assert found.home.startswith("/")
    assert subject.machine.account("no-such-user-at-all") is None


def test_a_notice_that_nobody_can_see_is_no_error(subject: Subject) -> None:
    nobody = Session(id="none", user="no-such-user-at-all")
    subject.machine.notices.show(nobody, "x", "A title", "A text")
    subject.machine.notices.show(nobody, "x", "--help", "\x1b<b>")
    subject.machine.notices.close(nobody, "x")
    subject.machine.notices.close(nobody, "never shown")


def test_a_folder_that_was_given_away_can_still_be_read_and_removed(subject: Subject) -> None:
    if isinstance(subject.machine, SimulatedMachine):
        subject.machine.people.add_account("nobody")
    account = subject.machine.account("nobody")
    assert account is not None
    subject.disk.append("runs/r1/scratch/result.json", b"{}")
    subject.disk.give("runs/r1/scratch", account)
    assert subject.disk.read("runs/r1/scratch/result.json") == b"{}"
    subject.disk.append("runs/r1/scratch/more", b"1")
    subject.disk.remove("runs/r1")
    assert subject.disk.names("runs") == []
