"""The site's settings, for people."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import audit, settings
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.settings_meanings import MEANINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """One setting: what it is now, what it is when nobody sets it, and what it means. Units: as the name says."""

    name: str
    value: int | bool | str
    default: int | bool | str
    meaning: str


def shown(tx: Connection) -> tuple[SettingView, ...]:
    """All settings, in the order of the documentation."""
    values = msgspec.structs.asdict(settings.read_settings(tx))
    defaults = msgspec.structs.asdict(SiteSettings())
    return tuple(SettingView(name=name, value=values[name], default=defaults[name], meaning=MEANINGS[name]) for name in values)


def change(tx: Connection, name: str, value: int | bool | str, *, by: str, now: datetime) -> SettingView:
    """Changes one setting; agents hear of it with the next publication.

    Errors: RefusedError: no such setting, or a value that it cannot have.
    """
    before = msgspec.structs.asdict(settings.read_settings(tx)).get(name)
    changed = msgspec.structs.asdict(settings.change_setting(tx, name, value))[name]
    audit.record(tx, by=by, now=now, action="setting.change", about=name, detail={"before": before, "after": changed})
    return SettingView(name=name, value=changed, default=msgspec.structs.asdict(SiteSettings())[name], meaning=MEANINGS[name])
