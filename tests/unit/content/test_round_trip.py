"""A tree on a real disk, all the way: taken in, stored, copied to a point, fetched, laid out. What comes out is what went in."""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from purveyor.client.content.held import Content
from purveyor.client.machine.disk import RealDisk
from purveyor.client.state.store import open_state
from purveyor.content.source import PATH_LIMIT_BYTES
from purveyor.content.store import ContentStore
from purveyor.content.take_in import take_in
from purveyor.content.tree import check_links, folded
from purveyor.transport.interface import Answer
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import PackageId, SiteCode
from purveyor.wire.settings import AgentSettings, Shards

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = AgentSettings(site=SiteCode("S01"), incarnation=1, shards=Shards(generation=1, bits=0, keys=()), sealing_keys=())

letters = st.characters(exclude_categories=("Cs",), exclude_characters="/\0")
names = st.text(letters, min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
files = st.tuples(st.binary(max_size=200), st.booleans())
targets = st.lists(st.sampled_from(["..", ".", "a", "b", "no such"]), min_size=1, max_size=4).map("/".join)
Tree = dict[str, "tuple[bytes, bool] | str | Tree"]
trees = st.recursive(
    st.one_of(files, targets, st.just({})),
    lambda below: st.lists(
        st.tuples(st.one_of(names, st.sampled_from("ab")), below), max_size=4, unique_by=lambda entry: folded(entry[0])
    ).map(dict),
    max_leaves=12,
)


def write(folder: Path, tree: Tree) -> None:
    """Makes the tree on disk: tuples are files, texts the targets of links, dicts folders."""
    folder.mkdir()
    for name, entry in tree.items():
        match entry:
            case dict():
                write(folder / name, entry)
            case str():
                (folder / name).symlink_to(entry)
            case content, is_executable:
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o750 if is_executable else 0o640)


def seen(folder: Path) -> Tree:
    """The tree on disk, read by nothing that is tested here."""
    found: Tree = {}
    for entry in os.scandir(folder):
        if entry.is_symlink():
            found[entry.name] = os.readlink(entry)
        elif entry.is_dir():
            found[entry.name] = seen(Path(entry.path))
        else:
            found[entry.name] = (Path(entry.path).read_bytes(), os.access(entry, os.X_OK))
    return found


def links_of(tree: Tree, above: str = "") -> dict[str, str]:
    """Every link of a tree by its path."""
    found: dict[str, str] = {}
    for name, entry in tree.items():
        match entry:
            case dict():
                found |= links_of(entry, f"{above}{name}/")
            case str():
                found[above + name] = entry
    return found


def has_files(tree: Tree) -> bool:
    """Whether there is a file anywhere in it."""
    return any(has_files(entry) if isinstance(entry, dict) else not isinstance(entry, str) for entry in tree.values())


class StorePoint:
    """A store as a distribution point serves it."""

    url = "dp"

    def __init__(self, store: ContentStore) -> None:
        self._folder = store.folder

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        return Answer((self._folder / path).read_bytes(), "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        yield (self._folder / path).read_bytes()[offset : offset + limit_bytes]

    def put(self, path: str, content: bytes) -> None:
        raise AssertionError("nothing is put on a distribution point")


def carried(source: Path, work: Path) -> Path:
    """Where the source's tree lies once it went all the way."""
    taken = take_in(source)
    site, point = ContentStore(work / "site"), ContentStore(work / "point")
    missing = {stored.sha256 for stored in site.missing(taken.manifest)}
    for file in taken.manifest.files:
        if file.sha256 in missing:
            site.add_file(file.sha256, taken.open(file), file.size_bytes)
    site.add_manifest(taken.content)
    site.copy_to(point, taken.manifest)
    state = open_state(":memory:")
    content = Content(RealDisk(work / "client"), state)
    fetched = content.fetch(taken.sha256, PackageId("S0100001"), [StorePoint(point)], SETTINGS, NOW)
    assert fetched.is_ready, fetched.reason
    content.lay_out(taken.sha256, "run/1/content")
    assert take_in(work / "client/run/1/content").sha256 == taken.sha256
    state.connection.close()
    return work / "client/run/1/content"


@settings(max_examples=60)
@given(trees.filter(lambda tree: isinstance(tree, dict) and has_files(tree)))
def test_any_tree_comes_out_as_it_went_in(tree: Tree) -> None:
    try:
        check_links(links_of(tree))
    except RejectedError:
        assume(False)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write(work / "source", tree)
        assert seen(carried(work / "source", work)) == tree == seen(work / "source")


def test_longest_possible_path_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path = "/".join(["d" * 254] * 11 + ["f" * 195])
    assert len(path) == PATH_LIMIT_BYTES
    os.makedirs((tmp_path / "source" / path).parent)
    (tmp_path / "source" / path).write_bytes(b"deep")
    assert (carried(tmp_path / "source", tmp_path) / path).read_bytes() == b"deep"
