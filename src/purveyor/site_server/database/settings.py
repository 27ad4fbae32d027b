"""The site's settings as stored: only what differs from the defaults."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from purveyor.site_server.database import schema, wanted
from purveyor.site_server.model.settings import SiteSettings, with_value


def read_settings(tx: Connection) -> SiteSettings:
    """The settings that hold now. What is stored under a name that this release does not know is passed over."""
    known = SiteSettings.__struct_fields__
    stored = tx.execute(select(schema.setting.c.name, schema.setting.c.value)).all()
    return msgspec.convert({name: msgspec.json.decode(value) for name, value in stored if name in known}, SiteSettings)


def change_setting(tx: Connection, name: str, value: int | bool) -> SiteSettings:
    """The settings after one was changed; the agents' settings are published anew.

    Errors: RefusedError: no such setting, or a value that it cannot have.
    """
    changed = with_value(read_settings(tx), name, value)
    tx.execute(delete(schema.setting).where(schema.setting.c.name == name))
    tx.execute(insert(schema.setting).values(name=name, value=msgspec.json.encode(value).decode()))
    wanted.want_settings(tx)
    return changed
