"""`purveyor preview`, and `purveyor advertise … --preview`."""

from typing import Any

from purveyor.cli.call import Call
from purveyor.cli.output import Output, counted, moment
from purveyor.cli.rest import rest_of, segment


def show(call: Call) -> int:
    """Shows what a standing advertisement comes to."""
    return _give(call, rest_of(call).get(f"/previews/{segment(call.arguments.advertisement)}", **_amounts(call)))


def show_new(call: Call, asked: dict[str, Any]) -> int:
    """Shows what an advertisement would come to."""
    code = _give(call, rest_of(call).post("/previews", asked, **_amounts(call)))
    call.output.say("nothing was changed; without --preview it is made")
    return code


def _amounts(call: Call) -> dict[str, object]:
    options = call.arguments
    return {"limit": options.limit, "containing": options.client, "firings": options.firings}


def _give(call: Call, seen: dict[str, Any]) -> int:
    output = call.output
    if output.is_json:
        output.give_json(seen)
        return 0
    output.give_fields(
        (
            ("advertisement", seen["advertisement"] or "does not exist yet"),
            ("program", f"{seen['package']}/{seen['program']} {seen['program_name']}"),
            ("collection", f"{seen['collection']} {seen['collection_name']}"),
            ("reaches", _reach(seen)),
            ("needs --yes", "yes: it reaches many clients, or all" if seen["needs_confirmation"] else None),
            ("assignments", seen["assignments"] or "none"),
            ("note", seen["notes"]),
        )
    )
    _give_groups(output, seen)
    _give_clients(output, seen)
    return 0


def _reach(seen: dict[str, Any]) -> str:
    not_reached = seen["members"] - seen["reached"]
    told = counted(seen["reached"], "client")
    return f"{told}; {counted(not_reached, 'member')} of another platform" if not_reached else told


def _give_groups(output: Output, seen: dict[str, Any]) -> None:
    if len(seen["platforms"]) > 1 or seen["reached"] < seen["members"]:
        output.give("")
        rows = (
            (one["platform"], one["members"], "some" if one["is_reached"] is None else one["is_reached"])
            for one in seen["platforms"]
        )
        output.give_table(("platform", "members", "reached"), rows, empty="")
    if seen["zones"]:
        output.give("")
        zones = ((one["zone"], one["members"], _zone_times(seen, one)) for one in seen["zones"])
        output.give_table(("clock", "members", "next times"), zones, empty="")


def _zone_times(seen: dict[str, Any], one: dict[str, Any]) -> list[str] | str:
    if not one["is_known"]:
        return "not known here"
    is_due = any(client["zone"] == one["zone"] and client["last"] is not None for client in seen["clients"])
    return [_time(firing["at_local"]) for firing in one["following"]] or _no_time(seen, is_due=is_due)


def _give_clients(output: Output, seen: dict[str, Any]) -> None:
    output.give("")
    output.give_table(
        ("client", "state", "last due", "next due", "its clock", "UTC", "starts", "window"),
        (row for one in seen["clients"] for row in _rows(seen, one)),
        empty="no client to show",
    )
    if len(seen["clients"]) < seen["members"]:
        output.say(f"{len(seen['clients'])} of {counted(seen['members'], 'member')} shown: --limit and --client choose others")


def _rows(seen: dict[str, Any], one: dict[str, Any]) -> list[tuple[object, ...]]:
    """A row for each time of a client, or one where it has none."""
    state = one["state"] or "no word yet"
    last = "-" if one["last"] is None else _time(one["last"]["at_local"])
    if not one["is_reached"]:
        return [(one["name"], state, "-", "never", "-", "-", f"not for {one['platform'] or 'its platform'}", "-")]
    if not one["following"]:
        return [(one["name"], state, last, _no_time(seen, is_due=one["last"] is not None), "-", "-", *_start(one, one["last"]))]
    rows: list[tuple[object, ...]] = []
    for firing in one["following"]:
        first = (one["name"], state, last) if not rows else ("", "", "")
        clock = one["zone"] if one["is_zone_known"] else f"{one['zone']}?"
        rows.append(
            (*first, firing["assignment"], f"{_time(firing['at_local'])} {clock}", moment(firing["at"]), *_start(one, firing))
        )
    return rows


def _start(one: dict[str, Any], firing: dict[str, Any] | None) -> tuple[str, str]:
    """When it may start, as windows go, and in which."""
    if firing is None:
        return "-", "-"
    if firing["starts_at"] is None:
        return "never", "none is long enough, or none opens"
    if firing["window"] is None:
        return "then", "ignored" if one["windows"] else "-"
    name = f"{firing['window']} {firing['window_name']}".strip()
    return ("then" if firing["starts_at"] == firing["at"] else _time(firing["starts_local"])), name


def _no_time(seen: dict[str, Any], *, is_due: bool) -> str:
    """When it runs where no time is to come; `is_due`: its time has come already."""
    if seen["events"]:
        return ", ".join(f"at each {event}" for event in seen["events"])
    if not seen["assignments"]:
        return "when a user starts it"
    return "at once" if is_due and not seen["advertisement"] else "none to come"


def _time(local: str) -> str:
    """A local time without its seconds and offset."""
    return local[:16].replace("T", " ")
