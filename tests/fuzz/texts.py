"""Texts: what is typed, and what other machines say in their own words."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from fuzz import seeds
from fuzz.parser import Parser, of_text
from fuzz.site_says import DECEMBER, fires
from purveyor.cli import rest
from purveyor.cli.arguments import moments, values
from purveyor.cli.trying import program_of
from purveyor.client import share_credentials
from purveyor.site_server.model import points
from purveyor.site_server.model.assignments import assignments_of
from purveyor.site_server.model.command_line import command_of
from purveyor.transport import open_point, open_shelf, paths
from purveyor.transport.http import answers as http_answers
from purveyor.transport.http import serving
from purveyor.transport.s3 import address as s3_address
from purveyor.transport.s3 import credentials as s3_credentials
from purveyor.transport.s3 import policy as s3_policy
from purveyor.transport.s3 import words as s3_words
from purveyor.wire import (
    accounts,
    ids,
    rules,
    schedule,
)
from purveyor.wire.bandwidth import parse_budget, rate_at
from purveyor.wire.errors import NotAllowedError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes


def any_of(*reads: Callable[[str], object], errors: tuple[type[Exception], ...]) -> Callable[[str], object]:
    """Several readers of the same short text: each gets it."""

    def reading(text: str) -> list[object]:
        found: list[object] = []
        for read in reads:
            try:
                found.append(read(text))
            except errors:
                found.append(None)
        return found

    return reading


_TYPED = (values.argparse.ArgumentTypeError, RejectedError)
SHARED = (b"smb://server:445/share/a", rb"\\server\share\a", b"file:///srv/CAP", b"/srv/CAP")
ENDPOINT = "https://s3.example"


def at_shelf(url: str) -> object:
    """An address to which something is written."""
    return open_shelf.folder_in(url), open_shelf.shelf_at(url, open_shelf.Doors(endpoint=ENDPOINT))


def moments_by(text: str) -> object:
    """A rule with its next times."""
    rule = rules.parse_rule(text)
    fires(datetime(2026, 1, 1), text, schedule.Zone.CLIENT)  # noqa: DTZ001 - wall-clock times are naive
    return rule


def headers_in(text: str) -> object:
    """The heads of an HTTP answer."""
    tag = http_answers.tag_in({"ETag": text, "Last-Modified": text})
    return (
        http_answers.tag_headers(text),
        tag and http_answers.tag_headers(tag),
        http_answers.range_start(text),
        (http_answers.wait_seconds({"Retry-After": text, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})),
    )


def answered(content: bytes) -> object:
    """What the site answers, to a question and to what it refuses."""
    with suppress(RefusedError, RejectedError, NotAllowedError, UnavailableError):
        rest.answer_in(409, content)
    return rest.answer_in(200, content)


def said_of_point(text: str) -> object:
    """What an administrator says of a point, as its address, as where to write, and as its network."""
    found: list[object] = []
    for given in ({"url": text}, {"target": text}, {"networks": [text]}):
        with suppress(RefusedError):
            said = points.said_with(points.PointSaid(url="."), given)  # type: ignore[arg-type]  # one of them each time
            found.append((said, points.place_of(said.url)))
    return found


TEXTS: Mapping[str, Parser] = {
    "rule": Parser(
        read=of_text(moments_by),
        seeds=[
            b"FREQ=MONTHLY;BYDAY=2TU;BYHOUR=3",
            b"RRULE:FREQ=YEARLY;INTERVAL=2;UNTIL=20400101T000000;BYSETPOS=-1;BYMONTHDAY=1,-1",
        ],
        write=lambda rule: rules.rule_text(rule).encode(),  # type: ignore[arg-type]  # of this parser
        reads=("wire/rules.py:parse_rule", "wire/rules.py:_until"),
    ),
    "budget": Parser(
        read=of_text(lambda text: rate_at(parse_budget(text), DECEMBER, UTC)),
        seeds=[b"mon-fri 08:00-18:00 512K; sat,sun 22:00-06:00 2M/s; otherwise unlimited", b"daily 8-9 0", b"64"],
        reads=("wire/bandwidth.py:parse_budget",),
    ),
    "time": Parser(
        read=of_text(schedule.parse_time),
        seeds=[b"2026-12-01T09:00Z", b"2026-12-01T09:00"],
        reads=("wire/schedule.py:parse_time",),
    ),
    "id": Parser(
        read=of_text(
            any_of(
                ids.site_code,
                ids.package_id,
                ids.collection_id,
                ids.advertisement_id,
                ids.client_id,
                accounts.account_name,
                errors=(RejectedError,),
            )
        ),
        seeds=[b"S01", b"S0100001", b"s0110001", seeds.MACHINE.id.encode(), rb"CORP\alice"],
        reads=("wire/ids.py:client_id", "wire/accounts.py:account_name"),
    ),
    "assignment": Parser(
        read=of_text(lambda text: assignments_of([text], today=DECEMBER.date())),
        seeds=[b"asap", b"2026-12-01T09:00Z", b"2026-12-01T09:00 FREQ=WEEKLY;BYDAY=TU", b"FREQ=DAILY"],
        errors=(RejectedError, RefusedError),
        reads=("site_server/model/assignments.py:assignments_of",),
    ),
    "command of a program": Parser(
        read=of_text(command_of),
        seeds=[b"setup.exe /q \"a b\" 'c' ${HOME} \\$x"],
        errors=(RefusedError,),
        reads=("site_server/model/command_line.py:command_of",),
    ),
    "word of a command": Parser(
        read=of_text(
            any_of(
                values.duration_seconds,
                values.size_bytes,
                values.count,
                values.exit_codes,
                values.moment,
                values.starting_time,
                values.assignment,
                values.listen_address,
                moments.local_moment,
                moments.port,
                errors=_TYPED,
            )
        ),
        seeds=[b"90s", b"500M", b"12", b"0,1641", b"2026-12-01T09:00Z", b"[::1]:8470"],
        reads=("cli/arguments/values.py:listen_address", "cli/arguments/values.py:count", "cli/arguments/moments.py:port"),
        found=[b"1" + b"0" * 5000, b"000000" + b"9" * 5000],
    ),
    "address of a point": Parser(
        read=of_text(open_point.point_for),
        seeds=(b"http://cap.example:8470/cap", *SHARED),
        reads=("transport/open_point.py:point_for", "transport/open_point.py:_http_point", "transport/smb/address.py:address_of"),
    ),
    "address of a shelf": Parser(
        read=of_text(at_shelf),
        seeds=(b"s3://bucket/a/b", *SHARED),
        errors=(RejectedError, UnavailableError),
        reads=("transport/open_shelf.py:shelf_at", "transport/open_shelf.py:folder_in", "transport/s3/address.py:s3_address"),
        found=[b"file://[", b"http://["],
    ),
    "point that is added": Parser(
        read=of_text(said_of_point),
        seeds=(b"https://cap.example/cap", rb"\\server\share", b"/srv/CAP", b"10.1.0.0/16"),
        errors=(RefusedError,),
        reads=("site_server/model/points.py:_refuse_url", "site_server/model/points.py:place_of"),
        found=[b"http://[", b"file://[", b"http://h:x/"],
    ),
    "endpoint of a bucket": Parser(
        read=of_text(lambda text: s3_address.s3_address("s3://bucket/a", endpoint=text).bucket_url),
        seeds=[b"https://s3.example:9000"],
        reads=("transport/s3/address.py:_checked_endpoint",),
    ),
    "rights of a bucket": Parser(
        read=of_text(lambda text: s3_policy.bucket_policy("bucket", text)),
        seeds=[b"a/b"],
        reads=("transport/s3/policy.py:bucket_policy",),
    ),
    "refusal of an S3 server": Parser(
        read=of_text(s3_words.sentence), seeds=[seeds.S3_ERROR], errors=(), reads=("transport/s3/words.py:code_in",)
    ),
    "credentials of a bucket": Parser(
        read=of_text(s3_credentials.credentials_in),
        seeds=[seeds.BUCKET_CREDENTIALS],
        reads=("transport/s3/credentials.py:credentials_in",),
    ),
    "credentials of shares": Parser(
        read=of_text(share_credentials.read_credentials),
        seeds=[seeds.CREDENTIALS],
        write=lambda read: share_credentials.credentials_text(read).encode(),  # type: ignore[arg-type]  # of this parser
        reads=("client/share_credentials.py:read_credentials",),
    ),
    "head of an HTTP answer": Parser(
        read=of_text(headers_in),
        seeds=[b'W/"1-2"', b"Tue, 01 Dec 2026 09:00:00 GMT", b"bytes 0-5/10"],
        errors=(),
        reads=("transport/http/answers.py:tag_in", "transport/http/answers.py:range_start"),
    ),
    "head of an HTTP request": Parser(
        read=lambda content: (serving.range_in(content, 1000), serving.matches_tag(content, b'"1-2"')),
        seeds=[b"bytes=0-5", b'W/"1-2", "x"'],
        errors=(),
        reads=("transport/http/serving.py:range_in", "transport/http/serving.py:matches_tag"),
    ),
    "path on a point": Parser(
        read=of_text(lambda text: (paths.is_plain_path(text), paths.check_item(text, b""))),
        seeds=[b"ddr.box/" + b"0" * 32],
        reads=("transport/paths.py:check_item",),
    ),
    "answer of the site": Parser(
        read=answered,
        seeds=[b'{"error":"no","kind":"refused"}', b'{"error":"no","kind":["x"]}'],
        is_json=True,
        errors=(UnavailableError,),
        reads=("cli/rest.py:answer_in",),
        found=[b"[" * 60_000],
    ),
    "program that the site shows": Parser(
        read=lambda content: program_of(from_bytes(content, dict[str, object])),
        seeds=[seeds.SHOWN_PROGRAM],
        is_json=True,
        reads=("cli/trying.py:program_of",),
        found=[b"{}", seeds.SHOWN_PROGRAM.replace(b'"uninstall": {', b'"uninstall": [0], "x": {')],
    ),
}
