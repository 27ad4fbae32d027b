"""Real programs under the real supervisor: whatever they do, the agent is told the truth, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from purveyor.client.machine import supervisor
from purveyor.client.machine.interface import RunOrder, RunReport, RunState
from purveyor.client.machine.programs import RealPrograms
from purveyor.wire.package_info import Command

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Bench:
    """Starts commands in a folder of their own, and waits for what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = RealPrograms(folder / "runs")
        self.count = 0

    def order(self, command: Command, *, max_run_seconds: int = 30, run: str = "") -> RunOrder:
        self.count += 1
        run = run or f"run{self.count}"
        content = self.folder / "runs" / run / "content"
        content.mkdir(parents=True, exist_ok=True)
        return RunOrder(
            run=run,
            command=command,
            working_directory=str(content),
            environment={"PATH": PATH, "MARK": str(self.folder / "mark")},
            max_run_seconds=max_run_seconds,
            result_file=str(content / "result.json"),
        )

    def start(self, line: str, *, max_run_seconds: int = 30) -> str:
        order = self.order(Command(shell_line=line), max_run_seconds=max_run_seconds)
        self.programs.start(order)
        return order.run

    def ended(self, run: str, *, seconds: float = 30) -> RunReport:
        self.until(lambda: self.programs.look(run).state is not RunState.RUNNING, seconds=seconds)
        return self.programs.look(run)

    def until(self, is_so: Callable[[], bool], *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not come to pass in time"
            time.sleep(0.02)

    def watcher(self, run: str) -> int:
        return int(msgspec.json.decode((self.folder / "runs" / run / "watch.json").read_bytes())["pid"])

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for run in (tmp_path / "runs").iterdir() if (tmp_path / "runs").exists() else []:
        made.programs.stop(run.name, is_forced=True)


def is_alive(pid: int) -> bool:
    fields = supervisor.stat_of(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def test_the_exit_code_of_a_program_is_its_own(bench: Bench) -> None:
    report = bench.ended(bench.start("exit 42"))
    assert (report.state, report.exit_code) == (RunState.ENDED, 42)
    assert report.started_at is not None
    assert report.ended_at is not None
    assert report.started_at <= report.ended_at


def test_a_signal_that_ended_a_program_is_told_as_a_negative_code(bench: Bench) -> None:
    assert bench.ended(bench.start("kill -9 $$")).exit_code == -signal.SIGKILL


def test_a_program_has_valid_streams_and_only_the_variables_it_was_given(bench: Bench) -> None:
    run = bench.start("cat; ls -l /proc/self/fd; env")
    report = bench.ended(run)
    printed = (bench.folder / "runs" / run / "output.log").read_text()
    assert report.exit_code == 0
    assert "0 -> /dev/null" in printed
    names = {line.partition("=")[0] for line in printed.splitlines() if "=" in line}
    assert names <= {"PATH", "MARK", "PWD", "OLDPWD", "SHLVL", "_"}
    assert "PATH" in names


def test_words_with_blanks_quotes_and_other_letters_reach_a_program_as_they_are(bench: Bench) -> None:
    words = ("/bin/sh", "-c", 'printf "%s|" "$@" > "$MARK"', "sh", "two words", "it's", 'a "b"', "%d", "naïve\nline", "$HOME")
    order = bench.order(Command(argv=words))
    bench.programs.start(order)
    assert bench.ended(order.run).exit_code == 0
    assert bench.read("mark") == 'two words|it\'s|a "b"|%d|naïve\nline|$HOME|'


def test_a_program_beside_the_content_is_found_before_those_of_the_system(bench: Bench) -> None:
    order = bench.order(Command(argv=("ls",)))
    own = Path(order.working_directory) / "ls"
    own.write_text('#!/bin/sh\necho own > "$MARK"\n')
    own.chmod(0o755)
    bench.programs.start(order)
    assert bench.ended(order.run).exit_code == 0
    assert bench.read("mark") == "own\n"


def test_a_command_that_is_not_there_is_told_as_such(bench: Bench) -> None:
    order = bench.order(Command(argv=("no-such-command-anywhere",)))
    bench.programs.start(order)
    report = bench.ended(order.run)
    assert "No such file or directory" in report.start_error
    assert "no-such-command-anywhere" in report.start_error
    assert not report.is_transient


def test_a_file_that_is_not_executable_is_told_as_such(bench: Bench) -> None:
    order = bench.order(Command(argv=("./setup",)))
    (Path(order.working_directory) / "setup").write_text("#!/bin/sh\n")
    bench.programs.start(order)
    report = bench.ended(order.run)
    assert "Permission denied" in report.start_error
    assert not report.is_transient


def test_a_working_directory_that_is_not_there_is_named(bench: Bench) -> None:
    order = msgspec.structs.replace(bench.order(Command(argv=("true",))), working_directory="/no/such/folder")
    bench.programs.start(order)
    assert "/no/such/folder" in bench.ended(order.run).start_error


def test_a_program_that_hangs_is_ended_at_its_time(bench: Bench) -> None:
    began = time.monotonic()
    report = bench.ended(bench.start("sleep 600", max_run_seconds=1))
    assert report.is_timed_out
    assert time.monotonic() - began < 9


def test_a_program_that_does_not_heed_the_end_is_killed(bench: Bench) -> None:
    report = bench.ended(bench.start("trap '' TERM; while :; do sleep 1; done", max_run_seconds=1), seconds=40)
    assert report.is_timed_out
    assert report.exit_code == -signal.SIGKILL


def test_a_run_goes_on_while_a_child_that_was_left_behind_goes_on(bench: Bench) -> None:
    run = bench.start('(sleep 1; echo child >> "$MARK") & exit 0')
    report = bench.ended(run)
    assert report.exit_code == 0
    assert bench.read("mark") == "child\n", "the run ended before the child that it had left"


def test_a_daemon_that_forked_twice_is_watched_and_ended_with_its_run(bench: Bench) -> None:
    daemon = (
        "import os,time\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "open(os.environ['MARK'],'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    order = bench.order(Command(argv=(sys.executable, "-I", "-S", "-c", daemon)), max_run_seconds=2)
    bench.programs.start(order)
    bench.until(lambda: bench.read("mark") != "")
    daemon_pid = int(bench.read("mark"))
    assert is_alive(daemon_pid)
    assert bench.programs.look(order.run).state is RunState.RUNNING
    report = bench.ended(order.run)
    assert report.is_timed_out
    assert report.exit_code == 0, "the program itself had ended well"
    assert not is_alive(daemon_pid)


def test_a_program_that_prints_without_end_costs_next_to_nothing(bench: Bench) -> None:
    run = bench.start("echo begun; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo over")
    report = bench.ended(run, seconds=60)
    kept = (bench.folder / "runs" / run / "output.log").stat().st_size
    assert report.exit_code == 0
    assert report.output_tail.endswith("over\n")
    assert kept <= 66 * 1024
    assert (bench.folder / "runs" / run / "output.log").read_bytes().startswith(b"begun\n")


def test_a_program_that_prints_bytes_that_are_no_text_is_reported(bench: Bench) -> None:
    report = bench.ended(bench.start("printf '\\377\\376 broken'; exit 3"))
    assert report.exit_code == 3
    assert "broken" in report.output_tail


def test_starting_one_run_twice_starts_it_once(bench: Bench) -> None:
    order = bench.order(Command(shell_line='echo started >> "$MARK"; sleep 0.5'))
    bench.programs.start(order)
    bench.programs.start(order)
    bench.ended(order.run)
    bench.programs.start(order)
    assert bench.read("mark") == "started\n"


def test_asking_a_run_to_stop_reaches_the_whole_tree(bench: Bench) -> None:
    run = bench.start("sleep 600 & sleep 600 & wait")
    bench.programs.stop(run, is_forced=False)
    report = bench.ended(run, seconds=9)
    assert report.is_stopped
    assert not report.is_timed_out


def test_a_run_that_does_not_heed_the_asking_goes_on_until_it_is_ended(bench: Bench) -> None:
    run = bench.start("trap 'echo asked > \"$MARK\"' TERM; while :; do sleep 0.2; done")
    bench.programs.stop(run, is_forced=False)
    bench.until(lambda: bench.read("mark") == "asked\n")
    assert bench.programs.look(run).state is RunState.RUNNING
    bench.programs.stop(run, is_forced=True)
    report = bench.ended(run, seconds=25)
    assert report.is_stopped
    assert report.exit_code == -signal.SIGKILL


def test_a_run_whose_watcher_was_killed_is_unknown(bench: Bench) -> None:
    run = bench.start('echo $$ > "$MARK"; exec sleep 600')
    bench.until(lambda: bench.read("mark") != "")
    os.kill(bench.watcher(run), signal.SIGKILL)
    os.kill(int(bench.read("mark")), signal.SIGKILL)  # nobody is there to see how it ended
    bench.until(lambda: bench.programs.look(run).state is RunState.UNKNOWN)


def test_a_run_of_another_start_of_the_machine_is_unknown(bench: Bench) -> None:
    run = bench.start("sleep 600")
    path = bench.folder / "runs" / run / "watch.json"
    watch = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**watch, "boot_id": "another"}))
    assert bench.programs.look(run).state is RunState.UNKNOWN
    path.write_bytes(msgspec.json.encode(watch))
    assert bench.programs.look(run).state is RunState.RUNNING


def test_a_pid_that_was_given_again_is_not_taken_for_the_watcher(bench: Bench) -> None:
    run = bench.start("sleep 600")
    path = bench.folder / "runs" / run / "watch.json"
    watch = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**watch, "start_time": "1"}))
    path.with_name("program.json").unlink()
    assert bench.programs.look(run).state is RunState.UNKNOWN
    path.write_bytes(msgspec.json.encode(watch))


