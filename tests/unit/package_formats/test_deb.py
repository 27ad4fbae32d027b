"""Debian packages: what the control file says, and what no file can make the reader do."""

import io
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from package_files import CONTROL, ar, compressed, control_archive, deb
from purveyor.package_formats.deb import CONTROL_ARCHIVE_INFLATED_LIMIT, control_fields, read_deb
from purveyor.package_formats.draft import Draft
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import OsPackageRule


def read(content: bytes, name: str = "sample.deb") -> Draft:
    return read_deb(io.BytesIO(content), name)


@pytest.mark.parametrize("kind", ["", ".gz", ".xz", ".zst"])
def test_the_control_part_may_be_compressed_in_every_way_that_is_used(kind: str) -> None:
    draft = read(deb(kind=kind))
    assert (draft.name, draft.version, draft.publisher, draft.comment) == ("sample", "1:2.0-1", "Ann", "A sample")
    assert draft.programs[0].detection == OsPackageRule(name="sample", at_least="1:2.0-1")


def test_without_dependencies_dpkg_alone_installs_it() -> None:
    (program,) = read(deb()).programs
    assert program.command.argv[:3] == ("env", "DEBIAN_FRONTEND=noninteractive", "dpkg")
    assert program.command.argv[-2:] == ("-i", "./sample.deb")


def test_with_dependencies_apt_fetches_what_is_missing() -> None:
    draft = read(deb(CONTROL + "Pre-Depends: dpkg (>= 1.19)\nDepends: libc6 (>= 2.34), a | b\n"))
    assert draft.requires == ("dpkg (>= 1.19)", "libc6 (>= 2.34)", "a | b")
    assert draft.programs[0].command.argv[2:5] == ("apt-get", "install", "-y")


def test_an_architecture_is_told_as_no_platform_can() -> None:
    draft = read(deb(CONTROL.replace("all", "amd64")))
    assert draft.architecture == "amd64"
    assert "amd64" in draft.programs[0].description
    assert any("amd64" in note for note in draft.notes)


def test_a_dollar_sign_in_the_files_name_stands_for_itself() -> None:
    assert read(deb(), "$HOME.deb").programs[0].command.argv[-1] == "./$$HOME.deb"


def test_long_fields_and_comments_are_read_as_dpkg_reads_them() -> None:
    fields = control_fields("\nPackage: a\n# a comment\nDescription: first\n second\n .\n\tthird\n\nPackage: another\n")
    assert fields == {"package": "a", "description": "first\nsecond\n.\nthird"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends in the middle"),
        (b"!<arch>\n", "ends in the middle"),
        (ar(("debian-binary", b"3.0\n")), "format 2"),
        (ar(("other", b"2.0\n")), "format 2"),
        (ar(("debian-binary", b"2.0\n"), *[("_x", b"")] * 60), "no control part"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.lzma", b"x")), "not known here"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.gz", compressed(control_archive(CONTROL), ".gz")[:90])), "cut off"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar.xz", b"x" * 90)), "cannot be read"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", b"x" * 900)), "no tar archive"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", b"")), "no control file"),
        (ar(("debian-binary", b"2.0\n"))[:-1].replace(b"4         `", b"9999999999`"), "ends in the middle"),
        (deb("Package: a\n"), "no field Version"),
        (deb(CONTROL.replace("sample\nV", "--root=/\nV")), "no name and version"),
        (deb(CONTROL.replace("1:2.0-1", "1 2")), "no name and version"),
        (deb(CONTROL + "Package: other\n"), "twice"),
        (deb(" x\n"), "the middle of a field"),
        (deb("what\n"), "no field: 'what'"),
    ],
)
def test_what_is_no_debian_package_is_rejected_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        read(content)


@pytest.mark.parametrize("kind", [".gz", ".xz", ".zst"])
def test_a_bomb_is_not_inflated(kind: str) -> None:
    bomb = compressed(bytes(CONTROL_ARCHIVE_INFLATED_LIMIT + 2**20), kind)
    with pytest.raises(RejectedError, match="larger than"):
        read(ar(("debian-binary", b"2.0\n"), (f"control.tar{kind}", bomb)))


def test_a_field_of_very_many_lines_takes_no_time() -> None:
    started = time.monotonic()
    read(deb(CONTROL + " x\n" * 300_000))
    assert time.monotonic() - started < 3


@given(st.text(max_size=300))
@example("A: b\n c")
@example("\n\n")
def test_any_control_file_gives_fields_or_is_rejected(text: str) -> None:
    try:
        assert isinstance(control_fields(text), dict)
    except RejectedError:
        return


@given(st.sampled_from(["", ".gz", ".xz", ".zst"]), st.integers(0, 3000), st.binary(max_size=12), st.booleans())
def test_any_damage_gives_a_draft_or_is_rejected(kind: str, place: int, damage: bytes, is_cut: bool) -> None:
    whole = deb(kind=kind)
    content = whole[:place] + damage + (b"" if is_cut else whole[place + len(damage) :])
    try:
        assert isinstance(read(content), Draft)
    except RejectedError:
        return
