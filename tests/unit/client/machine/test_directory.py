"""What is believed of accounts: that there is none is said only where nobody else could know one."""

from pathlib import Path

import pytest

from built_root import Asked, Root
from purveyor.client.machine.directory import GROUP_LIMIT, Directory
from purveyor.client.machine.interface import Account
from purveyor.client.machine.surroundings import account
from purveyor.wire.errors import UnavailableError

ALICE = "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
CORP = "CORP\\alice:*:70001:70513:Alice:/home/CORP/alice:/bin/sh\n"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.fixture
def ask() -> Asked:
    made = Asked()
    made.say("getent passwd", 2)
    made.say("getent passwd alice", ALICE)
    made.say("id -G -- alice", "1000 27 1000\n")
    return made


def looked_up(root: Root, ask: Asked, name: str) -> Account | None:
    return Directory(root.path, ask=ask).account(name)


def test_an_account_has_numbers_home_and_all_its_groups(root: Root, ask: Asked) -> None:
    assert looked_up(root, ask, "alice") == Account(
        name="alice", user_id=1000, group_id=1000, group_ids=(1000, 27), home="/home/alice"
    )


def test_an_account_of_a_domain_is_looked_up_as_it_is_written(root: Root, ask: Asked) -> None:
    ask.say("getent passwd CORP\\alice", CORP)
    ask.say("id -G -- CORP\\alice", "70513 70001\n")
    found = looked_up(root, ask, "CORP\\alice")
    assert found is not None
    assert (found.user_id, found.group_ids) == (70001, (70513, 70001))


@pytest.mark.parametrize(
    "sources",
    ["passwd: files", "passwd: files systemd # winbind", "passwd: compat [NOTFOUND=return] altfiles", "group: sss", "", None],
)
def test_where_only_files_are_asked_a_name_that_they_lack_is_nobody_s(root: Root, ask: Asked, sources: str | None) -> None:
    if sources is not None:
        root.write("etc/nsswitch.conf", f"# x\n{sources}\n")
    assert looked_up(root, ask, "bob") is None


@pytest.mark.parametrize("source", ["ldap", "nis", "sss", "winbind", "something new"])
def test_where_a_directory_may_be_out_of_reach_nobody_is_said_to_be_nobody(root: Root, ask: Asked, source: str) -> None:
    root.write("etc/nsswitch.conf", f"passwd:\tfiles {source}\n")
    with pytest.raises(UnavailableError):
        looked_up(root, ask, "CORP\\bob")
    assert looked_up(root, ask, "alice") is not None


def test_a_directory_that_reaches_its_servers_is_believed(root: Root, ask: Asked) -> None:
    root.write("etc/nsswitch.conf", "passwd: files winbind\n")
    ask.say("wbinfo --ping-dc", 1)
    with pytest.raises(UnavailableError, match="winbind"):
        looked_up(root, ask, "CORP\\bob")
    ask.say("wbinfo --ping-dc", "")
    assert looked_up(root, ask, "CORP\\bob") is None


def test_every_domain_of_sssd_has_to_be_online(root: Root, ask: Asked) -> None:
    root.write("etc/nsswitch.conf", "passwd: sss files\n")
    ask.say("sssctl domain-list", "corp.example\nlab.example\n")
    ask.say("sssctl domain-status --online -- corp.example", "Online status: Online\n")
    ask.say("sssctl domain-status --online -- lab.example", "Online status: Offline\n")
    with pytest.raises(UnavailableError, match="sss"):
        looked_up(root, ask, "bob@corp.example")
    ask.say("sssctl domain-status --online -- lab.example", "Online status: Online\n")
    assert looked_up(root, ask, "bob@corp.example") is None


def test_a_lookup_that_hangs_or_fails_is_no_answer(root: Root, ask: Asked) -> None:
    for answer in (None, 1, 3, 127):
        ask.say("getent passwd bob", answer)
        with pytest.raises(UnavailableError):
            looked_up(root, ask, "bob")


def test_groups_that_cannot_be_told_make_the_account_unknown_rather_than_poorer(root: Root, ask: Asked) -> None:
    ask.say("id -G -- alice", None)
    with pytest.raises(UnavailableError):
        looked_up(root, ask, "alice")
    ask.say("id -G -- alice", 1)
    with pytest.raises(UnavailableError):
        looked_up(root, ask, "alice")


@pytest.mark.parametrize("name", ["", "-x", "--help", "a:b", "a\nb", "a\0b"])
def test_what_can_be_no_name_is_asked_of_nobody(root: Root, ask: Asked, name: str) -> None:
    assert looked_up(root, ask, name) is None
    assert ask.count == 0


def test_the_number_of_an_account_is_not_its_name(root: Root, ask: Asked) -> None:
    ask.say("getent passwd 1000", ALICE)
    assert looked_up(root, ask, "1000") is None


@pytest.mark.parametrize(
    "line", ["alice", "alice:x:no:1:::\n", f"alice:x:{2**32}:1:::\n", "alice:x:-1:1:::\n", ":x:1:1:::\n", ""]
)
def test_a_line_that_is_no_account_is_none(root: Root, ask: Asked, line: str) -> None:
    ask.say("getent passwd alice", line)
    assert looked_up(root, ask, "alice") is None


def test_of_a_user_with_a_thousand_groups_a_thousand_are_seen(root: Root, ask: Asked) -> None:
    ask.say("id -G -- alice", " ".join(str(number) for number in range(2000, 9000)))
    found = looked_up(root, ask, "alice")
    assert found is not None
    assert len(found.group_ids) == GROUP_LIMIT + 1


def test_names_of_groups_are_kept_for_a_while_and_survive_a_directory_that_goes_away(root: Root, ask: Asked) -> None:
    ask.say("getent group", "alice:x:1000:\nCORP\\domain users:x:27:\n")
    directory = Directory(root.path, ask=ask)
    assert directory.groups_of("alice") == ("alice", "CORP\\domain users")
    before = ask.count
    ask.say("getent", None)
    assert directory.groups_of("alice") == ("alice", "CORP\\domain users")
    assert ask.count == before


def test_groups_without_a_name_are_left_out(root: Root, ask: Asked) -> None:
    ask.say("getent group", 2)
    assert Directory(root.path, ask=ask).groups_of("alice") == ()


def test_who_is_logged_on_is_never_said_to_have_no_account(root: Root, ask: Asked) -> None:
    root.logs_on("2", "CORP\\alice")
    ask.say("id", 1)
    with pytest.raises(UnavailableError, match="logged on"):
        account("corp\\ALICE", Directory(root.path, ask=ask), root=root.path, ask=ask)
    assert account("corp\\bob", Directory(root.path, ask=ask), root=root.path, ask=ask) is None