def test_a_run_outlives_the_process_that_started_it(bench: Bench) -> None:
    order = bench.order(Command(shell_line='sleep 1; echo survived > "$MARK"; exit 7'))
    code = (
        "import sys,msgspec;from pathlib import Path;"
        "from purveyor.client.machine.interface import RunOrder;"
        "from purveyor.client.machine.programs import RealPrograms;"
        "RealPrograms(Path(sys.argv[1])).start(msgspec.json.decode(sys.argv[2].encode(),type=RunOrder));"
        "print('started',flush=True);import time;time.sleep(600)"
    )
    words = [sys.executable, "-c", code, str(bench.folder / "runs"), msgspec.json.encode(order).decode()]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert agent.stdout is not None
    assert agent.stdout.readline() == b"started\n"
    os.killpg(agent.pid, signal.SIGKILL)
    agent.wait()
    agent.stdout.close()
    assert bench.programs.look(order.run).state is RunState.RUNNING
    assert bench.ended(order.run).exit_code == 7
    assert bench.read("mark") == "survived\n"


def test_a_system_that_goes_down_leaves_the_run_unknown_instead_of_failed(bench: Bench) -> None:
    run = bench.start("sleep 600")
    watcher = bench.watcher(run)
    below = supervisor.tree_below(watcher)
    os.kill(watcher, signal.SIGTERM)
    bench.until(lambda: bool(below) and is_alive(watcher))
    for pid in below:
        os.kill(pid, signal.SIGTERM)
    bench.until(lambda: not is_alive(watcher))
    assert bench.programs.look(run).state is RunState.UNKNOWN


