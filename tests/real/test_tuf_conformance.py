"""The client's judgement of any TUF repository, by its command, over HTTP: all that the public conformance suite looks at.

The repository here is our own, small, and made with python-tuf's metadata; the public suite itself is run as docs/trust.md says.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

from purveyor.client import conformance
from purveyor.client.foreign import Foreign, MetadataFolder
from purveyor.transport.http.point import HttpPoint
from purveyor.wire.errors import PurveyorError

TOP = ("root", "timestamp", "snapshot", "targets")
KEYS = [CryptoSigner.generate_ed25519() for _ in range(12)]
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
PAST = LATER - timedelta(days=60)


@dataclass
class Shop:
    """A repository that can be made wrong in any way: what is signed by whom, and what stands where."""

    says: dict[str, Root | Timestamp | Snapshot | Targets] = field(default_factory=dict)
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    has_hashes: bool = False
    status_of_absent: int = 404
    base: str = ""

    def __post_init__(self) -> None:
        self.says = {
            "root": Root(expires=LATER),
            "timestamp": Timestamp(expires=LATER),
            "snapshot": Snapshot(expires=LATER),
            "targets": Targets(expires=LATER),
        }
        for number, role in enumerate(TOP):
            self.let_sign(role, number)
        self.publish("root", "targets", "snapshot", "timestamp", is_first=True)

    def __getattr__(self, role: str):  # noqa: ANN204 -- root, timestamp, snapshot, targets, each of its kind
        return self.says[role]

    def let_sign(self, role: str, *keys: int, threshold: int = 1) -> None:
        """Names a top role's keys, and signs with them."""
        self.root.roles[role].keyids = []
        for key in keys:
            self.root.add_key(KEYS[key].public_key, role)
        self.root.roles[role].threshold = threshold
        self.signers[role] = [KEYS[key] for key in keys]

    def delegate(
        self, name: str, key: int, *, by: str = "targets", is_final: bool = False, paths: tuple[str, ...] = ("*",)
    ) -> Targets:
        """A role below another, which its key signs."""
        delegator = self.says[by]
        delegator.delegations = delegator.delegations or Delegations({}, roles={})
        delegator.delegations.roles[name] = DelegatedRole(name, [], 1, is_final, list(paths))
        delegator.add_key(KEYS[key].public_key, name)
        self.signers.setdefault(name, []).append(KEYS[key])
        self.says.setdefault(name, Targets(expires=LATER))
        return self.says[name]

    def offer(self, path: str, content: bytes, *, role: str = "targets", hashes: tuple[str, ...] = ("sha256",)) -> None:
        """Lists a target in a role and lays its file down."""
        listed = TargetFile.from_data(path, content, list(hashes))
        self.says[role].targets[path] = listed
        folder, slash, name = path.rpartition("/")
        for digest in listed.hashes.values():
            self.files[f"/targets/{folder}{slash}{digest}.{name}"] = content
        self.files[f"/targets/{path}"] = content

    def publish(self, *roles: str, is_first: bool = False) -> None:
        """Signs the next version of roles; what names them names it from now on."""
        for role in roles:
            signed = self.says[role]
            signed.version += 0 if is_first or not self._is_published(role) else 1
            self.lay_down(role)

    def lay_down(self, role: str, change: Callable[[bytes], bytes] = bytes) -> None:
        """Signs a role as it is, and puts it where it is looked for."""
        signed = self.says[role]
        metadata = Metadata(deepcopy(signed))
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        content = change(metadata.to_bytes())
        for name in (f"{signed.version}.{quote(role, '')}.json", f"{quote(role, '')}.json"):
            self.files[f"/metadata/{name}"] = content
        named = MetaFile.from_data(signed.version, content, ["sha256"]) if self.has_hashes else MetaFile(signed.version)
        if role == "snapshot":
            self.timestamp.snapshot_meta = named
        elif role not in TOP or role == "targets":
            self.snapshot.meta[f"{role}.json"] = named

    def _is_published(self, role: str) -> bool:
        return f"/metadata/{quote(role, '')}.json" in self.files

    def asked_metadata(self) -> list[str]:
        """The metadata that was asked for since the last look, without what every pass asks for first."""
        found = [one.removeprefix("/metadata/") for one in self.asked if one.startswith("/metadata/")]
        self.asked.clear()
        return found


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A repository behind a server."""
    made = Shop()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            content = made.files.get(self.path)
            self.send_response(made.status_of_absent if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        made.base = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


class Client:
    """The command, with folders of its own."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        for made in (self.metadata, self.targets):
            made.mkdir()
        self.first_root = folder / "first.json"

    def begin(self, content: bytes | None = None) -> int:
        """Begins with the first root, or another."""
        self.first_root.write_bytes(self.shop.files["/metadata/1.root.json"] if content is None else content)
        return conformance.main(["--metadata-dir", str(self.metadata), "init", str(self.first_root)])

    def refresh(self) -> int:
        """Gives the exit code."""
        return conformance.main([*self._where(), "refresh"])

    def download(self, *paths: str) -> int:
        """Gives the exit code."""
        names = [word for path in paths for word in ("--target-name", path)]
        places = ["--target-base-url", f"{self.shop.base}/targets/", "--target-dir", str(self.targets)]
        return conformance.main([*self._where(), *names, *places, "download"])

    def refresh_at(self, now: datetime, path: str = "") -> bool:
        """Whether a pass at another time succeeds, and finds a path."""
        try:
            one = Foreign(MetadataFolder(self.metadata), HttpPoint(f"{self.shop.base}/metadata", address_of=str), now)
            one.refresh()
            if path:
                one.find(path)
        except PurveyorError:
            return False
        return True

    def held(self) -> dict[str, int]:
        """The versions that are trusted."""
        return {
            place.name.removesuffix(".json"): json.loads(place.read_bytes())["signed"]["version"]
            for place in self.metadata.iterdir()
        }

    def files(self) -> list[bytes]:
        """What was downloaded, and nothing half done beside it."""
        return sorted(place.read_bytes() for place in self.targets.iterdir())

    def _where(self) -> list[str]:
        return ["--metadata-dir", str(self.metadata), "--metadata-url", f"{self.shop.base}/metadata/"]


