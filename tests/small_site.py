"""A site's down boxes without its database: real keys, the real repository, real shards, in the lab's folder in memory.

For tests of whoever reads what a site publishes. Every step is made by hand, so that a test can make what no honest site would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tuf.api.metadata import Key, Metadata, Root
from tuf.api.serialization.json import JSONSerializer

from purveyor.client.state.identity import Identity, new_identity
from purveyor.lab.clock import Clock
from purveyor.lab.transport import MemoryBoxes, MemoryPoint
from purveyor.site_server.keys import SIGNING_ROLES, Keys
from purveyor.site_server.publish import repository
from purveyor.site_server.publish.repository import Changes, Lifetimes, SignedRole
from purveyor.site_server.publish.turn import write_rank
from purveyor.wire import envelope, offers, package_info, shards
from purveyor.wire import settings as settings_file
from purveyor.wire.ids import ClientId, CollectionId, PackageId, SiteCode, collection_id, number_of, package_id
from purveyor.wire.offers import Advertisement, Assignment, AssignmentKind, CollectionOffers
from purveyor.wire.package_info import Command, PackageInfo, Program, ProgramKey
from purveyor.wire.settings import AgentSettings, Point, Shards
from purveyor.wire.shards import ClientState, Entry, Shard

SITE = SiteCode("S01")
URL = "http://cap.test/cap"
BIN_BITS = 2
DAY = timedelta(days=1)
LIFETIMES = Lifetimes(
    timestamp_seconds=7 * 86_400, online_seconds=30 * 86_400, offline_seconds=365 * 86_400, rhythm_seconds=86_400
)


@cache
def fixed_keys(name: str = "site") -> Keys:
    """The same keys in every run, different ones for every name."""
    sealing = X25519PrivateKey.from_private_bytes(_seed(f"{name} sealing"))
    return Keys(
        signing={role: Ed25519PrivateKey.from_private_bytes(_seed(f"{name} {role}")) for role in SIGNING_ROLES},
        sealing={envelope.sealing_key(sealing).id: sealing},
    )


def replaced_keys(roles: str, name: str = "new") -> Keys:
    """The fixed keys with those of some roles replaced."""
    old, new = fixed_keys(), fixed_keys(name)
    return Keys(signing=dict(old.signing) | {role: new.signing[role] for role in roles.split()}, sealing=old.sealing)


@dataclass
class Repository:
    """The signed roles of a site as they stand, and every version that ever stood."""

    clock: Clock
    keys: Keys = field(default_factory=fixed_keys)
    roles: dict[str, SignedRole] = field(default_factory=dict)
    versions: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keep(repository.first_roles(self.keys, bin_bits=BIN_BITS, lifetimes=LIFETIMES, now=self.clock.now()))

    def publish(
        self, targets: Mapping[str, bytes | None] | None = None, *, highest: Mapping[str, int] | None = None, renew: str = ""
    ) -> list[SignedRole]:
        """The next publication, as the site's own turn makes it."""
        changes = Changes(targets=targets or {}, highest=highest or {}, renew=frozenset(renew.split()))
        signed = repository.next_roles(self.read, changes, keys=self.keys, lifetimes=LIFETIMES, now=self.clock.now())
        self.keep(signed)
        return signed

    def keep(self, signed: list[SignedRole]) -> None:
        """Makes these the roles that stand."""
        for role in signed:
            self.roles[role.name] = role
            self.versions[role.name, role.version] = role.content

    def read(self, name: str) -> bytes:
        """The signed bytes of a role as it stands."""
        return self.roles[name].content

    def signed_by_hand(self, name: str, change, *, by: str = "", keys: Keys | None = None) -> SignedRole:  # noqa: ANN001 - any change
        """The standing role after `change` was applied to it, signed by any role's key: what only an attacker would publish."""
        metadata: Metadata = Metadata.from_bytes(self.read(name))
        change(metadata.signed)
        metadata.signatures.clear()
        metadata.sign((keys or self.keys).signer(by or name.partition("-")[0]))
        content = metadata.to_bytes(JSONSerializer(compact=True))
        return SignedRole(name, metadata.signed.version, content, metadata.signed.expires)

    def rotate_root(self, new: Keys, *roles: str, signers: tuple[Keys, ...] = ()) -> SignedRole:
        """The next root, in which these top-level roles have other keys; signed by the old and the new root key."""
        metadata = Metadata[Root].from_bytes(self.read("root"))
        for role in roles:
            for old in list(metadata.signed.roles[role].keyids):
                metadata.signed.revoke_key(old, role)
            metadata.signed.add_key(_public(new, role), role)
        metadata.signed.version += 1
        metadata.signatures.clear()
        for keys in signers or (self.keys, new):
            metadata.sign(keys.signer("root"), append=True)
        rotated = SignedRole(
            "root", metadata.signed.version, metadata.to_bytes(JSONSerializer(compact=True)), metadata.signed.expires
        )
        self.keep([rotated])
        return rotated


