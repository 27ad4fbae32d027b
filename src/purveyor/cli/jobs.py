"""`purveyor job …`: what is asked of single runs, and what clients answered."""

from datetime import UTC, datetime
from typing import Any

from purveyor.cli.arguments.values import instant_of
from purveyor.cli.call import Call
from purveyor.cli.output import Output, counted, moment
from purveyor.cli.references import PAGE
from purveyor.cli.rest import Rest, rest_of, segment

_LISTING = "/requests"
_COUNTS = (("done", "done"), ("too_late", "too late"), ("refused", "refused"), ("silent", "without an answer yet"))


def cancel(call: Call) -> int:
    """Calls runs off before they begin."""
    return _ask(call, "cancel")


def stop(call: Call) -> int:
    """Ends runs that are under way."""
    return _ask(call, "stop")


def run_again(call: Call) -> int:
    """Runs a program once more."""
    return _ask(call, "run-again")


def requests(call: Call) -> int:
    """Lists requests, or shows one with its answers."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    if options.number is not None:
        return _show(output, rest, options.number)
    rows = rest.get(_LISTING, advertisement=options.advertisement, is_open=options.open, limit=min(options.limit, PAGE))
    output.give_list(
        rows,
        ("number", "what", "advertisement", "for", "state", "made", "by", "answers", "reason"),
        (
            (
                row["number"],
                row["kind"],
                f"{row['advertisement']} {row['advertisement_name']}",
                _audience(row),
                row["state"],
                moment(row["made_at"]),
                row["made_by"],
                _counts(row),
                row["reason"],
            )
            for row in rows
        ),
        empty="nothing was asked of any run",
    )
    return 0


def withdraw(call: Call) -> int:
    """Takes a request back."""
    seen = rest_of(call).post(f"{_LISTING}/{call.arguments.number}/withdraw")
    call.output.done(seen, f"request {seen['number']} is withdrawn; {_counts(seen) or 'no client has answered it'}")
    return 0


def _ask(call: Call, kind: str) -> int:
    options, output = call.arguments, call.output
    asked: dict[str, Any] = {
        "kind": kind,
        "clients": options.client or [],
        "only_failed": getattr(options, "failed", False),
        "reason": options.reason,
        "is_confirmed": options.is_confirmed,
    }
    if options.expires is not None:
        asked["expires_at"] = instant_of(options.expires, now=datetime.now(UTC)).isoformat()
    made = rest_of(call).post(f"/advertisements/{segment(options.advertisement)}/requests", asked)
    output.give_result(
        made, str(made["number"]), f"asked of {_audience(made)}; `purveyor job requests {made['number']}` shows what they answer"
    )
    return 0


def _show(output: Output, rest: Rest, number: int) -> int:
    seen = rest.get(f"{_LISTING}/{number}")
    answers = _answers(rest, number)
    if output.is_json:
        output.give_json(seen | {"answers": answers})
        return 0
    output.give_fields(
        (
            ("request", str(seen["number"])),
            ("what", seen["kind"]),
            ("advertisement", f"{seen['advertisement']} {seen['advertisement_name']}"),
            ("program", f"{seen['package']}/{seen['program']}"),
            ("for", _audience(seen)),
            ("reason", seen["reason"]),
            ("made", f"{moment(seen['made_at'])} by {seen['made_by']}"),
            ("state", seen["state"]),
            ("expires", moment(seen["expires_at"])),
            ("answers", _counts(seen)),
        )
    )
    output.give("")
    output.give_table(
        ("client", "answer", "when", "text"),
        ((one["client_name"], one["outcome"] or "-", moment(one["at"]), one["text"]) for one in answers),
        empty="it concerns no client now",
    )
    return 0


def _answers(rest: Rest, number: int) -> list[Any]:
    rows: list[Any] = []
    while True:
        page = rest.get(f"{_LISTING}/{number}/answers", limit=PAGE, after=rows[-1]["client"] if rows else "")
        rows += page
        if len(page) < PAGE:
            return rows


def _audience(seen: dict[str, Any]) -> str:
    if seen["clients"]:
        return counted(len(seen["clients"]), "client")
    return f"members of {seen['collection']}" + (" where the last run failed" if seen["only_failed"] else "")


def _counts(seen: dict[str, Any]) -> str:
    return ", ".join(f"{seen['counts'][name]} {word}" for name, word in _COUNTS if seen["counts"][name])