@pytest.fixture
def client(shop: Shop, tmp_path: Path) -> Client:
    """A client that trusts the first root."""
    made = Client(shop, tmp_path)
    assert made.begin() == 0
    return made


def versions(**held: int) -> dict[str, int]:
    """What is trusted, by role."""
    return held


# --- the ordinary way ---


def test_a_refresh_asks_for_each_role_once_and_keeps_the_bytes_that_came(shop: Shop, client: Client) -> None:
    shop.lay_down("timestamp", lambda content: content + b" ")
    assert client.refresh() == 0
    assert shop.asked_metadata() == ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
    for role in TOP:
        assert (client.metadata / f"{role}.json").read_bytes() == shop.files[f"/metadata/{role}.json"]
    assert client.refresh() == 0
    assert shop.asked_metadata() == ["2.root.json", "timestamp.json"]


def test_a_download_refreshes_first(shop: Shop, client: Client) -> None:
    assert client.download("nothing") == 1
    assert client.held() == versions(root=1, timestamp=1, snapshot=1, targets=1)


def test_without_consistent_snapshots_files_have_their_plain_names(shop: Shop, client: Client) -> None:
    shop.root.consistent_snapshot = False
    shop.offer("tools/one.txt", b"one")
    shop.publish("root", "targets", "snapshot", "timestamp")
    assert client.download("tools/one.txt") == 0
    assert shop.asked == [
        *("/metadata/2.root.json", "/metadata/3.root.json", "/metadata/timestamp.json", "/metadata/snapshot.json"),
        *("/metadata/targets.json", "/targets/tools/one.txt"),
    ]


def test_fields_and_kinds_of_keys_that_nobody_here_knows_do_no_harm(shop: Shop, client: Client) -> None:
    shop.root.unrecognized_fields["season"] = "winter"
    shop.root.roles["root"].unrecognized_fields["season"] = "winter"
    shop.root.keys[KEYS[0].public_key.keyid].unrecognized_fields["keyid_hash_algorithms"] = ["md5"]
    shop.publish("root")
    newest = json.loads(shop.files["/metadata/2.root.json"])
    assert client.refresh() == 0
    newest["signed"]["version"] = 3
    newest["signed"]["keys"]["f" * 64] = {"keytype": "lattice", "scheme": "lattice-9", "keyval": {"public": "?"}}
    newest["signed"]["roles"]["timestamp"]["keyids"].append("f" * 64)
    shop.files["/metadata/3.root.json"] = signed_by_hand(newest, KEYS[0])
    assert client.refresh() == 0
    assert client.held()["root"] == 3


