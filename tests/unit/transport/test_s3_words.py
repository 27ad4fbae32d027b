"""What servers answer, and what people are told."""

import re

import pytest

from purveyor.transport.s3.words import KEY_PROBLEMS, NEVER_TAKEN, SENTENCES, sentence, unavailable
from purveyor.wire.errors import BusyError, FullError, ReadOnlyError, UnavailableError


def answered(code: str, more: str = "") -> str:
    """The text of an error of the S3 library."""
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>long words</Message>{more}</Error>'
    return f"Error performing PUT http://host/bucket/key in 8ms - Server returned non-2xx status code: 403 Forbidden: {body}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (answered("SignatureDoesNotMatch"), "the secret is not the one"),
        (answered("NoSuchBucket"), "there is no such bucket"),
        (answered("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), "another region.*eu-west-1"),
        (answered("PermanentRedirect"), "another region"),
        (answered("RequestTimeTooSkewed"), "clock"),
        (answered("SomethingNew"), "the server answers SomethingNew"),
        ("Server returned non-2xx status code: 403 Forbidden: ", "refuses this access key"),
        ("Server returned non-2xx status code: 418 Teapot: ", "the server answers 418"),
        ("HTTP error: error sending request", "cannot be reached"),
        ("inner: Http(HttpError { kind: Timeout", "does not answer in time"),
        ("invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("", "cannot be reached"),
    ],
)
def test_a_refusal_is_told_in_a_sentence(text: str, words: str) -> None:
    assert re.search(words, sentence(text))


def test_nothing_that_a_server_sends_is_repeated_but_a_short_plain_code() -> None:
    hostile = f"<Code>{'x' * 5000}</Code><Message>StringToSign secret</Message><Region>a b<script></Region>"
    assert sentence(hostile) == "the server cannot be reached"
    assert "secret" not in sentence(answered("Odd", "<AWSAccessKeyId>secret</AWSAccessKeyId>"))


def test_every_code_that_decides_something_has_its_sentence() -> None:
    assert set(SENTENCES) >= KEY_PROBLEMS | NEVER_TAKEN


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (answered("QuotaExceeded"), FullError),
        (answered("InsufficientStorage"), FullError),
        ("Server returned non-2xx status code: 507 Insufficient Storage: ", FullError),
        (answered("SlowDown"), BusyError),
        ("Server returned non-2xx status code: 503 Service Unavailable: ", BusyError),
        (answered("AccessDenied"), ReadOnlyError),
        (answered("SignatureDoesNotMatch"), UnavailableError),
        (answered("InternalError"), UnavailableError),
    ],
)
def test_full_busy_and_closed_to_changes_are_told_apart(text: str, kind: type[UnavailableError]) -> None:
    error = unavailable(text, "x cannot be written", is_change=True)
    assert type(error) is kind
    assert str(error) == f"x cannot be written: {sentence(text)}"


def test_what_may_not_be_read_is_not_said_to_be_closed_to_changes() -> None:
    assert type(unavailable(answered("AccessDenied"), "x cannot be read", is_change=False)) is UnavailableError
