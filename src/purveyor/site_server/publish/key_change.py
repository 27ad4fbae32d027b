"""Which keys count at a turn, and which of those that are to count can be brought in by it.

A new key counts from the publication on whose metadata names it, and not earlier: the change of the rows and the signed bytes
are one transaction. Private halves of keys that are retired are named to whoever keeps them, to be destroyed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.site_keys import KeyState, SiteKey
from purveyor.site_server.database.wanted import want_settings
from purveyor.site_server.keys import SEALING, KeyName, Keys, KeySource
from purveyor.site_server.model.settings import SiteSettings
from purveyor.wire.settings import SealingKey
from purveyor.wire.signed import key_id_of

TOP = ("root", "targets", "snapshot", "timestamp")
DELEGATED = ("packages", "agent", "offers", "settings")


class Standing(NamedTuple):
    """All keys that ever were; those that count and are here; which one counts for each role; which is to count next."""

    rows: list[SiteKey]
    keys: Keys
    current: Mapping[str, SiteKey]
    following: Mapping[str, SiteKey]


def begin(tx: Connection, keys: Keys, now: datetime) -> None:
    """The keys of a new site."""
    for role, key in keys.signing.items():
        public = key.public_key().public_bytes_raw().hex()
        _insert_current(tx, role, SealingKey(id=key_id(public), public=public), now)
    _insert_current(tx, SEALING, keys.sealing_keys()[0], now)


def standing(tx: Connection, source: KeySource) -> Standing:
    """The keys as they are now; where their private halves are is recorded."""
    rows = site_keys.all_keys(tx)
    here = {(row.role, row.id) for row in rows if is_here(source, row)}
    if here != {(row.role, row.id) for row in rows if row.is_here}:
        site_keys.note_places(tx, here)
    current = {row.role: row for row in rows if row.state is KeyState.CURRENT}
    signing = {role: key for role, row in current.items() if (key := source.find(KeyName(role, row.id))) is not None}
    following = {row.role: row for row in rows if row.state is KeyState.NEXT}
    return Standing(rows, Keys(signing, source.sealing), current, following)


def is_here(source: KeySource, row: SiteKey) -> bool:
    """Whether the private half of a key is on the server."""
    return row.id in source.sealing if row.role == SEALING else source.find(KeyName(row.role, row.id)) is not None


def possible_here(stand: Standing, source: KeySource) -> frozenset[str]:
    """The roles whose next key can be brought in with the keys that are here; the others wait for signatures."""
    taken = frozenset(role for role, row in stand.following.items() if is_here(source, row))
    while True:
        signing = stand.keys.signing.keys() | taken
        left = frozenset(
            role for role in taken if _named_by(role) <= signing and (role != "root" or "root" in stand.keys.signing)
        )
        if left == taken:
            return taken
        taken = left


def keys_after(stand: Standing, source: KeySource, roles: frozenset[str]) -> Keys:
    """The keys that count, and are here, once the next ones of these roles do."""
    signing = dict(stand.keys.signing)
    for role in roles - {SEALING}:
        key = source.find(KeyName(role, stand.following[role].id))
        if key is not None:
            signing[role] = key
        else:
            signing.pop(role, None)
    return Keys(signing, stand.keys.sealing)


def bring_in(tx: Connection, stand: Standing, roles: frozenset[str], now: datetime) -> None:
    """Lets the next keys of these roles count, and asks for what has to say so; metadata that names them comes with it."""
    for role in roles:
        before = stand.current.get(role)
        if before is not None:
            is_used_on = role in ("lookup", SEALING)
            site_keys.set_state(tx, role, before.id, KeyState.FORMER if is_used_on else KeyState.RETIRED, now)
        site_keys.set_state(tx, role, stand.following[role].id, KeyState.CURRENT, now)
        if role == "lookup" and before is not None:
            _begin_generation(tx, before.id)
        if role in ("lookup", SEALING):
            want_settings(tx)


def retire(
    tx: Connection, source: KeySource, rows: Sequence[SiteKey], settings: SiteSettings, now: datetime
) -> tuple[KeyName, ...]:
    """Ends the use of those former keys whose time is over. Shape: all retired keys whose private halves are still here."""
    sealed_until = now - timedelta(seconds=settings.sealing_grace_seconds)
    former = [row for row in rows if row.state is KeyState.FORMER]
    in_use = {one.lookup_key for one in publication.generations(tx)} if former else set()
    over = [row for row in former if (row.id not in in_use if row.role == "lookup" else row.since <= sealed_until)]
    for row in over:
        site_keys.set_state(tx, row.role, row.id, KeyState.RETIRED, now)
    retired = [*over, *(row for row in rows if row.state is KeyState.RETIRED)]
    return tuple(KeyName(row.role, row.id) for row in retired if is_here(source, row))


def lookup_public(tx: Connection, key: str) -> str:
    """The public half of the key that signs a generation of shards; an empty id means the current key."""
    rows = [row for row in site_keys.all_keys(tx) if row.role == "lookup"]
    return next(row.public for row in rows if (row.id == key if key else row.state is KeyState.CURRENT))


def sealing_public(tx: Connection) -> tuple[SealingKey, ...]:
    """The key to which clients are to seal. Former ones are not named: they open what comes late, and nothing else."""
    row = site_keys.keys_in(tx, KeyState.CURRENT)[SEALING]
    return (SealingKey(id=row.id, public=row.public),)


def _named_by(role: str) -> frozenset[str]:
    """The roles that sign what names the key of a role."""
    if role in TOP:
        return frozenset({"root"})
    return frozenset({"targets"}) if role in DELEGATED else frozenset()


def _begin_generation(tx: Connection, former: str) -> None:
    """Shards under the new key are a generation of their own: whoever still has older settings goes on reading the old ones."""
    newest = publication.generations(tx)[-1]
    publication.keep_lookup_key(tx, former)
    if newest.announced_at is None:  # nobody knows it yet
        publication.want_generation(tx, newest.generation)
    else:
        publication.insert_generation(tx, generation=newest.generation + 1, bits=newest.bits, announced_at=None)


def _insert_current(tx: Connection, role: str, key: SealingKey, now: datetime) -> None:
    site_keys.insert_key(tx, role=role, key_id=key.id, public=key.public, state=KeyState.CURRENT, is_here=True, now=now)


def key_id(public: str) -> str:
    """The short name of a key, from its raw public half in hexadecimal."""
    return key_id_of(bytes.fromhex(public))
