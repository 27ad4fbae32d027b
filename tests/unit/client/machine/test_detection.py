"""How versions are compared; the rest of detection is tested on a real machine."""

import pytest

from purveyor.client.machine.detection import compared_rpm_packages, compared_rpm_versions, words_of
from purveyor.wire.errors import UnavailableError
from purveyor.wire.package_info import Command

# Source: rpm's own tests, tests/rpmvercmp.at
CASES = [
    ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0", "1.0", 1), ("2.0.1", "2.0.1", 0), ("2.0", "2.0.1", -1), ("2.0.1", "2.0", 1),
    ("2.0.1a", "2.0.1a", 0), ("2.0.1a", "2.0.1", 1), ("2.0.1", "2.0.1a", -1), ("5.5p1", "5.5p2", -1), ("5.5p10", "5.5p1", 1),
    ("10xyz", "10.1xyz", -1), ("xyz10", "xyz10.1", -1), ("xyz.4", "8", -1), ("8", "xyz.4", 1), ("5.5p2", "5.6p1", -1),
    ("6.0.rc1", "6.0", 1), ("10b2", "10a1", 1), ("10a2", "10b2", -1), ("1.0aa", "1.0a", 1), ("10.0001", "10.0039", -1),
    ("4.999.9", "5.0", -1), ("20101121", "20101122", -1), ("2_0", "2.0", 0), ("a+", "a_", 0), ("1.0~rc1", "1.0", -1),
    ("1.0", "1.0~rc1", 1), ("1.0~rc1", "1.0~rc2", -1), ("1.0~rc1~git123", "1.0~rc1", -1), ("1.0^", "1.0", 1),
    ("1.0", "1.0^git1", -1), ("1.0^git1", "1.01", -1), ("1.0^git1~pre", "1.0^git1", -1), ("001", "1", 0),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "order"), CASES)
def test_versions_are_ordered_as_rpm_orders_them(one: str, other: str, order: int) -> None:
    assert compared_rpm_versions(one, other) == order


def test_a_command_is_words_or_a_line_for_the_shell() -> None:
    assert words_of(Command(argv=("a", "b c"))) == ["a", "b c"]
    assert words_of(Command(shell_line="a | b")) == ["/bin/sh", "-c", "a | b"]
    with pytest.raises(UnavailableError, match="empty"):
        words_of(Command())


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ("0:1.0.1-1", "1.0-2", 1),
        ("0:1.0-1", "1.0-2", -1),
        ("0:1.0-10.fc40", "1.0-9.fc40", 1),
        ("2:1.0-1", "9.0-1", 1),
        ("1:1.0-1", "2:0.5", -1),
        ("0:1.0-5", "1.0", 0),
        ("0:1.0~rc1-1", "1.0-1", -1),
        ("x:1.0-1", "1.0-1", 0),
    ],
)
def test_the_release_of_an_rpm_package_never_counts_as_part_of_its_version(one: str, other: str, order: int) -> None:
    assert compared_rpm_packages(one, other) == order
