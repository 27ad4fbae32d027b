"""Package files as the tools of their own systems make them, whole and damaged."""

import io
import struct
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from package_tools import PRODUCT_CODE, deb_file, msi_file, rpm_file, tool
from purveyor.client.machine.detection import compared_rpm_packages
from purveyor.package_formats.draft import Draft, PackageFormat
from purveyor.package_formats.msi_tables import properties
from purveyor.package_formats.reading import read_draft
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import CommandRule, OsPackageRule

__all__ = ["msi_file", "rpm_file"]

MEMORY_BYTES = 200 * 2**20


def read(path: Path) -> Draft:
    with path.open("rb") as file:
        return read_draft(file, path.name)


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "none"])
def test_a_package_of_dpkg_deb_is_read_however_it_is_compressed(compression: str, tmp_path: Path) -> None:
    draft = read(deb_file(tmp_path, compression=compression))
    assert (draft.format, draft.name, draft.version) == (PackageFormat.DEB, "purveyor-sample", "1:2.0-1")
    assert (draft.publisher, draft.comment, draft.architecture) == ("Ann Example", "A sample", "all")
    assert draft.programs[0].detection == OsPackageRule(name="purveyor-sample", at_least="1:2.0-1")


def test_a_package_of_rpmbuild_says_what_rpm_says_of_it(rpm_file: Path) -> None:
    draft = read(rpm_file)
    form = "%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}|%{VENDOR}|%{SUMMARY}|%{ARCH}"
    said = subprocess.run([tool("rpm", "rpm"), "-qp", "--qf", form, str(rpm_file)], check=True, capture_output=True, text=True)
    assert "|".join((draft.name, draft.version, draft.publisher, draft.comment, draft.architecture)) == said.stdout
    assert draft.requires == ("bash >= 4",)
    assert draft.programs[0].detection == OsPackageRule(name="purveyor-sample", at_least="2:1.5-3")


def test_a_package_of_wixl_is_installed_and_removed_by_its_product_code(msi_file: Path) -> None:
    draft = read(msi_file)
    (program,) = draft.programs
    assert (draft.name, draft.version, draft.publisher) == ("Sämple", "1.2.3", "Ann & Co")
    assert program.command.argv == ("msiexec", "/i", "sample.msi", "/qn", "/norestart")
    assert program.uninstall is not None
    assert program.uninstall.command.argv == ("msiexec", "/x", PRODUCT_CODE, "/qn", "/norestart")
    assert (program.restart_codes, program.retry_codes) == ((3010, 1641), (1618,))
    assert isinstance(program.detection, CommandRule)
    assert PRODUCT_CODE in program.detection.command.shell_line
    assert any("no detection rule for product codes" in note for note in draft.notes)


def test_the_table_of_properties_is_what_msitools_reads(msi_file: Path) -> None:
    words = (tool("msiinfo", "msitools"), "export", str(msi_file), "Property")
    said = subprocess.run(words, check=True, capture_output=True, text=True)
    rows = (line.split("\t") for line in said.stdout.splitlines()[3:])
    with msi_file.open("rb") as file:
        assert properties(file) == dict(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.one_of(st.integers(0, 80), st.integers(0, 11_000)), st.binary(min_size=1, max_size=8)), max_size=6),
    st.one_of(st.none(), st.integers(0, 11_000)),
)
def test_any_damage_to_a_compound_file_gives_a_draft_or_is_rejected(
    msi_file: Path, damages: list[tuple[int, bytes]], end: int | None
) -> None:
    content = bytearray(msi_file.read_bytes())
    for place, damage in damages:
        content[place : place + len(damage)] = damage
    try:
        assert isinstance(read_draft(io.BytesIO(bytes(content[:end])), "a.msi"), Draft)
    except RejectedError:
        return


@pytest.mark.parametrize(
    ("place", "number"),
    [(44, 2**32 - 1), (44, 2**31), (64, 2**32 - 1), (72, 2**32 - 1), (56, 2**32 - 1)],
    ids=["fat", "more fat", "minifat", "difat", "cutoff"],
)
def test_a_compound_file_that_claims_to_be_enormous_takes_no_memory(msi_file: Path, place: int, number: int) -> None:
    content = bytearray(msi_file.read_bytes())
    struct.pack_into("<I", content, place, number)
    _expect_rejected_in_little_memory(bytes(content))


def test_a_directory_that_is_a_ring_is_not_followed_for_ever(msi_file: Path) -> None:
    content = bytearray(msi_file.read_bytes())
    first_fat, first_directory = struct.unpack_from("<I", content, 76)[0], struct.unpack_from("<I", content, 48)[0]
    struct.pack_into("<I", content, 512 * (1 + first_fat) + 4 * first_directory, first_directory)
    _expect_rejected_in_little_memory(bytes(content))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0.1-1", "1.0-2"),
        ("2:1.0-1", "1.5-2"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0^g-1", "1.0-1"),
        ("1.0-10", "1.0-9"),
        ("0:1-1", "1-1"),
    ],
)
def test_packages_are_ordered_as_rpm_itself_orders_them(one: str, other: str) -> None:
    asked = f'%{{lua:print(rpm.vercmp("{one}", "{other}"))}}'
    said = subprocess.run([tool("rpm", "rpm"), "--eval", asked], check=True, capture_output=True, text=True)
    assert compared_rpm_packages(one, other) == int(said.stdout)


def _expect_rejected_in_little_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RejectedError):
            read_draft(io.BytesIO(content), "a.msi")
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()
