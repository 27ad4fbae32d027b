"""The real machine: what lies on a hostile disk, what is installed, what the log keeps."""

import hashlib
import os
import stat
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from purveyor.client.log import Log, last_lines, older_of
from purveyor.client.machine import facts, lock
from purveyor.client.machine.detection import is_detected
from purveyor.client.machine.disk import RealDisk
from purveyor.client.machine.real import RealMachine
from purveyor.wire.errors import RefusedError, UnavailableError
from purveyor.wire.package_info import Command, CommandRule, FileRule, OsPackageRule


@pytest.fixture
def disk(tmp_path: Path) -> RealDisk:
    (tmp_path / "state").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return RealDisk(tmp_path / "state")


# --- disk ---


@pytest.mark.parametrize("target", ["../../outside", "{outside}"])
def test_a_link_to_a_folder_outside_leads_nowhere(disk: RealDisk, tmp_path: Path, target: str) -> None:
    disk.make_folder("f")
    disk.link("f/way", target.format(outside=tmp_path / "outside"))
    assert disk.read("f/way/secret") is None
    assert disk.size("f/way/secret") is None
    assert disk.names("f/way") == []
    disk.remove("f/way/secret")
    with pytest.raises(UnavailableError):
        disk.append("f/way/new", b"1")
    with pytest.raises(UnavailableError):
        disk.place("f/way/secret", "stolen", is_executable=False)
    assert sorted(os.listdir(tmp_path / "outside")) == ["secret"]


def test_a_link_to_a_file_outside_is_neither_read_nor_written(disk: RealDisk, tmp_path: Path) -> None:
    disk.link("way", str(tmp_path / "outside" / "secret"))
    assert disk.read("way") is None
    assert disk.size("way") is None
    with pytest.raises(UnavailableError):
        disk.append("way", b"changed")
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_removing_a_folder_removes_its_links_and_not_what_they_lead_to(disk: RealDisk, tmp_path: Path) -> None:
    disk.append("f/deep/a", b"1")
    disk.link("f/deep/way", str(tmp_path / "outside"))
    disk.remove("f")
    assert disk.names("f") == []
    assert (tmp_path / "outside" / "secret").exists()


