"""`purveyor point …`."""

from typing import Any

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import counted, moment
from purveyor.cli.rest import rest_of

_LISTING = "/points"


def add(call: Call) -> int:
    """Adds a point."""
    options, output = call.arguments, call.output
    asked = _given(call) | {"kind": options.kind, "url": options.url, "is_filled": options.filled}
    added = rest_of(call).post(_LISTING, asked)
    if output.is_json:
        output.give_json(added)
        return 0
    point = added["point"]
    output.give(str(point["id"]))
    if added["not_reached"]:
        output.say(f"it could not be reached yet, and is tried again: {added['not_reached']}")
    elif point["filled_by"] == "push" and point["kind"] == "cap":
        output.say("the site fills it now, and tells clients of it when all is there")
    elif point["filled_by"] == "mirror":
        told = "" if point["is_told"] else ", of which they are told once the site has seen it filled"
        output.say(
            f"the site writes nothing there: fill it with `purveyor cap mirror`, and clients find it at {point['url']}{told}"
        )
    return 0


def edit(call: Call) -> int:
    """Changes a point."""
    given = _given(call)
    if call.arguments.url is not None:
        given["url"] = call.arguments.url
    if call.arguments.refill:
        given["is_refilled"] = True
    if call.arguments.filled:
        given["is_filled"] = True
    if not given:
        raise UsageError("say what to change; `purveyor point edit --help` shows what can be")
    changed = rest_of(call).patch(f"{_LISTING}/{call.arguments.id}", given)
    call.output.done(changed, f"{changed['id']} is changed")
    return 0


def show_all(call: Call) -> int:
    """Lists points."""
    options, output = call.arguments, call.output
    rest = rest_of(call)
    rows = rest.get(_LISTING, with_removed=True) if options.all else rest.get(_LISTING)
    if output.is_json:
        output.give_json(rows)
        return 0
    output.give_table(
        ("id", "state", "behind", "last success", "absent requests", "networks", "weight", "address", "filled by", "problem"),
        (_cells(row) for row in rows),
        empty="there are no points",
    )
    output.give("")
    output.give(_absent_in_all(rest.get(f"{_LISTING}/absent-requests")))
    return 0


def show(call: Call) -> int:
    """Shows a point."""
    row, output = rest_of(call).get(f"{_LISTING}/{call.arguments.id}"), call.output
    if output.is_json:
        output.give_json(row)
        return 0
    lines = [
        ("point", f"{row['id']} ({row['kind'].upper()})"),
        ("state", f"{row['state']} since {moment(row['state_since'])}" + (", drained" if row["is_drained"] else "")),
        ("clients", _told(row)),
        ("address", row["url"]),
        ("filled by", _filled_by(row)),
        ("credentials", row["credentials"] or "-"),
        ("networks", ", ".join(row["networks"]) or "whoever has no nearer point"),
        ("weight", str(row["weight"])),
        ("pins", ", ".join(row["pins"]) or "-"),
        ("bandwidth", row["bandwidth"] or "unlimited"),
        ("takes items", "yes" if row["takes_items"] else "no"),
        ("behind", _behind(row)),
        ("last success", moment(row["succeeded_at"])),
        ("quiet since", moment(row["quiet_since"])),
        ("absent files", _absent(row)),
        ("problem", (row["problem"] or "-") + (f" ({counted(row['failures'], 'turn')} in a row)" if row["failures"] else "")),
    ]
    if row["waits_for"]:
        lines.append(("waits", row["waits_for"]))
    for name, value in lines:
        output.give(f"{name + ':':14}{value}")
    return 0


def drain(call: Call) -> int:
    """Lets clients leave a point."""
    drained = rest_of(call).post(f"{_LISTING}/{call.arguments.id}/drain", {"is_forced": call.arguments.force})
    call.output.done(drained, f"{drained['id']} drains: {drained['waits_for'] or 'it may be removed'}")
    return 0


def resume(call: Call) -> int:
    """Lets clients use a draining point again."""
    resumed = rest_of(call).post(f"{_LISTING}/{call.arguments.id}/resume")
    call.output.done(resumed, f"{resumed['id']} is used again")
    return 0


def remove(call: Call) -> int:
    """Removes a point."""
    options = call.arguments
    removed = rest_of(call).post(f"{_LISTING}/{options.id}/remove", {"is_forced": options.force, "is_left": options.leave})
    there = "; ".join(removed["left"]) or "nothing that the site knows of"
    begins = removed["emptied_from"]
    then = "" if begins is None else f"; the site takes away what it put there, from {moment(begins)} on"
    call.output.done(removed, f"{removed['id']} is removed; {'left' if begins is None else 'still'} there: {there}{then}")
    return 0


def _given(call: Call) -> dict[str, Any]:
    options = call.arguments
    given = {
        "target": options.push_to,
        "credentials": options.credentials,
        "endpoint": options.endpoint,
        "region": options.region,
        "weight": options.weight,
        "networks": None if options.network is None else [one for one in options.network if one],
        "bandwidth": options.bandwidth,
        "pins": None if options.pin is None else [one for one in options.pin if one],
    }
    return {name: value for name, value in given.items() if value is not None}


def _is_unfilled(row: dict[str, Any]) -> bool:
    return row["state"] in ("active", "draining") and not row["is_told"]


def _told(row: dict[str, Any]) -> str:
    if _is_unfilled(row):
        return "not told of it yet: never filled"
    return "told of it" if row["is_told"] else "told of it no more"


def _behind(row: dict[str, Any]) -> str:
    if _is_unfilled(row):
        return "never filled: not told to clients yet"
    if row["behind"] is None:
        return "-" if row["filled_by"] == "mirror" or not row["is_told"] else "not known before the next push"
    return counted(row["behind"], "publication" if row["kind"] == "cap" else "manifest")


def _absent(row: dict[str, Any]) -> str:
    if row["absent_requests"] is None:
        return "no client has told of it yet"
    return f"{counted(row['absent_requests'], 'request')}, as {counted(row['asked_by'], 'client')} told"


def _absent_in_all(told: dict[str, Any]) -> str:
    if told["absent_requests"] is None:
        return "requests for absent files: no client has told of any yet"
    elsewhere = f", {told['elsewhere']} of them at addresses that are no point's" if told["elsewhere"] else ""
    return f"requests for absent files: {told['absent_requests']} in all{elsewhere}, as {counted(told['clients'], 'client')} told"


def _filled_by(row: dict[str, Any]) -> str:
    return {"site": "the site's own folder", "mirror": "a mirror"}.get(row["filled_by"], f"push to {row['target']}")


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["id"],
        "drained" if row["is_drained"] else row["state"],
        _behind(row),
        moment(row["succeeded_at"]) if row["filled_by"] != "site" else "-",
        "not told" if row["absent_requests"] is None else row["absent_requests"],
        " ".join(row["networks"]) or "-",
        row["weight"],
        row["url"],
        _filled_by(row),
        row["problem"] or "-",
    )
