"""`purveyor window …`."""

from typing import Any

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import duration
from purveyor.cli.rest import rest_of

_LISTING = "/windows"


def add(call: Call) -> int:
    """Adds a window to a collection."""
    options, output = call.arguments, call.output
    if not options.start and not options.rule:
        raise UsageError("when does it open? Give --start TIME, --rule RRULE, or both")
    given = {name: value for name, value in _given(call).items() if value is not None}
    added = rest_of(call).post(_LISTING, given | {"collection": options.collection, "is_confirmed": options.is_confirmed})
    output.give_result(
        added, str(added["number"]), f"window {added['number']} of {added['collection_name']} opens next at {added['next_opens']}"
    )
    return 0


def show_all(call: Call) -> int:
    """Lists windows."""
    rows, output = rest_of(call).get(_LISTING, collection=call.arguments.collection), call.output
    output.give_list(
        rows,
        ("number", "name", "collection", "start", "rule", "duration", "spread", "catch-up", "opens next"),
        (_cells(row) for row in rows),
        empty="there are no maintenance windows: programs run at any time",
    )
    return 0


def edit(call: Call) -> int:
    """Changes a window."""
    options = call.arguments
    if options.catch_up and options.no_catch_up:
        raise UsageError("--catch-up and --no-catch-up contradict each other")
    given = {name: value for name, value in _given(call).items() if value is not None}
    if options.no_catch_up:
        given["catch_up"] = False
    if not given:
        raise UsageError("say what to change; `purveyor window edit --help` shows what can be")
    changed = rest_of(call).patch(f"{_LISTING}/{options.number}", given | {"is_confirmed": options.is_confirmed})
    call.output.done(changed, f"window {changed['number']} of {changed['collection_name']} is changed")
    return 0


def delete(call: Call) -> int:
    """Deletes a window."""
    options = call.arguments
    deleted = rest_of(call).delete(f"{_LISTING}/{options.number}", is_confirmed=options.is_confirmed)
    call.output.done(deleted, f"window {deleted['id']} is deleted")
    return 0


def _given(call: Call) -> dict[str, object]:
    options = call.arguments
    return {
        "name": options.name,
        "start": options.start,
        "rule": options.rule,
        "duration_seconds": options.duration,
        "spread_seconds": options.spread,
        "catch_up": True if options.catch_up else None,
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["number"],
        row["name"],
        f"{row['collection']} {row['collection_name']}",
        row["start"],
        row["rule"] or "once",
        duration(row["duration_seconds"]),
        duration(row["spread_seconds"]) if row["spread_seconds"] else "-",
        row["catch_up"],
        row["next_opens"] or "never",
    )
