"""The Advertised Programs Manager: what runs, how often, and what is told of it."""

import contextlib
import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from apm_world import ASAP, HOUR, MINUTE, OTHER, PACKAGE, POINT, World, at, key
from purveyor.client.content.cache import Fetched
from purveyor.client.points.memory import notice_addresses
from purveyor.client.programs import apm
from purveyor.lab.clock import START
from purveyor.lab.power import PowerCut
from purveyor.lab.programs import Script
from purveyor.wire.causes import Cause
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Command, FileRule, IfInterrupted, OsPackageRule, Uninstall
from purveyor.wire.schedule import Zone
from purveyor.wire.status_messages import StatusId

DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def result(status: str, description: str = "") -> bytes:
    return json.dumps({"status": status, "description": description}).encode()


def test_an_advertised_program_runs_once_and_every_step_is_told(world: World) -> None:
    world.supply("m1", setup=b"#!")
    world.package(manifest="m1")
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == ["setup"]
    assert world.state_of() is JobState.SUCCEEDED
    assert [message.id for message in world.messages] == [
        StatusId.ADVERTISEMENT_RECEIVED,
        StatusId.DOWNLOAD_STARTED,
        StatusId.DOWNLOAD_FINISHED,
        StatusId.PROGRAM_STARTED,
        StatusId.SUCCEEDED_BY_EXIT_CODE,
    ]
    assert world.messages[-1].occurrence == "S0120001.1@2026-01-05T07:00:00Z"
    assert world.messages[-1].source_version == 1
    for _ in range(5):
        world.after(HOUR)
    assert world.runs == ["setup"]
    assert len(world.messages) == 5


def test_a_program_gets_its_content_and_its_documented_variables(world: World) -> None:
    world.supply("m1", setup=b"#!", **{"data/file": b"1"})
    world.package(manifest="m1", version=4)
    world.advertise(1, ASAP)
    world.turn()
    (launch,) = world.machine.programs.launches
    folder = f"{world.machine.disk.root}/runs/{launch.run}"
    assert launch.files == {"setup": b"#!", "data/file": b"1"}
    assert launch.working_directory == f"{folder}/content"
    assert launch.environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": f"{folder}/scratch",
        "LANG": "C.UTF-8",
        "TMPDIR": f"{folder}/scratch",
        "PURVEYOR_CONTENT": f"{folder}/content",
        "PURVEYOR_RESULT_FILE": f"{folder}/scratch/result.json",
        "PURVEYOR_PACKAGE": PACKAGE,
        "PURVEYOR_PROGRAM": "setup",
        "PURVEYOR_ADVERTISEMENT": "S0120001",
        "PURVEYOR_SITE": "S01",
        "PURVEYOR_SOURCE_VERSION": "4",
        "PURVEYOR_RUN": launch.run,
        "PURVEYOR_STATE": world.machine.disk.root,
    }


def test_nothing_of_a_run_is_left_on_the_disk(world: World) -> None:
    world.supply("m1", setup=b"#!")
    world.package(manifest="m1")
    world.advertise(1, ASAP)
    world.settle()
    assert world.machine.disk.names("runs") == []


def test_what_a_crash_left_of_a_run_that_never_began_is_swept_away(world: World) -> None:
    world.machine.disk.append("runs/orphan/content/big", b"x" * 1000)
    world.package()
    world.advertise(1, ASAP)
    world.turn()
    assert world.machine.disk.names("runs") == [world.job().run]


def test_variables_in_words_are_expanded_and_an_undefined_one_is_named(world: World) -> None:  # Q235136, Q260395
    world.package(world.program(1, "setup --from=${PURVEYOR_PACKAGE} $$5"))
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == [f"setup --from={PACKAGE} $5"]
    world.package(world.program(1, "setup $NO_SUCH_THING"), package=OTHER)
    world.advertise(2, ASAP, program=key(OTHER))
    world.settle()
    (message,) = world.told(StatusId.PREPARATION_FAILED)
    assert "NO_SUCH_THING" in message.text
    assert len(world.runs) == 1


def test_a_shell_line_is_left_to_the_shell(world: World) -> None:  # Q235149
    program = world.program(1, command="x")
    world.package(type(program)(number=program.number, name="x", command=Command(shell_line="echo $HOME > out")))
    world.advertise(1, ASAP)
    world.turn()
    assert world.runs == ["echo $HOME > out"]