def signed_by_hand(document: dict[str, object], *signers: CryptoSigner) -> bytes:
    """Metadata that python-tuf would not make."""
    payload = (
        json.dumps(document["signed"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).replace("\\n", "\n").encode()
    )
    document["signatures"] = [signer.sign(payload).to_dict() for signer in signers]
    return json.dumps(document).encode()


@pytest.mark.parametrize("key", [CryptoSigner.generate_rsa(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ed25519()])
def test_each_kind_of_key_of_the_specification_is_judged(shop: Shop, client: Client, key: CryptoSigner) -> None:
    shop.root.add_key(key.public_key, "root")
    shop.root.roles["root"].threshold = 2
    shop.signers["root"].append(key)
    shop.publish("root")
    assert client.refresh() == 0
    shop.publish("root")
    spoiled = json.loads(shop.files["/metadata/3.root.json"])
    spoiled["signatures"][1]["sig"] = json.loads(shop.files["/metadata/2.root.json"])["signatures"][1]["sig"]
    shop.files["/metadata/3.root.json"] = json.dumps(spoiled).encode()
    assert client.refresh() == 1
    assert client.held()["root"] == 2


# --- roots ---


@pytest.mark.parametrize("spoil", ["version", "signature"])
def test_a_first_root_that_is_none_is_not_begun_with(shop: Shop, tmp_path: Path, spoil: str) -> None:
    (tmp_path / "other").mkdir()
    client = Client(shop, tmp_path / "other")
    root = json.loads(shop.files["/metadata/1.root.json"])
    if spoil == "version":
        del root["signed"]["version"]
    else:
        root["signatures"][0]["sig"] = "00" * 64
    assert client.begin(json.dumps(root).encode()) == 1
    assert client.refresh() == 1
    assert (shop.asked, client.held()) == ([], {})


ROOTS = [
    ("a new key, signed by both", [((6,), 1, (0, 6)), ((6,), 1, (6,))], True),
    ("signatures of strangers beside", [((6,), 1, (8, 0, 6, 9))], True),
    ("two of three", [((0, 6, 7), 1, (0,)), ((0, 6, 7), 2, (0, 7))], True),
    ("a lower threshold", [((0, 6, 7), 2, (0, 6)), ((0, 6, 7), 1, (0, 6)), ((0, 6, 7), 1, (7,))], True),
    ("without the old key", [((6,), 1, (6, 8))], False),
    ("without the new key", [((6,), 1, (0, 8))], False),
    ("below the new threshold", [((0, 6, 7), 1, (0,)), ((0, 6, 7), 2, (6,))], False),
    ("below the old threshold", [((0, 6, 7), 2, (0, 6)), ((0, 6, 7), 1, (0,))], False),
]


@pytest.mark.parametrize(("told", "steps", "is_good"), ROOTS, ids=[row[0] for row in ROOTS])
def test_a_root_is_signed_as_it_and_the_one_before_it_demand(
    shop: Shop, client: Client, told: str, steps: list[tuple[tuple[int, ...], int, tuple[int, ...]]], is_good: bool
) -> None:
    for keys, threshold, signers in steps:
        shop.let_sign("root", *keys, threshold=threshold)
        shop.signers["root"] = [KEYS[key] for key in signers]
        shop.publish("root")
    assert client.refresh() == (0 if is_good else 1), told
    assert client.held()["root"] == len(steps) + is_good


ONLINE = [
    ("new keys", (6,), 1, (6,), True),
    ("strangers beside", (6,), 1, (8, 6, 9), True),
    ("three of five", (0, 1, 2, 3, 4), 3, (4, 0, 2), True),
    ("without the new key", (6,), 1, (1, 8), False),
    ("two of three", (0, 1, 2, 3, 4), 3, (0, 2), False),
    ("more demanded than there are", (0, 1), 3, (0, 1), False),
]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize(("told", "keys", "threshold", "signers", "is_good"), ONLINE, ids=[row[0] for row in ONLINE])
def test_a_role_is_signed_as_the_newest_root_demands(
    shop: Shop,
    client: Client,
    role: str,
    told: str,
    keys: tuple[int, ...],
    threshold: int,
    signers: tuple[int, ...],
    is_good: bool,
) -> None:
    shop.let_sign(role, *keys, threshold=threshold)
    shop.signers[role] = [KEYS[key] for key in signers]
    shop.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == (0 if is_good else 1), told
    assert (role in client.held()) is is_good


def test_one_key_under_two_names_is_one_key(shop: Shop, client: Client) -> None:
    twin = deepcopy(KEYS[2].public_key)
    twin.keyid = "e" * 64
    shop.root.add_key(twin, "snapshot")
    shop.root.roles["snapshot"].threshold = 2
    shop.signers["snapshot"].append(CryptoSigner(KEYS[2]._private_key, twin))
    shop.publish("root", "snapshot", "timestamp")
    assert client.refresh() == 1
    assert "snapshot" not in client.held()


def test_a_signature_that_stands_twice_is_refused(shop: Shop, client: Client) -> None:
    def doubled(content: bytes) -> bytes:
        document = json.loads(content)
        document["signatures"] *= 2
        return json.dumps(document).encode()

    shop.lay_down("snapshot", doubled)
    assert client.refresh() == 1
    assert "snapshot" not in client.held()


@pytest.mark.parametrize("signature", ["", "00" * 64])
def test_a_wrong_signature_beside_enough_right_ones_does_no_harm(shop: Shop, client: Client, signature: str) -> None:
    shop.let_sign("timestamp", 1, 6)
    shop.publish("root")

    def spoiled(content: bytes) -> bytes:
        document = json.loads(content)
        document["signatures"][0]["sig"] = signature
        return json.dumps(document).encode()

    shop.lay_down("timestamp", spoiled)
    assert client.refresh() == 0


# --- what is missing, misnamed, of another kind, or expired ---


@pytest.mark.parametrize(("status", "is_end"), [(404, True), (410, True), (403, True), (401, False), (500, False), (302, False)])
def test_the_chain_of_roots_ends_where_the_next_is_absent_or_denied(
    shop: Shop, client: Client, status: int, is_end: bool
) -> None:
    """An object store that may not be listed says 403 of what it does not have; any other answer tells nothing of the root."""
    shop.publish("root")
    shop.status_of_absent = status
    assert client.refresh() == (0 if is_end else 1)
    assert client.held()["root"] == 2
    assert ("timestamp" in client.held()) is is_end


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_role_that_is_denied_is_missing(shop: Shop, client: Client, role: str) -> None:
    shop.status_of_absent = 403
    del shop.files["/metadata/timestamp.json" if role == "timestamp" else f"/metadata/1.{role}.json"]
    assert client.refresh() == 1
    assert role not in client.held()


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("timestamp", versions(root=1, timestamp=1, snapshot=1, targets=1)),
        ("snapshot", versions(root=1, timestamp=2, snapshot=1, targets=1)),
        ("targets", versions(root=1, timestamp=2, snapshot=2, targets=1)),
    ],
)
@pytest.mark.parametrize("fault", ["absent", "expired", "other version"])
def test_a_refresh_goes_as_far_as_it_can_be_trusted(
    shop: Shop, client: Client, role: str, expected: dict[str, int], fault: str
) -> None:
    assert client.refresh() == 0
    if fault == "expired":
        shop.says[role].expires = PAST
    shop.publish("targets", "snapshot", "timestamp")
    place = "/metadata/timestamp.json" if role == "timestamp" else f"/metadata/2.{role}.json"
    if fault == "absent":
        del shop.files[place]
    elif fault == "other version":
        shop.says[role].version = 0 if role == "timestamp" else 7
        shop.files[place] = Metadata(shop.says[role]).to_bytes() if role == "timestamp" else signed_as_it_is(shop, role)
    assert client.refresh() == 1
    assert client.held() == expected


