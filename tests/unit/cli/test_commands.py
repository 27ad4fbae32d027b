"""Commands as an administrator types them, against a site that runs: what they print, and their exit codes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from purveyor.site_server.database import schema
from purveyor.site_server.site import utc_now
from purveyor.wire import join_code
from running_site import RunningSite
from site_rows import add_clients


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small package source with names that are awkward."""
    folder = tmp_path / "a source"
    (folder / "sub").mkdir(parents=True)
    (folder / "install.sh").write_text("echo installed\n")
    (folder / "sub" / "ein 'Name' mit % und ü").write_bytes(b"x" * 50_000)
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def package(running_site: RunningSite) -> str:
    """A package with one program, `Install`."""
    made = running_site.purveyor("package", "add", "--name", "Hello").line
    assert running_site.purveyor("program", "add", made, "Install", "--command", "sh install.sh").line == "1"
    return made


def test_what_makes_something_prints_its_id_alone(running_site: RunningSite, source: Path) -> None:
    package = running_site.purveyor(
        "package", "add", str(source), "--name", "Hello", "--version", "1.0", "--publisher", "Example"
    )
    assert (package.code, package.line) == (0, "S0100001")
    program = running_site.purveyor("program", "add", "S0100001", "Install", "--command", "sh install.sh", "--max-run", "15m")
    assert (program.code, program.line) == (0, "1")
    collection = running_site.purveyor("collection", "add", "Pilot")
    assert (collection.code, collection.line) == (0, "S0110002")
    advertisement = running_site.purveyor("advertise", "S0100001", "Install", "--to", "Pilot", "--assign", "asap")
    assert (advertisement.code, advertisement.line) == (0, "S0120001")
    assert running_site.purveyor("token", "create", "reporting", "--role", "reader").line


def test_a_join_code_names_the_root_to_start_from(running_site: RunningSite) -> None:
    said = running_site.purveyor("join-code", "create", "--uses", "5", "--expires", "2h", "--approve")
    code = join_code.read(said.line)
    assert (code.site, (code.root_version, code.root_sha256)) == ("S01", running_site.site.root_for_joining())
    listed = running_site.purveyor("join-code", "list", "--json").json
    assert [(row["uses_left"], row["needs_approval"], row["is_usable"]) for row in listed] == [(5, True, True)]
    assert code.secret not in json.dumps(listed)
    assert running_site.purveyor("join-code", "revoke", "1").code == 0
    assert not running_site.purveyor("join-code", "list", "--json").json[0]["is_usable"]


def test_bytes_that_are_no_text_name_nothing(running_site: RunningSite) -> None:
    said = running_site.purveyor("collection", "show", "\udcff")
    assert said.code == 1 and "there is no collection" in said.err
    assert running_site.purveyor("resource", "list", "--containing", "\udcff").code == 0


def test_a_join_code_makes_one_member_at_once_unless_told_otherwise(running_site: RunningSite) -> None:
    running_site.purveyor("join-code", "create")
    (listed,) = running_site.purveyor("join-code", "list", "--json").json
    assert (listed["uses_left"], listed["needs_approval"]) == (1, False)


def test_a_package_that_was_added_twice_is_noticed(running_site: RunningSite) -> None:
    first = running_site.purveyor("package", "add", "--name", "Hello", "--version", "1")
    again = running_site.purveyor("package", "add", "--name", "Hello", "--version", "1")
    newer = running_site.purveyor("package", "add", "--name", "Hello", "--version", "2")
    assert again.code == 0 and f"{first.line} has this name and version too" in again.err
    assert f"purveyor package delete {again.line}" in again.err
    assert "too" not in first.err + newer.err


def test_only_what_the_site_lacks_is_sent(running_site: RunningSite, source: Path) -> None:
    first = running_site.purveyor("package", "add", str(source), "--name", "Hello")
    assert "the site lacks 3 of them, 50.0 kB" in first.err
    (source / "install.sh").write_text("echo installed anew\n")
    second = running_site.purveyor("package", "update", first.line)
    assert (second.code, second.line) == (0, "2")
    assert "the site lacks 1 of them, 20 bytes" in second.err
    assert "nothing runs again" in second.err


def test_a_source_version_is_not_made_of_the_same_content(running_site: RunningSite, source: Path) -> None:
    package = running_site.purveyor("package", "add", str(source), "--name", "Hello").line
    said = running_site.purveyor("package", "update", package)
    assert (said.code, said.out) == (1, "")
    assert "nothing changed" in said.err


