"""The site's keys as administrators handle them: which count, where they are, what follows them, and what expires.

Private halves are made and destroyed by the keyring alone; nothing here gives one away. Every change is in the audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from purveyor.site_server.database import audit, site_keys
from purveyor.site_server.database.site_keys import KeyState, SiteKey
from purveyor.site_server.keys import OFFLINE, ROLES, SEALING, KeyName, Keyring
from purveyor.site_server.publish import key_change
from purveyor.wire.errors import RefusedError
from purveyor.wire.signed import key_id_of

ALARM_DAYS = (60, 30, 7)
_HERE, _ELSEWHERE, _RETIRED = "here", "not here", "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """One key. `place`: here, not here, retired. `expires_at`: of the first piece of the role's metadata; none for some roles."""

    role: str
    id: str
    public: str
    state: KeyState
    place: str
    since: datetime
    expires_at: datetime | None
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Metadata that expires soon, and whose key is not here to renew it. `within_days`: 60, 30, 7, or 0 when it is over."""

    role: str
    expires_at: datetime
    within_days: int

    @property
    def text(self) -> str:
        """The alarm, for people."""
        if self.within_days == 0:
            return f"what the key of {self.role} signed expired on {self.expires_at:%Y-%m-%d}: clients take nothing new"
        return f"what the key of {self.role} signed expires on {self.expires_at:%Y-%m-%d}: export a request, and sign it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationView:
    """Keys that follow. `waits_for`: the roles whose signatures are needed from elsewhere first; none: they count in a moment."""

    keys: tuple[KeyView, ...]
    waits_for: tuple[str, ...]


def listed(tx: Connection, now: datetime, *, include_retired: bool = False) -> tuple[KeyView, ...]:
    """The keys, in the order of the roles."""
    alarms = {alarm.role: alarm.text for alarm in alarms_of(tx, now)}
    expiries = site_keys.expiries(tx)
    rows = [row for row in site_keys.all_keys(tx) if include_retired or row.state is not KeyState.RETIRED]
    return tuple(_view(row, expiries, alarms) for row in sorted(rows, key=lambda row: ROLES.index(row.role)))


def alarms_of(tx: Connection, now: datetime) -> tuple[Alarm, ...]:
    """Metadata of keys that are elsewhere and that expires within 60, 30 or 7 days, or has."""
    current = site_keys.keys_in(tx, KeyState.CURRENT)
    away = [role for role in OFFLINE if role in current and not current[role].is_here]
    expiries = site_keys.expiries(tx) if away else {}
    found = []
    for role in away:
        if role not in expiries:
            continue
        left = expiries[role] - now
        within = [days for days in ALARM_DAYS if left <= timedelta(days=days)]
        if within:
            found.append(Alarm(role=role, expires_at=expiries[role], within_days=min(within) if left > timedelta(0) else 0))
    return tuple(found)


def rotate(
    tx: Connection,
    keyring: Keyring,
    roles: Sequence[str],
    *,
    public: str = "",
    is_made_here: bool = False,
    by: str,
    now: datetime,
) -> RotationView:
    """Lets new keys follow those of these roles: made here, or made elsewhere where `public` gives the public half.

    They count with the next publication, or once a signing request that brings them in is answered.
    Errors: RefusedError.
    """
    current = site_keys.keys_in(tx, KeyState.CURRENT)
    asked = tuple(dict.fromkeys(roles))
    for role in asked:
        if role not in ROLES:
            raise RefusedError(f"there is no role {role[:40]!r}: there are {', '.join(ROLES)}")
        if role in OFFLINE and not current[role].is_here and not public and not is_made_here:
            raise RefusedError(
                f"the key of {role} lives elsewhere: make the new one there (purveyor site keys make) and give its public half "
                "with --public, or say --here to have it made on this server"
            )
    made = [(role, public) for role in asked] if public else []
    if public:
        _check_public(tx, asked, public)
    else:
        made = [(role, keyring.make(role).hex()) for role in asked]
    for role, key in made:
        _follow(tx, role, key, is_here=not public, now=now)
        detail = {
            "key": key_id_of(bytes.fromhex(key)),
            "in_place_of": current[role].id,
            "made": "elsewhere" if public else "here",
        }
        audit.record(tx, by=by, now=now, action="keys.rotate", about=role, detail=detail)
    stand = key_change.standing(tx, keyring)
    later = stand.following.keys() - key_change.possible_here(stand, keyring)
    waits = {"root" if role in key_change.TOP else "targets" for role in later & set(asked)} - stand.keys.signing.keys()
    waits |= {role for role in later & set(asked) if not stand.following[role].is_here}
    views = [view for view in listed(tx, now) if view.role in asked and view.state is KeyState.NEXT]
    return RotationView(keys=tuple(views), waits_for=tuple(sorted(waits)))


def remove(tx: Connection, keyring: Keyring, role: str, key: str, *, by: str, now: datetime) -> KeyView:
    """Destroys the private half of a role's key on the server, of which there is a copy elsewhere. Errors: RefusedError."""
    row = _named(tx, role, key)
    if role not in OFFLINE:
        raise RefusedError(f"the key of {role} signs at every publication and has to stay here; {', '.join(OFFLINE)} can leave")
    if not key_change.is_here(keyring, row):
        raise RefusedError(f"the key {key} of {role} is not here")
    keyring.forget([KeyName(role, key)])
    return _moved(tx, keyring, row, "keys.remove", by=by, now=now)


