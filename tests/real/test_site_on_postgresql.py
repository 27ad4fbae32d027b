"""The main job on a site whose database is real PostgreSQL, from the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from installation import Installation


@pytest.fixture
def on_postgresql(open_folder: Path, postgresql_url: str) -> Iterator[Installation]:
    made = Installation(open_folder, database=postgresql_url)
    try:
        made.init()
        made.start()
        made.make_quick()
        yield made
    finally:
        made.end()


def test_a_package_goes_out_and_is_forgotten_and_a_kill_loses_nothing(on_postgresql: Installation) -> None:
    site = on_postgresql
    site.join("anna")
    package = site.purveyor("package", "add", "--name", "Counter")
    site.purveyor("program", "add", package, "count", "--shell", "--command", 'echo once >> "$PURVEYOR_STATE-runs"')
    site.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
    site.kill()
    site.start()
    site.until(
        "it ran", lambda: site.pass_of("anna").code == 0 and [job["state"] for job in site.jobs_of(package)] == ["succeeded"]
    )
    site.purveyor("package", "delete", package, "--yes")
    site.until(
        "anna forgot it",
        lambda: site.pass_of("anna").code == 0 and site.asked("package", "retirement", package)["acknowledged"] == 1,
    )

    assert Path(f"{site.state('anna')}-runs").read_text() == "once\n"
