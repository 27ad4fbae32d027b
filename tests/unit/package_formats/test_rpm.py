"""RPM packages: what the main header says, and what no file can make the reader do."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from package_files import RPM_VALUES, rpm
from purveyor.package_formats.draft import Draft
from purveyor.package_formats.rpm import read_rpm
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import OsPackageRule


def read(content: bytes, name: str = "sample.rpm") -> Draft:
    return read_rpm(io.BytesIO(content), name)


def test_the_header_says_what_the_package_is() -> None:
    draft = read(rpm())
    assert (draft.name, draft.version, draft.publisher, draft.comment) == ("sample", "1.5-3.fc40", "Ann", "A sample")
    assert draft.requires == ("bash >= 4",), "what rpm itself brings is left out"
    assert draft.programs[0].uninstall is not None
    assert draft.programs[0].uninstall.command.argv == ("rpm", "-e", "sample")
    assert draft.programs[0].detection == OsPackageRule(name="sample", at_least="1.5-3.fc40")
    assert "linux/rhel" in draft.programs[0].platforms


def test_without_dependencies_rpm_alone_installs_it() -> None:
    alone = {tag: value for tag, value in RPM_VALUES.items() if tag not in (1048, 1049, 1050)}
    assert read(rpm(alone), "$x.rpm").programs[0].command.argv == ("rpm", "-U", "--replacepkgs", "./$$x.rpm")


def test_with_dependencies_the_systems_own_tool_fetches_them() -> None:
    line = read(rpm(), "a b$.rpm").programs[0].command.shell_line
    for tool in ("dnf install -y './a b$.rpm'", "yum install", "zypper --non-interactive install", "rpm -U"):
        assert tool in line


def test_an_epoch_belongs_to_the_version() -> None:
    draft = read(rpm({**RPM_VALUES, 1003: [2]}))
    assert draft.version == "2:1.5-3.fc40"
    assert draft.programs[0].detection == OsPackageRule(name="sample", at_least="2:1.5-3.fc40")


def test_a_version_that_no_rule_can_carry_is_detected_by_its_name() -> None:
    draft = read(rpm({**RPM_VALUES, 1001: "1^git1"}))
    assert draft.programs[0].detection == OsPackageRule(name="sample")
    assert any("any version counts" in note for note in draft.notes)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends in the middle"),
        (b"x" * 200, "no RPM package"),
        (rpm()[:100], "ends in the middle"),
        (rpm(lead_type=1), "source package"),
        (rpm({**RPM_VALUES, 1106: [1]}), "source package"),
        (rpm({1000: "a"}), "no name, version and release"),
        (rpm({**RPM_VALUES, 1000: "--root=/"}), "no name, version and release"),
        (rpm({**RPM_VALUES, 1000: [1]}), "something else than a text"),
        (rpm({**RPM_VALUES, 1049: "x"}), "no list of texts"),
        (rpm({**RPM_VALUES, 1048: "x"}), "no list of numbers"),
        (rpm({**RPM_VALUES, 1000: "a" * 70_000}), "does not end"),
        (rpm().replace(b"\xed\xab\xee\xdb\3", b"\xed\xab\xee\xdb\7"), "format 7"),
    ],
)
def test_what_is_no_rpm_package_is_rejected_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        read(content)


def test_a_header_that_claims_to_be_enormous_is_rejected_at_once() -> None:
    for count, size in ((2**32 - 1, 0), (1, 2**32 - 1)):
        content = rpm()[:96] + b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", count, size)
        with pytest.raises(RejectedError, match="at most"):
            read(content)


def test_a_list_that_begins_in_one_long_text_again_and_again_takes_no_time() -> None:
    names = ["a" * 60_000] * 500
    started = time.monotonic()
    read(rpm({**RPM_VALUES, 1049: names, 1050: [""] * 500, 1048: [0] * 500}))
    assert time.monotonic() - started < 5


@given(st.integers(0, 700), st.binary(max_size=12), st.booleans())
def test_any_damage_gives_a_draft_or_is_rejected(place: int, damage: bytes, is_cut: bool) -> None:
    whole = rpm()
    content = whole[:place] + damage + (b"" if is_cut else whole[place + len(damage) :])
    try:
        assert isinstance(read(content), Draft)
    except RejectedError:
        return
