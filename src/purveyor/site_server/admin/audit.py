"""What people changed: read only."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import audit
from purveyor.site_server.model.pages import page_size


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """One change: who did what to what, when, and what was asked."""

    id: int
    at: datetime
    actor: str
    action: str
    about: str
    detail: dict[str, object]


def listed(
    tx: Connection, *, about: str = "", actor: str = "", before_id: int | None = None, limit: int = 100
) -> tuple[AuditView, ...]:
    """Changes, newest first: of one thing (its id) or one person where asked; `before_id` gives the next page.

    Errors: RefusedError when the page is larger than 1000.
    """
    rows = audit.recent(tx, about=about, actor=actor, before_id=before_id, limit=page_size(limit))
    return tuple(
        AuditView(
            id=row.id,
            at=row.at,
            actor=row.actor,
            action=row.action,
            about=row.object,
            detail=msgspec.json.decode(row.detail, type=dict[str, object]),
        )
        for row in rows
    )
