"""`purveyor why` as an administrator types it, and the same over REST, against a site that runs."""

import pytest

from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from running_site import RunningSite
from site_rows import add_clients, client_id_at, report


@pytest.fixture
def site(running_site: RunningSite) -> RunningSite:
    """Two members, `pc-1` of them in `Pilot`, to which a package with one program is advertised."""
    with running_site.site.database.write() as tx:
        add_clients(tx, 2)
    running_site.purveyor("collection", "add", "Pilot", "--member", "pc-1")
    running_site.purveyor("package", "add", "--name", "Hello")
    running_site.purveyor("program", "add", "S0100001", "Install", "--command", "sh install.sh")
    running_site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", "--assign", "asap")
    return running_site


def test_the_chain_is_shown_with_marks_and_a_sentence_and_the_exit_code_says_that_something_is_missing(site: RunningSite) -> None:
    said = site.purveyor("why", "pc-2", "S0100001/Install")
    lines = said.out.splitlines()
    assert said.code == 1
    assert lines[0].startswith("S0100001/1 Hello: Install on pc-2, ")
    assert any(line.startswith("[ok] package ") for line in lines)
    assert any(line.startswith("[no] membership ") for line in lines)
    assert any(line.startswith("[??] run ") for line in lines)
    assert any("named directly" in line and "(rules of S0110002)" in line for line in lines)
    assert lines[-1] == (
        "It is not there because pc-2 is no member of S0110002 (Pilot): no rule names it; "
        "next: administrator: purveyor collection edit S0110002 --member pc-2."
    )


def test_what_is_said_to_be_done_next_is_a_command_that_exists(site: RunningSite) -> None:
    said = site.purveyor("why", "pc-2", "S0100001", "--brief").out.splitlines()
    command = said[-1].partition("next: administrator: purveyor ")[2].removesuffix(".")
    assert site.purveyor(*command.split()).code == 0
    assert "collection edit" not in site.purveyor("why", "pc-2", "S0100001", "--brief").out


def test_the_exit_code_is_zero_when_it_is_there(site: RunningSite) -> None:
    with site.site.database.write() as tx:
        report(tx, client_id_at(1), PackageId("S0100001"), 1, JobState.SUCCEEDED)
    said = site.purveyor("why", "pc-1", "S0100001")
    assert (said.code, said.out.splitlines()[-1][:12]) == (0, "It is there:")


def test_json_is_what_the_api_gives(site: RunningSite) -> None:
    seen = site.purveyor("why", "pc-2", "S0100001", "--json")
    assert seen.code == 1
    status, answer = site.ask("GET", "/why?client=pc-2&package=S0100001&program=1", token=site.reader)
    assert status == 200
    (shown,), (given,) = seen.json["explanations"], answer["explanations"]
    assert (shown["missing"], given["missing"], given["who"], given["is_there"]) == ("membership",) * 2 + ("administrator", False)
    link = next(one for one in given["links"] if one["name"] == "membership")
    assert link["evidence"] == [{"text": "not named directly", "source": "rules of S0110002", "at": None}]
    assert link["question"] == "Is the client a member of the collection, and by which rule?"


def test_what_is_not_published_yet_is_the_sites_turn(site: RunningSite) -> None:
    given = site.ask("GET", "/why?client=pc-1&package=S0100001")[1]["explanations"][0]
    assert (given["missing"], given["who"]) == ("publication", "site")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("client=nobody&package=S0100001", 409),
        ("client=pc-1&package=S0100009", 409),
        ("client=pc-1&package=S0100001&program=Other", 409),
        ("client=pc-1&package=nonsense", 422),
        ("client=&package=S0100001", 422),
        ("package=S0100001", 422),
    ],
)
def test_what_does_not_exist_is_refused(site: RunningSite, query: str, status: int) -> None:
    assert site.ask("GET", f"/why?{query}")[0] == status


def test_nobody_is_told_without_a_token(site: RunningSite) -> None:
    assert site.ask("GET", "/why?client=pc-1&package=S0100001", token="unknown")[0] == 401
