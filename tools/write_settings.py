"""Writes `docs/settings.md` to the standard output: the settings of a site, from the code that reads them."""

import sys

import msgspec

from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.settings_meanings import MEANINGS
from purveyor.wire.settings import AgentSettings

_HEAD = """# Settings

How a site and its clients behave: `purveyor settings show`, `purveyor settings set NAME VALUE`. A name says its unit.
Clients hear of a change with their next poll.

This page is written from the code: `make docs`.

| setting | default | for | what it means |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    defaults = msgspec.structs.asdict(SiteSettings())
    agents_own = AgentSettings.__struct_fields__
    rows = (
        f"| `{name}` | {_shown(value)} | {'clients' if name in agents_own else 'the site'} | {MEANINGS[name]} |"
        for name, value in defaults.items()
    )
    return _HEAD + "\n".join(rows) + "\n"


def _shown(value: int | bool | str) -> str:
    if value == "":
        return "(empty)"
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value}"


if __name__ == "__main__":
    sys.stdout.write(page())
