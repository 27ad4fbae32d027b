"""The rights that a bucket's owner gives to everybody."""

import json

import pytest

from purveyor.transport.s3.policy import bucket_policy
from purveyor.wire.errors import RejectedError


def test_everybody_may_get_what_lies_below_the_prefix_and_do_nothing_else() -> None:
    [statement] = json.loads(bucket_policy("site", "sites/CAP_S01"))["Statement"]
    assert statement["Action"] == ["s3:GetObject"]
    assert statement["Resource"] == ["arn:aws:s3:::site/sites/CAP_S01/*"]


def test_listing_is_opened_only_when_asked_for_and_only_below_the_prefix() -> None:
    _, listing = json.loads(bucket_policy("site", "CAP_S01", tells_absent=True))["Statement"]
    assert listing["Action"] == ["s3:ListBucket"]
    assert listing["Resource"] == ["arn:aws:s3:::site"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["CAP_S01/*"]}}


def test_without_a_prefix_the_whole_bucket_is_meant() -> None:
    [statement] = json.loads(bucket_policy("site", ""))["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::site/*"]


@pytest.mark.parametrize(
    ("bucket", "prefix"), [("Site", "x"), ("site/x", "*"), ("site", "*"), ("site", "../x"), ("", "x"), ('a"b', "x")]
)
def test_what_can_be_no_bucket_or_prefix_never_becomes_a_right(bucket: str, prefix: str) -> None:
    with pytest.raises(RejectedError):
        bucket_policy(bucket, prefix)
