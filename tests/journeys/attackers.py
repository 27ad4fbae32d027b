"""Somebody who owns what clients read, and has copied some of the site's keys: what he can sign, and what he serves."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from purveyor.lab.fleet import BIN_BITS, Fleet
from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.keys import KeyName
from purveyor.site_server.publish import repository
from purveyor.wire import offers, package_info, shards
from purveyor.wire import settings as settings_file
from purveyor.wire.ids import CollectionId, PackageId
from purveyor.wire.offers import CollectionOffers
from purveyor.wire.package_info import PackageInfo
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import Shard

TIMESTAMP = "clidata.box/timestamp.json"

Change = Callable[[Targets], None]


class Thief:
    """He copied the keys of these roles before the story begins, and owns the access point: he serves what he signed.

    With the snapshot's and the timestamp's key he makes publications of his own; with any other he puts what he signed in the
    place of what the site's newest publication names, for snapshots name versions.
    """

    def __init__(self, fleet: Fleet, *roles: str) -> None:
        self._fleet = fleet
        standing = fleet.admin.ask(site_keys.keys_in, KeyState.CURRENT)
        self._made: dict[str, bytes] = {}
        self._keys = {role: _found(fleet, KeyName(role, standing[role].id)) for role in roles}

    # --- what he makes of the site's files ---

    def package(self, package: PackageId, change: Callable[[PackageInfo], PackageInfo | None]) -> None:
        """Serves another version of a package, or that there is none."""
        path = package_info.path_of(package)
        made = change(package_info.decode(self._target("packages", path)))
        self._publish_target("packages", path, None if made is None else package_info.encode(made))

    def offers(self, collection: CollectionId, change: Callable[[CollectionOffers], CollectionOffers]) -> None:
        """Serves other offers of a collection."""
        path = offers.path_of(collection)
        self._publish_target("offers", path, offers.encode(change(offers.decode(self._target("offers", path)))))

    def settings(self, change: Callable[[AgentSettings], AgentSettings]) -> None:
        """Serves other settings."""
        path = settings_file.PATH
        self._publish_target("settings", path, settings_file.encode(change(settings_file.decode(self._target("settings", path)))))

    def release(self, path: str, content: bytes) -> None:
        """Serves a release of the agent."""
        self._publish_target("agent", path, content)

    def timestamp(self, *, version: int = 0, ahead: timedelta = timedelta(0), snapshot: int = 0) -> None:
        """Serves a timestamp of his own: of another version, of a time to come, naming another snapshot."""

        def change(signed: Timestamp) -> None:
            signed.version = version or signed.version + 1
            signed.snapshot_meta = MetaFile(snapshot or signed.snapshot_meta.version)
            signed.unrecognized_fields["issued_at"] = (self._fleet.clock.now() + ahead).isoformat()
            signed.expires = (self._fleet.clock.now() + ahead + timedelta(days=3000)).replace(microsecond=0)

        self._fleet.cap.forge({TIMESTAMP: self._signed("timestamp", change)[1]})

    def snapshot(self, versions: Mapping[str, int]) -> None:
        """Serves a snapshot of his own in the place of the newest one, naming these versions."""

        def change(signed: Snapshot) -> None:
            signed.meta |= {name: MetaFile(version) for name, version in versions.items()}

        version, content = self._signed("snapshot", change)
        self._fleet.cap.forge({f"clidata.box/{version}.snapshot.json": content})

    def name_own_key_for_packages(self) -> None:
        """Serves targets that name his key for packages, signed with the only keys that he has."""

        def change(signed: Targets) -> None:
            signed.version += 1
            key = CryptoSigner(self._keys["offers"]).public_key
            signed.add_key(key, "packages")

        version, content = self._signed("targets", change, by="offers")
        self._fleet.cap.forge({f"clidata.box/{version}.targets.json": content} | self._publication("targets", version))

    def shard(self, change: Callable[[Shard], Shard]) -> None:
        """Serves another shard in the place of the one that such a small fleet has."""
        path = max(path for path in self._fleet.cap.files if path.endswith(".lkp"))
        public = self._keys["lookup"].public_key().public_bytes_raw().hex()
        made = change(shards.decode(self._fleet.cap.files[path].content, (public,)))
        self._fleet.cap.forge({path: shards.encode(made, self._keys["lookup"])})

    # --- how he signs it ---

    def _publish_target(self, role: str, path: str, content: bytes | None) -> None:
        name = repository.role_of_target(path, BIN_BITS) if role in repository.HASHED else role

        def change(signed: Targets) -> None:
            signed.version += self._makes_publications()
            if content is None:
                del signed.targets[path]
            else:
                signed.targets[path] = TargetFile.from_data(path, content, ["sha256"])

        files = {} if content is None else {repository.path_of_target(path, content): content}
        version, files_of_role = self._signed(name, change)
        files[f"clidata.box/{version}.{name}.json"] = files_of_role
        if self._makes_publications():
            files |= self._publication(name, version)
        self._fleet.cap.forge(files)

    def _publication(self, name: str, version: int) -> dict[str, bytes]:
        def name_role(signed: Snapshot) -> None:
            signed.version += 1
            signed.meta[f"{name}.json"] = MetaFile(version)

        snapshot, content = self._signed("snapshot", name_role)

        def name_snapshot(signed: Timestamp) -> None:
            signed.version += 1
            signed.unrecognized_fields["issued_at"] = self._fleet.clock.now().isoformat()
            signed.snapshot_meta = MetaFile(snapshot)

        return {f"clidata.box/{snapshot}.snapshot.json": content, TIMESTAMP: self._signed("timestamp", name_snapshot)[1]}

    def _makes_publications(self) -> bool:
        return {"snapshot", "timestamp"} <= self._keys.keys()

    def _signed(self, name: str, change: Callable[[Any], None], *, by: str = "") -> tuple[int, bytes]:
        metadata: Metadata = Metadata.from_bytes(self._newest(name))
        change(metadata.signed)
        metadata.signatures.clear()
        metadata.sign(CryptoSigner(self._keys[by or name.partition("-")[0]]))
        self._made[name] = metadata.to_bytes(repository.SERIALIZER)
        return metadata.signed.version, self._made[name]

    def _newest(self, name: str) -> bytes:
        """A role as it stands to those whom he misleads: as he signed it last, or as the site did."""
        return self._made.get(name) or self._fleet.admin.ask(publication.read_role, name)

    def _target(self, role: str, path: str) -> bytes:
        name = repository.role_of_target(path, BIN_BITS) if role in repository.HASHED else role
        listed = Metadata[Targets].from_bytes(self._newest(name)).signed.targets[path]
        folder, _, file = path.rpartition("/")
        return self._fleet.cap.files[f"{folder}/{listed.hashes['sha256']}.{file}"].content


def _found(fleet: Fleet, name: KeyName) -> Ed25519PrivateKey:
    key = fleet.site.keys.find(name)
    assert key is not None
    return key
