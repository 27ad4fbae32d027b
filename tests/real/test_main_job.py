"""The main job from outside: real processes, a real Debian package under real dpkg, real power cuts of processes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from installation import Installation

CLIENTS = ("anna", "boris", "clara")
INSTALL = """#!/bin/sh
# Installs the Debian packages beside this script into a root of its own.
set -eu
root="$PURVEYOR_STATE-root"
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
touch "$root/var/lib/dpkg/status"
dpkg --root="$root" --force-not-root --force-depends --force-script-chrootless --log=/dev/null -i ./*.deb
"""
UNINSTALL = """#!/bin/sh
set -eu
dpkg --root="$PURVEYOR_STATE-root" --force-not-root --force-script-chrootless --log=/dev/null -r hello
"""


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's package `hello`, as its archive serves it."""
    folder = tmp_path_factory.mktemp("hello")
    folder.chmod(0o755)
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "hello"], cwd=folder, check=True)
    return next(folder.glob("hello_*.deb"))


def test_a_debian_package_is_installed_detected_and_uninstalled_by_three_clients(installation: Installation, hello: Path) -> None:
    installation.join(*CLIENTS)
    source = installation.folder / "source with spaces"
    source.mkdir()
    shutil.copy(hello, source)
    (source / "install.sh").write_text(INSTALL)
    (source / "uninstall.sh").write_text(UNINSTALL)
    package = installation.purveyor("package", "add", str(source), "--name", "GNU Hello", "--version", "2.10")
    installation.purveyor(
        *("program", "add", package, "install", "--command", "sh install.sh"),
        *("--uninstall-command", "sh uninstall.sh", "--uninstall-file", "uninstall.sh"),
        *("--detect-package", "hello", "--detect-root", "$PURVEYOR_STATE-root", "--platform", "linux"),
    )
    installation.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes")
    for name in CLIENTS:
        installation.run_agent(name)

    installation.until("all succeeded", lambda: _states(installation, package) == ["succeeded"] * 3)
    for name in CLIENTS:
        said = subprocess.run([f"{installation.state(name)}-root/usr/bin/hello"], capture_output=True, text=True, check=True)
        assert said.stdout == "Hello, world!\n"
    messages = installation.asked("status", "messages")
    ids = [message["status"] for message in _rows(messages)]
    assert ids.count(10118) == 3, "each client detected it afterwards"
    assert ids.count(10005) == 3, "each client started it once"

    installation.purveyor("package", "delete", package, "--uninstall", "--yes")
    installation.until("all forgot it", lambda: installation.asked("package", "retirement", package)["acknowledged"] == 3)
    for name in CLIENTS:
        assert not Path(f"{installation.state(name)}-root/usr/bin/hello").exists()
    assert [client["absent_requests"] for client in _rows(installation.asked("resource", "list"))] == [0, 0, 0]


def test_uninstall_works_from_the_receipt_after_the_site_is_gone(installation: Installation) -> None:
    installation.join("anna")
    source = installation.folder / "source"
    source.mkdir()
    (source / "in.sh").write_text('touch "$PURVEYOR_STATE-installed"\n')
    (source / "out.sh").write_text('rm "$PURVEYOR_STATE-installed"\n')
    package = installation.purveyor("package", "add", str(source), "--name", "Mark")
    installation.purveyor(
        *("program", "add", package, "install", "--command", "sh in.sh"),
        *("--uninstall-command", "sh out.sh", "--uninstall-file", "out.sh"),
    )
    installation.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes")
    mark = Path(f"{installation.state('anna')}-installed")
    installation.until("it is installed", lambda: installation.pass_of("anna").code == 0 and mark.exists())
    installation.purveyor("package", "delete", package, "--yes")
    installation.until(
        "anna forgot it",
        lambda: (
            installation.pass_of("anna").code == 0 and installation.asked("package", "retirement", package)["acknowledged"] == 1
        ),
    )
    installation.kill()

    assert mark.exists(), "what is installed stays installed"
    installation.purveyor("client", "uninstall", package, "--state", str(installation.state("anna")))
    assert not mark.exists()


def test_a_site_that_is_killed_loses_nothing_and_runs_nothing_twice(installation: Installation) -> None:
    installation.join(*CLIENTS)
    package = installation.purveyor("package", "add", "--name", "Counter")
    installation.purveyor("program", "add", package, "count", "--shell", "--command", 'echo once >> "$PURVEYOR_STATE-runs"')
    installation.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
    for name in CLIENTS:
        installation.run_agent(name)
    for _ in range(3):
        installation.kill()
        installation.start()

    installation.until("all succeeded", lambda: _states(installation, package) == ["succeeded"] * 3)
    for name in CLIENTS:
        assert Path(f"{installation.state(name)}-runs").read_text() == "once\n"


def test_a_second_site_server_on_one_folder_is_refused(installation: Installation) -> None:
    refused = installation.call("site", "run", str(installation.site), "--listen", "127.0.0.1:0")

    assert refused.code == 1
    assert "already runs" in refused.err
    assert installation.asked("resource", "list") is not None, "the first one goes on"


def _states(installation: Installation, package: str) -> list[str]:
    return sorted(job["state"] for job in installation.jobs_of(package))


def _rows(answer: object) -> list[dict[str, object]]:
    if isinstance(answer, dict):
        return next(value for value in answer.values() if isinstance(value, list))
    assert isinstance(answer, list)
    return answer
