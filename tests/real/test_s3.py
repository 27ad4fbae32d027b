"""What a shelf in a bucket tells its site, and what strangers may there, at a real S3 server."""

import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest
import urllib3

from purveyor.content.shelf_store import ShelfStore
from purveyor.transport.http.point import HttpPoint
from purveyor.transport.s3.credentials import Credentials
from purveyor.transport.s3.opening import open_s3_shelf
from purveyor.transport.s3.policy import bucket_policy
from purveyor.transport.s3.shelf import S3Shelf
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.manifest import hash_of
from s3_server import OWNER, SITE, Bucket, with_key

TIMESTAMP = "clidata.box/timestamp.json"
PACKAGE = "pkginfo.box/ab12.S0100001.pkg"


@pytest.fixture
def shelf(bucket: Bucket) -> S3Shelf:
    """A CAP in a bucket that everybody may read."""
    bucket.open_to_everybody(bucket_policy(bucket.name, "CAP_S01"))
    return bucket.shelf("CAP_S01")


def get(shelf: S3Shelf, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
    """What anybody is answered."""
    return urllib3.request("GET", f"{shelf.address.public_url}/{path}", headers=headers)


def test_the_names_that_change_are_asked_for_again_and_all_others_kept_for_ever(shelf: S3Shelf) -> None:
    for path in (TIMESTAMP, "clidata.box/root.json", "offerinf.box/lookup/1/03.lkp"):
        shelf.replace(path, b"x")
        assert get(shelf, path).headers["Cache-Control"] == "no-cache"
    shelf.write("manifests/abc", b"")  # the word of a mirror that content is yet to come
    assert get(shelf, "manifests/abc").headers["Cache-Control"] == "no-cache"
    shelf.write(PACKAGE, b"x")
    shelf.write_from("files/ab/abc", [b"x" * 9_000_000], limit_bytes=10_000_000)
    for path in (PACKAGE, "files/ab/abc"):
        assert get(shelf, path).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_conditions_and_ranges_are_honoured_in_plain_http(shelf: S3Shelf) -> None:
    shelf.replace(TIMESTAMP, b"0123456789")
    tag = get(shelf, TIMESTAMP).headers["ETag"]
    assert get(shelf, TIMESTAMP, **{"If-None-Match": tag}).status == 304
    part = get(shelf, TIMESTAMP, Range="bytes=3-5")
    assert (part.status, part.data) == (206, b"345")
    shelf.replace(TIMESTAMP, b"9876543210")
    assert get(shelf, TIMESTAMP, **{"If-None-Match": tag}).status == 200


def test_strangers_may_read_the_prefix_and_nothing_else(bucket: Bucket, shelf: S3Shelf) -> None:
    shelf.write(PACKAGE, b"x")
    bucket.shelf("private").write(PACKAGE, b"secret")
    bucket.shelf("CAP_S011").write(PACKAGE, b"secret")
    assert get(shelf, PACKAGE).status == 200
    base = f"{bucket.endpoint}/{bucket.name}"
    for method, address in (
        ("GET", f"{base}/private/{PACKAGE}"),
        ("GET", f"{base}/CAP_S011/{PACKAGE}"),
        ("GET", f"{base}?list-type=2&prefix=CAP_S01/"),
        ("PUT", f"{base}/CAP_S01/{PACKAGE}"),
        ("PUT", f"{base}/CAP_S01/ddr.box/{'0' * 32}"),
        ("DELETE", f"{base}/CAP_S01/{PACKAGE}"),
        ("GET", f"{base}?policy"),
    ):
        assert urllib3.request(method, address, body=b"x" if method == "PUT" else None).status == 403, (method, address)
    assert shelf.read(PACKAGE) == b"x"


def test_an_item_that_a_client_puts_is_refused_and_waits(shelf: S3Shelf) -> None:
    with pytest.raises(UnavailableError, match="403"):
        HttpPoint(shelf.address.public_url).put(f"ddr.box/{'0' * 32}", b"sealed")


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [
        (SITE.access_key_id, "not-the-secret", "the secret is not the one of this access key"),
        ("nobody", SITE.secret_access_key, "the server does not know this access key"),
    ],
)
def test_a_wrong_key_is_told_in_a_sentence_that_holds_no_secret(bucket: Bucket, key: str, secret: str, words: str) -> None:
    shelf = with_key(bucket, key, secret).shelf("CAP_S01")
    for call in (
        lambda: shelf.write(PACKAGE, b"x"),
        lambda: shelf.read(PACKAGE),
        lambda: shelf.listed("pkginfo.box", limit=10),
        lambda: shelf.remove(PACKAGE),
        lambda: shelf.write_from(PACKAGE, [b"x" * 100], limit_bytes=20_000_000),
    ):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert words in str(caught.value)
        shown = "".join(traceback.format_exception(caught.value)) + repr(shelf.__dict__)
        assert secret not in shown
        assert "Signature=" not in shown


