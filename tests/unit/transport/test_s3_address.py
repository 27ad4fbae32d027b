"""Addresses of buckets: what they are read as, and what is refused."""

import pytest

from purveyor.transport.s3.address import s3_address
from purveyor.wire.errors import RejectedError


def test_an_address_at_aws_has_the_bucket_before_the_host() -> None:
    address = s3_address("s3://site-content/purveyor/CAP_S01", region="eu-central-1")
    assert (address.bucket, address.prefix) == ("site-content", "purveyor/CAP_S01")
    assert address.url == "s3://site-content/purveyor/CAP_S01"
    assert address.public_url == "https://site-content.s3.eu-central-1.amazonaws.com/purveyor/CAP_S01"


def test_a_bucket_with_a_dot_stands_behind_the_host_because_no_certificate_covers_it() -> None:
    assert s3_address("s3://site.content").public_url == "https://s3.us-east-1.amazonaws.com/site.content"


def test_another_server_has_the_bucket_behind_the_host_unless_it_is_said() -> None:
    endpoint = "https://store.example:9000/"
    assert s3_address("s3://site/CAP", endpoint=endpoint).public_url == "https://store.example:9000/site/CAP"
    address = s3_address("s3://site/CAP/", endpoint=endpoint, is_path_style=False)
    assert address.public_url == "https://site.store.example:9000/CAP"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3:",
        "s3://",
        "s3:///CAP",
        "http://site/CAP",
        "s3://Site",
        "s3://si",
        "s3://-site",
        "s3://site-",
        "s3://a..b",
        "s3://192.168.0.1",
        "s3://" + "a" * 64,
        "s3://site:9000/CAP",
        "s3://site/../other",
        "s3://site/.hidden",
        "s3://site//CAP",
        "s3://site/a b",
        "s3://site/" + "a" * 201,
        "s3://site/CAP?versionId=1",
        "s3://site/CAP#x",
        "s3://site\n/CAP",
        "s3://[site/CAP",
    ],
)
def test_what_is_no_address_of_a_bucket_is_rejected(url: str) -> None:
    with pytest.raises(RejectedError):
        s3_address(url)


@pytest.mark.parametrize("url", ["s3://key:the-secret@site/CAP", "s3://key@site/CAP"])
def test_an_address_that_carries_a_key_is_rejected_without_repeating_it(url: str) -> None:
    with pytest.raises(RejectedError) as caught:
        s3_address(url)
    assert "key" not in str(caught.value).split()
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    ["store.example", "ftp://store.example", "https://", "https://u:p@store.example", "https://x/path", "http://x:99999"],
)
def test_what_is_no_server_is_rejected(endpoint: str) -> None:
    with pytest.raises(RejectedError):
        s3_address("s3://site", endpoint=endpoint)


def test_what_is_no_region_is_rejected() -> None:
    with pytest.raises(RejectedError):
        s3_address("s3://site", region="eu/central")