def signed_as_it_is(shop: Shop, role: str) -> bytes:
    """A role signed by its keys, laid down nowhere."""
    metadata = Metadata(deepcopy(shop.says[role]))
    metadata.sign(shop.signers[role][0])
    return metadata.to_bytes()


def test_an_expired_root_is_kept_and_leads_nowhere(shop: Shop, client: Client) -> None:
    assert client.refresh() == 0
    shop.root.expires = PAST
    shop.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == 1
    assert client.held() == versions(root=2, timestamp=1, snapshot=1, targets=1)


def test_what_expired_here_still_leads_to_what_is_new(shop: Shop, client: Client) -> None:
    assert client.refresh() == 0
    shop.root.expires = shop.says["targets"].expires = LATER + timedelta(days=60)
    shop.timestamp.expires = shop.snapshot.expires = LATER + timedelta(days=60)
    assert not client.refresh_at(LATER)
    shop.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh_at(LATER)
    assert client.held() == versions(root=2, timestamp=2, snapshot=2, targets=2)


def test_a_snapshot_is_no_timestamp_whoever_signed_it(shop: Shop, client: Client) -> None:
    shop.let_sign("timestamp", 1, 2)
    shop.publish("root")
    shop.files["/metadata/timestamp.json"] = shop.files["/metadata/1.snapshot.json"]
    assert client.refresh() == 1
    assert client.held() == versions(root=2)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_hash_that_is_given_is_held_to(shop: Shop, client: Client, role: str) -> None:
    shop.has_hashes = True
    shop.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == 0
    shop.publish("targets", "snapshot", "timestamp")
    shop.files[f"/metadata/3.{role}.json"] = shop.files[f"/metadata/3.{role}.json"].replace(b'"signatures"', b' "signatures"')
    assert client.refresh() == 1
    assert client.held()[role] == 2


