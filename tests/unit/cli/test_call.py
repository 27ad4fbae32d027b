"""Which site a command speaks to, and with which token. (The folder of a site is two small files: these tests use a real one.)"""

import argparse
import errno
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from purveyor.cli.call import Access, Call, UsageError, access_of, site_folder_of
from purveyor.cli.main import carry_out, in_words, main
from purveyor.cli.output import Output
from purveyor.wire.errors import NotAllowedError, UnavailableError

URL = "http://127.0.0.1:8470"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.url").write_text(f"{URL}\n")
    (tmp_path / "admin.token").write_text("of-the-folder\n")
    return tmp_path


def call_with(environment: Mapping[str, str], **options: str) -> Call:
    arguments = argparse.Namespace(**({"site": None, "site_dir": None, "token_file": None, "ca": None} | options))
    output = Output(stdout=io.StringIO(), stderr=io.StringIO(), stdin=io.StringIO())
    return Call(arguments=arguments, environment=environment, output=output)


def test_a_folder_has_both(folder: Path) -> None:
    assert access_of(call_with({}, site_dir=str(folder)))[:2] == (URL, "of-the-folder")
    assert access_of(call_with({"PURVEYOR_SITE_DIR": str(folder)}))[:2] == (URL, "of-the-folder")


def test_options_are_stronger_than_the_environment(folder: Path, tmp_path: Path) -> None:
    environment = {"PURVEYOR_SITE": "http://other:1", "PURVEYOR_TOKEN": "of-the-environment"}
    assert access_of(call_with(environment))[:2] == ("http://other:1", "of-the-environment")
    assert access_of(call_with(environment, site_dir=str(folder)))[:2] == (URL, "of-the-folder")
    assert access_of(call_with(environment, site="http://third:2/"))[:2] == ("http://third:2", "of-the-environment")
    (tmp_path / "mine").write_text("of-the-file")
    assert access_of(call_with(environment, token_file=str(tmp_path / "mine"))).token == "of-the-file"


def test_the_token_of_a_folder_is_not_sent_to_another_site(folder: Path) -> None:
    with pytest.raises(NotAllowedError, match="no access token"):
        access_of(call_with({"PURVEYOR_SITE_DIR": str(folder)}, site="http://other:1"))


def test_an_option_may_send_the_token_of_a_folder_to_a_named_site(folder: Path) -> None:
    assert access_of(call_with({}, site="http://outside:80", site_dir=str(folder)))[:2] == ("http://outside:80", "of-the-folder")


def test_without_a_site_the_usage_is_wrong() -> None:
    with pytest.raises(UsageError, match="--site"):
        access_of(call_with({"PURVEYOR_TOKEN": "x"}))
    with pytest.raises(UsageError, match="no address"):
        access_of(call_with({"PURVEYOR_TOKEN": "x"}, site="ftp://x"))


def test_a_folder_whose_site_does_not_run_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="there is no folder"):
        access_of(call_with({}, site_dir=str(tmp_path / "mistyped")))
    with pytest.raises(UnavailableError, match="does not run"):
        access_of(call_with({}, site_dir=str(tmp_path)))


def test_a_token_that_cannot_be_read_is_not_allowed(folder: Path) -> None:
    (folder / "admin.token").write_text("\n")
    with pytest.raises(NotAllowedError, match="is empty"):
        access_of(call_with({}, site_dir=str(folder)))
    with pytest.raises(NotAllowedError, match="cannot be read"):
        access_of(call_with({}, site=URL, token_file=str(folder / "none")))


def test_a_file_of_a_token_is_read_as_editors_of_windows_write_it(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"\xef\xbb\xbfof-the-file\r\n\r\n")
    assert access_of(call_with({}, site=URL, token_file=str(tmp_path / "mine"))).token == "of-the-file"
    (tmp_path / "mine").write_text("of-the-file\r\n", encoding="utf-16")
    with pytest.raises(NotAllowedError, match="no text in UTF-8"):
        access_of(call_with({}, site=URL, token_file=str(tmp_path / "mine")))


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Access(URL, "secret"))


def test_over_https_the_site_of_a_folder_is_known_by_the_certificate_that_it_shows(folder: Path) -> None:
    (folder / "site.url").write_text("https://127.0.0.1:1\n")
    shown = access_of(call_with({}, site_dir=str(folder)))
    assert (shown.certificate, shown.is_exact) == (str(folder / "site.pem"), True)
    named = access_of(call_with({}, site_dir=str(folder), ca="/etc/ca.pem"))
    assert (named.certificate, named.is_exact) == ("/etc/ca.pem", False)


def test_over_https_any_other_site_is_judged_by_the_cas_that_are_named_or_those_of_the_system(folder: Path) -> None:
    elsewhere = {"PURVEYOR_SITE": "https://site.example", "PURVEYOR_SITE_DIR": str(folder), "PURVEYOR_TOKEN": "t"}
    assert access_of(call_with(elsewhere)) == Access("https://site.example", "t", "", is_exact=False)
    assert access_of(call_with(elsewhere | {"PURVEYOR_CA": "/ca.pem"})) == Access(
        "https://site.example", "t", "/ca.pem", is_exact=False
    )


@pytest.mark.parametrize("words", [("package", "list", "--nonsense"), ("--nonsense", "package", "list")])
def test_who_types_an_unknown_option_is_shown_those_of_that_command(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output(stdout=io.StringIO(), stderr=io.StringIO(), stdin=io.StringIO())
    assert carry_out(words, environment={}, output=output) == 2
    told = capsys.readouterr().err
    assert told.startswith("usage: purveyor package list ")
    assert told.endswith("unrecognized arguments: --nonsense\n")


def test_a_command_goes_on_where_its_caller_has_closed_what_it_prints_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["purveyor", "client", "check", "--state", str(tmp_path)])
    for name in ("stdout", "stderr", "stdin"):
        monkeypatch.setattr(sys, name, None)
    assert main() == 3, "there is no agent's state, as monitoring hears by the exit code alone"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "Permission denied", "/srv/x"), "/srv/x: Permission denied; run this as its owner, or as root"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; make room there, and say it again"),
        (OSError(errno.EIO, "Input/output error", "/srv/x"), "/srv/x: Input/output error"),
        (OSError("odd"), "odd"),
    ],
)
def test_what_the_system_refuses_is_said_with_its_place_and_what_to_do(error: OSError, words: str) -> None:
    assert in_words(error) == words


def test_what_is_done_in_a_folder_needs_one(folder: Path) -> None:
    assert site_folder_of(call_with({"PURVEYOR_SITE_DIR": "elsewhere"}, site_dir=str(folder))) == folder
    assert site_folder_of(call_with({"PURVEYOR_SITE_DIR": str(folder)})) == folder
    with pytest.raises(UsageError, match="--site-dir DIR"):
        site_folder_of(call_with({}))
