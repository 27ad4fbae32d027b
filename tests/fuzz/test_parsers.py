"""Whatever comes from outside is read or rejected, in words, in little memory, and nothing else happens."""

import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import purveyor
from fuzz import hostile
from fuzz.parser import Parser
from fuzz.parsers import PARSERS

USUAL_EXAMPLES, EXAMPLES = 100, 40
IS_LONG = settings().max_examples > USUAL_EXAMPLES
fuzzed = settings(
    derandomize=not IS_LONG,
    max_examples=settings().max_examples if IS_LONG else EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The same bytes in every run of the tests; others each time, and many more, where a night is given to it (`make fuzz`)."""

each = pytest.mark.parametrize("name", PARSERS)


def reads_or_rejects(parser: Parser, content: bytes) -> None:
    """Reads hostile bytes. What is raised besides the parser's own errors fails the test."""
    with suppress(*parser.errors):
        parser.read(content)


@each
def test_valid_examples_are_read_by_the_functions_that_the_table_names(name: str) -> None:
    parser = PARSERS[name]
    called: set[str] = set()
    root = f"{purveyor.__path__[0]}/"

    def note(frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 - as Python calls it
        if frame.f_code.co_filename.startswith(root):
            called.add(f"{frame.f_code.co_filename.removeprefix(root)}:{frame.f_code.co_name}")

    sys.setprofile(note)
    try:
        for content in parser.files:
            parser.read(content)
    finally:
        sys.setprofile(None)
    assert set(parser.reads) - called == set()


@pytest.mark.parametrize("name", [name for name, parser in PARSERS.items() if parser.write])
def test_what_was_read_can_be_written_and_is_read_the_same(name: str) -> None:
    parser = PARSERS[name]
    for content in parser.files:
        value = parser.read(content)
        assert parser.write is not None
        assert parser.read(parser.write(value)) == value


@pytest.mark.parametrize(("name", "content"), [(name, content) for name, parser in PARSERS.items() for content in parser.found])
def test_what_once_got_through_is_read_or_rejected(name: str, content: bytes) -> None:
    reads_or_rejects(PARSERS[name], content)


@each
@fuzzed
@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_rejected(name: str, content: bytes) -> None:
    parser = PARSERS[name]
    reads_or_rejects(parser, content)
    if parser.seal is not None:
        reads_or_rejects(parser, parser.seal(content))


@each
@fuzzed
@given(data=st.data())
def test_spoiled_examples_are_read_or_rejected(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]
    reads_or_rejects(parser, data.draw(hostile.spoiled(parser.files)))
    if parser.seal is not None:
        reads_or_rejects(parser, parser.seal(data.draw(hostile.spoiled(parser.seeds))))


@pytest.mark.parametrize("name", [name for name, parser in PARSERS.items() if parser.seal or parser.is_json])
@fuzzed
@given(data=st.data())
def test_examples_with_other_values_are_read_or_rejected(name: str, data: st.DataObject) -> None:
    parser = PARSERS[name]
    content = data.draw(hostile.spoiled_json([seed for seed in parser.seeds if seed[:1] in b"{["]))
    reads_or_rejects(parser, content if parser.seal is None else parser.seal(content))
