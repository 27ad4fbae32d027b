"""The site's settings as stored: only what differs from the defaults; and how far its clock is believed."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, insert

from purveyor.site_server.database import schema, statements, wanted
from purveyor.site_server.model.settings import SiteSettings, with_value
from purveyor.site_server.model.site_clock import doubt, patient


def read_settings(tx: Connection) -> SiteSettings:
    """The settings that hold now. What is stored under a name that this release does not know is passed over."""
    known = SiteSettings.__struct_fields__
    stored = tx.execute(statements.SETTINGS).all()
    return msgspec.convert({name: msgspec.json.decode(value) for name, value in stored if name in known}, SiteSettings)


def patient_settings(tx: Connection, now: datetime) -> SiteSettings:
    """The settings by which anything may end for good: grace times are longer by what is in doubt of the clock."""
    return patient(read_settings(tx), clock_doubt(tx, now))


def settled_at(tx: Connection) -> datetime | None:
    """The newest time that is known to have passed; None before the first turn of a site."""
    found: datetime | None = tx.execute(statements.SETTLED_AT).scalar_one_or_none()
    return found


def set_settled(tx: Connection, at: datetime) -> None:
    """Notes the newest time that is known to have passed."""
    tx.execute(statements.SET_SITE, {"settled_at": at})


def clock_doubt(tx: Connection, now: datetime) -> timedelta:
    """How much of the time that the clock shows may not have passed."""
    return doubt(settled_at(tx), now)


def change_setting(tx: Connection, name: str, value: int | bool | str) -> SiteSettings:
    """The settings after one was changed; the agents' settings are published anew.

    Errors: RefusedError: no such setting, or a value that it cannot have.
    """
    changed = with_value(read_settings(tx), name, value)
    tx.execute(delete(schema.setting).where(schema.setting.c.name == name))
    tx.execute(insert(schema.setting).values(name=name, value=msgspec.json.encode(value).decode()))
    wanted.want_settings(tx)
    return changed
