"""How programs and advertisements run, and what is asked of runs, as an administrator types it against a site that runs."""

import pytest

from running_site import RunningSite, Said
from site_rows import add_clients


@pytest.fixture
def package(running_site: RunningSite) -> str:
    """A package with the program `Install`, which needs a user; a collection `Pilot` of two clients."""
    with running_site.site.database.write() as tx:
        add_clients(tx, 2)
    made = running_site.purveyor("package", "add", "--name", "Hello").line
    running_site.purveyor("program", "add", made, "Install", "--command", "x", "--logon", "user")
    running_site.purveyor("collection", "add", "Pilot", "--member", "pc-1", "--member", "pc-2")
    return made


def _program(site: RunningSite, package: str, name: str = "Install") -> dict[str, object]:
    seen = site.purveyor("program", "show", package, name, "--json").json
    assert isinstance(seen, dict)
    return seen


def _advertise(site: RunningSite, package: str, *words: str) -> Said:
    return site.purveyor("advertise", package, "Install", "--to", "Pilot", *words)


def test_a_program_says_how_it_runs_by_its_options(running_site: RunningSite, package: str) -> None:
    said = running_site.purveyor(
        "program", "add", package, "Map", "--command", "map", "--description", "Draws the map", "--logon", "user",
        "--run-as", "user", "--for", "every-user", "--needs-mains", "--min-free", "2G", "--after-run", "program-restarts",
        "--retry-codes", "1618,5", "--mif", "map.mif", "--mif-product", "Map", "--supersedes", f"{package}/Install+uninstall",
        "--uninstall-command", "unmap", "--uninstall-when-not-offered",
    )  # fmt: skip
    assert (said.code, said.line) == (0, "2")
    seen = _program(running_site, package, "Map")
    assert (seen["description"], seen["run_as"], seen["runs_for"]) == ("Draws the map", "user", "every-user")
    assert seen["conditions"] == {"logon": "user", "needs_mains": True, "needs_unmetered": False, "min_free_bytes": 2 * 2**30}
    assert (seen["after_run"], seen["retry_codes"]) == ("program-restarts", [1618, 5])
    assert seen["reporting"] == {"file_name": "map.mif", "manufacturer": "", "product": "Map", "version": ""}
    assert seen["supersedes"] == [{"program": f"{package}/1", "is_uninstalled": True}]
    shown = running_site.purveyor("program", "show", package, "Map").out
    assert "2.1 GB" in shown
    assert f"{package}/1+uninstall" in shown


def test_an_edit_changes_one_condition_and_leaves_the_others(running_site: RunningSite, package: str) -> None:
    def edit(*words: str) -> dict[str, object]:
        assert running_site.purveyor("program", "edit", package, "Install", *words).code == 0
        return _program(running_site, package)

    assert edit("--needs-mains", "--min-free", "1K")["conditions"] == {
        "logon": "user",
        "needs_mains": True,
        "needs_unmetered": False,
        "min_free_bytes": 1024,
    }
    assert edit("--no-needs-mains", "--min-free", "0", "--logon", "any")["conditions"] == {
        "logon": "any",
        "needs_mains": False,
        "needs_unmetered": False,
        "min_free_bytes": 0,
    }
    refused = running_site.purveyor("program", "edit", package, "Install", "--uninstall-when-not-offered")
    assert (refused.code, "give the uninstall command too" in refused.err) == (1, True)
    edit("--uninstall-command", "rm x")
    removal = edit("--uninstall-when-not-offered", "--mif", "a.mif")["uninstall"]
    assert isinstance(removal, dict)
    assert (removal["argv"], removal["when_not_offered"]) == (["rm", "x"], True)
    assert edit("--no-mif")["reporting"] is None


def test_a_program_that_needs_no_user_cannot_run_with_a_users_rights(running_site: RunningSite, package: str) -> None:
    said = running_site.purveyor("program", "add", package, "Bad", "--command", "x", "--run-as", "user")
    assert (said.code, "logon: user" in said.err) == (1, True)


def test_an_advertisement_says_how_it_runs_by_its_options(running_site: RunningSite, package: str) -> None:
    advertisement = _advertise(
        running_site, package, "--assign", "logon", "--rerun", "if-failed", "--priority", "high", "--user", "alice",
        "--group", "CORP\\Sales", "--visible", "--postpone", "2d", "--spread", "1h", "--ignore-windows", "a worm",
        "--not-over-slow-link",
    ).line  # fmt: skip
    seen = running_site.purveyor("advertisement", "show", advertisement, "--json").json
    assert (seen["rerun"], seen["priority"], seen["users"], seen["groups"]) == ("if-failed", "high", ["alice"], ["CORP\\Sales"])
    assert (seen["is_visible"], seen["postpone_seconds"], seen["spread_seconds"]) == (True, 2 * 86_400, 3600)
    assert (seen["ignores_windows_because"], seen["over_slow_link"]) == ("a worm", False)
    kept = running_site.purveyor("audit", "list", "--object", advertisement, "--json").json[0]
    assert kept["detail"]["ignores_windows_because"] == "a worm"
    changed = running_site.purveyor(
        "advertisement", "edit", advertisement, "--keep-windows", "--no-user", "--over-slow-link", "--postpone", "0", "--json"
    ).json
    assert (changed["ignores_windows_because"], changed["users"], changed["over_slow_link"]) == ("", [], True)
    assert (changed["postpone_seconds"], changed["groups"]) == (0, ["CORP\\Sales"])


