"""`purveyor resource …`."""

from purveyor.cli.call import Call
from purveyor.cli.output import counted, moment
from purveyor.cli.references import named, pages
from purveyor.cli.rest import Rest, rest_of

_LISTING = "/resources"


def show_all(call: Call) -> int:
    """Lists resources."""
    options, output = call.arguments, call.output
    rows = pages(rest_of(call), _LISTING, state=options.state, containing=options.containing)
    output.give_list(
        rows,
        ("client", "name", "state", "platform", "last seen", "absent requests"),
        (
            (row["id"], row["name"], _state(row), row["platform"], moment(row["last_seen_at"]), row["absent_requests"])
            for row in rows
        ),
        empty="there are no resources; make a code with which machines join: purveyor join-code create",
    )
    return 0


def show(call: Call) -> int:
    """Shows a resource."""
    output, rest = call.output, rest_of(call)
    seen = rest.get(_path(rest, call))
    if output.is_json:
        output.give_json(seen)
        return 0
    output.give_fields(
        (
            ("client", seen["id"]),
            ("name", seen["name"]),
            ("state", _state(seen)),
            ("reason", seen["reason"]),
            ("platform", seen["platform"]),
            ("architecture", seen["architecture"]),
            ("system", seen["system"]),
            ("addresses", seen["addresses"]),
            ("zone", seen["zone"]),
            ("agent", seen["agent_version"]),
            ("joined", moment(seen["joined_at"])),
            ("last seen", moment(seen["last_seen_at"])),
            ("items received", str(seen["received"])),
            ("items lost", seen["lost_items"] or None),
            ("absent requests", str(seen["absent_requests"])),
            ("several machines use this identity", seen["fork"]),
            ("kept by", _keeper(seen)),
            ("clones that joined as themselves", seen["clones"] or None),
            ("came with the identity of", seen["was"]),
            ("collections", [f"{one['id']} {one['name']}" for one in seen["collections"]]),
        )
    )
    return 0


def approve(call: Call) -> int:
    """Lets a waiting machine be a member."""
    return _decide(call, "approve", "is a member")


def block(call: Call) -> int:
    """Offers a machine nothing, and believes it nothing."""
    return _decide(call, "block", "is blocked", {"reason": call.arguments.reason})


def unblock(call: Call) -> int:
    """Lets a blocked machine be a member again."""
    return _decide(call, "unblock", "is a member again")


def remove(call: Call) -> int:
    """Takes a machine out of the site."""
    rest = rest_of(call)
    removed = rest.delete(_path(rest, call))
    call.output.done(removed, f"client {removed['id']} is removed; it is told to join again")
    return 0


def remove_clones(call: Call) -> int:
    """Takes clones out of the site in whose place others came."""
    options, rest = call.arguments, rest_of(call)
    asked = {"silent_seconds": options.silent_for, "is_confirmed": options.is_confirmed}
    body = {name: value for name, value in asked.items() if value is not None}
    removed = rest.post(f"{_path(rest, call)}/remove-clones", body)
    words = f"{counted(removed['count'], 'clone')} of {removed['id']} removed: {removed['names']}"
    none = f"there are no clones of {removed['id']} in whose place others came"
    call.output.done(removed, words if removed["count"] else f"{none}: nothing was removed")
    return 0


def _decide(call: Call, verb: str, words: str, body: object = None) -> int:
    rest = rest_of(call)
    seen = rest.post(f"{_path(rest, call)}/{verb}", body)
    call.output.done(seen, f"{seen['name']} ({seen['id']}) {words}")
    return 0


def _path(rest: Rest, call: Call) -> str:
    text = call.arguments.resource
    return f"{_LISTING}/{named(rest, _LISTING, text, containing=text)}"


def _keeper(seen: dict[str, str]) -> str | None:
    match seen["keeper"]:
        case "":
            return None
        case "nobody":
            return "nobody: their machine ids are the same, so all of them were told to join again"
        case keeper:
            return f"the machine with id {keeper}; every other one was told to join again"


def _state(row: dict[str, str]) -> str:
    return row["state"] + (", cloned" if row["keeper"] else ", forked" if row["is_forked"] else "")
