"""Who this client is: its key, its site, and the numbers that it gives to what it sends."""

from dataclasses import dataclass
from sqlite3 import Connection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.client.state import origin
from purveyor.client.state.store import State
from purveyor.wire.errors import RefusedError
from purveyor.wire.ids import ClientId, SiteCode, client_id_of
from purveyor.wire.jobs import JobState


@dataclass(frozen=True, slots=True)
class Identity:
    """A client's identity. `access_point` is the URL of the CAP at which it joined."""

    site: SiteCode
    client: ClientId
    key: Ed25519PrivateKey
    access_point: str

    @property
    def public_key(self) -> str:
        """The raw public key in hexadecimal."""
        return self.key.public_key().public_bytes_raw().hex()


def new_identity(site: SiteCode, access_point: str, seed: bytes) -> Identity:
    """An identity made of 32 random bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Identity(site, client_id_of(key.public_key().public_bytes_raw()), key, access_point)


def store_identity(state: State, identity: Identity) -> None:
    """Stores who this client is; there is one identity at most."""
    with state.transaction() as tx:
        tx.execute(
            "insert into identity values (1, ?, ?, ?, ?, 1)",
            (identity.site, identity.key.private_bytes_raw(), identity.client, identity.access_point),
        )


def has_identity(state: State) -> bool:
    """Whether this client ever began to join a site."""
    return state.connection.execute("select 1 from identity").fetchone() is not None


def read_identity(state: State) -> Identity:
    """Who this client is. Errors: RefusedError when it never joined."""
    row = state.connection.execute("select site, private_key, client, access_point from identity").fetchone()
    if row is None:
        raise RefusedError("this client has not joined a site: `purveyor client join CAP --code CODE --state DIR` does that")
    return Identity(SiteCode(row[0]), ClientId(row[2]), Ed25519PrivateKey.from_private_bytes(bytes(row[1])), row[3])


def highest_sequence(state: State) -> int:
    """The highest number that was given to an upward item, as far as this state remembers."""
    return int(state.connection.execute("select next_sequence - 1 from identity").fetchone()[0])


def next_sequence(state: State) -> int:
    """The next number of an upward item, raised in the open transaction."""
    with state.transaction() as tx:
        row = tx.execute("update identity set next_sequence = next_sequence + 1 returning next_sequence - 1").fetchone()
    return int(row[0])


def change_identity(state: State, identity: Identity) -> None:
    """Another identity at the same site: what that site published stays, what it said to the one before does not.

    Plans are forgotten, since others may be offered to the new one; records stay, so nothing is run again that was.
    """
    with state.transaction() as tx:
        tx.execute("delete from identity")
        store_identity(state, identity)
        for statement in (
            "delete from item",
            "delete from message",
            "delete from membership",
            "delete from fact where name in ('entry', 'heartbeat_at', 'heard of items', 'has parted', 'problems')",
            "delete from mark where name = 'told_applied'",
        ):
            tx.execute(statement)
        _drop_plans(tx)
        origin.begin_numbers(state)


def forget_identity(state: State) -> None:
    """Forgets who this client was, and all that its site ever said. A program that runs is still watched to its end.

    The key's bytes are overwritten on the disk too: nobody who finds the machine later speaks for this client (Q226829).
    """
    state.connection.execute("pragma secure_delete = on")
    tables = ("identity", "membership", "mark", "fact", "trusted", "target", "tag", "point", "item", "message", "deleted")
    with state.transaction() as tx:
        for table in tables:
            tx.execute(f"delete from {table}")  # noqa: S608 - names from the tuple above
        _drop_plans(tx)
    state.connection.execute("pragma wal_checkpoint(truncate)")


def _drop_plans(tx: Connection) -> None:
    tx.execute(
        "delete from job where coalesce(json_extract(cast(content as text), '$.state'), '') not in (?, ?)",
        (JobState.RUNNING.value, JobState.RESTART_PENDING.value),
    )
