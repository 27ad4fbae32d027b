"""An imported Debian package from its file to a machine and away again: real processes, real dpkg, a root of its own."""

from pathlib import Path

from installation import Installation
from package_tools import deb_file

INSTALLED = "opt/purveyor-sample/version"
ROOT = "$PURVEYOR_STATE-root"
DPKG = f"dpkg --root={ROOT} --force-not-root --force-script-chrootless --log=/dev/null"


def test_an_imported_debian_package_is_installed_detected_and_uninstalled(installation: Installation, tmp_path: Path) -> None:
    file = deb_file(tmp_path)
    installation.join("anna")
    root = Path(f"{installation.state('anna')}-root")
    for folder in ("info", "updates"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()

    package = installation.purveyor("package", "import", str(file))
    shown = installation.asked("program", "show", package, "Install")
    assert shown["argv"][-2:] == ["-i", f"./{file.name}"]
    assert shown["detection"] == {"kind": "os-package", "name": "purveyor-sample", "at_least": "1:2.0-1"}

    # What the file says is for the machine's own root; this machine keeps its own, so each command gets another one.
    installation.purveyor(
        *("program", "edit", package, "Install", "--command", f"{DPKG} -i './{file.name}'"),
        *("--uninstall-command", f"{DPKG} --remove purveyor-sample"),
        *("--detect-package", "purveyor-sample", "--detect-version", "1:2.0-1", "--detect-root", ROOT),
    )
    installation.purveyor("advertise", package, "Install", "--to", "All Systems", "--assign", "asap", "--yes")
    installation.run_agent("anna")
    installation.until("it is installed", lambda: [job["state"] for job in installation.jobs_of(package)] == ["succeeded"])
    assert (root / INSTALLED).read_text() == "2.0\n"
    messages = installation.asked("status", "messages")
    rows = messages if isinstance(messages, list) else next(value for value in messages.values() if isinstance(value, list))
    assert 10118 in [message["status"] for message in rows], "it was detected afterwards"

    installation.purveyor("package", "delete", package, "--uninstall", "--yes")
    installation.until("it is forgotten", lambda: installation.asked("package", "retirement", package)["acknowledged"] == 1)
    assert not (root / INSTALLED).exists()