def restored(tx: Connection, keyring: Keyring, role: str, key: str, *, by: str, now: datetime) -> KeyView:
    """Takes in a key that was put into the site's folder of keys. Errors: RefusedError when it does not lie there."""
    row = _named(tx, role, key)
    keyring.reload()
    if not key_change.is_here(keyring, row):
        raise RefusedError(f"the key {key} of {role} does not lie in the site's folder of keys")
    return _moved(tx, keyring, row, "keys.restore", by=by, now=now)


def _moved(tx: Connection, keyring: Keyring, row: SiteKey, action: str, *, by: str, now: datetime) -> KeyView:
    key_change.standing(tx, keyring)
    audit.record(tx, by=by, now=now, action=action, about=row.role, detail={"key": row.id})
    return next(view for view in listed(tx, now) if (view.role, view.id) == (row.role, row.id))


def _named(tx: Connection, role: str, key: str) -> SiteKey:
    for row in site_keys.all_keys(tx):
        if (row.role, row.id) == (role, key) and row.state in (KeyState.CURRENT, KeyState.NEXT):
            return row
    raise RefusedError(f"{role[:40]!r} has no key {key[:40]!r} that counts, or is to")


def _check_public(tx: Connection, roles: tuple[str, ...], public: str) -> None:
    if len(roles) != 1 or roles[0] not in OFFLINE:
        raise RefusedError(f"a public half is given for one role, whose key may live elsewhere: {', '.join(OFFLINE)}")
    if site_keys.is_known(tx, public):
        raise RefusedError("this site has, or had, that key already: make a new one")


def _follow(tx: Connection, role: str, public: str, *, is_here: bool, now: datetime) -> None:
    waiting = site_keys.keys_in(tx, KeyState.NEXT).get(role)
    if waiting is not None:
        site_keys.set_state(tx, role, waiting.id, KeyState.RETIRED, now)
    key = key_id_of(bytes.fromhex(public))
    site_keys.insert_key(tx, role=role, key_id=key, public=public, state=KeyState.NEXT, is_here=is_here, now=now)


def _view(row: SiteKey, expiries: Mapping[str, datetime], alarms: Mapping[str, str]) -> KeyView:
    is_current = row.state is KeyState.CURRENT
    return KeyView(
        role=row.role,
        id=row.id,
        public=row.public,
        state=row.state,
        place=_RETIRED if row.state is KeyState.RETIRED else _HERE if row.is_here else _ELSEWHERE,
        since=row.since,
        expires_at=expiries.get(row.role) if is_current and row.role not in ("lookup", SEALING) else None,
        alarm=alarms.get(row.role, "") if is_current else "",
    )
