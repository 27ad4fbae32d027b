"""Which machines are of a platform that a program names."""

import pytest

from purveyor.wire.platforms import is_of_platforms


@pytest.mark.parametrize(
    ("named", "platform", "architecture", "is_of"),
    [
        ((), "linux/debian/12", "x86_64", True),
        (("linux",), "linux/debian/12", "", True),
        (("Linux/Debian/",), "linux/debian/12", "", True),
        (("linux/deb",), "linux/debian/12", "", False),
        (("linux/debian/12/1",), "linux/debian/12", "", False),
        (("windows", "linux/debian"), "linux/debian/12", "", True),
        (("linux/debian@x86_64",), "linux/debian/12", "x86_64", True),
        (("linux/debian@amd64",), "linux/debian/12", "x86_64", True),
        (("windows@arm64",), "windows/11", "AARCH64", True),
        (("linux/debian@aarch64",), "linux/debian/12", "x86_64", False),
        (("linux@x86_64",), "linux/debian/12", "", False),
        (("linux",), "", "x86_64", False),
    ],
)
def test_a_machine_is_of_a_platform_that_is_its_own_or_leads_to_it(
    named: tuple[str, ...], platform: str, architecture: str, is_of: bool
) -> None:
    assert is_of_platforms(named, platform, architecture) is is_of
