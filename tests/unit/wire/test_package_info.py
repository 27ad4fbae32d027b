"""Packages and offers as clients read them."""

import json
from datetime import UTC, datetime

import pytest

from purveyor.wire import offers, package_info
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import advertisement_id, collection_id, package_id
from purveyor.wire.offers import Advertisement, CollectionOffers
from purveyor.wire.package_info import Command, PackageInfo, Program, ProgramKey

PACKAGE = package_id("S0100001")


def test_a_program_is_found_by_its_number_and_keeps_it_when_renamed() -> None:
    one = Program(number=1, name="install", command=Command(shell_line="true"))
    info = PackageInfo(id=PACKAGE, name="n", source_version=1, programs=(one,))
    assert info.program(1) is one
    assert info.program(2) is None


def test_a_program_key_is_shown_as_people_write_it() -> None:
    assert str(ProgramKey(PACKAGE, 2)) == "S0100001/2"


def test_an_advertisement_knows_its_program() -> None:
    advertised = Advertisement(
        id=advertisement_id("S0120001"), package=PACKAGE, program=2, available_from=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert advertised.key == ProgramKey(PACKAGE, 2)


def test_files_lie_under_their_ids() -> None:
    assert package_info.path_of(PACKAGE) == "pkginfo.box/S0100001.pkg"
    assert offers.path_of(collection_id("S0110001")) == "offerinf.box/S0110001.ofr"


@pytest.mark.parametrize("identity", ["", "S0110001", "../S0100001", "S0100000"])
def test_a_package_without_a_package_id_is_rejected(identity: str) -> None:
    with pytest.raises(RejectedError, match="no package id"):
        package_info.decode(json.dumps({"id": identity, "name": "n", "source_version": 1}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"collection": "S0100001"},
        {"advertisements": [{"id": "S0120001", "package": "S0110001", "program": 1, "available_from": "2026-01-01T00:00:00Z"}]},
    ],
)
def test_offers_with_ids_of_another_kind_are_rejected(change: dict[str, object]) -> None:
    with pytest.raises(RejectedError, match="is no"):
        offers.decode(json.dumps({"collection": "S0110001"} | change).encode())


def test_offers_that_say_nothing_are_offers() -> None:
    nothing = CollectionOffers(collection=collection_id("S0110001"))
    assert offers.decode(offers.encode(nothing)) == nothing
    assert offers.encode(nothing) == b'{"collection":"S0110001"}'


@pytest.mark.parametrize("number", [-1, package_info.NUMBER_LIMIT + 1, 2**63, 10**30])
def test_numbers_that_no_program_has_are_rejected(number: int) -> None:
    package = {"id": "S0100001", "name": "n", "source_version": 1}
    program = {"number": number, "name": "p", "command": {"argv": ["a"]}}
    for content in (package | {"programs": [program]}, package | {"highest_program": number}):
        with pytest.raises(RejectedError):
            package_info.decode(json.dumps(content).encode())
    offered = {"id": "S0120001", "package": "S0100001", "program": number, "available_from": "2026-01-01T00:00:00Z"}
    with pytest.raises(RejectedError):
        offers.decode(json.dumps({"collection": "S0110001", "advertisements": [offered]}).encode())
