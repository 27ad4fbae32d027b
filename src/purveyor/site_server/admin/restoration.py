"""What the newest restore left to people: read from the audit, with what people did about it since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from purveyor.site_server.database import restoring
from purveyor.wire.moments import utc_text

_NOUNS = {
    "setting": ("setting",),
    "point": ("point",),
    "package": ("package", "content"),
    "collection": ("collection",),
    "resource": ("client",),
}
"""The kinds of decisions that are about what is done under a noun of the audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One thing to look at: its kind, what it is about (an id or a word), and what happened and is to be done.

    `seen_to`: what somebody last did about it since, in words; empty: nothing.
    """

    kind: str
    about: str
    text: str
    seen_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationView:
    """The newest restore.

    Shape: `decisions` in the order in which they came, those that nobody has seen to first; advertisements only while paused.
    """

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
    acts = _acts_since(tx, row.id)
    paused = restoring.paused_among(tx, {about for action, about, _ in found if action == "restore.advertisement"})
    return RestorationView(
        at=row.at,
        by=row.actor,
        backup=str(detail.get("backup", "")),
        incarnation=int(str(detail.get("incarnation", 0))),
        access_point=str(detail.get("access_point", "")),
        decisions=tuple(
            sorted(
                (
                    _decision(action, about, text, acts)
                    for action, about, text in found
                    if action != "restore.advertisement" or about in paused
                ),
                key=lambda one: bool(one.seen_to),
            )
        ),
    )


def _acts_since(tx: Connection, row: int) -> dict[tuple[str, str], str]:
    """What people last did since the restore to settings, points, packages, collections and clients.

    Shape: in words, by the kind of decision and what it is about; a point that was added, by its address as well.
    """
    found: dict[tuple[str, str], str] = {}
    for act in restoring.acts_since(tx, row, [f"{noun}." for noun in _NOUNS]):
        if act.action == "point.pins":
            continue  # the site's own
        words = f"{act.action} by {act.actor} at {utc_text(act.at)}"
        for kind in _NOUNS[act.action.partition(".")[0]]:
            found[kind, act.object] = words
            if act.action == "point.add":
                address = msgspec.json.decode(act.detail, type=dict[str, object]).get("url")
                found[kind, str(address)] = words
    return found


def _decision(action: str, about: str, detail: str, acts: Mapping[tuple[str, str], str]) -> DecisionView:
    said = msgspec.json.decode(detail, type=dict[str, object])
    kind, text = action.removeprefix("restore."), str(said.get("text", ""))
    if action == "client.return":
        kind = "client"
        text = f"came back with its receipt, as {said.get('state')}: remove it if it was removed after the backup"
    seen_to = acts.get((kind, about)) or acts.get((kind, str(said.get("address", "")))) or ""
    return DecisionView(kind=kind, about=about, text=text, seen_to=seen_to)
