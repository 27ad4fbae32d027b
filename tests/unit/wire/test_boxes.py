"""The table of boxes, and which paths lie in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import boxes
from purveyor.wire.boxes import BOXES, DOWN_BOXES, UP_BOXES, Way, is_down_path, is_mutable, up_box_of
from purveyor.wire.envelope import SIZE_LIMIT_BYTES
from purveyor.wire.ids import site_code

ITEM = "0123456789abcdef" * 2


def test_the_boxes_are_those_of_the_architecture() -> None:
    assert [box.name for box in DOWN_BOXES] == ["clidata.box", "pkginfo.box", "offerinf.box", "clicomp.box"]
    assert [box.name for box in UP_BOXES] == ["ccr.box", "ddr.box", "inventry.box", "sinv.box", "statmsgs.box"]


def test_every_box_has_a_limit_for_everything() -> None:
    assert all(box.item_limit_bytes > 0 for box in BOXES)
    assert all(box.depth_limit > 0 for box in BOXES if box.way is Way.UP)
    assert max(box.item_limit_bytes for box in UP_BOXES) == SIZE_LIMIT_BYTES


def test_folders_are_named_for_the_site() -> None:
    assert (boxes.cap_folder(site_code("s01")), boxes.dp_folder(site_code("s01"))) == ("CAP_S01", "DP_S01")


@pytest.mark.parametrize("box", [box.name for box in UP_BOXES])
def test_an_item_path_names_its_box(box: str) -> None:
    found = up_box_of(f"{box}/{ITEM}")
    assert found is not None
    assert found.name == box


@pytest.mark.parametrize(
    "path",
    [
        f"clidata.box/{ITEM}",
        f"statmsgs.box/{ITEM.upper()}",
        f"statmsgs.box/{ITEM}0",
        f"statmsgs.box/{ITEM}\n",
        f"statmsgs.box//{ITEM}",
        f"/statmsgs.box/{ITEM}",
        f"statmsgs.box/../{ITEM}",
        f"statmsgs.box/{ITEM}/{ITEM}",
        "statmsgs.box/",
        "",
    ],
)
def test_what_is_no_item_path_names_no_box(path: str) -> None:
    assert up_box_of(path) is None


@pytest.mark.parametrize(
    "path",
    ["clidata.box/timestamp.json", "pkginfo.box/ab.S0100001.pkg", "offerinf.box/lookup/1/0000f.lkp", "clicomp.box/1.tar"],
)
def test_paths_of_down_files_are_known(path: str) -> None:
    assert is_down_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "clidata.box",
        "clidata.box/",
        "clidata.box/../keys/root.key",
        "clidata.box/.hidden",
        "clidata.box/a/.hidden",
        "clidata.box//a",
        "clidata.box/a\\b",
        "clidata.box/a\0b",
        "clidata.box/a\n",
        "clidata.box/a%2f..",
        "clidata.box/" + "a" * 200,
        "clidata.box/a/b/c/d",
        "/clidata.box/a",
        f"statmsgs.box/{ITEM}",
        "rejected/a",
        "clidata.boxer/a",
    ],
)
def test_paths_that_lead_elsewhere_are_no_down_paths(path: str) -> None:
    assert not is_down_path(path)


@given(st.text("ab./\\-_%\0\n", max_size=30).map(lambda tail: "clidata.box/" + tail))
def test_no_down_path_leaves_its_box(path: str) -> None:
    if is_down_path(path):
        assert all(part and not part.startswith(".") for part in path.split("/"))
        assert set(path) <= set("abcdefghijklmnopqrstuvwxyz./-_")


def test_only_three_kinds_of_file_are_ever_replaced() -> None:
    changing = ["clidata.box/timestamp.json", "clidata.box/root.json", "offerinf.box/lookup/3/00001.lkp"]
    lasting = [
        "clidata.box/1.root.json",
        "clidata.box/1.snapshot.json",
        "pkginfo.box/ab.S0100001.pkg",
        "offerinf.box/ab.S0110001.ofr",
    ]
    assert [is_mutable(path) for path in changing + lasting] == [True] * 3 + [False] * 4
