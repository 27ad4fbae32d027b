"""Clients whose CAP and DP are plain nginx: what they asked for is read from its own access log, not from a counter of ours."""

from pathlib import Path

from http_servers import nginx_running, prepare_for_nginx
from installation import Installation
from purveyor.client_access_point.nginx import Plan

CLIENTS = ("anna", "boris")


def test_no_request_for_an_absent_file_from_first_install_to_long_after_the_deletion(installation: Installation) -> None:
    cap, dp = installation.site / "CAP_S01", installation.site / "DP_S01"
    prepare_for_nginx(cap)
    with nginx_running(Plan(cap_folder=str(cap), dp_folder=str(dp))) as nginx:
        installation.join(*CLIENTS, cap=f"{nginx.url}/cap")
        kept, deleted = (_advertised(installation, name) for name in ("Kept", "Deleted"))
        installation.until("both ran everywhere", lambda: _pass(installation) and _succeeded(installation, kept, deleted))
        installation.purveyor("program", "disable", kept, "install")
        _pass(installation)
        installation.purveyor("package", "delete", deleted, "--yes")
        installation.until(
            "both forgot it",
            lambda: _pass(installation) and installation.asked("package", "retirement", deleted)["acknowledged"] == 2,
        )
        installation.purveyor("program", "enable", kept, "install")
        for _ in range(3):
            _pass(installation)

        asked = nginx.logged()
        assert [line for line in asked if line.rsplit(" ", 1)[1] not in ("200", "201", "204", "206", "304")] == []
        last = max(place for place, line in enumerate(asked) if f".{deleted}.pkg" in line)
        assert last < len(asked) - 6, "the deleted package is not asked for any more"
    for name in CLIENTS:
        assert Path(f"{installation.state(name)}-runs").read_text().split() == [kept, deleted]


def _advertised(installation: Installation, name: str) -> str:
    source = installation.folder / name
    source.mkdir()
    (source / "install.sh").write_text('echo "$PURVEYOR_PACKAGE" >> "$PURVEYOR_STATE-runs"\n')
    package = installation.purveyor("package", "add", str(source), "--name", name)
    installation.purveyor("program", "add", package, "install", "--command", "sh install.sh")
    installation.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes")
    return package


def _pass(installation: Installation) -> bool:
    return all(installation.pass_of(name).code == 0 for name in CLIENTS)


def _succeeded(installation: Installation, *packages: str) -> bool:
    return all([job["state"] for job in installation.jobs_of(package)] == ["succeeded"] * 2 for package in packages)