@pytest.mark.parametrize("folder", ["nowhere", "../up", "setup"])
def test_a_working_directory_that_is_not_there_is_named_and_tried_again(world: World, folder: str) -> None:  # Q273754
    world.supply("m1", setup=b"#!")
    world.package(world.program(1, working_directory=folder), manifest="m1")
    world.advertise(1, ASAP)
    world.settle()
    (message,) = world.told(StatusId.PREPARATION_FAILED)
    assert folder in message.text
    assert world.state_of() is JobState.WAITING
    world.package(world.program(1), manifest="m1", version=2)
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED


def test_a_program_starts_in_its_working_directory(world: World) -> None:
    world.supply("m1", **{"bin/setup": b"#!"})
    world.package(world.program(1, working_directory="bin"), manifest="m1")
    world.advertise(1, ASAP)
    world.turn()
    assert world.machine.programs.launches[0].working_directory.endswith("/content/bin")


# --- results ---


def test_a_result_file_that_says_success_beats_an_exit_code(world: World) -> None:  # Q216744
    world.script("setup", Script(exit_code=17, result=result("success", "all is well")))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    (message,) = world.told(StatusId.SUCCEEDED_BY_RESULT_FILE)
    assert message.exit_code == 17
    assert "all is well" in message.text


def test_a_result_file_that_says_failure_beats_exit_code_0(world: World) -> None:
    world.script("setup", Script(exit_code=0, result=result("failure", "no licence")))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.FAILED
    assert "no licence" in world.told(StatusId.FAILED_BY_RESULT_FILE)[0].text


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"status": "perhaps"}', b"[" * 100_000, b'"' + b"x" * 70_000 + b'"'])
def test_an_unreadable_result_file_leaves_it_to_the_exit_code_and_says_so(world: World, content: bytes) -> None:
    world.script("setup", Script(exit_code=0, result=content))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    assert "the exit code decides" in world.told(StatusId.SUCCEEDED_BY_EXIT_CODE)[0].text


def test_a_program_names_its_own_success_codes(world: World) -> None:  # Q324721
    world.script("setup", Script(exit_code=1))
    world.package(world.program(1, success_codes=(1,)))
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED


def test_a_failed_run_is_final_for_its_occurrence_and_a_new_advertisement_runs_it_again(world: World) -> None:  # Q257271
    world.script("setup", Script(exit_code=5), Script(exit_code=0))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.after(DAY)
    assert world.runs == ["setup"]
    assert world.told(StatusId.FAILED_BY_EXIT_CODE)[0].exit_code == 5
    world.advertise(2, ASAP)
    world.settle()
    assert world.runs == ["setup", "setup"]
    assert world.state_of() is JobState.SUCCEEDED


