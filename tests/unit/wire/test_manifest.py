"""Manifests: trees that every client can hold, and no others."""

import pytest
from hypothesis import given

from purveyor.wire import manifest
from purveyor.wire.errors import RejectedError
from purveyor.wire.manifest import File, Link, Manifest
from wire_values import manifests

SHA256 = manifest.hash_of(b"x")


def file_at(path: str) -> File:
    """A file with one byte in it."""
    return File(path=path, sha256=SHA256, size_bytes=1)


@given(manifests)
def test_equal_trees_have_one_hash(tree: Manifest) -> None:
    content = manifest.encode(tree)
    assert manifest.hash_of(manifest.encode(manifest.decode(content))) == manifest.hash_of(content)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", "a/.", "nul\0", "a" * 256, "ä" * 128, "/".join(["abc"] * 1200)],
)
def test_a_path_that_leaves_the_tree_or_is_too_long_is_rejected(path: str) -> None:
    for tree in (Manifest(files=(file_at(path),)), Manifest(links=(Link(path=path, target="a"),)), Manifest(folders=(path,))):
        with pytest.raises(RejectedError):
            manifest.check(tree)


@pytest.mark.parametrize(
    "path", ["a b", "quote'\"", "new\nline", "100%", "ünïcödé", "-rf", "~", "$(x)", "a\\b", "..a", "a..", "con", "ä" * 127]
)
def test_odd_names_are_names(path: str) -> None:
    tree = Manifest(files=(file_at(path),))
    assert manifest.decode(manifest.encode(tree)) == tree


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "a"), ("readme", "README"), ("a/b", "A/B"), ("straße", "STRASSE")],
)
def test_two_paths_that_are_one_where_case_does_not_count_are_rejected(one: str, other: str) -> None:
    with pytest.raises(RejectedError, match="one name"):
        manifest.check(Manifest(files=(file_at(one), file_at(other))))


@pytest.mark.parametrize(
    "leaf",
    [Manifest(files=(file_at("a"), file_at("a/b"))), Manifest(files=(file_at("l/b"),), links=(Link(path="l", target="d"),))],
)
def test_nothing_lies_below_a_file_or_a_link(leaf: Manifest) -> None:
    with pytest.raises(RejectedError, match="no folder"):
        manifest.check(leaf)


@pytest.mark.parametrize(
    ("path", "target"),
    [("l", ".."), ("l", "/etc"), ("l", ""), ("l", "a/../../b"), ("d/l", "../.."), ("l", "a\0"), ("a/b/l", "../../../x")],
)
def test_a_link_that_leads_out_is_rejected(path: str, target: str) -> None:
    with pytest.raises(RejectedError, match="out of the package"):
        manifest.check(Manifest(links=(Link(path=path, target=target),)))


@pytest.mark.parametrize(("path", "target"), [("l", "a"), ("d/l", "../a"), ("d/e/l", "../../a/./b"), ("l", ".")])
def test_a_link_within_the_tree_is_fine(path: str, target: str) -> None:
    manifest.check(Manifest(links=(Link(path=path, target=target),)))


@pytest.mark.parametrize(
    "entry",
    [
        File(path="a", sha256=SHA256[:-1], size_bytes=1),
        File(path="a", sha256=SHA256.upper(), size_bytes=1),
        File(path="a", sha256="../" + SHA256[3:], size_bytes=1),
        File(path="a", sha256=SHA256, size_bytes=-1),
        File(path="a", sha256=SHA256, size_bytes=2**64),
    ],
)
def test_a_damaged_entry_is_rejected(entry: File) -> None:
    with pytest.raises(RejectedError, match="damaged"):
        manifest.check(Manifest(files=(entry,)))


def test_equal_files_are_stored_once() -> None:
    tree = Manifest(files=(file_at("a"), file_at("b"), File(path="c", sha256=manifest.hash_of(b""), size_bytes=0)))
    assert [stored.sha256 for stored in manifest.distinct_files(tree)] == [SHA256, manifest.hash_of(b"")]
    assert tree.size_bytes == 2


def test_content_lies_where_its_hash_says() -> None:
    assert manifest.file_path("ab" + "0" * 62) == "files/ab/ab" + "0" * 62
    assert manifest.manifest_path("ab" + "0" * 62) == "manifests/ab" + "0" * 62
