"""Files as GetPrivateProfileString reads them, with its oddities; and every line is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.package_formats.draft import Entry
from purveyor.package_formats.ini import SIZE_LIMIT, list_of, profile_of, text_of, unquoted
from purveyor.wire.errors import RejectedError


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_text_is_read_in_every_encoding_that_editors_write(codec: str) -> None:
    assert text_of("[PDF]\r\nName=Büro".encode(codec)) == "[PDF]\r\nName=Büro"


def test_utf_16_with_the_bytes_the_other_way_round_is_read() -> None:
    assert text_of(b"\xfe\xff" + "[PDF]".encode("utf-16-be")) == "[PDF]"


def test_a_file_of_dos_ends_where_it_says() -> None:
    assert text_of(b"[PDF]\r\n\x1arubbish\0") == "[PDF]\r\n"


@pytest.mark.parametrize("content", [b"x" * (SIZE_LIMIT + 1), b"abc\0def", b"\x7fELF\1\1\0\0"])
def test_what_is_no_text_is_rejected(content: bytes) -> None:
    with pytest.raises(RejectedError, match="no package definition file"):
        text_of(content)


def test_names_are_compared_without_regard_to_case_and_blanks() -> None:
    profile = profile_of("  [ Package Definition ] rest\r\n  NAME =  A = B  \r\n")
    assert profile.sections["package definition"].entries == {"name": ("NAME", "A = B")}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_every_way(end: str) -> None:
    assert list(profile_of(f"[A]{end}x=1{end}y=2").sections["a"].entries) == ["x", "y"]


def test_the_first_of_a_name_counts_and_the_others_are_kept() -> None:
    profile = profile_of("before=1\n[A]\nx=1\nX=2\nno sign\n=nothing\n[B]\ny=3\n[a]\nx=4\nz=5\n")
    assert profile.sections["a"].entries == {"x": ("x", "1")}
    assert profile.passed_over == [
        Entry(section="", key="before", value="1"),
        Entry(section="A", key="X", value="2"),
        Entry(section="A", key="no sign", value=""),
        Entry(section="A", key="", value="nothing"),
        Entry(section="a", key="x", value="4"),
        Entry(section="a", key="z", value="5"),
    ]


def test_a_semicolon_makes_a_comment_only_at_the_beginning_of_a_line() -> None:
    profile = profile_of("[A]\n ; a comment\nx=1 ; part of it\n#y=2\n")
    assert profile.sections["a"].entries == {"x": ("x", "1 ; part of it"), "#y": ("#y", "2")}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ('"a b"', "a b"),
        ("'a b'", "a b"),
        ('"a" "b"', '"a" "b"'),
        ('"a b" /q', '"a b" /q'),
        ('"', '"'),
        ("", ""),
        ("\"a'", "\"a'"),
        ('""', ""),
    ],
)
def test_quotes_are_taken_away_only_where_they_stand_around_the_whole(value: str, meant: str) -> None:
    assert unquoted(value) == meant


def test_a_list_has_parts_between_commas() -> None:
    assert list_of('Typical,  "Custom" ,, Uninstall ') == ["Typical", "Custom", "Uninstall"]


@pytest.mark.parametrize(
    "text",
    ["\n" * 30_000, "[A]\n" + "x" * 9000, "\n".join(f"[{number}]" for number in range(1500))],
    ids=["lines", "long", "sections"],
)
def test_what_is_too_much_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError, match="more than"):
        profile_of(text)


@given(st.text(alphabet="[]=;\"' \n\rabAB,", max_size=200))
def test_no_line_is_lost(text: str) -> None:
    profile = profile_of(text)
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    expected = [line for line in lines if line and not line.startswith(";") and not (line.startswith("[") and "]" in line)]
    assert sum(len(section.entries) for section in profile.sections.values()) + len(profile.passed_over) == len(expected)
