"""Machines that send items, and a site that receives them: the parts of tests about what comes up."""

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Table, insert, select

from purveyor.site_server.database import schema
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.rows import AnyRow
from purveyor.site_server.receive import turn as receive
from purveyor.site_server.receive.turn import Received
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire import envelope, reports
from purveyor.wire.ids import AdvertisementId, PackageId, ProgramNumber, client_id_of
from purveyor.wire.jobs import JobState
from purveyor.wire.join_code import secret_digest
from purveyor.wire.reports import BOX_OF, Body, Discovery, Facts, Item, Joining, StatusMessage, StatusMessages
from purveyor.wire.status_messages import StatusId
from site_rows import NOW, SITE, add_site

SECRET = "JBSWY3DPEHPK3PXP"
PACKAGE = PackageId("S0100001")
SEALING = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"sealing").digest())
SEALED_TO = envelope.sealing_key(SEALING)

_names = itertools.count(1)


class Machine:
    """A machine with a key of its own that numbers what it says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self.key.public_key().public_bytes_raw()
        self.id = client_id_of(self.public)
        self.sequence = 0

    def facts(self) -> Facts:
        return Facts(name=self.name, platform="linux/debian/12")

    def joining(self, secret: str = SECRET) -> Joining:
        return Joining(secret=secret, facts=self.facts())

    def signed(self, body: Body, **parts: Any) -> bytes:
        """The next item, signed; `parts` replaces any of its own."""
        if "sequence" not in parts:
            self.sequence += 1
        values: dict[str, Any] = {
            "client": self.id,
            "public_key": self.public.hex(),
            "sequence": self.sequence,
            "oldest_kept": 1,
            "incarnation": 1,
            "applied": 1,
            "made_at": NOW,
            "body": body,
        }
        return reports.encode(Item(**values | parts), self.key)

    def sealed(self, body: Body, **parts: Any) -> bytes:
        """The next item, as it lies in a box."""
        return self.sealed_as(BOX_OF[type(body)], body, **parts)

    def sealed_as(self, box: str, body: Body, **parts: Any) -> bytes:
        """The next item, as it lies in this box, whatever is in it."""
        return envelope.seal(self.signed(body, **parts), client=self.id, box=box, key=SEALED_TO)


class Receiving:
    """A site with a CAP folder that receives."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.cap = FolderShelf(folder / "CAP_S01")
        self.ring = FolderShelf(folder / "rejected")
        self.now = NOW
        with database.write() as tx:
            self.all_systems = add_site(tx)
            if not tx.execute(select(schema.shard_generation)).all():
                tx.execute(insert(schema.shard_generation).values(generation=1, bits=0, announced_at=NOW))
                tx.execute(insert(schema.shard).values(generation=1, number=0, publication=0, is_wanted=False, is_written=True))
            tx.execute(
                insert(schema.join_code).values(
                    digest=secret_digest(SECRET), created_at=NOW, created_by="anna", needs_approval=False
                )
            )

    def put(self, box: str, content: bytes, name: str = "") -> str:
        """An item in a box; its path."""
        path = f"{box}/{name or format(next(_names), '032x')}"
        self.cap.write(path, content)
        return path

    def send(self, machine: Machine, body: Body, /, **parts: Any) -> str:
        """The machine's next item in its box; its path."""
        return self.put(BOX_OF[type(body)], machine.sealed(body, **parts))

    def turn(self, limit: int = 100, openers: Executor | None = None) -> Received:
        return receive.turn(
            database=self.database,
            cap=self.cap,
            rejected=self.ring,
            site_code=SITE,
            sealing_keys={SEALED_TO.id: SEALING},
            now=self.now,
            limit=limit,
            openers=openers,
        )

    def joined(self, name: str) -> Machine:
        """A machine that has joined."""
        machine = Machine(name)
        self.send(machine, machine.joining())
        assert self.turn().joined == 1
        return machine

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def rows(self, table: Table) -> list[Any]:
        with self.database.read() as tx:
            return list(tx.execute(select(table)).all())

    def client(self, machine: Machine) -> AnyRow:
        """The row of a machine."""
        with self.database.read() as tx:
            return tx.execute(select(schema.client).where(schema.client.c.id == machine.id)).one()

    def set_client(self, machine: Machine, **values: Any) -> None:
        with self.database.write() as tx:
            tx.execute(schema.client.update().where(schema.client.c.id == machine.id).values(**values))

    def set_code(self, **values: Any) -> None:
        with self.database.write() as tx:
            tx.execute(schema.join_code.update().values(**values))

    def is_shard_wanted(self) -> bool:
        """Whether somebody is to be told something; forgets that it was asked."""
        with self.database.write() as tx:
            is_wanted = bool(tx.execute(select(schema.shard.c.is_wanted)).scalars().first())
            tx.execute(schema.shard.update().values(is_wanted=False))
        return is_wanted

    def boxes(self) -> Iterator[str]:
        """Paths of all items that lie in up boxes."""
        for box in sorted({*BOX_OF.values()}):
            yield from sorted(f"{box}/{item.name}" for item in self.cap.listed(box, limit=100_000))

    def reasons(self) -> list[str]:
        """Why items were set aside, each of which lies beside its reason."""
        names = sorted(item.name for item in self.ring.listed("items", limit=10_000))
        reasons = [name for name in names if name.endswith(".reason")]
        assert [f"{name}.reason" for name in names if name not in reasons] == reasons
        return [(self.ring.read(f"items/{name}") or b"").decode() for name in reasons]

    def add_package(self, package: PackageId, state: str = "active", **values: Any) -> None:
        with self.database.write() as tx:
            tx.execute(
                insert(schema.package).values(
                    id=package,
                    name=package,
                    version="",
                    publisher="",
                    source="",
                    state=state,
                    source_version=1,
                    size_bytes=0,
                    highest_program=1,
                    created_at=NOW,
                    **values,
                )
            )

    def set_package(self, package: PackageId, **values: Any) -> None:
        with self.database.write() as tx:
            tx.execute(schema.package.update().where(schema.package.c.id == package).values(**values))


def status(
    *states: JobState, package: str = PACKAGE, source_version: int = 1, at: datetime = NOW, text: str = ""
) -> StatusMessages:
    """Messages about one job, one for each state that it went through."""
    return StatusMessages(
        messages=tuple(
            StatusMessage(
                id=StatusId.PROGRAM_STARTED,
                at=at,
                package=PackageId(package),
                program=ProgramNumber(1),
                advertisement=AdvertisementId("S0120001"),
                occurrence="S0120001.1@2026-12-01",
                source_version=source_version,
                state=state,
                text=text,
            )
            for state in states
        )
    )


def heartbeat(
    machine: Machine, *packages: str, absent_requests: int = 0, absent_by_point: dict[str, int] | None = None
) -> Discovery:
    """A discovery record."""
    return Discovery(
        facts=machine.facts(),
        packages=tuple(PackageId(package) for package in packages),
        absent_requests=absent_requests,
        absent_by_point=absent_by_point or {},
    )