# --- rollback, and the way out of fast-forward ---


def test_a_changed_timestamp_of_the_same_version_is_nothing_new(shop: Shop, client: Client) -> None:
    assert client.refresh() == 0
    shop.timestamp.snapshot_meta = MetaFile(100)
    shop.lay_down("timestamp")
    assert client.refresh() == 0
    assert shop.asked_metadata()[-1] == "timestamp.json"


@pytest.mark.parametrize("has_hashes", [False, True])
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_nothing_goes_back(shop: Shop, client: Client, role: str, has_hashes: bool) -> None:
    shop.has_hashes = has_hashes
    shop.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == 0
    before = client.held()
    shop.says[role].version = 1
    shop.lay_down(role)
    shop.publish(*{"timestamp": (), "snapshot": ("timestamp",), "targets": ("snapshot", "timestamp")}[role])
    assert client.refresh() == 1
    after = client.held()
    assert (after["snapshot"], after["targets"]) == (before["snapshot"], before["targets"])


def test_a_role_is_not_left_out_of_the_snapshot(shop: Shop, client: Client) -> None:
    shop.delegate("A", 6)
    shop.publish("A", "targets", "snapshot", "timestamp")
    assert client.refresh() == 0
    del shop.snapshot.meta["A.json"]
    shop.publish("snapshot", "timestamp")
    assert client.refresh() == 1
    assert client.held()["snapshot"] == 2


@pytest.mark.parametrize(("role", "rotated"), [("timestamp", ("timestamp",)), ("snapshot", TOP[1:3]), ("targets", ("snapshot",))])
def test_new_keys_undo_versions_that_a_thief_used_up(shop: Shop, client: Client, role: str, rotated: tuple[str, ...]) -> None:
    shop.says[role].version = 99
    shop.lay_down(role)
    shop.publish(*{"timestamp": (), "snapshot": ("timestamp",), "targets": ("snapshot", "timestamp")}[role])
    assert client.refresh() == 0
    assert client.held()[role] == 99
    for number, name in enumerate(rotated):
        shop.let_sign(name, 6 + number)
    shop.says[role].version = 1
    shop.lay_down(role)
    shop.publish("root", *{"timestamp": (), "snapshot": ("timestamp",), "targets": ("snapshot", "timestamp")}[role])
    assert client.refresh() == 0
    assert client.held()[role] == 1


# --- delegations ---

