"""The rules that need a whole tree: names that are one on some system, links that lead out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.content.tree import EMPTY_SHA256, check_links, check_names, check_tree, folded
from purveyor.wire.errors import RejectedError
from purveyor.wire.manifest import File, Link, Manifest, hash_of


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("setup.exe", "SETUP.EXE"),
        ("lib/readme", "lib/README"),
        ("Lib/one", "lib/two"),
        ("straße", "STRASSE"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"),
        ("CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}/a", "cafe\N{COMBINING ACUTE ACCENT}/b"),
    ],
)
def test_names_that_some_system_takes_for_one_are_rejected(first: str, second: str) -> None:
    with pytest.raises(RejectedError, match="differ only by case"):
        check_names([first, second])


def test_rejection_names_both_paths() -> None:
    with pytest.raises(RejectedError, match=r"'deep/er/b\.TXT' and 'deep/er/B\.txt'"):
        check_names(["deep/er/B.txt", "deep/er/b.TXT"])


def test_equal_names_in_different_folders_are_fine() -> None:
    check_names(["a/readme", "b/README", "b/c/readme", "readme"])


@given(st.text(max_size=20))
def test_folding_twice_changes_nothing_more(name: str) -> None:
    assert folded(folded(name)) == folded(name)


@pytest.mark.parametrize(
    "links",
    [
        {"l": "../x"},
        {"a/l": "../../x"},
        {"l": "/etc/passwd"},
        {"l": ""},
        {"p/q/root": "../..", "p/q/out": "root/.."},
        {"d": "sub/deep", "p/q/up": "../..", "x": "p/q/up/.."},
    ],
)
def test_links_that_lead_out_are_rejected(links: dict[str, str]) -> None:
    with pytest.raises(RejectedError, match="leads to"):
        check_links(links)


@pytest.mark.parametrize("links", [{"l": "l"}, {"a": "b", "b": "a"}, {"a": "a/x"}, {"d/a": "../e/b", "e/b": "../d/a"}])
def test_links_that_loop_are_rejected(links: dict[str, str]) -> None:
    with pytest.raises(RejectedError, match="loop"):
        check_links(links)


def test_links_inside_are_fine_even_when_nothing_is_there() -> None:
    check_links({"l": "a/b", "a/up": "..", "self": ".", "chain": "l/../a", "later": "not/made/yet", "double": "a//b/./c"})


def test_digest_with_two_sizes_is_rejected() -> None:
    sha256 = hash_of(b"x")
    files = (File(path="a", sha256=sha256, size_bytes=1), File(path="b", sha256=sha256, size_bytes=2))
    with pytest.raises(RejectedError, match="another size"):
        check_tree(Manifest(files=files))


def test_size_of_nothing_belongs_to_the_digest_of_nothing() -> None:
    check_tree(Manifest(files=(File(path="a", sha256=EMPTY_SHA256, size_bytes=0),)))
    with pytest.raises(RejectedError, match="empty"):
        check_tree(Manifest(files=(File(path="a", sha256=hash_of(b"x"), size_bytes=0),)))


def test_entry_that_leaves_the_tree_is_rejected() -> None:
    with pytest.raises(RejectedError, match="no path inside"):
        check_tree(Manifest(links=(Link(path="../a", target="b"),)))
