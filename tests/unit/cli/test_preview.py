"""`purveyor preview` and `advertise --preview` as an administrator types them, against a site that runs."""

import pytest
from sqlalchemy import select, update

from purveyor.site_server.database import schema
from purveyor.wire.form import to_bytes
from purveyor.wire.reports import Facts
from running_site import RunningSite
from site_rows import add_clients

CLOCKS = {"pc-1": "Europe/Berlin", "pc-2": "America/New_York", "pc-3": "Moon/Tranquility"}
NIGHTLY = "2035-12-01T22:30 FREQ=DAILY"


@pytest.fixture
def site(running_site: RunningSite) -> RunningSite:
    """A site with three members on three clocks, in `Pilot`, and a package with one program."""
    with running_site.site.database.write() as tx:
        add_clients(tx, 3)
        for name, zone in CLOCKS.items():
            platform = "windows/11" if name == "pc-2" else "linux/debian/12"
            facts = to_bytes(Facts(name=name, platform=platform, architecture="x86_64", zone=zone)).decode()
            tx.execute(update(schema.client).where(schema.client.c.name == name).values(facts=facts))
    running_site.purveyor("collection", "add", "Pilot", "--member", "pc-1", "--member", "pc-2", "--member", "pc-3")
    running_site.purveyor("package", "add", "--name", "Hello")
    running_site.purveyor(
        "program", "add", "S0100001", "Install", "--command", "sh install.sh", "--max-run", "2h", "--platform", "linux"
    )
    return running_site


def test_reach_and_next_times_are_shown_by_each_clock(site: RunningSite) -> None:
    site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", "--assign", NIGHTLY)
    said = site.purveyor("preview", "S0120001")
    assert said.code == 0
    lines = said.out.splitlines()
    assert any("2 clients; 1 member of another platform" in line for line in lines)
    berlin = next(line for line in lines if line.startswith("pc-1"))
    for part in ("no word yet", "2035-12-01 22:30 Europe/Berlin", "2035-12-01 21:30:00Z", "then"):
        assert part in berlin
    assert "not for windows/11" in next(line for line in lines if line.startswith("pc-2"))
    assert "Moon/Tranquility?" in next(line for line in lines if line.startswith("pc-3"))
    assert "not known here" in next(line for line in lines if line.startswith("Moon/Tranquility"))


def test_the_window_in_which_a_run_will_start_is_shown(site: RunningSite) -> None:
    site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", "--assign", NIGHTLY)
    words = ("--start", "2035-12-01T02:00", "--rule", "FREQ=DAILY", "--name", "Nights")
    site.purveyor("window", "add", "Pilot", *words, "--duration", "3h")
    first = site.purveyor("preview", "S0120001", "--client", "pc-1", "--firings", "1", "--json").json["clients"][0]["following"][
        0
    ]
    assert (first["starts_local"], first["window"]) == ("2035-12-02T02:00:00+01:00", 1)
    shown = site.purveyor("preview", "S0120001", "--client", "pc-1").out
    assert "2035-12-02 02:00" in shown
    assert "1 Nights" in shown
    site.purveyor("window", "edit", "1", "--duration", "1h")
    assert "never" in site.purveyor("preview", "S0120001", "--client", "pc-1").out


def test_an_advertisement_is_previewed_before_it_exists_and_nothing_is_changed(site: RunningSite) -> None:
    said = site.purveyor("advertise", "S0100001", "Install", "--to", "All Systems", "--assign", NIGHTLY, "--preview")
    assert said.code == 0
    assert "does not exist yet" in said.out
    assert "needs --yes" in said.out
    assert "2035-12-01 22:30 Europe/Berlin" in said.out
    assert "nothing was changed" in said.err
    assert site.purveyor("advertisement", "list", "--json").json == []
    with site.site.database.read() as tx:
        actions = set(tx.execute(select(schema.audit.c.action)).scalars())
    assert "advertisement.add" not in actions


def test_what_could_not_be_advertised_is_not_previewed(site: RunningSite) -> None:
    never = ("--assign", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    said = site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", *never, "--preview")
    assert (said.code, said.out) == (1, "")
    assert "never fires" in said.err
    assert site.purveyor("preview", "S0120009").code == 1
    assert site.purveyor("preview", "S0120009", "--limit", "0").code == 2


def test_only_as_many_clients_are_shown_as_were_asked_for(site: RunningSite) -> None:
    site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", "--assign", "logon")
    said = site.purveyor("preview", "S0120001", "--limit", "1")
    assert "at each logon" in said.out
    assert "pc-2" not in said.out
    assert "1 of 3 members shown" in said.err
    assert len(site.purveyor("preview", "S0120001", "--limit", "2", "--json").json["clients"]) == 2


def test_a_reader_may_look_ahead_for_what_stands(site: RunningSite) -> None:
    site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot")
    said = site.purveyor("preview", "S0120001", token=site.reader)
    assert said.code == 0
    assert "it is optional" in said.out


def test_what_is_due_already_runs_at_once_and_is_not_said_to_have_no_time(site: RunningSite) -> None:
    words = ("advertise", "S0100001", "Install", "--to", "Pilot")
    shown = site.purveyor(*words, "--assign", "asap", "--preview").out
    assert shown.count("at once") >= 2
    optional = site.purveyor(*words, "--preview").out
    assert "when a user starts it" in optional
    site.purveyor(*words, "--assign", "asap")
    assert "none to come" in site.purveyor("preview", "S0120001").out