Step = tuple[str, str, bool, tuple[str, ...]]
ANY = ("*",)
GRAPHS: list[tuple[str, list[Step], list[str]]] = [
    ("two roles in their order", [("targets", "A", False, ANY), ("targets", "B", False, ANY)], ["A", "B"]),
    ("deep before wide", [("targets", "A", False, ANY), ("targets", "B", False, ANY), ("A", "C", False, ANY)], ["A", "C", "B"]),
    ("nobody after a final one", [("targets", "A", True, ANY), ("targets", "B", False, ANY), ("A", "C", False, ANY)], ["A", "C"]),
    ("final below", [("targets", "A", False, ANY), ("targets", "B", False, ANY), ("A", "C", True, ANY)], ["A", "C"]),
    ("only where the path fits", [("targets", "A", False, ("*.py",)), ("targets", "B", False, ANY)], ["B"]),
    ("not round in a circle", [("targets", "A", False, ANY), ("A", "B", False, ANY), ("B", "A", False, ANY)], ["A", "B"]),
    ("once", [("targets", "A", False, ANY), ("targets", "B", False, ANY), *((by, "C", False, ANY) for by in "AB")], [*"ACB"]),
]  # fmt: skip


@pytest.mark.parametrize(("told", "steps", "visited"), GRAPHS, ids=[row[0] for row in GRAPHS])
def test_delegations_are_followed_in_the_order_of_the_specification(
    shop: Shop, client: Client, told: str, steps: list[Step], visited: list[str]
) -> None:
    for number, (by, name, is_final, paths) in enumerate(steps):
        shop.delegate(name, 5 + number, by=by, is_final=is_final, paths=paths)
    roles = dict.fromkeys(name for _, name, _, _ in steps)
    shop.publish(*roles, "targets", "snapshot", "timestamp")
    for name in roles:
        shop.says[name].version = 1
    assert client.download("nothing") == 1, told
    assert [one.split(".")[1] for one in shop.asked_metadata()[4:]] == visited


PATHS = [
    ("readme.md", True), ("readme.MD", False), ("doc/readme.md", False), ("foo-1.tgz", True), ("foo-ab.tgz", False),
    ("releases/x/one", True), ("releases/y/one", False),
]  # fmt: skip


@pytest.mark.parametrize(("path", "is_found"), PATHS)
def test_a_role_speaks_only_of_paths_that_were_delegated_to_it(shop: Shop, client: Client, path: str, is_found: bool) -> None:
    shop.delegate("A", 5, paths=("*.md", "foo-?.tgz"))
    shop.delegate("B", 6, paths=("releases/*/*",))
    shop.delegate("C", 7, by="B", paths=("releases/x/*",))
    for role in ("A", "C"):
        shop.offer(path, b"content", role=role)
    shop.publish("A", "C", "B", "targets", "snapshot", "timestamp")
    assert client.download(path) == (0 if is_found else 1)
    assert client.files() == ([b"content"] if is_found else [])


def test_hashed_bins_and_hash_prefixes_are_followed(shop: Shop, client: Client) -> None:
    bins = SuccinctRoles([], 1, 3, "bin")
    name = bins.get_role_for_target("one.txt")
    shop.delegate("A", 5)
    shop.says["A"].delegations = Delegations({}, None, bins)
    shop.says["A"].add_key(KEYS[6].public_key)
    shop.says[name], shop.signers[name] = Targets(expires=LATER), [KEYS[6]]
    shop.offer("one.txt", b"one", role=name)
    shop.targets.delegations.roles["A"].paths = None
    shop.targets.delegations.roles["A"].path_hash_prefixes = list("0123456789abcdef")
    shop.publish(name, "A", "targets", "snapshot", "timestamp")
    assert client.download("one.txt") == 0


def test_what_one_delegator_accepts_says_nothing_of_another(shop: Shop, client: Client) -> None:
    """A role below two others is signed as only one of them demands: held or not, it does not speak for the other."""
    shop.delegate("A", 5, paths=("a/*",))
    shop.delegate("B", 6, paths=("b/*",))
    shop.delegate("C", 7, by="A", paths=("a/*",))
    shop.delegate("C", 8, by="B", paths=("b/*",))
    shop.signers["C"] = [KEYS[7]]
    shop.offer("a/one", b"right", role="C")
    shop.offer("b/one", b"wrong", role="C")
    shop.publish("C", "A", "B", "targets", "snapshot", "timestamp")
    assert client.download("a/one", "b/one") == 1
    assert client.download("b/one") == 1
    assert client.files() == [b"right"]
    assert client.download("a/one") == 0


