"""As whom shares are used: read from a file that nobody else can read, kept the same way, shown to nobody."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from purveyor.client import share_credentials
from purveyor.client.share_credentials import credentials_text, read_credentials
from purveyor.transport.smb.address import Credentials
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError

TEXT = "username=purveyor-clients\npassword=hunter2\ndomain=EXAMPLE\n"


def written(folder: Path, text: str | bytes = TEXT, mode: int = 0o600) -> Path:
    """A person's file."""
    made = folder / "share.txt"
    made.write_bytes(text if isinstance(text, bytes) else text.encode())
    made.chmod(mode)
    return made


def test_a_file_is_read_as_mount_cifs_reads_it() -> None:
    found = read_credentials("# who comes\n\n  user=anna\nPass= with = signs \ndom=EXAMPLE\r\n")
    assert found == Credentials("anna", " with = signs ", "EXAMPLE")
    assert found.account == "EXAMPLE\\anna"
    assert found.is_encrypted


def test_without_encryption_it_goes_only_where_the_file_says_so() -> None:
    assert not read_credentials("username=a\npassword=b\nencryption=off").is_encrypted
    with pytest.raises(RejectedError, match="on or off"):
        read_credentials("username=a\npassword=b\nencryption=maybe")


@given(
    some.text(some.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30),
    some.text(some.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u2028\u2029"), min_size=1, max_size=60),
    some.booleans(),
)
def test_what_is_kept_is_read_again(user: str, password: str, is_encrypted: bool) -> None:
    said = Credentials(user, password, "", is_encrypted)
    if password.isprintable():
        assert read_credentials(credentials_text(said)) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "username=a",
        "password=hunter2",
        "username=\npassword=hunter2",
        "username=a\npassword=hunter2\nport=1",
        "hunter2",
        "username=a\npassword=hunter2\npassword=hunter2",
        "username=a\npassword=hunter2\0",
    ],
)
def test_what_is_no_file_of_credentials_is_refused_and_never_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(RejectedError) as caught:
        share_credentials.given_in(written(tmp_path, text))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(RefusedError, match="others can read"):
        share_credentials.given_in(written(tmp_path, mode=mode))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_its_owner_alone_can_read_is_taken(tmp_path: Path, mode: int) -> None:
    assert share_credentials.given_in(written(tmp_path, mode=mode)).user == "purveyor-clients"


def test_what_is_no_plain_file_or_none_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path / "pipe", tmp_path / "absent", tmp_path):
        with pytest.raises((RefusedError, UnavailableError)):
            share_credentials.given_in(place)


def test_binary_and_endless_files_are_refused(tmp_path: Path) -> None:
    for content in (b"username=\xff\npassword=x", TEXT.encode() * 500):
        with pytest.raises(RejectedError):
            share_credentials.given_in(written(tmp_path, content))


def test_what_is_kept_only_the_agent_can_read_whatever_was_there_before(tmp_path: Path) -> None:
    (tmp_path / share_credentials.FILE).write_text("old")
    (tmp_path / share_credentials.FILE).chmod(0o644)
    share_credentials.keep(tmp_path, Credentials("anna", "hunter2"))
    assert stat.S_IMODE((tmp_path / share_credentials.FILE).stat().st_mode) == 0o600
    assert share_credentials.kept(tmp_path) == Credentials("anna", "hunter2")
    assert os.listdir(tmp_path) == [share_credentials.FILE]
    share_credentials.forget(tmp_path)
    assert not share_credentials.are_kept(tmp_path)
    share_credentials.forget(tmp_path)


def test_without_credentials_or_with_damaged_ones_shares_are_unavailable_and_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="purveyor client credentials"):
        share_credentials.kept(tmp_path)
    written(tmp_path, "password=hunter2").rename(tmp_path / share_credentials.FILE)
    with pytest.raises(UnavailableError) as caught:
        share_credentials.kept(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_credentials_show_the_user_alone() -> None:
    said = Credentials("anna", "hunter2", "EXAMPLE")
    assert "hunter2" not in f"{said!r} {said} {[said]}"
    assert "anna" in repr(said)
