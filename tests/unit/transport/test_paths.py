"""Which paths and items a transport takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.transport.paths import check_item, is_plain_path
from purveyor.wire.boxes import UP_BOXES, is_down_path
from purveyor.wire.errors import RejectedError


@pytest.mark.parametrize(
    "path", ["clidata.box/timestamp.json", "files/ab/" + "ab" * 32, "a", "offerinf.box/lookup/1/0.lkp", "1.root.json"]
)
def test_paths_of_points_are_plain(path: str) -> None:
    assert is_plain_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/a",
        "a/",
        "a//b",
        "a/./b",
        "a/../b",
        ".a",
        "a/.b",
        "a\\b",
        "c:x",
        "a b",
        "a\n",
        "a\0",
        "é",
        "~a",
        "a" * 256,
    ],
)
def test_what_leaves_hides_or_means_something_to_a_system_is_not(path: str) -> None:
    assert not is_plain_path(path)


@given(st.text(alphabet="ab./\\\0:\n~", max_size=30))
def test_a_plain_path_has_no_empty_hidden_or_parent_part(path: str) -> None:
    if is_plain_path(path):
        assert all(part and not part.startswith(".") for part in path.split("/"))
        assert not set(path) & set("\\\0:\n~")


@given(st.text(max_size=200))
def test_every_path_of_a_down_box_is_plain(path: str) -> None:
    for candidate in (path, f"pkginfo.box/{path}"):
        if is_down_path(candidate):
            assert is_plain_path(candidate)


@pytest.mark.parametrize("box", UP_BOXES, ids=lambda box: box.name)
def test_an_item_may_be_as_large_as_its_box_says(box: object) -> None:
    found = next(one for one in UP_BOXES if one == box)
    path = f"{found.name}/{'0' * 32}"
    assert check_item(path, b"x" * found.item_limit_bytes) == found
    with pytest.raises(RejectedError):
        check_item(path, b"x" * (found.item_limit_bytes + 1))
