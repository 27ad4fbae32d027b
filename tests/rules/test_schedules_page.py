"""What the page about schedules calls possible is possible, and what it calls refused is refused."""

import re
from datetime import date
from pathlib import Path

import pytest

from purveyor.site_server.model.assignments import assignments_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.rules import Frequency

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
TODAY = date(2026, 12, 1)


def texts_in(heading: str, column: str) -> list[str]:
    """What stands in code marks in the first column of the table whose heading begins so, below a heading of the page."""
    part = PAGE[PAGE.index(f"## {heading}") :]
    rows = part[part.index(f"| {column} |") :].split("\n\n")[0].splitlines()[2:]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize("text", [*texts_in("Assignments", "written as"), *texts_in("Rules", "example")])
def test_what_the_page_shows_can_be_assigned(text: str) -> None:
    assert len(assignments_of([text], today=TODAY)) == 1


@pytest.mark.parametrize("text", texts_in("Rules", "refused"))
def test_what_the_page_calls_refused_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        assignments_of([text], today=TODAY)


def test_the_page_lists_every_part_and_every_frequency() -> None:
    parts = set(texts_in("Rules", "part"))
    for rule in (
        "FREQ=DAILY;INTERVAL=2;COUNT=3;BYMONTH=1;BYHOUR=1;BYMINUTE=1;BYSETPOS=1",
        "FREQ=MONTHLY;UNTIL=20271231;BYDAY=MO;BYMONTHDAY=1,2,3,4,5,6,7;WKST=SU",
    ):
        assert {part.partition("=")[0] for part in rule.split(";")} <= parts
        assert assignments_of([f"2026-12-01T00:00 {rule}"], today=TODAY)
    assert len(parts) == 11
    assert all(f"`{frequency}`" in PAGE for frequency in Frequency)
