"""`purveyor token …`."""

from purveyor.cli.call import Call
from purveyor.cli.output import moment
from purveyor.cli.rest import rest_of


def create(call: Call) -> int:
    """Prints a new token."""
    options, output = call.arguments, call.output
    made = rest_of(call).post("/tokens", {"name": options.name, "role": options.role})
    output.give_result(made, made["token"], f"token {made['id']} ({made['role']}) for {made['name']}; it is shown this once")
    return 0


def show_all(call: Call) -> int:
    """Lists tokens."""
    rows, output = rest_of(call).get("/tokens"), call.output
    output.give_list(
        rows,
        ("number", "name", "role", "made", "last used", "revoked"),
        (
            (
                row["id"],
                row["name"],
                row["role"],
                moment(row["created_at"]),
                moment(row["last_used_at"]),
                moment(row["revoked_at"]),
            )
            for row in rows
        ),
        empty="there are no tokens",
    )
    return 0


def revoke(call: Call) -> int:
    """Revokes a token."""
    number = call.arguments.number
    call.output.done(rest_of(call).delete(f"/tokens/{number}"), f"token {number} is revoked")
    return 0
