"""`purveyor window …` as an administrator types it, against a site that runs."""

import pytest

from running_site import RunningSite
from site_rows import add_clients

SATURDAYS = ("--start", "2035-12-08T22:00", "--rule", "FREQ=WEEKLY;BYDAY=SA", "--duration", "6h")


@pytest.fixture
def pilot(running_site: RunningSite) -> str:
    """A collection with one member."""
    with running_site.site.database.write() as tx:
        add_clients(tx, 1)
    return running_site.purveyor("collection", "add", "Pilot", "--member", "pc-1").line


def test_a_window_is_added_listed_changed_and_deleted(running_site: RunningSite, pilot: str) -> None:
    added = running_site.purveyor("window", "add", pilot, *SATURDAYS, "--spread", "1h", "--catch-up", "--name", "Nights")
    assert (added.code, added.line) == (0, "1")
    assert "opens next at 2035-12-08T22:00" in added.err
    listed = running_site.purveyor("window", "list", "--collection", "Pilot").out
    for word in ("Nights", "FREQ=WEEKLY;BYDAY=SA", "6h", "1h", "yes", "2035-12-08T22:00"):
        assert word in listed
    assert running_site.purveyor("window", "edit", "1", "--duration", "2h", "--no-catch-up").code == 0
    (row,) = running_site.purveyor("window", "list", "--json").json
    assert (row["duration_seconds"], row["catch_up"], row["spread_seconds"]) == (7200, False, 3600)
    assert running_site.purveyor("window", "delete", "1").code == 0
    assert "no maintenance windows" in running_site.purveyor("window", "list").err


def test_a_window_for_everybody_wants_confirming(running_site: RunningSite) -> None:
    words = ("window", "add", "All Systems", "--rule", "FREQ=DAILY;BYHOUR=2", "--duration", "3h")
    refused = running_site.purveyor(*words)
    assert (refused.code, refused.out) == (1, "")
    assert "All Systems" in refused.err
    assert "--yes" in refused.err
    assert running_site.purveyor(*words, "--yes").code == 0
    assert running_site.purveyor("window", "delete", "1").code == 1


def test_what_cannot_be_a_window_is_refused_before_anything_is_changed(running_site: RunningSite, pilot: str) -> None:
    assert running_site.purveyor("window", "add", pilot, "--duration", "1h").code == 2
    assert running_site.purveyor("window", "add", pilot, "--start", "soon", "--duration", "1h").code == 2
    assert running_site.purveyor("window", "add", pilot, "--rule", "FREQ=SECONDLY", "--duration", "1h").code == 1
    assert running_site.purveyor("window", "add", pilot, *SATURDAYS).code == 0
    assert running_site.purveyor("window", "edit", "1").code == 2
    assert running_site.purveyor("window", "edit", "1", "--catch-up", "--no-catch-up").code == 2
    assert running_site.purveyor("window", "edit", "99", "--duration", "1h").code == 1


def test_a_reader_sees_windows_and_changes_none(running_site: RunningSite, pilot: str) -> None:
    running_site.purveyor("window", "add", pilot, *SATURDAYS)
    reader = running_site.reader
    assert running_site.ask("GET", "/windows/1", token=reader)[1]["collection_name"] == "Pilot"
    assert running_site.ask("GET", "/windows/2", token=reader)[0] == 409
    assert running_site.purveyor("window", "delete", "1", token=reader).code == 4
