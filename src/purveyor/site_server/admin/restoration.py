"""What the newest restore left to people: read from the audit, without what was settled since."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import restoring


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One thing to look at: its kind, what it is about (an id or a word), and what happened and is to be done."""

    kind: str
    about: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationView:
    """The newest restore. Shape: `decisions` in the order in which they came; advertisements only while they are paused."""

    at: datetime
    by: str
    backup: str
    incarnation: int
    access_point: str
    decisions: tuple[DecisionView, ...]


def newest(tx: Connection) -> RestorationView | None:
    """The newest restore; None: this site was never restored."""
    row = restoring.newest_restore(tx)
    if row is None:
        return None
    detail = msgspec.json.decode(row.detail, type=dict[str, object])
    found = restoring.decisions_since(tx, row.id)
    paused = restoring.paused_among(tx, {about for action, about, _ in found if action == "restore.advertisement"})
    return RestorationView(
        at=row.at,
        by=row.actor,
        backup=str(detail.get("backup", "")),
        incarnation=int(str(detail.get("incarnation", 0))),
        access_point=str(detail.get("access_point", "")),
        decisions=tuple(
            _decision(action, about, text)
            for action, about, text in found
            if action != "restore.advertisement" or about in paused
        ),
    )


def _decision(action: str, about: str, detail: str) -> DecisionView:
    said = msgspec.json.decode(detail, type=dict[str, object])
    if action == "client.return":
        text = f"came back with its receipt, as {said.get('state')}: remove it if it was removed after the backup"
        return DecisionView(kind="client", about=about, text=text)
    return DecisionView(kind=action.removeprefix("restore."), about=about, text=str(said.get("text", "")))
