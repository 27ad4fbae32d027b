"""`purveyor join-code …`."""

from purveyor.cli.call import Call
from purveyor.cli.output import counted, moment
from purveyor.cli.rest import rest_of


def create(call: Call) -> int:
    """Prints a new join code."""
    options, output = call.arguments, call.output
    asked = {"uses": options.uses, "expires_in_seconds": options.expires, "needs_approval": options.approve}
    made = rest_of(call).post("/join-codes", asked)
    if output.is_json:
        output.give_json(made)
    else:
        output.give(made["code"])
        machines = "any number of machines" if made["uses"] is None else counted(made["uses"], "machine")
        approval = "; each must be approved" if made["needs_approval"] else ""
        output.say(
            f"join code {made['id']} for {machines}, good until {moment(made['expires_at'])}{approval}; it is shown this once"
        )
    return 0


def show_all(call: Call) -> int:
    """Lists join codes."""
    rows, output = rest_of(call).get("/join-codes"), call.output
    output.give_list(
        rows,
        ("number", "made", "by", "expires", "uses left", "approval", "joined", "usable"),
        (
            (
                row["id"],
                moment(row["created_at"]),
                row["created_by"],
                moment(row["expires_at"]),
                "any" if row["uses_left"] is None else row["uses_left"],
                row["needs_approval"],
                row["clients"],
                row["is_usable"],
            )
            for row in rows
        ),
        empty="there are no join codes",
    )
    return 0


def revoke(call: Call) -> int:
    """Revokes a join code."""
    number = call.arguments.number
    call.output.done(rest_of(call).delete(f"/join-codes/{number}"), f"join code {number} is revoked")
    return 0
