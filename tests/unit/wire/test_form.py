"""Structs as bytes: one value, one spelling; newer senders are understood; hostile ones are rejected."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import package_info
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.package_info import PackageInfo
from wire_values import package_infos


@given(package_infos)
def test_equal_values_are_equal_bytes(info: PackageInfo) -> None:
    shuffled = json.dumps(dict(reversed(json.loads(to_bytes(info)).items()))).encode()
    assert to_bytes(from_bytes(shuffled, PackageInfo)) == to_bytes(info)


def test_what_a_newer_sender_adds_is_passed_over() -> None:
    content = b'{"id":"S0100001","name":"n","source_version":1,"from_the_future":{"deep":[1]}}'
    assert package_info.decode(content).name == "n"


def test_what_is_wrong_is_said_with_its_place() -> None:
    with pytest.raises(RejectedError, match=r"package info.*\$\.programs\[0\]"):
        package_info.decode(b'{"id":"S0100001","name":"n","source_version":1,"programs":[{"number":"x"}]}')


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"id":1e999}', b"NaN", b'"\\ud800"', b'{"id":' + b"9" * 5000 + b"}"],
    ids=["empty", "not-utf-8", "deep-list", "deep-object", "huge-float", "nan", "surrogate", "huge-number"],
)
def test_hostile_json_is_rejected(content: bytes) -> None:
    with pytest.raises(RejectedError):
        from_bytes(content, PackageInfo)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 5000 + b"]"])
def test_hostile_json_is_rejected_where_any_value_is_wanted(content: bytes) -> None:
    with pytest.raises(RejectedError):
        from_bytes(content, list[object])


def test_a_time_without_a_zone_is_rejected() -> None:
    with pytest.raises(RejectedError, match="timezone"):
        from_bytes(b'"2026-01-01T00:00:00"', Instant)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_of_another_shape_is_rejected(value: object) -> None:
    with pytest.raises(RejectedError):
        package_info.decode(json.dumps(value).encode())
