"""The client of any repository, without a server: what it asks for, how far it goes, what it keeps on its disk."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from purveyor.client import foreign, trust
from purveyor.client.foreign import Foreign, MetadataFolder, asked_next, fetch_target, placed_whole, target_address
from purveyor.transport.interface import Answer
from purveyor.wire.errors import AbsentError, DeniedError, RejectedError, UnavailableError

NOW = datetime(2026, 1, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
KEY, OTHER = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()
Signed = Root | Timestamp | Snapshot | Targets


class Files:
    """A repository's folder in memory. `answer_of_absent` is raised for what is not there; None: it says "unchanged"."""

    url = "memory:"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, int]] = []
        self.answer_of_absent: Exception | None = AbsentError("not there")

    def read(self, path: str, *, limit_bytes: int, tag: str = "") -> Answer | None:
        """The file."""
        assert tag == ""
        self.asked.append((path, limit_bytes))
        if path not in self.files:
            if self.answer_of_absent is None:
                return None
            raise self.answer_of_absent
        return Answer(self.files[path], "")

    def read_from(self, path: str, *, offset: int, limit_bytes: int) -> Iterator[bytes]:
        """The file in pieces."""
        self.asked.append((path, limit_bytes))
        yield self.files[path][offset : offset + limit_bytes]

    def put(self, path: str, content: bytes) -> None:
        """Takes nothing."""
        raise AssertionError((path, content))


class Repository(Files):
    """A small repository, all of whose roles one key signs."""

    def __init__(self) -> None:
        super().__init__()
        self.root, self.timestamp = Root(expires=LATER), Timestamp(expires=LATER)
        self.snapshot, self.targets = Snapshot(expires=LATER), Targets(expires=LATER)
        for role in ("root", "timestamp", "snapshot", "targets"):
            self.root.add_key(KEY.public_key, role)
        self.lay("1.root.json", self.root)
        self.lay("1.targets.json", self.targets)
        self.lay("1.snapshot.json", self.snapshot)
        self.lay("timestamp.json", self.timestamp)

    def lay(self, name: str, signed: Signed, *, by: CryptoSigner = KEY) -> bytes:
        """Signs a role as it is, and puts it where it is looked for."""
        metadata = Metadata(signed)
        metadata.sign(by)
        self.files[name] = metadata.to_bytes()
        return self.files[name]

    def publish(self, number: int) -> None:
        """The next publication of targets, snapshot and timestamp, all of this version."""
        self.targets.version = self.snapshot.version = self.timestamp.version = number
        self.snapshot.meta["targets.json"] = self.timestamp.snapshot_meta = MetaFile(number)
        self.lay(f"{number}.targets.json", self.targets)
        self.lay(f"{number}.snapshot.json", self.snapshot)
        self.lay("timestamp.json", self.timestamp)


@pytest.fixture
def repository() -> Repository:
    """A repository as it was made."""
    return Repository()


@pytest.fixture
def folder(tmp_path: Path, repository: Repository) -> MetadataFolder:
    """A folder that holds the first root."""
    made = MetadataFolder(tmp_path)
    made.write("root", repository.files["1.root.json"])
    return made


def refreshed(folder: MetadataFolder, repository: Files, *, at: datetime = NOW) -> Foreign:
    """A pass."""
    one = Foreign(folder, repository, at)
    one.refresh()
    return one


def test_without_a_root_nothing_begins(tmp_path: Path, repository: Repository) -> None:
    with pytest.raises(RejectedError, match="begin with one"):
        Foreign(MetadataFolder(tmp_path), repository, NOW)
    assert repository.asked == []


def test_each_piece_is_asked_for_with_its_limit(folder: MetadataFolder, repository: Repository) -> None:
    content = repository.lay("1.targets.json", repository.targets)
    repository.snapshot.meta["targets.json"] = MetaFile(1, len(content))
    repository.lay("1.snapshot.json", repository.snapshot)
    refreshed(folder, repository)
    assert repository.asked == [
        ("2.root.json", trust.ROOT_LIMIT_BYTES),
        ("timestamp.json", trust.TIMESTAMP_LIMIT_BYTES),
        ("1.snapshot.json", trust.SNAPSHOT_LIMIT_BYTES),
        ("1.targets.json", len(content)),
    ]


@pytest.mark.parametrize(
    ("answer", "is_end"),
    [(AbsentError(""), True), (DeniedError(""), True), (UnavailableError(""), False), (RejectedError(""), False), (None, False)],
)
def test_only_a_root_that_is_absent_or_denied_ends_the_chain(
    folder: MetadataFolder, repository: Repository, answer: Exception | None, is_end: bool
) -> None:
    repository.answer_of_absent = answer
    if is_end:
        refreshed(folder, repository)
    else:
        with pytest.raises((UnavailableError, RejectedError)):
            refreshed(folder, repository)
        assert folder.read("timestamp") is None


def test_a_chain_of_roots_without_an_end_is_followed_for_a_while_each_time(
    folder: MetadataFolder, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "ROOTS_A_REFRESH", 3)
    for version in range(2, 9):
        repository.root.version = version
        repository.lay(f"{version}.root.json", repository.root)
    for seen in (4, 7, 8):
        refreshed(folder, repository)
        held = folder.read("root")
        assert held is not None
        assert Metadata.from_bytes(held).signed.version == seen