def test_a_run_beyond_its_time_is_told_as_such_and_the_next_program_goes_on(world: World) -> None:  # Q215032
    world.script("setup", Script(hangs=True))
    world.package(world.program(1, max_run_seconds=600), world.program(2, "second"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    assert world.state_of() is JobState.TIMED_OUT
    assert world.state_of(key(number=2)) is JobState.SUCCEEDED
    assert len(world.told(StatusId.TIMED_OUT)) == 1


def test_a_command_that_cannot_be_started_has_failed_and_is_not_told_as_started(world: World) -> None:
    world.script("setup", Script(start_error="No such file or directory: 'setup'"))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.FAILED
    assert "No such file" in world.told(StatusId.START_FAILED)[0].text
    assert not world.told(StatusId.PROGRAM_STARTED)


def test_a_restart_is_owed_before_anything_else_starts(world: World) -> None:  # Q226504, Q263700
    world.script("setup", Script(exit_code=3010))
    world.package(world.program(1), world.program(2, "second"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    assert world.state_of() is JobState.RESTART_PENDING
    assert world.runs == ["setup"]
    assert [message.id for message in world.messages if message.program == 1][-1] is StatusId.RESTART_PENDING
    world.after(DAY)
    assert world.runs == ["setup"]
    world.machine.restart_now()
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    assert world.runs == ["setup", "second"]
    assert world.told(StatusId.SUCCEEDED_BY_EXIT_CODE)[0].exit_code == 3010


def test_a_success_file_with_a_restart_code_owes_the_restart(world: World) -> None:  # Q216744
    world.script("setup", Script(exit_code=3010, result=result("success")))
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.RESTART_PENDING
    world.machine.restart_now()
    world.settle()
    assert len(world.told(StatusId.SUCCEEDED_BY_RESULT_FILE)) == 1


def test_what_is_detected_afterwards_is_a_fact_of_its_own(world: World) -> None:
    world.script("setup", Script(installs=("/opt/app",)))
    world.package(
        world.program(1, detection=FileRule(path="/opt/app")),
        world.program(2, "second", detection=FileRule(path="/opt/never")),
    )
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    assert [message.program for message in world.told(StatusId.DETECTED)] == [1]
    assert [message.program for message in world.told(StatusId.NOT_DETECTED)] == [2]
    assert world.state_of(key(number=2)) is JobState.SUCCEEDED


# --- interruption ---


def test_a_run_that_nobody_saw_end_is_interrupted_and_left_alone(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.turn()
    world.machine.power_cut()
    world.machine.start()
    world.settle()
    assert world.state_of() is JobState.INTERRUPTED
    assert len(world.told(StatusId.INTERRUPTED)) == 1
    world.after(DAY)
    assert world.runs == ["setup"]


def test_a_program_that_restarts_the_machine_is_resolved_by_what_it_installed(world: World) -> None:  # Q292261
    world.script("setup", Script(restarts_machine=True, installs=("app=1.0",)))
    world.package(world.program(1, detection=OsPackageRule(name="app")))
    world.advertise(1, ASAP)
    world.settle()
    assert world.state_of() is JobState.SUCCEEDED
    assert [message.id for message in world.messages][-3:] == [
        StatusId.INTERRUPTED,
        StatusId.INTERRUPTED_RESOLVED,
        StatusId.DETECTED,
    ]


def test_a_result_file_resolves_a_run_that_nobody_saw_end(world: World) -> None:
    world.package()
    world.advertise(1, ASAP)
    world.turn()
    run = world.job().run
    world.machine.disk.write_as_program(f"runs/{run}/scratch/result.json", result("failure", "half done"))
    world.machine.restart_now()
    world.settle()
    assert world.state_of() is JobState.FAILED
    assert "half done" in world.told(StatusId.INTERRUPTED_RESOLVED)[0].text


def test_a_program_that_may_be_run_again_is_but_not_for_ever(world: World) -> None:
    world.package(world.program(1, if_interrupted=IfInterrupted.RUN_AGAIN))
    world.advertise(1, ASAP)
    for _ in range(8):
        world.turn()
        world.machine.restart_now()
        world.after(HOUR)
    assert world.runs == ["setup"] * 3
    assert world.state_of() is JobState.INTERRUPTED
    assert {job.occurrence for job in world.jobs} == {"S0120001.1@2026-01-05T07:00:00Z"}


def test_the_power_may_go_at_any_moment_and_an_occurrence_never_runs_twice() -> None:
    reached_the_end = False
    for count in range(1, 200):
        world = World()
        world.supply("m1", setup=b"#!")
        world.package(manifest="m1")
        world.advertise(1, ASAP)
        world.machine.power.fail_at(count)
        with contextlib.suppress(PowerCut):
            world.settle()
            reached_the_end = True
        world.machine.power_cut()
        world.machine.start()
        world.content.held.setdefault("m1", set()).add(PACKAGE)
        world.settle()
        assert len(world.runs) <= 1
        assert world.state_of() in (JobState.SUCCEEDED, JobState.INTERRUPTED)
        assert (world.state_of() is JobState.SUCCEEDED) <= (len(world.runs) == 1)
        if reached_the_end:
            break
    assert reached_the_end
    assert count > 10


# --- what is due ---


def test_several_programs_of_one_package_run_once_each(world: World) -> None:  # Q229018
    programs = [world.program(number, f"setup{number}") for number in range(1, 6)]
    world.package(*programs)
    for number in (3, 1, 5, 2, 4):
        world.advertise(number, ASAP, program=key(number=number))
        world.turn()
    world.settle()
    assert sorted(world.runs) == [f"setup{number}" for number in range(1, 6)]
    world.after(DAY)
    assert len(world.runs) == 5


def test_only_one_program_runs_at_a_time(world: World) -> None:
    world.package(world.program(1), world.program(2, "second"))
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(number=2))
    world.turn()
    world.after(timedelta(seconds=30))
    assert world.runs == ["setup"]
    world.after(MINUTE)
    assert world.runs == ["setup", "second"]


def test_advertisements_of_one_program_make_one_run(world: World) -> None:  # Q271122
    world.script("setup", Script(exit_code=9))
    world.package()
    for number in range(1, 4):
        world.advertise(number, ASAP)
    world.settle()
    world.after(DAY)
    assert world.runs == ["setup"]
    assert len(world.told(StatusId.ADVERTISEMENT_RECEIVED)) == 3


def test_a_new_advertisement_of_a_finished_program_does_not_run_it(world: World) -> None:  # Q226922
    world.package()
    world.advertise(1, ASAP)
    world.settle()
    world.advertise(2, ASAP)
    world.settle()
    assert world.runs == ["setup"]
    assert world.told(StatusId.ADVERTISEMENT_RECEIVED)[1].state is JobState.SUCCEEDED


def test_a_second_timed_assignment_runs_it_exactly_once_more(world: World) -> None:  # Q257271, Q235815
    world.package()
    world.advertise(1, at(START, 1))
    world.settle()
    world.advertise(1, at(START, 1), at(START + DAY, 2))
    world.settle()
    assert world.runs == ["setup"]
    for _ in range(30):
        world.after(2 * HOUR)
    assert world.runs == ["setup"] * 2


def test_a_program_waits_for_its_time_and_says_when(world: World) -> None:
    world.package()
    world.advertise(1, at(START + 3 * HOUR))
    assert world.turn() == START + 3 * HOUR
    assert world.state_of() is JobState.WAITING
    assert "due at" in world.messages[0].text
    world.after(3 * HOUR - MINUTE)
    assert world.runs == []
    world.after(MINUTE)
    assert world.runs == ["setup"]


def test_a_time_on_the_machine_s_own_clock_is_read_there() -> None:
    world = World(zone=ZoneInfo("America/New_York"))
    world.package()
    world.advertise(1, at(START, zone=Zone.CLIENT))
    assert world.turn() == START + 5 * HOUR


def test_a_future_advertisement_never_runs_before_its_own_start(world: World) -> None:  # Q247484
    world.package()
    world.advertise(1, ASAP, expires_at=START - MINUTE)
    world.advertise(2, ASAP, available_from=START + DAY)
    world.settle()
    world.after(DAY - MINUTE)
    assert world.runs == []
    world.after(MINUTE)
    assert world.runs == ["setup"]


def test_an_earlier_advertisement_that_comes_later_makes_the_program_run_earlier(world: World) -> None:  # Q202332
    world.package()
    world.advertise(1, at(START + DAY))
    world.turn()
    world.advertise(2, at(START + HOUR))
    assert world.turn() == START + HOUR
    world.after(HOUR)
    assert world.runs == ["setup"]
    assert world.job().advertisement == "S0120002"
    assert len(world.jobs) == 1


def test_with_each_version_an_update_runs_it_again_and_alone_it_does_not(world: World) -> None:
    world.package(version=1)
    world.advertise(1, ASAP)
    world.advertise(2, ASAP, program=key(OTHER), each_version=True)
    world.package(world.program(1, "other"), package=OTHER, version=1)
    world.settle()
    world.package(version=2)
    world.package(world.program(1, "other"), package=OTHER, version=2)
    world.settle()
    assert sorted(world.runs) == ["other", "other", "setup"]
    assert world.history(key(OTHER)).succeeded_version == 2


def test_an_optional_advertisement_is_received_and_says_why_nothing_happens(world: World) -> None:  # Q277876
    world.package()
    world.advertise(1)
    world.settle()
    assert world.runs == []
    (message,) = world.messages
    assert message.id is StatusId.ADVERTISEMENT_RECEIVED
    assert "no assignment" in message.text


def test_history_and_state_stay_as_they_are_however_often_nothing_is_new(world: World) -> None:  # Q271696
    world.package()
    for number in range(1, 20):
        world.advertise(number, ASAP, expires_at=START + HOUR if number % 2 else None)
    world.settle()
    world.after(2 * HOUR)

    def held() -> list[tuple[object, ...]]:
        rows = world.machine.state.connection.execute("select content from history union all select content from job")
        return rows.fetchall()

    before, told = held(), len(world.messages)
    for _ in range(20):
        world.after(HOUR)
    assert held() == before
    assert len(world.messages) == told


def test_history_is_bounded_and_still_knows_that_it_succeeded(world: World) -> None:
    world.package()
    world.advertise(1, *[at(START + day * DAY, day + 1) for day in range(20)])
    for _ in range(22):
        world.settle()
        world.after(DAY)
    history = world.history()
    assert len(world.runs) == 20
    assert len(history.runs) == 5
    assert history.first_succeeded_at == START + MINUTE
    assert len(world.jobs) <= 5


def test_a_thousand_advertisements_are_taken_in_once_and_then_passed_over_without_writing(world: World) -> None:  # Q262312
    world.package(*[world.program(number, f"setup{number}") for number in range(1, 1001)])
    for number in range(1, 1001):
        world.advertise(number, at(START + DAY), program=key(number=number))
    world.turn()
    assert len(world.jobs) == 1000
    statements: list[str] = []
    world.machine.state.connection.set_trace_callback(statements.append)
    world.turn()
    world.machine.state.connection.set_trace_callback(None)
    assert len([one for one in statements if one.split()[0] in ("insert", "update", "delete")]) < 50


def test_a_thousand_programs_that_are_due_at_once_are_looked_at_and_one_of_them_runs(world: World) -> None:
    world.supply("m1", setup=b"#!")
    world.package(*[world.program(number, f"setup{number}") for number in range(1, 1001)], manifest="m1")
    for number in range(1, 1001):
        world.advertise(number, ASAP, program=key(number=number))
    world.turn()
    statements: list[str] = []
    world.machine.state.connection.set_trace_callback(statements.append)
    world.after(MINUTE)
    world.machine.state.connection.set_trace_callback(None)
    assert len(world.runs) == 2
    assert len([one for one in statements if one.split()[0] in ("insert", "update", "delete")]) < 100


def test_a_clock_that_was_wrong_leaves_no_job_waiting_for_years(world: World) -> None:  # Q202552
    world.package(manifest="m1")
    world.points["m1"] = (POINT,)
    world.advertise(1, ASAP)
    world.machine.clock.skew = 4000 * DAY
    world.turn()
    world.machine.clock.skew = timedelta(0)
    world.supply("m1", setup=b"#!")
    world.turn()
    assert world.runs == ["setup"]


def test_content_that_no_point_gave_is_asked_for_at_once_where_there_is_a_new_one_or_the_machine_has_moved(world: World) -> None:
    world.package(manifest="m1")
    world.advertise(1, ASAP)
    state, fetches = world.machine.state, world.content.fetches
    notice_addresses(state, ["10.1.0.5"])

    def is_asked_once() -> bool:
        """Whether the content is asked for in this turn, and not in the next."""
        before = len(fetches)
        world.after(timedelta(seconds=1))
        asked = len(fetches) - before
        world.after(timedelta(seconds=1))
        return asked == 1 and len(fetches) == before + 1

    assert is_asked_once()
    world.points["m1"] = (POINT,)
    assert is_asked_once(), "there was none"
    world.points["m1"] = (POINT, "http://new.example/dp")
    assert is_asked_once(), "a second one came"
    world.points["m1"] = ("http://new.example/dp",)
    assert not is_asked_once(), "one that went is no reason to ask the others again"
    notice_addresses(state, ["10.2.0.5"])
    assert is_asked_once(), "what could not be reached may be reached from here"
    world.content.lack = Fetched(cause=Cause.CONTENT_SPACE, reason="no room")
    world.after(DAY)
    world.points["m1"] += ("http://third.example/dp",)
    assert not is_asked_once(), "a point makes no room"


# --- receipts ---


def test_a_receipt_keeps_the_files_that_its_uninstall_command_needs(world: World) -> None:
    world.supply("m1", setup=b"#!", **{"tools/remove": b"rm", "tools/lib/a": b"a", "big": b"x"})
    uninstall = Uninstall(command=Command(argv=("tools/remove", "--now")), files=("tools",))
    world.package(world.program(1, uninstall=uninstall), manifest="m1", version=3)
    world.advertise(1, ASAP)
    world.settle()
    folder = f"receipts/{PACKAGE}/1"
    assert world.machine.disk.files(folder) == {"tools/remove": b"rm", "tools/lib/a": b"a"}
    world.machine.power_cut()
    assert world.machine.disk.files(folder) == {"tools/remove": b"rm", "tools/lib/a": b"a"}


def test_a_file_that_the_uninstall_command_would_miss_is_noticed_before_the_program_runs(world: World) -> None:
    world.supply("m1", setup=b"#!")
    uninstall = Uninstall(command=Command(argv=("remove",)), files=("remove",))
    world.package(world.program(1, uninstall=uninstall), manifest="m1")
    world.advertise(1, ASAP)
    world.settle()
    assert world.runs == []
    assert "'remove'" in world.told(StatusId.PREPARATION_FAILED)[0].text


def test_a_failed_program_leaves_no_receipt(world: World) -> None:
    world.script("setup", Script(exit_code=1))
    world.package(world.program(1, uninstall=Uninstall(command=Command(argv=("remove",)))))
    world.advertise(1, ASAP)
    world.settle()
    assert world.machine.state.connection.execute("select count(*) from receipt").fetchone()[0] == 0


def test_jobs_are_listed_in_the_order_in_which_they_came(world: World) -> None:
    world.package(world.program(1), world.program(2, "second"))
    world.advertise(1, at(START + DAY))
    world.turn()
    world.advertise(2, ASAP, program=key(number=2))
    world.settle()
    assert [job.key.program for job in apm.jobs(world.machine.state)] == [1, 2]