def test_a_key_that_was_changed_is_taken_up(bucket: Bucket) -> None:
    keys = iter([Credentials(SITE.access_key_id, "the-old-secret"), SITE])
    shelf = open_s3_shelf(bucket.address("CAP_S01"), lambda: next(keys))
    with pytest.raises(UnavailableError):
        shelf.write(PACKAGE, b"x")
    shelf.write(PACKAGE, b"x")
    assert shelf.read(PACKAGE) == b"x"


def test_a_bucket_that_is_not_there_is_no_empty_shelf(bucket: Bucket) -> None:
    shelf = replace(bucket, name="no-such-bucket-of-tests").shelf("CAP_S01")
    for call in (lambda: shelf.read(PACKAGE), lambda: shelf.listed("pkginfo.box", limit=10)):
        with pytest.raises(UnavailableError, match="there is no such bucket"):
            call()
    with pytest.raises(UnavailableError, match="cannot be written"):
        shelf.write(PACKAGE, b"x")


def test_a_server_that_is_gone_costs_a_few_tries(bucket: Bucket) -> None:
    address = replace(bucket.address("CAP_S01"), endpoint="http://127.0.0.1:1")
    shelf = S3Shelf(address, lambda: SITE, retry_count=1)
    with pytest.raises(UnavailableError, match="the server cannot be reached"):
        shelf.write(PACKAGE, b"x")
    with pytest.raises(UnavailableError, match="the server cannot be reached"):
        shelf.write_from(PACKAGE, iter([b"x" * 9_000_000] * 50), limit_bytes=500_000_000)


def test_a_second_site_below_the_same_prefix_is_noticed(bucket: Bucket) -> None:
    ours, theirs = bucket.shelf("CAP_S01"), bucket.shelf("CAP_S01")
    ours.replace(TIMESTAMP, b"ours 1")
    theirs.replace(TIMESTAMP, b"theirs 1")
    with pytest.raises(UnavailableError, match="two sites must not write below one prefix"):
        ours.replace(TIMESTAMP, b"ours 2")
    assert ours.read(TIMESTAMP) == b"theirs 1"
    ours.replace(TIMESTAMP, b"ours 2")
    ours.replace(TIMESTAMP, b"ours 3")
    assert ours.read(TIMESTAMP) == b"ours 3"


def test_a_file_that_was_lost_or_is_already_right_is_no_second_site(bucket: Bucket) -> None:
    ours, other = bucket.shelf("CAP_S01"), bucket.shelf("CAP_S01")
    ours.replace(TIMESTAMP, b"1")
    other.remove(TIMESTAMP)
    ours.replace(TIMESTAMP, b"2")
    assert ours.read(TIMESTAMP) == b"2"
    other.write(TIMESTAMP, b"3")
    ours.replace(TIMESTAMP, b"3")
    ours.replace(TIMESTAMP, b"4")
    assert ours.read(TIMESTAMP) == b"4"


def test_a_large_file_that_breaks_off_leaves_no_parts_behind(bucket: Bucket) -> None:
    def breaking() -> Iterator[bytes]:
        yield from [b"x" * 9_000_000] * 3
        raise RejectedError("the sender has gone")

    with pytest.raises(RejectedError, match="the sender has gone"):
        bucket.shelf("DP_S01").write_from("files/ab/abc", breaking(), limit_bytes=100_000_000)
    assert b"<Upload>" not in bucket.uploads_under_way()


def test_content_goes_from_one_bucket_into_another(bucket: Bucket) -> None:
    content = b"large" * 4_000_000
    here = ShelfStore(bucket.shelf("DP_S01"), name="here")
    there = ShelfStore(bucket.shelf("DP_S02"), name="there")
    here.add_file(hash_of(content), [content], len(content))
    there.add_file(hash_of(content), here.pieces(hash_of(content)), len(content))
    assert there.has(hash_of(content))


def test_a_listing_goes_on_behind_pages_and_skips_what_lies_deeper(bucket: Bucket) -> None:
    shelf = bucket.shelf("CAP_S01")
    for number in range(1005):
        shelf.write(f"offerinf.box/lookup/1/{number:04}.lkp", b"x")
    shelf.write("offerinf.box/a", b"x")
    shelf.write("offerinf.box/lookup0", b"xx")
    shelf.write("offerinf.box/z", b"xxx")
    assert sorted(item.name for item in shelf.listed("offerinf.box", limit=10)) == ["a", "lookup0", "z"]
    assert len(shelf.listed("offerinf.box/lookup/1", limit=10_000)) == 1005
    assert len(shelf.listed("offerinf.box/lookup/1", limit=1001)) == 1001


def test_nothing_of_the_environment_is_used(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_REGION": "nowhere-1",
        "AWS_ACCESS_KEY_ID": OWNER.access_key_id,
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_UNSIGNED_PAYLOAD": "true",
    }.items():
        monkeypatch.setenv(name, value)
    shelf = bucket.shelf("CAP_S01")
    shelf.write(PACKAGE, b"x")
    assert shelf.read(PACKAGE) == b"x"