@pytest.mark.parametrize(
    "words",
    [
        ("--ignore-windows", " "),
        ("--rerun", "sometimes"),
        ("--postpone", "soon"),
    ],
)
def test_options_that_say_nothing_are_wrong_usage(running_site: RunningSite, package: str, words: tuple[str, ...]) -> None:
    assert _advertise(running_site, package, *words).code == 2


def test_what_nobody_can_start_is_advertised_with_a_warning_that_its_status_repeats(
    running_site: RunningSite, package: str
) -> None:
    running_site.purveyor("program", "edit", package, "Install", "--logon", "none")
    said = _advertise(running_site, package)
    assert (said.code, said.line) == (0, "S0120001")
    assert "warning: nobody can start this" in said.err
    assert "nobody can start this" in running_site.purveyor("status", "S0120001").out
    refused = _advertise(running_site, package, "--assign", "logon")
    assert (refused.code, "can never run when somebody logs on" in refused.err) == (1, True)


def test_runs_are_called_off_stopped_and_run_again(running_site: RunningSite, package: str) -> None:
    advertisement = _advertise(running_site, package, "--assign", "asap").line
    first = running_site.purveyor("job", "cancel", advertisement, "--client", "pc-1", "--reason", "a talk")
    assert (first.code, first.line) == (0, "1")
    assert "purveyor job requests 1" in first.err
    running_site.purveyor("settings", "set", "confirm_above", "1")
    refused = running_site.purveyor("job", "stop", advertisement)
    assert (refused.code, "2 clients" in refused.err) == (1, True)
    assert running_site.purveyor("job", "stop", advertisement, "--expires", "1h", "--yes").line == "2"
    again = running_site.purveyor("job", "run-again", advertisement, "--failed", "--json").json
    assert (again["number"], again["only_failed"], again["counts"]["silent"]) == (3, True, 0)
    listed = running_site.purveyor("job", "requests", "--json").json
    assert [(row["number"], row["kind"], row["state"]) for row in listed] == [
        (3, "run-again", "open"),
        (2, "stop", "open"),
        (1, "cancel", "open"),
    ]
    assert running_site.purveyor("job", "withdraw", "1").code == 0
    assert running_site.purveyor("job", "withdraw", "1").code == 1
    assert [row["number"] for row in running_site.purveyor("job", "requests", "--open", "--json").json] == [3, 2]


def test_a_request_is_shown_with_the_answer_of_each_client(running_site: RunningSite, package: str) -> None:
    advertisement = _advertise(running_site, package, "--assign", "asap").line
    running_site.purveyor("job", "stop", advertisement, "--reason", "it hangs")
    shown = running_site.purveyor("job", "requests", "1").out
    assert "it hangs" in shown
    assert "2 without an answer yet" in shown
    assert "no answer yet, and nothing was ever heard of it" in shown
    seen = running_site.purveyor("job", "requests", "1", "--json").json
    assert sorted(one["client_name"] for one in seen["answers"]) == ["pc-1", "pc-2"]
    assert running_site.purveyor("job", "requests", "99").code == 1
    assert running_site.purveyor("job", "requests", "none").code == 2


def test_facts_among_the_settings_are_set_by_yes_and_no(running_site: RunningSite) -> None:
    assert running_site.purveyor("settings", "set", "may_restart", "yes").err.startswith("may_restart is yes")
    shown = {row["name"]: row for row in running_site.purveyor("settings", "show", "--json").json}
    assert (shown["may_restart"]["value"], shown["may_restart"]["default"]) == (True, False)
    assert "restarts machines by itself" in shown["may_restart"]["meaning"]
    assert running_site.purveyor("settings", "set", "may_restart", "5").code == 2
    assert running_site.purveyor("settings", "set", "page_port", "yes").code == 2
    assert running_site.purveyor("settings", "set", "page_port", "80").code == 1
    assert running_site.purveyor("settings", "set", "restart_countdown_seconds", "15m").code == 0


def test_only_what_is_for_clients_is_said_to_be_heard_by_them(running_site: RunningSite) -> None:
    assert "clients hear" in running_site.purveyor("settings", "set", "page_port", "8475").err
    assert "clients hear" not in running_site.purveyor("settings", "set", "confirm_above", "7").err


def test_deleting_shows_what_replaces_what(running_site: RunningSite, package: str) -> None:
    new = running_site.purveyor("package", "add", "--name", "New").line
    running_site.purveyor("program", "add", new, "Install", "--command", "y", "--supersedes", f"{package}/Install")
    preview = running_site.purveyor("package", "delete", package, "--json").json
    assert [(one["id"], one["name"]) for one in preview["superseded_by"]] == [(f"{new}/1", "Install")]
    assert f"{package}/1" in running_site.purveyor("package", "delete", new).out
    running_site.purveyor("package", "delete", package, "--yes")
    assert _program(running_site, new)["supersedes"] == []


def test_a_point_has_a_budget_of_bandwidth_that_can_be_taken_back(running_site: RunningSite) -> None:
    budget = "mon-fri 08:00-18:00 512K; otherwise unlimited"
    changed = running_site.purveyor("point", "edit", "dp1", "--bandwidth", budget, "--json").json
    assert changed["bandwidth"] == budget
    assert f"bandwidth:    {budget}\n" in running_site.purveyor("point", "show", "dp1").out
    assert running_site.purveyor("point", "edit", "dp1", "--bandwidth", "").code == 0
    assert "bandwidth:    unlimited\n" in running_site.purveyor("point", "show", "dp1").out
    assert running_site.purveyor("point", "edit", "dp1", "--bandwidth", "mon-fri 8-18").code == 2
    assert "a budget is for a DP" in running_site.purveyor("point", "edit", "cap1", "--bandwidth", "5M").err