def test_a_single_file_is_a_source(running_site: RunningSite, source: Path) -> None:
    package = running_site.purveyor("package", "add", str(source / "install.sh"), "--name", "Script").line
    assert running_site.purveyor("package", "show", package, "--json").json["size_bytes"] == 15


def test_a_source_that_cannot_be_taken_in_adds_nothing(running_site: RunningSite, source: Path) -> None:
    (source / "out").symlink_to("/etc/passwd")
    for path in (source, source / "none"):
        said = running_site.purveyor("package", "add", str(path), "--name", "Hello")
        assert (said.code, said.out) == (1, "") and said.err
    assert running_site.purveyor("package", "list", "--json").json == []


def test_a_file_over_the_limit_of_the_site_is_refused(running_site: RunningSite, source: Path) -> None:
    (source / "large").write_bytes(b"y" * 100_001)
    said = running_site.purveyor("package", "add", str(source), "--name", "Hello")
    assert said.code == 1 and "100000 bytes at most" in said.err
    assert not [stored for stored in running_site.site.store.walk() if stored.size_bytes > 100_000]


def test_progress_in_a_pipe_is_plain_lines_on_standard_error(running_site: RunningSite, source: Path) -> None:
    said = running_site.purveyor("package", "add", str(source), "--name", "Hello")
    assert "sending: 100 % of 50.0 kB" in said.err.splitlines()
    assert "\r" not in said.err


def test_a_program_has_all_that_its_options_say(running_site: RunningSite, package: str) -> None:
    running_site.purveyor(
        "program", "add", package, "Second", "--command", "./setup --quiet 'a b'", "--working-directory", "sub",
        "--max-run", "2h", "--success-codes", "0,1", "--restart-codes", "3010", "--platform", "linux/debian",
        "--depends-on", f"{package}/Install", "--uninstall-command", "./setup --remove",
        "--detect-package", "hello", "--detect-version", "2.10",
        "--if-interrupted", "run-again", "--disabled",
    )  # fmt: skip
    seen = running_site.purveyor("program", "show", package, "second", "--json").json
    assert seen["argv"] == ["./setup", "--quiet", "a b"]
    assert (seen["working_directory"], seen["max_run_seconds"]) == ("sub", 7200)
    assert (seen["success_codes"], seen["restart_codes"]) == ([0, 1], [3010])
    assert (seen["depends_on"], seen["if_interrupted"], seen["is_enabled"]) == (f"{package}/1", "run-again", False)
    assert seen["uninstall"]["argv"] == ["./setup", "--remove"]
    assert seen["detection"] == {"kind": "os-package", "name": "hello", "at_least": "2.10"}


def test_the_words_of_argv_are_taken_as_they_are(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("program", "add", package, "Count", "--argv", "/usr/bin/wc", "-l", "--json", "a file")
    assert running_site.purveyor("program", "show", package, "Count", "--json").json["argv"] == [
        "/usr/bin/wc",
        "-l",
        "--json",
        "a file",
    ]


def test_a_shell_line_goes_to_the_shell_as_it_is(running_site: RunningSite, package: str) -> None:
    assert running_site.purveyor("program", "add", package, "Refused", "--command", "a | b").code == 1
    running_site.purveyor("program", "add", package, "Shell", "--command", "a | b > c", "--shell")
    assert running_site.purveyor("program", "show", package, "Shell", "--json").json["shell_line"] == "a | b > c"


def test_a_program_is_edited_enabled_disabled_and_deleted(running_site: RunningSite, package: str) -> None:
    assert running_site.purveyor("program", "edit", package, "1", "--name", "Setup", "--max-run", "5m").code == 0
    assert running_site.purveyor("program", "disable", package, "Setup").code == 0
    seen = running_site.purveyor("program", "show", package, "1", "--json").json
    assert (seen["name"], seen["max_run_seconds"], seen["is_enabled"]) == ("Setup", 300, False)
    assert running_site.purveyor("program", "enable", package, "1").code == 0
    assert running_site.purveyor("program", "edit", package, "1").code == 2
    assert running_site.purveyor("program", "delete", package, "Setup", "--yes").code == 0
    assert running_site.purveyor("program", "list", package, "--json").json == []


def test_a_program_whose_name_no_path_can_carry_is_found(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("program", "edit", package, "1", "--name", "x86/64 ..")
    assert running_site.purveyor("program", "show", package, "x86/64 ..", "--json").json["number"] == 1
    assert running_site.purveyor("program", "show", package, "none/such").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--detect-sha256", "0" * 64, "--command", "x"),
        ("--detect-version", "1", "--command", "x"),
        ("--uninstall-file", "x", "--command", "x"),
        ("--shell", "--argv", "x"),
        ("--argv",),
        (),
    ],
)
def test_options_that_cannot_be_meant_are_wrong_usage(running_site: RunningSite, package: str, words: tuple[str, ...]) -> None:
    assert running_site.purveyor("program", "add", package, "X", *words).code == 2


