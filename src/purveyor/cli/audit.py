"""`purveyor audit …`."""

from typing import Any

from purveyor.cli.call import Call
from purveyor.cli.output import moment
from purveyor.cli.references import PAGE
from purveyor.cli.rest import Rest, rest_of


def show_all(call: Call) -> int:
    """Lists changes, newest first."""
    options, output = call.arguments, call.output
    rows = newest(rest_of(call), options.limit, about=options.object or "")
    output.give_list(
        rows,
        ("when", "who", "what", "object", "detail"),
        ((moment(row["at"]), row["actor"], row["action"], row["about"], row["detail"]) for row in rows),
        empty="nothing was changed",
    )
    return 0


def newest(rest: Rest, limit: int, **query: object) -> list[Any]:
    """So many of the newest changes, in as many pages as that takes."""
    rows: list[Any] = []
    while len(rows) < limit:
        page = rest.get("/audit", limit=min(PAGE, limit - len(rows)), before=rows[-1]["id"] if rows else None, **query)
        rows += page
        if not page:
            break
    return rows
