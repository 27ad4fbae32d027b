"""Ids: what is one, what is none, and how they are ordered."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import ids
from purveyor.wire.errors import RejectedError
from wire_values import numbers, sites

OF_A_KIND = [
    (ids.package_id_of, ids.package_id),
    (ids.collection_id_of, ids.collection_id),
    (ids.advertisement_id_of, ids.advertisement_id),
]


@pytest.mark.parametrize(("write", "read"), OF_A_KIND)
@given(site=sites, number=numbers)
def test_an_id_reads_back_in_any_case(
    write: Callable[[ids.SiteCode, int], ids.PackageId], read: Callable[[str], ids.PackageId], site: ids.SiteCode, number: int
) -> None:
    written = write(site, number)
    assert read(f"  {written.lower()} ") == written
    assert (ids.site_of(written), ids.number_of(written)) == (site, number)


@given(site=sites, one=numbers, other=numbers)
def test_ids_of_a_kind_are_ordered_as_their_numbers(site: ids.SiteCode, one: int, other: int) -> None:
    assert (ids.package_id_of(site, one) < ids.package_id_of(site, other)) == (one < other)


def test_ids_are_written_as_the_documents_show_them() -> None:
    site = ids.site_code("s01")
    assert ids.package_id_of(site, 1) == "S0100001"
    assert ids.collection_id_of(site, 38) == "S0110012"
    assert ids.advertisement_id_of(site, 3) == "S0120003"
    assert ids.package_id_of(site, 36**4 - 1) == "S010ZZZZ"


@pytest.mark.parametrize("number", [0, -1, 36**4])
def test_a_number_that_no_id_can_have_is_rejected(number: int) -> None:
    with pytest.raises(RejectedError, match="no id can have the number"):
        ids.package_id_of(ids.SiteCode("S01"), number)


@pytest.mark.parametrize(
    "text", ["", "S01", "S0110001", "S0100000", "S01000011", "S01 0001", "S0100-01", "S01000é1", "S0100001\n1"]
)
def test_what_is_no_package_id_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError, match="is no package id"):
        ids.package_id(text)


@pytest.mark.parametrize("text", ["", "S0", "S012", "S-1", "S 1", "S0ß", "../"])
def test_what_is_no_site_code_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError, match="is no site code"):
        ids.site_code(text)


@given(st.text())
def test_any_text_is_an_id_or_is_rejected(text: str) -> None:
    for read in (ids.site_code, ids.package_id, ids.collection_id, ids.advertisement_id, ids.client_id):
        try:
            read_id = read(text)
        except RejectedError:
            continue
        assert read(read_id) == read_id


def test_a_client_id_belongs_to_one_key() -> None:
    assert ids.client_id_of(b"one") != ids.client_id_of(b"other")
    assert ids.client_id(ids.client_id_of(b"one").upper()) == ids.client_id_of(b"one")