def test_collections_are_named_by_id_or_name(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        first, second, _ = add_clients(tx, 3)
    running_site.purveyor("collection", "add", "Pilot", "--member", "pc-1", "--member", second)
    rest = running_site.purveyor("collection", "add", "The rest", "--include", "All Systems", "--exclude", "Pilot").line
    assert running_site.purveyor("collection", "show", "the rest", "--json").json["members"] == 1
    said = running_site.purveyor("collection", "edit", "Pilot", "--remove-member", "pc-1", "--name", "Pilot (new)")
    assert said.code == 0 and "has 1 member" in said.err
    shown = running_site.purveyor("collection", "show", rest, "--members", "--json").json
    assert first in [member["id"] for member in shown["members"]]
    assert running_site.purveyor("collection", "delete", "Pilot (new)").code == 1
    assert running_site.purveyor("collection", "delete", "Pilot (new)", "--yes").code == 0


def test_members_come_from_a_file_or_standard_input(running_site: RunningSite, tmp_path: Path) -> None:
    with running_site.site.database.write() as tx:
        clients = add_clients(tx, 3)
    (tmp_path / "clients").write_text("\n".join(clients[:2]))
    assert running_site.purveyor("collection", "add", "A", "--member-file", str(tmp_path / "clients")).code == 0
    assert running_site.purveyor("collection", "add", "B", "--member-file", "-", stdin="pc-1\n\npc-2\npc-3\n").code == 0
    assert [row["members"] for row in running_site.purveyor("collection", "list", "--json").json] == [3, 2, 3]
    assert running_site.purveyor("collection", "add", "C", "--member-file", str(tmp_path / "none")).code == 1


def test_a_collection_may_not_include_itself(running_site: RunningSite) -> None:
    running_site.purveyor("collection", "add", "A")
    said = running_site.purveyor("collection", "edit", "A", "--include", "A")
    assert said.code == 1 and "itself" in said.err


def test_what_reaches_all_needs_a_confirmation(running_site: RunningSite, package: str) -> None:
    words = ("advertise", package, "Install", "--to", "All Systems", "--assign", "asap")
    refused = running_site.purveyor(*words)
    assert (refused.code, refused.out) == (1, "") and "All Systems" in refused.err
    assert running_site.purveyor("advertisement", "list", "--json").json == []
    assert running_site.purveyor(*words, "--yes").line == "S0120001"


def test_an_advertisement_says_what_its_options_said(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("collection", "add", "Pilot")
    made = running_site.purveyor(
        "advertise", package, "1", "--to", "pilot", "--assign", "2026-12-01T22:00", "--assign", "2026-12-02T09:00+01:00",
        "--available-from", "2026-11-01T00:00Z", "--expires", "2027-01-01T00:00Z", "--each-version", "--paused",
        "--name", "Night",
    ).line  # fmt: skip
    seen = running_site.purveyor("advertisement", "show", made, "--json").json
    assert [(one["text"], one["zone"]) for one in seen["assignments"]] == [
        ("2026-12-01T22:00", "client"),
        ("2026-12-02T08:00Z", "utc"),
    ]
    assert (seen["available_from"], seen["expires_at"]) == ("2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert (seen["each_version"], seen["is_paused"], seen["name"]) == (True, True, "Night")


def test_without_assign_an_advertisement_is_optional_and_begins_now(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("collection", "add", "Pilot")
    running_site.purveyor("advertise", package, "Install", "--to", "Pilot")
    (seen,) = running_site.purveyor("advertisement", "list", "--json").json
    assert (seen["is_mandatory"], seen["expires_at"]) == (False, None)
    assert seen["available_from"] <= utc_now().isoformat()


def test_an_advertisement_is_changed_paused_resumed_and_deleted(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("collection", "add", "Pilot")
    made = running_site.purveyor("advertise", package, "Install", "--to", "Pilot", "--assign", "asap", "--expires", "7d").line
    assert running_site.purveyor("advertisement", "edit", made, "--no-expires", "--no-assign", "--name", "New").code == 0
    assert running_site.purveyor("advertisement", "pause", made).code == 0
    seen = running_site.purveyor("advertisement", "show", made, "--json").json
    assert (seen["expires_at"], seen["assignments"], seen["name"], seen["is_paused"]) == (None, [], "New", True)
    assert running_site.purveyor("advertisement", "resume", made).code == 0
    assert running_site.purveyor("advertisement", "edit", made).code == 2
    assert running_site.purveyor("advertisement", "edit", made, "--assign", "asap", "--no-assign").code == 2
    assert running_site.purveyor("advertisement", "delete", made, "--yes").code == 0
    assert running_site.purveyor("advertisement", "show", made).code == 1


def test_times_without_a_clock_are_wrong_usage_where_an_instant_is_needed(running_site: RunningSite, package: str) -> None:
    assert (
        running_site.purveyor("advertise", package, "Install", "--to", "All Systems", "--expires", "2027-01-01T00:00").code == 2
    )


def test_deleting_without_a_confirmation_shows_whom_it_concerns(running_site: RunningSite, package: str) -> None:
    running_site.purveyor("advertise", package, "Install", "--to", "All Systems", "--yes")
    said = running_site.purveyor("package", "delete", package)
    assert said.code == 1 and "nothing was deleted" in said.err
    assert f"Deleting {package} (Hello) would touch:" in said.out and "S0120001" in said.out
    assert running_site.purveyor("package", "preview", package).out == said.out
    assert running_site.purveyor("package", "list", "--json").json[0]["state"] == "active"


def test_deleting_with_a_confirmation_begins_the_retirement(running_site: RunningSite, package: str) -> None:
    assert running_site.purveyor("package", "delete", package, "--running", "stop", "--yes").code == 0
    assert running_site.purveyor("package", "list").out == ""
    (row,) = running_site.purveyor("package", "list", "--all", "--json").json
    assert row["state"] == "retiring"
    said = running_site.purveyor("package", "retirement", package)
    assert said.out.splitlines()[0] == f"{package} (Hello): 0 held it, 0 acknowledged, awaited of 0, 0 bytes freed"
    assert running_site.purveyor("package", "delete", package, "--yes").code == 1


def test_a_deletion_may_name_what_takes_its_place(running_site: RunningSite, package: str) -> None:
    successor = running_site.purveyor("package", "add", "--name", "Hello 2").line
    assert running_site.purveyor("package", "delete", package, "--replaced-by", successor, "--yes").code == 0
    assert running_site.purveyor("package", "show", package, "--json").json["replaced_by"] == successor


def test_resources_are_approved_blocked_and_removed(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        add_clients(tx, 1, state="waiting")
    assert [row["name"] for row in running_site.purveyor("resource", "list", "--state", "waiting", "--json").json] == ["pc-1"]
    assert running_site.purveyor("resource", "approve", "pc-1").code == 0
    assert running_site.purveyor("resource", "block", "pc-1", "--reason", "stolen").code == 0
    shown = running_site.purveyor("resource", "show", "pc-1")
    assert "blocked" in shown.out and "stolen" in shown.out
    assert running_site.purveyor("resource", "unblock", "pc-1").code == 0
    assert running_site.purveyor("resource", "remove", "pc-1").code == 0
    assert running_site.purveyor("resource", "list", "--json").json == []


def test_clones_in_whose_place_others_came_are_named_before_they_are_removed(running_site: RunningSite) -> None:
    table = schema.client
    with running_site.site.database.write() as tx:
        image, old, new = add_clients(tx, 3)
        for client, days in ((old, 9), (new, 0)):
            values = {"name": "vdi-1", "was": image, "last_seen_at": utc_now() - timedelta(days=days)}
            tx.execute(update(table).where(table.c.id == client).values(values))
    refused = running_site.purveyor("resource", "remove-clones", "pc-1")
    assert refused.code != 0 and "1 of 2 clones" in refused.err and "vdi-1" in refused.err and "--yes" in refused.err
    none = running_site.purveyor("resource", "remove-clones", "pc-1", "--silent-for", "30d", "--yes")
    assert none.err.startswith("there are no clones of ")
    assert running_site.purveyor("resource", "remove-clones", "pc-1", "--yes").err == f"1 clone of {image} removed: vdi-1\n"
    assert {row["id"] for row in running_site.purveyor("resource", "list", "--json").json} == {image, new}


def test_settings_are_shown_and_set(running_site: RunningSite) -> None:
    assert running_site.purveyor("settings", "set", "poll_interval_seconds", "15m").code == 0
    values = {row["name"]: row["value"] for row in running_site.purveyor("settings", "show", "--json").json}
    assert values["poll_interval_seconds"] == 900
    assert running_site.purveyor("settings", "set", "confirm_above", "15m").code == 2
    said = running_site.purveyor("settings", "set", "bandwidth", "mon-fri 08:00-18:00 512K; otherwise unlimited")
    assert said.err.startswith("bandwidth is mon-fri 08:00-18:00 512K; otherwise unlimited; clients hear of it")
    refused = running_site.purveyor("settings", "set", "bandwidth", "mon-fri 8-18")
    assert (refused.code, "'8-18' is no rate" in refused.err) == (1, True)
    mistyped = running_site.purveyor("settings", "set", "bandwith", "5K")
    assert (mistyped.code, mistyped.err) == (1, "purveyor: there is no setting 'bandwith'; is bandwidth meant?\n")
    assert running_site.purveyor("settings", "set", "poll_interval_seconds", "0").code == 1


def test_every_change_is_in_the_audit_under_the_name_of_the_token(running_site: RunningSite, package: str) -> None:
    rows = running_site.purveyor("audit", "list", "--object", package, "--json").json
    assert [(row["actor"], row["action"]) for row in rows] == [("the admin", "program.add"), ("the admin", "package.add")]
    assert len(running_site.purveyor("audit", "list", "--limit", "1", "--json").json) == 1


def test_status_is_asked_by_kind_or_by_the_id_alone(running_site: RunningSite, package: str) -> None:
    with running_site.site.database.write() as tx:
        add_clients(tx, 1)
    made = running_site.purveyor("advertise", package, "Install", "--to", "All Systems", "--yes").line
    asked = {
        "package": package,
        "program": f"{package}/Install",
        "advertisement": made,
        "collection": "S0110001",
        "client": "pc-1",
    }
    for kind, text in asked.items():
        named, bare = (running_site.purveyor("status", *words, "--json") for words in ((kind, text), (text,)))
        assert named.code == 0 and named.json == bare.json
        assert running_site.purveyor("status", kind, text).code == 0
    assert "1 client: 1 without any word yet" in running_site.purveyor("status", made).out
    assert len(running_site.purveyor("status", "package", package, package, "--json").json) == 2
    assert running_site.purveyor("status", "messages").code == 0
    assert running_site.purveyor("status", "messages", package, "--json").json == []
    assert running_site.purveyor("status", "package").code == 2


def test_tokens_are_listed_without_their_secrets_and_revoked(running_site: RunningSite) -> None:
    made = running_site.purveyor("token", "create", "reporting", "--role", "reader").line
    assert running_site.purveyor("package", "list", token=made).code == 0
    rows = running_site.purveyor("token", "list", "--json").json
    assert made not in json.dumps(rows)
    number = next(row["id"] for row in rows if row["name"] == "reporting")
    assert running_site.purveyor("token", "revoke", str(number)).code == 0
    assert running_site.purveyor("package", "list", token=made).code == 4


def test_who_may_not_gets_exit_code_4(running_site: RunningSite) -> None:
    assert running_site.purveyor("package", "add", "--name", "x", token=running_site.reader).code == 4
    assert running_site.purveyor("package", "list", token=running_site.reader).code == 0
    said = running_site.purveyor("package", "list", token="guessed")
    assert said.code == 4 and "guessed" not in said.err
    assert running_site.purveyor("package", "list", token="no\nheader").code == 4


def test_a_site_that_is_not_there_gets_exit_code_3(running_site: RunningSite) -> None:
    said = running_site.purveyor("package", "list", "--site", "http://127.0.0.1:1")
    assert (said.code, said.out) == (3, "") and "refused" in said.err
    assert running_site.purveyor("package", "list", "--site", f"{running_site.url}/elsewhere").code in (1, 3)


def test_wrong_words_get_exit_code_2(running_site: RunningSite, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("package",), ("package", "none"), ("package", "add"), ("package", "list", "--none")):
        assert running_site.purveyor(*words).code == 2
    capsys.readouterr()


def test_names_with_every_kind_of_sign_come_back_as_they_were(running_site: RunningSite) -> None:
    name = "a/b % 'c' \"d\" ü 漢字 ?&#"
    made = running_site.purveyor("collection", "add", name).line
    assert running_site.purveyor("collection", "show", name, "--json").json["id"] == made