class SmallSite:
    """A repository, its shards, and the folder of boxes in which both are written in the order of publication."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.boxes = MemoryBoxes(URL, self.clock.now)
        self.repository = Repository(self.clock)
        self.shelf = self.boxes.shelf()
        self.publication = 0
        self.settings = self.settings_of()
        self._write([*self.repository.roles.values()], {})
        self.publish({settings_file.PATH: settings_file.encode(self.settings)})

    def settings_of(self, **changes: object) -> AgentSettings:
        """The agents' settings, with some changed."""
        keys = self.repository.keys
        public = keys.private("lookup").public_key().public_bytes_raw().hex()
        values: dict[str, object] = {
            "site": SITE,
            "incarnation": 1,
            "shards": Shards(generation=1, bits=0, keys=(public,)),
            "sealing_keys": keys.sealing_keys(),
            "access_points": (Point(id="cap1", url="."),),
            "distribution_points": (Point(id="dp1", url="../dp"),),
        }
        return AgentSettings(**(values | changes))  # type: ignore[arg-type]

    def set_settings(self, **changes: object) -> None:
        """Publishes changed settings."""
        self.settings = self.settings_of(**changes)
        self.publish({settings_file.PATH: settings_file.encode(self.settings)})

    def publish(
        self, targets: Mapping[str, bytes | None] | None = None, *, highest: Mapping[str, int] | None = None, renew: str = ""
    ) -> None:
        """Publishes target files and what follows from them, in the order of publication."""
        self._write(self.repository.publish(targets, highest=highest, renew=renew), targets or {})

    def offer(self, *programs: ProgramKey, collection: CollectionId, **fields: object) -> None:
        """Publishes the offers of a collection: these programs, each as soon as possible."""
        advertised = tuple(_advertisement(number, key) for number, key in enumerate(programs, start=1))
        said = CollectionOffers(collection=collection, advertisements=advertised, **fields)  # type: ignore[arg-type]
        self.publish({offers.path_of(collection): offers.encode(said)})

    def add_packages(self, *infos: PackageInfo) -> None:
        """Publishes packages; the highest number given is that of the highest of them."""
        highest = max(number_of(info.id) for info in infos)
        self.publish({package_info.path_of(info.id): package_info.encode(info) for info in infos}, highest={"packages": highest})

    def delete_package(self, package: PackageId) -> None:
        """Publishes that a package is no longer there."""
        self.publish({package_info.path_of(package): None})

    def say(self, entries: Mapping[ClientId, Entry], **fields: object) -> None:
        """Publishes the one shard of this site."""
        self.write_shard(self.shard_of(entries, **fields))

    def shard_of(self, entries: Mapping[ClientId, Entry], **fields: object) -> Shard:
        """The next publication of the one shard, compiled against what stands."""
        self.publication += 1
        values: dict[str, object] = {
            "generation": 1,
            "number": 0,
            "publication": self.publication,
            "snapshot": self.repository.roles["snapshot"].version,
            "issued_at": self.clock.now(),
            "expires_at": self.clock.now() + 14 * DAY,
            "entries": dict(entries),
        }
        return Shard(**(values | fields))  # type: ignore[arg-type]

    def write_shard(self, shard: Shard, *, keys: Keys | None = None) -> None:
        """Puts a shard where clients look for it."""
        self.shelf.replace(shards.path_of(1, 0), shards.encode(shard, (keys or self.repository.keys).private("lookup")))

    def write_role(self, role: SignedRole) -> None:
        """Puts a role's file into its box."""
        self._write([role], {})

    def point(self, client: str = "c1") -> MemoryPoint:
        """The folder as a client sees it."""
        return self.boxes.point(client)

    def requests_since(self, mark: int) -> list[str]:
        """Paths asked for since so many requests."""
        return [request.path for request in self.boxes.requests[mark:]]

    def _write(self, signed: list[SignedRole], targets: Mapping[str, bytes | None]) -> None:
        files = {path: role.content for role in signed for path in repository.paths_of(role)}
        files |= {repository.path_of_target(path, content): content for path, content in targets.items() if content is not None}
        for path in sorted(files, key=lambda path: (write_rank(path), path)):
            put = self.shelf.replace if path in ("clidata.box/timestamp.json", "clidata.box/root.json") else self.shelf.write
            put(path, files[path])


def identity_of(name: str) -> Identity:
    """A client with a name, the same in every run."""
    return new_identity(SITE, URL, _seed(name))


def member(*collections: str, received: int = 0) -> Entry:
    """The entry of a member of these collections."""
    return Entry(state=ClientState.MEMBER, received=received, collections=tuple(collection_id(one) for one in collections))


def package(text: str, *numbers: int, highest: int = 0, **fields: object) -> PackageInfo:
    """A package with programs of these numbers."""
    programs = tuple(Program(number=number, name=f"program {number}", command=Command(shell_line="true")) for number in numbers)  # type: ignore[arg-type]
    values: dict[str, object] = {"name": "a package", "source_version": 1, "highest_program": highest or max(numbers, default=0)}
    return PackageInfo(id=package_id(text), programs=programs, **(values | fields))  # type: ignore[arg-type]


def key_of(text: str, number: int = 1) -> ProgramKey:
    """A program of a package."""
    return ProgramKey(package_id(text), number)  # type: ignore[arg-type]


def _advertisement(number: int, key: ProgramKey) -> Advertisement:
    return Advertisement(
        id=f"S0120{number:03d}",  # type: ignore[arg-type]
        package=key.package,
        program=key.program,
        available_from=datetime.fromisoformat("2026-01-01T00:00:00Z"),
        assignments=(Assignment(number=1, kind=AssignmentKind.ASAP),),
    )


def _public(keys: Keys, role: str) -> Key:
    return repository.SSlibKey.from_crypto(keys.private(role).public_key())


def _seed(name: str) -> bytes:
    return (name.encode() * 32)[:24] + len(name).to_bytes(8, "big")
