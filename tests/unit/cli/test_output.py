"""What commands print."""

import io

import pytest

from purveyor.cli.output import Output, Tally, cell, duration, moment, plain, size


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def output_of(stderr: io.StringIO | None = None) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, errors = io.StringIO(), stderr or io.StringIO()
    return Output(stdout=stdout, stderr=errors, stdin=io.StringIO()), stdout, errors


def test_results_and_messages_go_to_different_streams() -> None:
    output, stdout, stderr = output_of()
    output.give("S0100001")
    output.say("a message")
    assert (stdout.getvalue(), stderr.getvalue()) == ("S0100001\n", "a message\n")


def test_a_name_cannot_move_the_cursor() -> None:
    output, stdout, _ = output_of()
    output.give_table(("name",), [("\x1b[2Jpc-1\r\x07",)], empty="")
    assert "\x1b" not in stdout.getvalue() and "\r" not in stdout.getvalue()
    assert "\\x1b[2Jpc-1\\x0d\\x07" in stdout.getvalue()


def test_a_name_with_line_ends_stays_on_its_line() -> None:
    output, stdout, _ = output_of()
    output.give_table(("a", "b"), [("one\ntwo", "x")], empty="")
    assert stdout.getvalue().splitlines() == ["A        B", "one two  x"]


def test_an_empty_table_says_so_as_a_message() -> None:
    output, stdout, stderr = output_of()
    output.give_table(("a",), [], empty="there is nothing")
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "there is nothing\n")


def test_fields_that_say_nothing_are_left_out() -> None:
    output, stdout, _ = output_of()
    output.give_fields([("id", 1), ("empty", ""), ("none", None), ("enabled", False)])
    assert stdout.getvalue().splitlines() == ["id       1", "enabled  no"]


def test_work_of_unknown_size_gets_a_line_for_each_hundred_megabytes() -> None:
    output, _, stderr = output_of()
    tally = Tally(output)
    for _ in range(25):
        tally.add(10_000_000)
    assert stderr.getvalue().splitlines() == ["100.0 MB read so far", "200.0 MB read so far"]


def test_a_pipe_gets_a_line_a_quarter() -> None:
    output, _, stderr = output_of()
    progress = output.progress("sending", 1000)
    for _ in range(1000):
        progress.advance(1)
    assert len(stderr.getvalue().splitlines()) == 5
    assert stderr.getvalue().splitlines()[-1] == "sending: 100 % of 1.0 kB"


def test_a_terminal_gets_a_bar_that_ends_its_line_once() -> None:
    output, _, stderr = output_of(Terminal())
    progress = output.progress("sending", 10)
    progress.advance(5)
    progress.advance(10)
    text = stderr.getvalue()
    assert text.startswith("\rsending [#####") and text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_500_000, "12.5 MB"), (10**15, "1.0 PB")]
)
def test_sizes_as_people_say_them(count: int, text: str) -> None:
    assert size(count) == text


def test_moments_and_durations_as_people_read_them() -> None:
    assert moment("2026-12-01T09:00:00.123456Z") == "2026-12-01 09:00:00Z"
    assert moment("2026-12-01T09:00:00+00:00") == "2026-12-01 09:00:00Z"
    assert moment(None) == "-"
    assert [duration(seconds) for seconds in (90, 900, 3600, 604_800, None)] == ["90s", "15m", "1h", "7d", "-"]


def test_cells_of_a_table_as_people_read_them() -> None:
    assert [cell(value) for value in (None, True, False, "", ["a", 1], {"b": 2}, 3)] == [
        "-",
        "yes",
        "no",
        "-",
        "a, 1",
        "b: 2",
        "3",
    ]
    assert plain("a\tb\n\x00\u202e") == "a\tb\n\\x00\\x202e"