def test_a_cached_role_is_verified_again_against_its_current_delegator(shop: Shop, client: Client) -> None:
    """Its delegator names another key, the snapshot the same version: what is held was signed by a key that counts no more."""
    shop.delegate("A", 5)
    shop.offer("one", b"one", role="A")
    shop.offer("two", b"two", role="A")
    shop.publish("A", "targets", "snapshot", "timestamp")
    assert client.download("one") == 0
    shop.targets.delegations.roles["A"].keyids = []
    shop.targets.add_key(KEYS[6].public_key, "A")
    shop.publish("targets", "snapshot", "timestamp")
    assert client.download("two") == 1
    assert client.files() == [b"one"]
    shop.signers["A"] = [KEYS[6]]
    shop.publish("A", "snapshot", "timestamp")
    assert client.download("two") == 0


def test_a_role_that_the_snapshot_does_not_name_is_not_asked_for(shop: Shop, client: Client) -> None:
    shop.delegate("A", 5)
    shop.publish("A", "targets")
    del shop.snapshot.meta["A.json"]
    shop.publish("snapshot", "timestamp")
    assert client.download("nothing") == 1
    assert "1.A.json" not in shop.asked_metadata()


def test_an_expired_role_offers_nothing(shop: Shop, client: Client) -> None:
    shop.delegate("A", 5).expires = LATER + timedelta(days=1)
    shop.offer("one", b"one", role="A")
    for role in TOP:
        shop.says[role].expires = LATER + timedelta(days=90)
    shop.publish("root", "A", "targets", "snapshot", "timestamp")
    assert client.refresh_at(LATER, "one")
    assert not client.refresh_at(LATER + timedelta(days=2), "one")
    shop.says["A"].expires = LATER + timedelta(days=9)
    shop.publish("A", "snapshot", "timestamp")
    assert client.refresh_at(LATER + timedelta(days=2), "one")


@pytest.mark.parametrize("name", ["?", "#", "/role", "../role", ".."])
def test_a_role_of_any_name_is_asked_for_and_kept_inside(shop: Shop, client: Client, name: str) -> None:
    shop.delegate(name, 5)
    shop.publish(name, "targets", "snapshot", "timestamp")
    assert client.download("nothing") == 1
    assert f"1.{quote(name, '')}.json" in shop.asked_metadata()
    assert len(client.held()) == 5


# --- targets ---


@pytest.mark.parametrize("hashes", [("sha256",), ("sha512",), ("sha512", "sha256")])
@pytest.mark.parametrize("path", ["one.txt", "a/b/one.txt"])
def test_a_target_is_fetched_once_and_again_only_when_it_changed(
    shop: Shop, client: Client, path: str, hashes: tuple[str, ...]
) -> None:
    for content in (b"first", b"second"):
        shop.offer(path, content, hashes=hashes)
        shop.publish("targets", "snapshot", "timestamp")
        assert (client.download(path), client.download(path)) == (0, 0)
        assert client.files() == [content]
    assert len([one for one in shop.asked if one.startswith("/targets/")]) == 2


@pytest.mark.parametrize("served", [b"evil!", b"longer than it may be", b""])
def test_a_target_that_is_not_the_one_described_is_refused(shop: Shop, client: Client, served: bytes) -> None:
    shop.offer("one", b"right")
    shop.publish("targets", "snapshot", "timestamp")
    shop.files.update({place: served for place in shop.files if place.startswith("/targets/")})
    assert client.download("one") == 1
    assert client.files() == []


def test_a_hash_of_a_kind_that_nobody_knows_proves_nothing(shop: Shop, client: Client) -> None:
    shop.offer("one", b"right")
    shop.targets.targets["one"].hashes = {"runes": "0" * 64}
    shop.files[f"/targets/{'0' * 64}.one"] = b"right"
    shop.publish("targets", "snapshot", "timestamp")
    assert client.download("one") == 1
    assert client.files() == []
