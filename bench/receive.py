"""How many signed, sealed status messages a second go from the box to the summary: read, open, verify, store, summarise, remove.

    python bench/receive.py [--items 20000] [--clients 2000] [--messages 1] [--openers 1] [--database URL]

Prints its own counts: items put, rows of messages, rows of job states, files left. Ends with 1 when one is not as it must be.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import func, insert, select

from purveyor.site_server.database import publication, schema
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.executive import ITEMS_A_TURN
from purveyor.site_server.receive.opening import contents_of
from purveyor.site_server.receive.turn import turn
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire import envelope, reports
from purveyor.wire.ids import AdvertisementId, ClientId, PackageId, ProgramNumber, SiteCode, client_id_of
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Item, StatusMessage, StatusMessages
from purveyor.wire.settings import SealingKey
from purveyor.wire.status_messages import StatusId

SITE = SiteCode("S01")
BOX = "statmsgs.box"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def main() -> int:
    """Runs the measurement and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=2_000)
    parser.add_argument("--messages", type=int, default=1, help="status messages in an item")
    parser.add_argument("--openers", type=int, default=1, help="processes that open seals; 0: the site's own does")
    parser.add_argument("--database", default="", help="URL of an empty database; SQLite in a temporary folder if not given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as name:
        folder = Path(name)
        with open_database(asked.database or f"sqlite:///{folder / 'site.db'}") as database:
            return _measure(database, folder, asked)


def _measure(database: Database, folder: Path, asked: argparse.Namespace) -> int:
    items, clients, messages = int(asked.items), int(asked.clients), int(asked.messages)
    database.migrate()
    sealing = X25519PrivateKey.generate()
    public = envelope.sealing_key(sealing)
    keys = [Ed25519PrivateKey.generate() for _ in range(clients)]
    with database.write() as tx:
        publication.insert_site(tx, code=SITE, bin_bits=4, now=NOW)
        tx.execute(insert(schema.shard_generation), [{"generation": 2, "bits": 8, "announced_at": NOW}])
        shard = {"generation": 2, "publication": 0, "is_wanted": False, "is_written": True}
        tx.execute(insert(schema.shard), [shard | {"number": number} for number in range(256)])
        tx.execute(insert(schema.client), [_client_row(key) for key in keys])
    cap, ring = FolderShelf(folder / "CAP_S01"), FolderShelf(folder / "rejected")
    for number, content in enumerate(_items(keys, public, items=items, messages=messages)):
        cap.write(f"{BOX}/{number:032x}", content)
    cap.sync()
    print(f"put        {items:>9,} items of {clients:,} clients, {messages} status messages each")
    with openers_of(asked.openers) as openers:
        started = time.perf_counter()
        turns, longest = _receive_all(database, cap, ring, {public.id: sealing}, openers)
        seconds = time.perf_counter() - started
    return _report(database, cap, items=items, messages=messages, seconds=seconds, turns=turns, longest=longest)


def _receive_all(
    database: Database, cap: FolderShelf, ring: FolderShelf, keys: dict[str, X25519PrivateKey], openers: Executor | None
) -> tuple[int, float]:
    """Turns until the boxes are empty. Shape: how many, and the longest in seconds."""
    turns = 0
    longest = 0.0
    while True:
        before = time.perf_counter()
        received = turn(
            database=database,
            cap=cap,
            rejected=ring,
            site_code=SITE,
            sealing_keys=keys,
            now=NOW,
            limit=ITEMS_A_TURN,
            openers=openers,
        )
        if received.read == 0:
            return turns, longest
        longest = max(longest, time.perf_counter() - before)
        turns += 1


@contextmanager
def openers_of(count: int) -> Iterator[Executor | None]:
    """Processes that open seals, started and warm; None where there are to be none."""
    if count == 0:
        yield None
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as openers:
        openers.submit(contents_of, [], {}).result()
        yield openers


def _report(
    database: Database, cap: FolderShelf, *, items: int, messages: int, seconds: float, turns: int, longest: float
) -> int:
    with database.read() as tx:
        rows = {
            table.name: int(tx.execute(select(func.count()).select_from(table)).scalar_one())
            for table in (schema.upward_item, schema.status_message, schema.job_state)
        }
        received = int(tx.execute(select(func.sum(schema.client.c.received))).scalar_one())
    left = len(cap.listed(BOX, limit=items + 1))
    print(f"stored     {rows['status_message']:>9,} status messages, {rows['job_state']:,} job states")
    print(f"told       {received:>9,} items as received (the sum over all clients); files left in the box: {left}")
    print(f"took       {seconds:>9.2f} s in {turns} turns, the longest {longest:.2f} s")
    print(f"rate       {items / seconds:>9,.0f} items/s, {items * messages / seconds:,.0f} status messages/s")
    is_whole = rows["status_message"] == items * messages and received == items and left == 0
    if not is_whole:
        print("something was lost or is left", file=sys.stderr)
    return 0 if is_whole else 1


def _client_row(key: Ed25519PrivateKey) -> dict[str, object]:
    public = key.public_key().public_bytes_raw()
    client = client_id_of(public)
    return {
        "id": client,
        "shard_key": int(client[:8], 16),
        "public_key": public.hex(),
        "name": client[:8],
        "state": "member",
        "facts": "{}",
        "joined_at": NOW,
    }


def _items(keys: list[Ed25519PrivateKey], sealing: SealingKey, *, items: int, messages: int) -> Iterator[bytes]:
    """Sealed items, the clients taking turns, each client's numbered from 1."""
    chance = random.Random(1)
    for number in range(items):
        key = keys[number % len(keys)]
        public = key.public_key().public_bytes_raw()
        client = client_id_of(public)
        sequence = number // len(keys) + 1
        body = StatusMessages(messages=tuple(_message(chance, sequence) for _ in range(messages)))
        item = Item(
            client=client,
            public_key=public.hex(),
            sequence=sequence,
            oldest_kept=1,
            incarnation=1,
            applied=1,
            made_at=NOW,
            body=body,
        )
        yield _sealed(item, client, key, sealing)


def _sealed(item: Item, client: ClientId, key: Ed25519PrivateKey, sealing: SealingKey) -> bytes:
    return envelope.seal(reports.encode(item, key), client=client, box=BOX, key=sealing)


def _message(chance: random.Random, sequence: int) -> StatusMessage:
    return StatusMessage(
        id=StatusId.PROGRAM_STARTED,
        at=NOW,
        package=PackageId(f"S010000{chance.randint(1, 9)}"),
        program=ProgramNumber(1),
        advertisement=AdvertisementId("S0120001"),
        occurrence=f"S0120001.1@2030-01-01T00:00:{sequence % 60:02}",
        source_version=1,
        state=chance.choice((JobState.RUNNING, JobState.SUCCEEDED)),
    )


if __name__ == "__main__":
    sys.exit(main())
