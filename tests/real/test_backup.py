"""A site that runs and is written to is backed up, killed, and restored into another folder; its agents go on there."""

import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from installation import Installation


@pytest.fixture
def databases(request: pytest.FixtureRequest, kind: str) -> tuple[str, str]:
    """The database of the site, and the empty one that it is restored into."""
    if kind == "sqlite":
        return "", ""
    return request.getfixturevalue("postgresql_url"), request.getfixturevalue("other_postgresql_url")


@pytest.fixture
def running(open_folder: Path, databases: tuple[str, str]) -> Iterator[Installation]:
    made = Installation(open_folder, database=databases[0])
    try:
        made.init()
        made.start()
        made.make_quick()
        yield made
    finally:
        made.end()


@pytest.mark.parametrize(
    ("kind", "with_cap"), [("sqlite", False), ("postgresql", True)], ids=["sqlite without a CAP", "postgresql with the CAP"]
)
def test_a_killed_site_goes_on_from_a_backup_that_was_made_while_it_ran(
    running: Installation, databases: tuple[str, str], tmp_path: Path, *, with_cap: bool
) -> None:
    site = running
    site.join("anna")
    package = offered(site, "Before", "before.txt")
    ran(site, package, "anna")
    with ThreadPoolExecutor() as others:
        writing = [others.submit(site.call, "package", "add", "--name", f"Meanwhile {number}") for number in range(3)]
        made = site.asked("site", "backup", str(tmp_path / "backups"), "--site-dir", str(site.site))
    assert [one.result().code for one in writing] == [0, 0, 0]
    assert site.asked("site", "backup", str(tmp_path / "backups"), "--verify")["problems"] == []
    assert secrets_in(Path(made["backup"])) == {0o600}
    site.join("berta")
    later = offered(site, "Later", "later.txt")
    ran(site, later, "anna", "berta")
    site.kill()

    lost = site.site.rename(site.folder / "lost")
    if with_cap:
        site.site.mkdir()
        shutil.copytree(lost / "CAP_S01", site.site / "CAP_S01")
    database = ["--database", databases[1]] if databases[1] else []
    answer = site.asked("site", "restore", made["backup"], str(site.site), *database)
    assert bool(answer["access_point"]) is with_cap
    assert answer["clients"] == (2 if with_cap else 1)
    site.start()
    decided = site.asked("site", "restored")["decisions"]
    assert {one["about"] for one in decided if one["kind"] == "advertisement"}

    new = offered(site, "After", "after.txt")
    assert new not in (package, later)
    ran(site, new, "anna", "berta")
    for client in ("anna", "berta"):
        runs = Counter(Path(f"{site.state(client)}-runs").read_text().split())
        assert (runs["Later"], runs["After"], max(runs.values())) == (1, 1, 1), (client, runs)
    refused = site.call("site", "restore", made["backup"], str(site.site), *database)
    assert (refused.code, "--replace" in refused.err or "already runs" in refused.err) == (1, True)


def offered(site: Installation, name: str, content: str) -> str:
    """A package whose program all clients are to run; it writes the package's name beside the client's state."""
    source = site.folder / "sources" / name
    source.mkdir(parents=True)
    (source / content).write_text(name)
    package = site.purveyor("package", "add", str(source), "--name", name)
    line = f'echo {name} >> "$PURVEYOR_STATE-runs"'
    site.purveyor("program", "add", package, "run", "--shell", "--command", line)
    site.purveyor("advertise", package, "run", "--to", "All Systems", "--assign", "asap", "--yes")
    return package


def ran(site: Installation, package: str, *clients: str) -> None:
    """Waits until these clients have run a package's program, and the site knows it."""

    def is_known() -> bool:
        passes = [site.pass_of(client).code for client in clients]
        done = [job for job in site.jobs_of(package) if job["state"] == "succeeded"]
        return passes == [0] * len(clients) and len(done) == len(clients)

    site.until(f"{package} ran on {clients}", is_known)


def secrets_in(backup: Path) -> set[int]:
    """The rights of all files of a backup's keys and rows."""
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    return {stat.S_IMODE(path.stat().st_mode) for path in backup.rglob("*") if path.is_file()}