def test_folders_deeper_than_any_path_are_removed(disk: RealDisk) -> None:
    disk.append("f/a", b"1")
    here = os.open(disk.absolute("f"), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    disk.remove("f")
    assert disk.names("f") == []
    assert not os.path.lexists(disk.absolute("f"))


def test_folders_that_nobody_may_enter_are_removed(disk: RealDisk) -> None:
    disk.append("f/locked/below/a", b"1")
    os.chmod(disk.absolute("f/locked/below"), 0)
    os.chmod(disk.absolute("f/locked"), 0o500)
    os.mkfifo(disk.absolute("f/pipe"))
    disk.remove("f")
    assert not os.path.lexists(disk.absolute("f"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_what_a_program_mounted_and_left_is_not_emptied(disk: RealDisk, tmp_path: Path) -> None:
    disk.append("f/deep/mine", b"1")
    disk.make_folder("f/deep/share")
    outside, place = tmp_path / "outside", disk.absolute("f/deep/share")
    if subprocess.run(["mount", "--bind", outside, place], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(UnavailableError, match="busy"):
            disk.remove("f")
        assert (outside / "secret").read_bytes() == b"secret"
        assert outside.stat().st_mode & 0o777 == 0o755
    finally:
        subprocess.run(["umount", "--lazy", *_mounted_below(disk)], check=False, capture_output=True)
    disk.remove("f")
    assert not os.path.lexists(disk.absolute("f"))
    assert (outside / "secret").exists()


def _mounted_below(disk: RealDisk) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(disk.absolute("f") + "/")]


def test_placing_over_a_link_replaces_the_link(disk: RealDisk, tmp_path: Path) -> None:
    disk.append("stored", b"new")
    disk.link("way", str(tmp_path / "outside" / "secret"))
    disk.place("stored", "way", is_executable=True)
    assert disk.read("way") == b"new"
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_a_pipe_or_device_in_place_of_a_file_blocks_nobody(disk: RealDisk) -> None:
    disk.make_folder("f")
    os.mkfifo(disk.absolute("f/pipe"))
    assert disk.read("f/pipe") is None
    assert disk.size("f/pipe") is None
    disk.remove("f")
    assert disk.names("f") == []


def test_folders_that_nobody_may_write_to_are_removed(disk: RealDisk) -> None:
    disk.append("f/locked/deep/a", b"1")
    os.chmod(disk.absolute("f/locked/deep"), 0o500)
    os.chmod(disk.absolute("f/locked"), 0o500)
    disk.remove("f")
    assert disk.names("f") == []


def test_a_placed_file_is_executable_where_it_is_to_be(disk: RealDisk) -> None:
    disk.append("stored", b"#!/bin/sh\n")
    disk.place("stored", "tool", is_executable=True)
    disk.place("stored", "text", is_executable=False)
    assert stat.S_IMODE(os.stat(disk.absolute("tool")).st_mode) & 0o111 == 0o111
    assert stat.S_IMODE(os.stat(disk.absolute("text")).st_mode) & 0o111 == 0


def test_a_full_disk_is_an_unavailable_one(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("there is no second file system here")
    try:
        disk = RealDisk(place)
        disk.append("a", b"x" * 20_000)
        with pytest.raises(UnavailableError, match="the disk is full"):
            disk.append("b", b"x" * 200_000)
        with pytest.raises(UnavailableError, match="the disk is full"):
            disk.place("a", "copy", is_executable=False)
        assert disk.read("a") == b"x" * 20_000
        assert disk.free_bytes() < 64 * 1024
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_copies_of_large_files_are_whole(disk: RealDisk) -> None:
    content = os.urandom(3_000_001)
    disk.append("stored", content)
    disk.place("stored", "run/copy", is_executable=False)
    assert disk.read("run/copy") == content


# --- detection ---


def test_a_file_is_detected_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "app"
    assert not is_detected(FileRule(path=str(path)))
    path.write_bytes(b"app")
    digest = hashlib.sha256(b"app").hexdigest()
    assert is_detected(FileRule(path=str(path)))
    assert is_detected(FileRule(path=str(path), sha256=digest.upper()))
    assert not is_detected(FileRule(path=str(path), sha256="0" * 64))
    assert not is_detected(FileRule(path=str(path / "below")))
    assert is_detected(FileRule(path=str(tmp_path)))


def test_a_command_detects_with_0_and_one_that_hangs_cannot_tell(tmp_path: Path) -> None:
    assert is_detected(CommandRule(command=Command(shell_line="true")))
    assert not is_detected(CommandRule(command=Command(argv=("false",))))
    with pytest.raises(UnavailableError, match="within 1 seconds"):
        is_detected(CommandRule(command=Command(shell_line="sleep 600 & sleep 600"), max_run_seconds=1))
    with pytest.raises(UnavailableError, match="cannot be started"):
        is_detected(CommandRule(command=Command(argv=("/no/such/command",))))


def test_a_package_of_the_system_is_detected_by_name_and_version() -> None:
    assert is_detected(OsPackageRule(name="dpkg"))
    assert is_detected(OsPackageRule(name="dpkg", at_least="1.0"))
    assert not is_detected(OsPackageRule(name="dpkg", at_least="999:1"))
    assert not is_detected(OsPackageRule(name="no-such-package-at-all"))
    with pytest.raises(UnavailableError, match="no name"):
        is_detected(OsPackageRule(name="--version"))


def test_a_package_is_looked_for_in_the_root_that_is_named(tmp_path: Path) -> None:
    admin = tmp_path / "var" / "lib" / "dpkg"
    (admin / "info").mkdir(parents=True)
    (admin / "updates").mkdir()
    entry = "Package: app\nStatus: install ok installed\nVersion: 2.10-3\nArchitecture: all\nMaintainer: x\nDescription: x\n\n"
    removed = "Package: old\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n\n"
    (admin / "status").write_text(entry + removed)
    assert is_detected(OsPackageRule(name="app", root=str(tmp_path)))
    assert is_detected(OsPackageRule(name="app", at_least="2.9", root=str(tmp_path)))
    assert not is_detected(OsPackageRule(name="app", at_least="2.10-4", root=str(tmp_path)))
    assert not is_detected(OsPackageRule(name="old", root=str(tmp_path)))
    assert not is_detected(OsPackageRule(name="dpkg", root=str(tmp_path)))


# --- what the machine is ---


def test_the_facts_are_read_from_the_system_s_own_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    release = '# x\nNAME="Debian"\nVERSION_ID="12"\nID=debian\nPRETTY_NAME="Debian 12"\n'
    (tmp_path / "etc/os-release").write_text(release)
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    found = facts.facts(tmp_path)
    assert found.platform == "linux/debian/12"
    assert found.system == "Debian 12"
    assert found.zone == "Europe/Berlin"
    assert found.machine_id
    assert "0123456789abcdef" not in found.machine_id
    assert facts.zone(tmp_path) == ZoneInfo("Europe/Berlin")


def test_a_system_that_says_nothing_about_itself_is_still_a_machine(tmp_path: Path) -> None:
    found = facts.facts(tmp_path)
    assert found.platform == "linux"
    assert found.zone == "UTC"
    assert found.addresses == ()
    assert facts.zone(tmp_path) == ZoneInfo("UTC")


def test_addresses_leave_out_those_that_only_the_machine_itself_can_reach(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/fib_trie").write_text(
        "Local:\n  +-- 10.0.0.0/24 2 0 2\n     |-- 10.0.0.5\n        /32 host LOCAL\n"
        "     |-- 10.0.0.255\n        /32 link BROADCAST\n"
        "  +-- 127.0.0.0/8 2 0 2\n     |-- 127.0.0.1\n        /32 host LOCAL\n"
    )
    (tmp_path / "proc/net/if_inet6").write_text(
        "20010db8000000000000000000000001 02 40 00 80     eth0\nfe800000000000000000000000000001 02 40 20 80     eth0\n"
    )
    assert facts.addresses(tmp_path) == ("10.0.0.5", "2001:db8::1")


def test_a_restart_is_the_command_s_and_one_that_fails_is_told(tmp_path: Path) -> None:
    RealMachine(tmp_path, restart_command=("touch", str(tmp_path / "restarted"))).restart()
    assert (tmp_path / "restarted").exists()
    for command in (("false",), ("/no/such/command",)):
        with pytest.raises(UnavailableError, match="could not be restarted"):
            RealMachine(tmp_path, restart_command=command).restart()


def test_a_second_pass_at_one_time_is_refused_and_says_who_has_the_lock(tmp_path: Path) -> None:
    with (
        lock.held(tmp_path, what="a pass"),
        pytest.raises(RefusedError, match=str(os.getpid())),
        lock.held(tmp_path, what="a pass"),
    ):
        pass
    with lock.held(tmp_path, what="a pass"):
        pass


# --- log ---


def test_the_log_is_bounded_with_one_older_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    log = Log(path, component="agent", limit_bytes=50_000, now=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    for number in range(3000):
        log.write(f"line {number} " + "x" * 100)
    assert sorted(os.listdir(tmp_path)) == ["agent.lo_", "agent.log"]
    assert path.stat().st_size <= 50_000
    assert older_of(path).stat().st_size <= 50_000
    assert "line 2999 " in last_lines(path, 1)[0]
    assert len(last_lines(path, 250)) == 250
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    log = Log(tmp_path / "no" / "folder" / "agent.log", component="agent", limit_bytes=50_000, now=lambda: datetime.now(UTC))
    log.write("lost")
    assert last_lines(tmp_path / "agent.log", 5) == []


def test_lines_of_two_writers_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"

    def write(mark: str) -> None:
        log = Log(path, component=mark, limit_bytes=10_000_000, now=lambda: datetime.now(UTC))
        for _ in range(300):
            log.write(mark * 200)

    writers = [threading.Thread(target=write, args=(mark,)) for mark in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 600
    assert all(f"[LOG[{mark * 200}]LOG]" in line for line in lines for mark in [line[7]])
