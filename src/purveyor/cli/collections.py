"""`purveyor collection …`."""

from argparse import Namespace
from pathlib import Path

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, counted, moment
from purveyor.cli.references import named, pages
from purveyor.cli.rest import Rest, rest_of
from purveyor.wire.errors import RefusedError

_LISTING = "/collections"


def add(call: Call) -> int:
    """Adds a collection."""
    options, output = call.arguments, call.output
    asked = {"name": options.name, "members": _members(call), "includes": options.include, "excludes": options.exclude}
    added = rest_of(call).post(_LISTING, asked)
    output.give_result(added, added["id"])
    return 0


def show_all(call: Call) -> int:
    """Lists collections."""
    rows, output = rest_of(call).get(_LISTING), call.output
    output.give_list(
        rows,
        ("id", "name", "members", "advertisements", "made"),
        ((row["id"], row["name"], row["members"], row["advertisements"], moment(row["created_at"])) for row in rows),
        empty="there are no collections",
    )
    return 0


def show(call: Call) -> int:
    """Shows a collection, and its members where asked."""
    output, rest = call.output, rest_of(call)
    path = _path(rest, call.arguments)
    seen = rest.get(path)
    members = pages(rest, f"{path}/members") if call.arguments.members else None
    if output.is_json:
        output.give_json(seen if members is None else {"collection": seen, "members": members})
        return 0
    output.give_fields(
        (
            ("id", seen["id"]),
            ("name", seen["name"]),
            ("members", str(seen["members"])),
            ("advertisements", str(seen["advertisements"])),
            ("direct", [one["name"] for one in seen["direct"]]),
            ("includes", [f"{one['id']} {one['name']}" for one in seen["includes"]]),
            ("excludes", [f"{one['id']} {one['name']}" for one in seen["excludes"]]),
            ("named by", [f"{one['id']} {one['name']}" for one in seen["named_by"]]),
        )
    )
    if members is not None:
        output.give("")
        _give_members(output, members)
    return 0


def edit(call: Call) -> int:
    """Changes a collection."""
    options, rest = call.arguments, rest_of(call)
    asked = {
        "add_members": _members(call),
        "add_includes": options.include,
        "add_excludes": options.exclude,
        "remove_members": options.remove_member,
        "remove_includes": options.remove_include,
        "remove_excludes": options.remove_exclude,
    }
    if options.name is None and not any(asked.values()):
        raise UsageError("say what to change; `purveyor collection edit --help` shows what can be")
    changed = rest.patch(_path(rest, options), asked | {"name": options.name, "is_confirmed": options.is_confirmed})
    call.output.done(changed, f"collection {changed['id']} ({changed['name']}) has {counted(changed['members'], 'member')}")
    return 0


def delete(call: Call) -> int:
    """Deletes a collection."""
    rest = rest_of(call)
    deleted = rest.delete(_path(rest, call.arguments), is_confirmed=call.arguments.is_confirmed)
    call.output.done(deleted, f"collection {deleted['id']} is deleted")
    return 0


def _members(call: Call) -> list[str]:
    options = call.arguments
    if not options.member_file:
        return list(options.member)
    try:
        text = call.output.stdin.read() if options.member_file == "-" else Path(options.member_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"the clients in {options.member_file} cannot be read: {error}") from error
    return [*options.member, *(line.strip() for line in text.splitlines() if line.strip())]


def _path(rest: Rest, options: Namespace) -> str:
    return f"{_LISTING}/{named(rest, _LISTING, options.collection)}"


def _give_members(output: Output, members: list[dict[str, str]]) -> None:
    output.give_table(
        ("client", "name", "state"), ((row["id"], row["name"], row["state"]) for row in members), empty="it has no members"
    )
