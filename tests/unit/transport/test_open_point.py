"""Which transport an address means."""

import subprocess
import sys

import pytest

from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.open_point import Points, point_for
from purveyor.wire.errors import RejectedError, UnavailableError


@pytest.mark.parametrize("url", ["http://site.example:8470/cap", "https://site.example/cap/", "http://[::1]:8470/cap"])
def test_http_addresses_are_opened_over_http(url: str) -> None:
    point = point_for(url)
    assert isinstance(point, HttpPoint)
    assert point.url == url.rstrip("/")


@pytest.mark.parametrize("url", ["/srv/CAP_S01", "CAP_S01", "./CAP_S01", "C:\\purveyor\\CAP_S01", "a folder/CAP_S01"])
def test_paths_are_opened_as_folders(url: str) -> None:
    assert isinstance(point_for(url), FolderPoint)


@pytest.mark.parametrize(
    ("url", "known_by"),
    [
        ("smb://server/CAP_S01", "smb://server/CAP_S01"),
        ("smb://Server:4450/boxes/CAP_S01/", "smb://server:4450/boxes/CAP_S01"),
        ("smb://[fe80::1]/CAP_S01", "smb://[fe80::1]/CAP_S01"),
        ("SMB://server/CAP_S01", "smb://server/CAP_S01"),
        (r"\\server\CAP_S01", "smb://server/CAP_S01"),
        (r"\\server\boxes\CAP_S01", "smb://server/boxes/CAP_S01"),
    ],
)
def test_addresses_of_shares_are_opened_over_smb_and_known_in_one_form(url: str, known_by: str) -> None:
    point = point_for(url)
    assert type(point).__name__ == "SmbPoint"
    assert point.url == known_by


@pytest.mark.parametrize(
    "url", ["smb://", "smb://server", "smb:///x", "smb://server/a*b", "smb://server/x/../y", "smb://server:x/y"]
)
def test_what_is_no_address_of_a_share_is_refused(url: str) -> None:
    with pytest.raises(RejectedError, match="share"):
        point_for(url)


def test_shares_of_one_server_have_one_session_and_each_point_is_opened_once() -> None:
    points = Points()
    cap = points.at("smb://server/CAP_S01")
    assert points.at("smb://server/CAP_S01") is cap
    points.at(r"\\SERVER\DP_S01")
    points.at("smb://other/DP_S01")
    assert set(points._sessions) == {("server", 445), ("other", 445)}


def test_without_credentials_a_share_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="no user and password"):
        Points().at("smb://server/CAP_S01").read("clidata.box/timestamp.json", limit_bytes=10)


def test_the_library_of_shares_is_loaded_when_one_is_opened_and_not_before() -> None:
    script = (
        "import sys; from purveyor.client import main; from purveyor.transport.open_point import point_for;"
        "point_for('http://host/cap'); print('smbprotocol' in sys.modules);"
        "point_for('smb://host/cap'); print('smbprotocol' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True"]


def test_a_file_address_is_a_folder_and_known_by_its_address() -> None:
    point = point_for("file:///srv/a%20folder/CAP_S01")
    assert isinstance(point, FolderPoint)
    assert point.url == "file:///srv/a%20folder/CAP_S01"


@pytest.mark.parametrize("url", ["s3://bucket/cap", "ftp://host/cap", "javascript:alert(1)", "http+unix://x"])
def test_other_kinds_are_refused_by_name(url: str) -> None:
    with pytest.raises(RejectedError, match=url.partition(":")[0].replace("+", r"\+")):
        point_for(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "http://",
        "http:///cap",
        "http://host:port/cap",
        "http://host/cap?x",
        "http://host/cap#x",
        "file://server/share",
        "http://[::1/cap",
        "/srv\n/x",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RejectedError):
        point_for(url)


@pytest.mark.parametrize("url", ["http://user:hunter2@host/cap", "s3://key:hunter2@bucket/cap"])
def test_an_address_with_a_password_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(RejectedError) as caught:
        point_for(url)
    assert "hunter2" not in str(caught.value)
