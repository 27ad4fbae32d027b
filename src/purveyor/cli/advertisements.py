"""`purveyor advertise` and `purveyor advertisement …`."""

from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from purveyor.cli.arguments.values import instant_of
from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, counted, duration, moment
from purveyor.cli.preview import show_new
from purveyor.cli.rest import rest_of, segment

_LISTING = "/advertisements"
_OPPOSITES = (
    ("assign", "no_assign"),
    ("expires", "no_expires"),
    ("each_version", "not_each_version"),
    ("user", "no_user"),
    ("group", "no_group"),
    ("ignore_windows", "keep_windows"),
)


def add(call: Call) -> int:
    """Offers a program to a collection."""
    options, output = call.arguments, call.output
    asked: dict[str, Any] = {
        "package": options.package,
        "program": options.program,
        "collection": options.to,
        "name": options.name or "",
        "available_from": _instant(options.available_from),
        "expires_at": _instant(options.expires),
        "assignments": options.assign or [],
        "each_version": options.each_version,
        "is_paused": options.paused,
        "is_confirmed": options.is_confirmed,
        **_options(options),
    }
    if options.preview:
        return show_new(call, asked)
    added = rest_of(call).post(_LISTING, asked)
    if output.is_json:
        output.give_json(added)
    else:
        output.give(added["id"])
        _warn(output, added)
    return 0


def show_all(call: Call) -> int:
    """Lists advertisements."""
    rows, output = rest_of(call).get(_LISTING), call.output
    output.give_list(
        rows,
        ("id", "name", "package", "program", "collection", "members", "assignments", "expires", "paused"),
        (
            (
                row["id"],
                row["name"],
                row["package"],
                row["program_name"],
                row["collection_name"],
                row["members"],
                _assignments(row),
                moment(row["expires_at"]),
                row["is_paused"],
            )
            for row in rows
        ),
        empty="nothing is advertised",
    )
    return 0


def show(call: Call) -> int:
    """Shows an advertisement."""
    seen, output = rest_of(call).get(_path(call)), call.output
    if output.is_json:
        output.give_json(seen)
        return 0
    output.give_fields(
        (
            ("id", seen["id"]),
            ("name", seen["name"]),
            ("program", f"{seen['package']}/{seen['program']} {seen['package_name']}: {seen['program_name']}"),
            ("program enabled", seen["is_program_enabled"]),
            ("collection", f"{seen['collection']} {seen['collection_name']}, {counted(seen['members'], 'member')}"),
            ("available from", moment(seen["available_from"])),
            ("expires", moment(seen["expires_at"])),
            ("assignments", _assignments(seen)),
            ("each version", seen["each_version"]),
            ("runs again", seen["rerun"]),
            ("priority", seen["priority"]),
            ("for users", seen["users"]),
            ("for groups", seen["groups"]),
            ("shown to users", seen["is_visible"] or not seen["is_mandatory"]),
            ("may be put off", duration(seen["postpone_seconds"]) if seen["postpone_seconds"] else None),
            ("spread over", duration(seen["spread_seconds"]) if seen["spread_seconds"] else None),
            ("outside windows", seen["ignores_windows_because"]),
            ("over a slow link", seen["over_slow_link"]),
            ("paused", seen["is_paused"]),
            ("waits for content of", seen["waits_for_content_of"] or None),
            ("made", f"{moment(seen['created_at'])} by {seen['created_by']}"),
        )
    )
    _warn(output, seen)
    return 0


def edit(call: Call) -> int:
    """Changes an advertisement."""
    options = call.arguments
    for flag, opposite in _OPPOSITES:
        if getattr(options, flag) and getattr(options, opposite):
            raise UsageError(f"--{flag.replace('_', '-')} and --{opposite.replace('_', '-')} contradict each other")
    asked = {
        "name": options.name,
        "available_from": _instant(options.available_from),
        "expires_at": _instant(options.expires),
        "assignments": [] if options.no_assign else options.assign,
        "each_version": True if options.each_version else False if options.not_each_version else None,
        **_options(options),
    }
    asked |= {name: [] for name, is_taken in (("users", options.no_user), ("groups", options.no_group)) if is_taken}
    if options.keep_windows:
        asked["ignores_windows_because"] = ""
    given = {name: value for name, value in asked.items() if value is not None}
    if options.no_expires:
        given["never_expires"] = True
    if not given:
        raise UsageError("say what to change; `purveyor advertisement edit --help` shows what can be")
    changed = rest_of(call).patch(_path(call), given | {"is_confirmed": options.is_confirmed})
    call.output.done(changed, f"advertisement {changed['id']} ({changed['name']}) is changed")
    _warn(call.output, changed)
    return 0


def pause(call: Call) -> int:
    """Offers it to nobody for now."""
    seen = rest_of(call).post(f"{_path(call)}/pause")
    call.output.done(seen, f"advertisement {seen['id']} ({seen['name']}) is paused")
    return 0


def resume(call: Call) -> int:
    """Offers it again."""
    seen = rest_of(call).post(f"{_path(call)}/resume")
    call.output.done(seen, f"advertisement {seen['id']} ({seen['name']}) is offered again")
    return 0


def delete(call: Call) -> int:
    """Deletes an advertisement."""
    deleted = rest_of(call).delete(_path(call))
    call.output.done(deleted, f"advertisement {deleted['id']} is deleted")
    return 0


def _options(options: Namespace) -> dict[str, Any]:
    """What options say of how it runs, as the API takes it; what is not given is left out. Errors: UsageError."""
    if options.ignore_windows is not None and not options.ignore_windows.strip():
        raise UsageError("--ignore-windows needs a reason: the audit keeps it")
    given = {
        "rerun": options.rerun,
        "priority": options.priority,
        "users": options.user,
        "groups": options.group,
        "is_visible": options.visible,
        "postpone_seconds": options.postpone,
        "spread_seconds": options.spread,
        "ignores_windows_because": options.ignore_windows,
        "over_slow_link": options.over_slow_link,
    }
    return {name: value for name, value in given.items() if value is not None}


def _warn(output: Output, seen: dict[str, Any]) -> None:
    for warning in seen["warnings"]:
        output.say(f"warning: {warning}")


def _path(call: Call) -> str:
    return f"{_LISTING}/{segment(call.arguments.advertisement)}"


def _instant(text: str | None) -> str | None:
    """The instant of an option, as the API takes it; `now` is left to the site's own clock."""
    return None if text is None or text == "now" else instant_of(text, now=datetime.now(UTC)).isoformat()


def _assignments(seen: dict[str, Any]) -> list[str] | str:
    return [one["text"] for one in seen["assignments"]] or "none: optional"
