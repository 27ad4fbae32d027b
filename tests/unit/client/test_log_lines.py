"""The form of the log's lines."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.log import TEXT_LIMIT, Weight, harmless, line_of

AT = datetime(2026, 1, 5, 8, 3, 4, 56_000, tzinfo=UTC)
FORM = re.compile(
    r'<!\[LOG\[(?P<text>.*)\]LOG\]!><time="\d\d:\d\d:\d\d\.\d{3}\+000" date="\d\d-\d\d-\d{4}" component="[A-Za-z0-9_.-]*" '
    r'context="" type="[123]" thread="\d+" file="">\n'
)


def test_a_line_is_what_cmtrace_reads() -> None:
    assert line_of("hello", at=AT, component="agent", weight=Weight.WARNING, thread=7) == (
        '<![LOG[hello]LOG]!><time="08:03:04.056+000" date="01-05-2026" component="agent" context="" '
        'type="2" thread="7" file="">\n'
    )


@given(st.text(max_size=200), st.text(max_size=20), st.sampled_from(list(Weight)))
def test_whatever_is_said_one_line_is_one_line(text: str, component: str, weight: Weight) -> None:
    line = line_of(text, at=AT, component=component, weight=weight, thread=1)
    found = FORM.fullmatch(line)
    assert found is not None
    assert "]LOG]!>" not in found["text"]
    assert "<![LOG[" not in found["text"]
    assert len(line.splitlines()) == 1


def test_a_long_text_is_cut() -> None:
    assert len(harmless("x" * 100_000)) == TEXT_LIMIT + 1
