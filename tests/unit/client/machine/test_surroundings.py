"""Power, network and going down, by what a system writes down of them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from built_root import Asked, Root
from purveyor.client.machine.directory import Directory
from purveyor.client.machine.surroundings import is_going_down, is_metered, is_on_mains, surroundings

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NOW_MICROSECONDS = int(NOW.timestamp() * 1e6)
MINUTE = 60_000_000
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


# --- power ---


def supplied(root: Root, name: str, **fields: str) -> None:
    for field, value in fields.items():
        root.write(f"sys/class/power_supply/{name}/{field}", f"{value}\n")


def test_a_machine_without_supplies_cannot_tell(root: Root) -> None:
    assert is_on_mains(root.path) is None
    (root.path / "sys/class/power_supply").mkdir(parents=True)
    assert is_on_mains(root.path) is None


def test_a_plug_that_is_in_is_the_mains(root: Root) -> None:
    supplied(root, "AC", type="Mains", online="1")
    supplied(root, "BAT0", type="Battery", status="Discharging", present="1")
    assert is_on_mains(root.path) is True


def test_a_plug_that_is_out_leaves_the_battery(root: Root) -> None:
    supplied(root, "AC", type="Mains", online="0")
    supplied(root, "BAT0", type="Battery", status="Unknown")
    assert is_on_mains(root.path) is False


@pytest.mark.parametrize(
    ("status", "is_mains"),
    [("Discharging", False), ("Charging", True), ("Full", True), ("Not charging", True), ("Unknown", None)],
)
def test_a_battery_alone_tells_by_its_status(root: Root, status: str, is_mains: bool | None) -> None:
    supplied(root, "BAT0", type="Battery", status=status, present="1")
    assert is_on_mains(root.path) is is_mains


def test_the_battery_of_a_mouse_and_unused_sockets_are_not_the_machine_s(root: Root) -> None:
    supplied(root, "hid-mouse", type="Battery", scope="Device", status="Discharging")
    supplied(root, "ucsi-1", type="USB", online="0")
    supplied(root, "BAT1", type="Battery", status="Discharging", present="0")
    assert is_on_mains(root.path) is None


def test_a_second_plug_counts_too(root: Root) -> None:
    supplied(root, "AC", type="Mains", online="0")
    supplied(root, "usb-c", type="USB", online="1")
    supplied(root, "BAT0", type="Battery", status="Charging")
    assert is_on_mains(root.path) is True


# --- network ---


@pytest.mark.parametrize(
    ("said", "is_costly"),
    [
        ("yes\n", True),
        ("yes (guessed)\n", True),
        ("no\n", False),
        ("no (guessed)\n", False),
        ("unknown\n", None),
        ("", None),
        (10, None),
    ],
)
def test_network_manager_tells_whether_the_way_out_costs(root: Root, said: str | int, is_costly: bool | None) -> None:
    root.write("proc/net/route", ROUTES)
    (root.path / "run/NetworkManager").mkdir(parents=True)
    ask = Asked()
    ask.say("nmcli --terse --get-values GENERAL.METERED device show eth0", said)
    assert is_metered(root.path, ask) is is_costly


def test_without_network_manager_or_way_out_nobody_is_asked(root: Root) -> None:
    ask = Asked()
    root.write("proc/net/route", ROUTES)
    assert is_metered(root.path, ask) is None
    (root.path / "run/NetworkManager").mkdir(parents=True)
    root.write("proc/net/route", ROUTES.splitlines()[0])
    assert is_metered(root.path, ask) is None
    assert ask.count == 0


def test_a_network_manager_that_hangs_tells_nothing(root: Root) -> None:
    root.write("proc/net/route", ROUTES)
    (root.path / "run/NetworkManager").mkdir(parents=True)
    ask = Asked()
    ask.say("nmcli", None)
    assert is_metered(root.path, ask) is None


def test_a_way_out_by_ipv6_alone_is_one(root: Root) -> None:
    unset, gateway = "0" * 32, "fe80" + "0" * 27 + "1"
    root.write(
        "proc/net/ipv6_route",
        f"{unset} 00 {unset} 00 {unset} ffffffff 00000001 00000000 00200200       lo\n"
        f"{unset} 00 {unset} 00 {gateway} 00000258 00000001 00000000 00000003    wwan0\n",
    )
    (root.path / "run/NetworkManager").mkdir(parents=True)
    ask = Asked()
    ask.say("nmcli --terse --get-values GENERAL.METERED device show wwan0", "yes\n")
    assert is_metered(root.path, ask) is True


def test_an_interface_with_the_name_of_an_option_is_not_asked_for(root: Root) -> None:
    root.write("proc/net/route", ROUTES.replace("eth0", "--all"))
    (root.path / "run/NetworkManager").mkdir(parents=True)
    ask = Asked()
    assert is_metered(root.path, ask) is None
    assert ask.count == 0


# --- going down ---


def test_a_machine_that_nobody_shuts_down_is_not_going_down(root: Root) -> None:
    assert not is_going_down(root.path, NOW, Asked())


def test_from_the_moment_on_at_which_nobody_may_log_on_it_goes_down(root: Root) -> None:
    root.write("run/nologin", "The system is going down for reboot at Mon 2026-01-05 09:05:00 UTC!\n")
    assert is_going_down(root.path, NOW, Asked())


def test_a_machine_that_is_only_starting_is_not_going_down(root: Root) -> None:
    root.write("run/nologin", "System is booting up. Unprivileged users are not permitted to log in yet.\n")
    assert not is_going_down(root.path, NOW, Asked())


@pytest.mark.parametrize(("minutes", "is_near"), [(-1, True), (0, True), (4, True), (6, False), (600, False)])
def test_a_planned_shutdown_counts_from_five_minutes_before(root: Root, minutes: int, is_near: bool) -> None:
    for mode in ("reboot", "poweroff", "halt", "kexec"):
        at = NOW_MICROSECONDS + minutes * MINUTE
        root.write("run/systemd/shutdown/scheduled", f"USEC={at}\nWARN_WALL=1\nMODE={mode}\n")
        assert is_going_down(root.path, NOW, Asked()) is is_near


@pytest.mark.parametrize(
    "content",
    [
        "",
        "MODE=reboot",
        "USEC=\nMODE=reboot",
        "USEC=x\nMODE=reboot",
        f"USEC={NOW_MICROSECONDS}\nMODE=dry-reboot",
        "USEC=1",
        "USEC=" + "9" * 400 + "\nMODE=halt",
    ],
)
def test_a_plan_that_is_none_takes_nothing_down(root: Root, content: str) -> None:
    root.write("run/systemd/shutdown/scheduled", content)
    assert not is_going_down(root.path, NOW, Asked())


@pytest.mark.parametrize(("said", "is_down"), [("stopping\n", True), ("running\n", False), ("degraded\n", False), (None, False)])
def test_systemd_is_asked_where_it_runs(root: Root, said: str | None, is_down: bool) -> None:
    ask = Asked()
    ask.say("systemctl is-system-running", said)
    assert not is_going_down(root.path, NOW, ask)
    assert ask.count == 0
    (root.path / "run/systemd/system").mkdir(parents=True)
    assert is_going_down(root.path, NOW, ask) is is_down


def test_all_of_it_is_seen_at_one_look(root: Root) -> None:
    root.logs_on("2", "alice")
    supplied(root, "AC", type="Mains", online="1")
    root.write("run/nologin", "The system is going down now!\n")
    ask = Asked()
    found = surroundings(NOW, Directory(root.path, ask=ask), root=root.path, ask=ask)
    assert [session.user for session in found.sessions] == ["alice"]
    assert (found.is_on_mains, found.is_metered, found.is_going_down) == (True, None, True)
