"""Which keys count after a restore: those that published metadata names, as far as they are here.

A key that was replaced after the backup may have been stolen, so it does not come back: where its successor is lost with the
site, a new one follows, as by `site keys rotate`. What needs a key that people keep elsewhere is said, never worked round.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from purveyor.recovery.decisions import Decision, Kind
from purveyor.recovery.published import Published
from purveyor.site_server.database import publication, site_keys
from purveyor.site_server.database.site_keys import KeyState
from purveyor.site_server.keys import OFFLINE, SEALING, KeyName, Keyring
from purveyor.site_server.publish import key_change
from purveyor.wire.signed import key_id_of

_USED_ON = ("lookup", SEALING)


def published_keys(published: Published) -> dict[str, str]:
    """The raw public half of the key that counts for each role, in hexadecimal."""
    trusted = published.trusted
    found = {role: trusted.root.keys[trusted.root.roles[role].keyids[0]] for role in key_change.TOP}
    delegations = trusted.targets("targets").delegations
    if delegations is not None and delegations.roles is not None:
        found |= {role: delegations.keys[delegations.roles[role].keyids[0]] for role in key_change.DELEGATED}
    keys = {role: str(key.keyval["public"]) for role, key in found.items()}
    return keys | {"lookup": published.settings.shards.keys[0], SEALING: published.settings.sealing_keys[0].public}


def adopt_keys(tx: Connection, published: Published, now: datetime) -> list[Decision]:
    """Lets the published keys count. Shape: the roles whose keys were replaced after the backup, for people."""
    found: list[Decision] = []
    current = site_keys.keys_in(tx, KeyState.CURRENT)
    known = {(row.role, row.id) for row in site_keys.all_keys(tx)}
    for role, public in sorted(published_keys(published).items()):
        before = current.get(role)
        if before is not None and before.public == public:
            continue
        if before is not None:
            site_keys.set_state(tx, role, before.id, KeyState.FORMER if role in _USED_ON else KeyState.RETIRED, now)
        key_id = key_id_of(bytes.fromhex(public))
        if (role, key_id) in known:
            site_keys.set_state(tx, role, key_id, KeyState.CURRENT, now)
        else:
            site_keys.insert_key(tx, role=role, key_id=key_id, public=public, state=KeyState.CURRENT, is_here=False, now=now)
        if role == "lookup" and before is not None:
            publication.keep_lookup_key(tx, before.id)
        found.append(Decision(Kind.KEY, role, "was replaced after the backup: the key of the backup is out of use"))
    return found


def replace_lost(tx: Connection, ring: Keyring, now: datetime) -> list[Decision]:
    """Lets new keys follow those of the server that are lost. Shape: what waits for keys that people keep, for people."""
    found: list[Decision] = []
    stand = key_change.standing(tx, ring)
    for role in sorted(_lost(stand, ring)):
        if role in OFFLINE:
            text = "its key is not in this backup: bring it to the site's folder of keys, or sign elsewhere (site keys export)"
        else:
            if role not in stand.following:
                public = ring.make(role)
                site_keys.insert_key(
                    tx, role=role, key_id=key_id_of(public), public=public.hex(), state=KeyState.NEXT, is_here=True, now=now
                )
            text = "its key was lost with the site: a new one follows it"
        found.append(Decision(Kind.KEY, role, text))
    stand = key_change.standing(tx, ring)
    waiting = stand.following.keys() - key_change.possible_here(stand, ring)
    text = "its new key waits for a signature of root or targets (site keys export)"
    return found + [Decision(Kind.KEY, role, text) for role in sorted(waiting)]


def _lost(stand: key_change.Standing, ring: Keyring) -> Iterable[str]:
    """The roles whose key should be here and is not; one that was elsewhere when the backup was made is where it was."""
    for role, row in stand.current.items():
        is_here = row.id in ring.sealing if role == SEALING else ring.find(KeyName(role, row.id)) is not None
        if not is_here:
            yield role