def test_a_watcher_is_small(bench: Bench) -> None:
    run = bench.start("sleep 600")
    status = Path(f"/proc/{bench.watcher(run)}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 25 * 1024, f"{resident} kB"


def test_many_runs_leave_nothing_open_behind(bench: Bench) -> None:
    before = len(os.listdir("/proc/self/fd"))
    runs = [bench.start("true") for _ in range(20)]
    watchers = [bench.watcher(run) for run in runs]
    for run in runs:
        assert bench.ended(run).exit_code == 0
        bench.programs.forget(run)
    bench.until(lambda: not any(is_alive(pid) for pid in watchers))
    assert len(os.listdir("/proc/self/fd")) == before


# --- a watcher that was killed ---


def test_a_program_whose_watcher_was_killed_is_still_seen_and_its_end_is_unknown(bench: Bench) -> None:
    run = bench.start("sleep 600 & exec sleep 600")
    os.kill(bench.watcher(run), signal.SIGKILL)
    bench.until(lambda: not is_alive(bench.watcher(run)))
    assert bench.programs.look(run).state is RunState.RUNNING
    bench.programs.stop(run, is_forced=True)
    report = bench.ended(run)
    assert (report.state, report.exit_code) == (RunState.UNKNOWN, None)


def test_a_program_without_a_watcher_is_ended_at_its_time(bench: Bench) -> None:
    run = bench.start("sleep 600", max_run_seconds=2)
    os.kill(bench.watcher(run), signal.SIGKILL)
    bench.until(lambda: not is_alive(bench.watcher(run)))
    assert bench.programs.look(run).state is RunState.RUNNING
    assert bench.ended(run).state is RunState.UNKNOWN


def test_a_child_that_goes_on_after_a_program_without_a_watcher_counts_too(bench: Bench) -> None:
    run = bench.start("sleep 600 & sleep 1; echo done > $MARK")
    os.kill(bench.watcher(run), signal.SIGKILL)
    bench.until(lambda: bench.read("mark") == "done\n")
    assert bench.programs.look(run).state is RunState.RUNNING
    bench.programs.stop(run, is_forced=False)
    assert bench.ended(run).state is RunState.UNKNOWN


def test_a_number_that_was_given_again_is_not_taken_for_the_program(bench: Bench) -> None:
    run = bench.start("sleep 600")
    watcher = bench.watcher(run)
    os.kill(watcher, signal.SIGKILL)
    bench.until(lambda: not is_alive(watcher))
    path = bench.folder / "runs" / run / "program.json"
    whole = path.read_text()
    path.write_text(whole.replace('"start_time": "', '"start_time": "1'))
    assert bench.programs.look(run).state is RunState.UNKNOWN
    bench.programs.stop(run, is_forced=True)
    path.write_text(whole)
    assert bench.programs.look(run).state is RunState.RUNNING
    bench.programs.stop(run, is_forced=True)
    assert bench.ended(run).state is RunState.UNKNOWN
