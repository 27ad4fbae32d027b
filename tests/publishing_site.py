"""A site that only publishes: its database in memory, its CAP in memory, and everything else in the test's hands.

The keys are the same in every run, and ed25519 signs the same bytes alike, so two sites that do the same publish the same bytes.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, insert, update

from purveyor.lab.clock import Clock
from purveyor.lab.database import LabDatabase
from purveyor.lab.faults import Files
from purveyor.lab.power import Power
from purveyor.lab.transport import MemoryBoxes
from purveyor.site_server.admin import advertisements, collections, packages, programs
from purveyor.site_server.database import membership, schema, settings, wanted
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.keys import Keys
from purveyor.site_server.publish import audit, turn
from purveyor.site_server.publish.turn import Published
from purveyor.site_server.site import prepare_database
from purveyor.transport.interface import Shelf
from purveyor.wire.ids import ClientId, CollectionId, PackageId, ProgramNumber, client_id_of
from small_site import SITE, URL, fixed_keys

BIN_BITS = 2


class Saved(NamedTuple):
    """A whole site at one moment: the time, the bytes of its database, its boxes."""

    at: datetime
    database: bytes
    files: Files


BY = {"by": "somebody"}


class PublishingSite:
    """One site. `boxes` is its CAP, `power` that of its machine."""

    def __init__(self, clock: Clock | None = None, *, keys: Keys | None = None) -> None:
        self.clock = clock or Clock()
        self.power = Power()
        self.keys = keys or fixed_keys()
        self.boxes = MemoryBoxes(URL, self.clock.now, power=self.power)
        self.cap = self.boxes.shelf()
        self._opened = open_database("sqlite://")
        self.database = LabDatabase(self._opened, self.power)
        prepare_database(self.database, code=SITE, keys=self.keys, bin_bits=BIN_BITS, now=self.clock.now())

    def turn(self, *, after: timedelta = timedelta(0)) -> Published:
        """One turn of publication, when so much more time has passed."""
        self.clock.advance(after)
        return turn.turn(database=self.database, cap=self.cap, keys=self.keys, now=self.clock.now())

    def do(self, act: Callable[[Connection], object]) -> None:
        """Changes something in one transaction."""
        with self.database.write() as tx:
            act(tx)

    def audit(self) -> list[str]:
        """Compares everything once. Shape: what was healed."""
        return audit_all(self.database, self.cap)

    def files(self) -> dict[str, bytes]:
        """What lies in the down boxes."""
        return {path: stored.content for path, stored in self.boxes.files.items()}

    def power_back(self) -> None:
        """The site's machine starts again after a power cut."""
        self.boxes.power_cut()
        self.power.restore()

    def saved(self) -> "Saved":
        """Everything as it is now."""
        with self._sqlite() as connection:
            return Saved(self.clock.now(), connection.serialize(), dict(self.boxes.files))

    def restore(self, saved: "Saved") -> None:
        """Makes everything as it was; nothing is remembered of what came between, and the power is on."""
        self.power.restore()
        with self._sqlite() as connection:
            connection.deserialize(saved.database)
        self.boxes = MemoryBoxes(URL, self.clock.now, power=self.power)
        self.boxes.files = dict(saved.files)
        self.cap = self.boxes.shelf()
        self.clock = Clock(saved.at)
        self.boxes.now = self.clock.now

    @contextmanager
    def _sqlite(self) -> Iterator[sqlite3.Connection]:
        borrowed = self._opened._engine.raw_connection()
        try:
            assert isinstance(borrowed.driver_connection, sqlite3.Connection)
            yield borrowed.driver_connection
        finally:
            borrowed.close()

    # --- what administrators and clients do ---

    def add_package(self, name: str = "a package") -> PackageId:
        """A package without content, with two programs."""
        with self.database.write() as tx:
            package = packages.add(tx, name=name, now=self.clock.now(), **BY)
            for program in ("install", "repair"):
                programs.add(tx, package, name=program, command="true", is_shell=True, now=self.clock.now(), **BY)
        return package

    def add_collection(self, name: str = "a collection", *members: ClientId) -> CollectionId:
        """A collection of these clients."""
        with self.database.write() as tx:
            return collections.add(tx, name=name, members=members, now=self.clock.now(), **BY)

    def advertise(self, package: PackageId, collection: CollectionId, program: int = 1) -> str:
        """Advertises a program of a package."""
        with self.database.write() as tx:
            return advertisements.add(
                tx,
                package=package,
                program=ProgramNumber(program),
                collection=collection,
                assignments=("asap",),
                is_confirmed=True,
                now=self.clock.now(),
                **BY,
            )

    def add_clients(self, *names: str) -> list[ClientId]:
        """Clients that have joined."""
        found = [client_id_of(name.encode()) for name in names]
        with self.database.write() as tx:
            for name, client in zip(names, found, strict=True):
                values = {
                    "id": client,
                    "shard_key": int(client[:8], 16),
                    "public_key": "ab" * 32,
                    "name": name,
                    "state": "member",
                }
                number = tx.execute(
                    insert(schema.client).values(facts="{}", joined_at=self.clock.now(), **values)
                ).inserted_primary_key
                assert number is not None
                membership.evaluate_client(tx, number[0], self.clock.now())
                wanted.want_shard_of(tx, client)
        return found

    def set(self, **values: int) -> None:
        """Changes settings."""
        with self.database.write() as tx:
            for name, value in values.items():
                settings.change_setting(tx, name, value)

    def make_received(self, client: ClientId, received: int) -> None:
        """Lets a client's items be received up to a number."""
        with self.database.write() as tx:
            tx.execute(update(schema.client).where(schema.client.c.id == client).values(received=received))
            wanted.want_shard_of(tx, client)


def audit_all(database: Database, cap: Shelf) -> list[str]:
    """Compares all down boxes with the database once, slice by slice. Shape: the paths that were healed."""
    healed: list[str] = []
    place: audit.Place | None = audit.Place()
    while place is not None:
        audited = audit.audit_slice(database, cap, place)
        healed += audited.healed
        place = audited.next
    return healed
