"""Causes of waiting: words that stay what they are, and words of newer agents that are kept as they come."""

import msgspec
import pytest

from purveyor.wire.causes import LENGTH_LIMIT, MEANINGS, Cause
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import from_bytes, to_bytes
from purveyor.wire.reports import StatusMessage

MESSAGE = b'{"id":10113,"at":"2026-12-01T09:00:00Z","text":"waits"%s}'


def test_a_word_of_a_newer_agent_is_kept_as_it_came() -> None:
    message = from_bytes(MESSAGE % b',"cause":"full-moon"', StatusMessage)
    assert message.cause == "full-moon"
    assert message.cause not in list(Cause)
    assert from_bytes(to_bytes(message), StatusMessage) == message


def test_an_older_agent_says_none() -> None:
    assert from_bytes(MESSAGE % b"", StatusMessage).cause is None


@pytest.mark.parametrize("word", ["", "Window", "two words", "x" * (LENGTH_LIMIT + 1), "-x", "a\x00", "é", 7, ["window"]])
def test_what_is_no_word_is_refused(word: object) -> None:
    with pytest.raises(RejectedError):
        from_bytes(MESSAGE % (b',"cause":' + msgspec.json.encode(word)), StatusMessage)


def test_every_cause_has_its_meaning_and_fits() -> None:
    assert MEANINGS.keys() == set(Cause)
    assert all(len(cause) <= LENGTH_LIMIT and Cause(cause.value) is cause for cause in Cause)