def test_a_search_goes_through_so_many_roles_and_no_further(
    folder: MetadataFolder, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "ROLES_A_SEARCH", 3)
    roles = [repository.targets, *(Targets(expires=LATER) for _ in range(5))]
    for number, above in enumerate(roles, start=1):
        name = f"r{number}"
        above.delegations = Delegations({}, roles={name: DelegatedRole(name, [], 1, False, ["*"])})
        above.add_key(KEY.public_key, name)
        repository.snapshot.meta[f"{name}.json"] = MetaFile(1)
        if number > 1:
            repository.lay(f"1.r{number - 1}.json", above)
    repository.publish(2)
    with pytest.raises(RejectedError, match="none of the 3 roles"):
        refreshed(folder, repository).find("nothing")
    assert [path for path, _ in repository.asked if ".r" in path and "root" not in path] == ["1.r1.json", "1.r2.json"]


def test_after_new_keys_of_timestamp_or_snapshot_what_the_old_ones_signed_is_gone(
    folder: MetadataFolder, repository: Repository
) -> None:
    repository.publish(99)
    refreshed(folder, repository)
    repository.root.version = 2
    for role in ("timestamp", "snapshot"):
        repository.root.revoke_key(KEY.public_key.keyid, role)
        repository.root.add_key(OTHER.public_key, role)
    repository.lay("2.root.json", repository.root)
    with pytest.raises(RejectedError, match="signatures of timestamp"):
        refreshed(folder, repository)
    assert folder.read("timestamp") is folder.read("snapshot") is None
    repository.targets.version = repository.snapshot.version = repository.timestamp.version = 1
    repository.snapshot.meta["targets.json"] = repository.timestamp.snapshot_meta = MetaFile(1)
    repository.lay("1.snapshot.json", repository.snapshot, by=OTHER)
    repository.lay("timestamp.json", repository.timestamp, by=OTHER)
    refreshed(folder, repository)


def test_nothing_that_expired_is_kept(folder: MetadataFolder, repository: Repository) -> None:
    with pytest.raises(RejectedError, match="root expired"):
        refreshed(folder, repository, at=LATER)
    repository.root.expires = LATER + timedelta(days=1)
    repository.root.version = 2
    repository.lay("2.root.json", repository.root)
    with pytest.raises(RejectedError, match="timestamp expired"):
        refreshed(folder, repository, at=LATER)
    assert folder.read("timestamp") is None


def test_what_was_spoiled_on_the_disk_is_fetched_again(folder: MetadataFolder, repository: Repository, tmp_path: Path) -> None:
    refreshed(folder, repository)
    for name in ("timestamp", "snapshot", "targets"):
        (tmp_path / f"{name}.json").write_bytes(b"\xff")
    refreshed(folder, repository)
    assert folder.read("targets") == repository.files["1.targets.json"]


def test_a_disk_that_refuses_is_no_word_of_the_repository(tmp_path: Path, repository: Repository) -> None:
    place = tmp_path / "metadata"
    place.write_bytes(b"a file")
    for use in (
        lambda: MetadataFolder(place).read("root"),
        lambda: MetadataFolder(place).write("root", b""),
        lambda: MetadataFolder(place).remove("root"),
    ):
        with pytest.raises(UnavailableError, match="cannot be read or written"):
            use()
    assert repository.asked == []


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "one"
    place.write_bytes(b"before")
    with pytest.raises(RejectedError), placed_whole(place) as aside:  # noqa: PT012 - half written, then given up
        aside.write_bytes(b"half of what")
        raise RejectedError("it breaks off")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_a_target_is_read_to_its_length_and_kept_only_as_listed(tmp_path: Path, repository: Repository) -> None:
    listed = TargetFile.from_data("a/../one", b"right", ["sha256"])
    address = target_address(listed, is_consistent=True)
    repository.files[address] = b"right and more"
    fetch_target(listed, repository, tmp_path, is_consistent=True)
    assert repository.asked == [(address, 5)]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a%2F..%2Fone", b"right")]
    repository.files[address] = b"wrong"
    fetch_target(listed, repository, tmp_path, is_consistent=True)
    assert len(repository.asked) == 1, "what is there unchanged is not asked for"
    other = TargetFile.from_data("two", b"right", ["sha256"])
    repository.files[target_address(other, is_consistent=False)] = b"wrong"
    with pytest.raises(RejectedError, match="is not the file"):
        fetch_target(other, repository, tmp_path, is_consistent=False)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("path", "is_consistent", "address"),
    [("one", False, "one"), ("a b/ü?", False, "a%20b/%C3%BC%3F"), ("a/one", True, "a/HASH.one"), ("one", True, "HASH.one")],
)
def test_a_target_is_asked_for_under_its_quoted_path(path: str, is_consistent: bool, address: str) -> None:
    listed = TargetFile(3, {"sha512": "wrong", "sha256": "HASH"}, path)
    assert target_address(listed, is_consistent=is_consistent) == address


@pytest.mark.parametrize(
    ("said", "path", "asked"),
    [
        ([("A", False, "*"), ("B", False, "*")], "one", (["A", "B"], False)),
        ([("A", True, "*"), ("B", False, "*")], "one", (["A"], True)),
        ([("A", True, "x*"), ("B", False, "*")], "one", (["B"], False)),
        ([("A", False, "x*")], "one", ([], False)),
        ([], "one", ([], False)),
    ],
)
def test_delegations_are_asked_in_their_order_up_to_a_final_one(
    said: list[tuple[str, bool, str]], path: str, asked: tuple[list[str], bool]
) -> None:
    role = Targets(expires=LATER)
    role.delegations = Delegations({}, roles={name: DelegatedRole(name, [], 1, last, [paths]) for name, last, paths in said})
    assert asked_next(role, path) == asked
