"""What passes the door of the page: a foreign name, another page and a foreign token do not."""

from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.page.door import FORM, DoorError, Request, check_origin, check_token, fields_of, token_of

PORT = 8475
KEY = b"k" * 32
HERE = "http://127.0.0.1:8475"


def request(method: str = "POST", path: str = "/run", body: bytes = b"", **headers: str) -> Request:
    given = {"host": "127.0.0.1:8475", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(method, path, {}, {name: [value] for name, value in given.items() if value}, body)


def refused(asked: Request) -> HTTPStatus:
    with pytest.raises(DoorError) as raised:
        check_origin(asked, PORT)
    return raised.value.status


@pytest.mark.parametrize("host", ["127.0.0.1:8475", "localhost:8475", "LOCALHOST:8475"])
def test_the_page_is_reached_by_the_names_of_the_loopback_address(host: str) -> None:
    check_origin(request("GET", "/", host=host), PORT)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:8476",
        "evil.example:8475",
        "evil.example",
        "127.0.0.1.evil.example:8475",
        "[::1]:8475",
        "x@127.0.0.1:8475",
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(host: str) -> None:
    assert refused(request("GET", "/", host=host)) is HTTPStatus.MISDIRECTED_REQUEST


def test_two_names_at_once_are_none() -> None:
    twice = Request("GET", "/", {}, {"host": ["127.0.0.1:8475", "evil.example"]})
    assert refused(twice) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "headers",
    [{"origin": HERE}, {"origin": HERE, "sec_fetch_site": "same-origin"}, {"sec_fetch_site": "same-origin"}],
)
def test_a_change_that_this_page_asks_for_passes(headers: dict[str, str]) -> None:
    check_origin(request(**headers), PORT)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8475"},
        {"origin": "http://localhost:8475"},
        {"origin": HERE, "sec_fetch_site": "cross-site"},
        {"origin": HERE, "sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_a_change_that_another_page_asks_for_is_refused(headers: dict[str, str]) -> None:
    assert refused(request(**headers)) is HTTPStatus.FORBIDDEN


def test_another_page_may_lead_here_but_not_ask_for_the_list() -> None:
    check_origin(request("GET", "/", sec_fetch_site="cross-site"), PORT)
    assert refused(request("GET", "/api/programs", sec_fetch_site="cross-site")) is HTTPStatus.FORBIDDEN


def test_a_token_is_good_for_its_user_and_this_agent_alone() -> None:
    check_token(token_of(KEY, 1000), KEY, 1000)
    for token in (token_of(KEY, 1001), token_of(b"other", 1000), "", "\ud800"):
        with pytest.raises(DoorError):
            check_token(token, KEY, 1000)


@given(st.binary(max_size=300))
def test_a_body_is_a_form_or_is_refused(body: bytes) -> None:
    with suppress(DoorError):
        assert all(isinstance(value, str) for value in fields_of(request(body=body, content_type=FORM)).values())


@pytest.mark.parametrize(
    "body", [b"a=1&a=2", b"&".join(b"f%d=1" % number for number in range(40)), b"a", b"a=%ff", "a=é".encode()]
)
def test_a_form_that_is_not_plain_is_refused(body: bytes) -> None:
    with pytest.raises(DoorError):
        fields_of(request(body=body, content_type=FORM))


def test_a_form_says_that_it_is_one() -> None:
    assert fields_of(request(body=b"a=1+2%263", content_type=f"{FORM}; charset=utf-8")) == {"a": "1 2&3"}
    with pytest.raises(DoorError) as raised:
        fields_of(request(body=b"a=1", content_type="text/plain"))
    assert raised.value.status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE
