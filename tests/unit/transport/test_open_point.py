"""Which transport an address means."""

import pytest

from purveyor.transport.folder_point import FolderPoint
from purveyor.transport.http import HttpPoint
from purveyor.transport.open_point import point_for
from purveyor.wire.errors import RejectedError


@pytest.mark.parametrize("url", ["http://site.example:8470/cap", "https://site.example/cap/", "http://[::1]:8470/cap"])
def test_http_addresses_are_opened_over_http(url: str) -> None:
    point = point_for(url)
    assert isinstance(point, HttpPoint)
    assert point.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["/srv/CAP_S01", "CAP_S01", "./CAP_S01", "C:\\purveyor\\CAP_S01", "\\\\server\\share", "a folder/CAP_S01"]
)
def test_paths_are_opened_as_folders(url: str) -> None:
    assert isinstance(point_for(url), FolderPoint)


def test_a_file_address_is_a_folder_and_known_by_its_address() -> None:
    point = point_for("file:///srv/a%20folder/CAP_S01")
    assert isinstance(point, FolderPoint)
    assert point.url == "file:///srv/a%20folder/CAP_S01"


@pytest.mark.parametrize(
    "url", ["smb://server/share", "s3://bucket/cap", "ftp://host/cap", "javascript:alert(1)", "http+unix://x"]
)
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


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(RejectedError) as caught:
        point_for("http://user:hunter2@host/cap")
    assert "hunter2" not in str(caught.value)
