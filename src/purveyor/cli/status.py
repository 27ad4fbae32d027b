"""`purveyor status …`."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from purveyor.cli.arguments.moments import is_duration, local_instant_of
from purveyor.cli.arguments.oversight import KINDS
from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, counted, moment
from purveyor.cli.references import PAGE, named
from purveyor.cli.rest import Rest, rest_of, segment

_OBJECT = re.compile(r"[A-Za-z0-9]{3}(?P<kind>[012])[0-9A-Za-z]{4}")
_KIND_OF_DIGIT: Mapping[str, str] = {"0": "package", "1": "collection", "2": "advertisement"}


def show(call: Call) -> int:
    """Shows what became of each thing that was named."""
    words, output = call.arguments.words, call.output
    kind, ids = (words[0], words[1:]) if words[0] in KINDS else ("", words)
    if not ids and kind != "messages":
        raise UsageError(f"which {kind}? Give an id")
    rest, limit = rest_of(call), call.arguments.limit
    narrowed: dict[str, object] = {name: _past(getattr(call.arguments, name)) for name in ("since", "until")}
    if call.arguments.point:
        if kind != "messages" or ids:
            raise UsageError("--point goes with `status messages` alone, and no id")
        narrowed["point"] = call.arguments.point
    answers = [_asked(rest, kind or kind_of(text), text, limit, narrowed) for text in ids or [""]]
    if output.is_json:
        output.give_json(answers[0] if len(answers) == 1 else answers)
        return 0
    for number, (text, answer) in enumerate(zip(ids or [""], answers, strict=True)):
        if number:
            output.give("")
        _SHOWN[kind or kind_of(text)](output, answer)
    return 0


def kind_of(text: str) -> str:
    """What an id is of, by its form; what has no form of its own is a client's name."""
    if "/" in text:
        return "program"
    match = _OBJECT.fullmatch(text)
    return _KIND_OF_DIGIT[match["kind"]] if match else "client"


def _asked(rest: Rest, kind: str, text: str, limit: int, narrowed: Mapping[str, object]) -> object:
    match kind:
        case "messages":
            return messages(rest, text, limit, narrowed)
        case "program":
            package, _, program = text.partition("/")
            number = named(rest, f"/packages/{segment(package)}/programs", program, key="number")
            return rest.get(f"/status/packages/{segment(package)}/programs/{number}")
        case "collection":
            return rest.get(f"/status/collections/{named(rest, '/collections', text)}")
        case "client":
            return rest.get(f"/status/clients/{named(rest, '/resources', text, containing=text)}")
        case "package" | "advertisement":
            path = f"/status/{kind}s/{segment(text)}"
            return rest.get(path) | {"jobs": rest.get(f"{path}/clients", limit=min(limit, PAGE))}
        case _:
            raise UsageError(f"{kind!r} has no status: {', '.join(KINDS)} have")


def messages(rest: Rest, text: str, limit: int, narrowed: Mapping[str, object]) -> list[Any]:
    """So many of the newest messages about one thing, or about all; `narrowed` by a span of time, or to a point."""
    query: dict[str, object] = {**narrowed}
    if text:
        kind = kind_of(text)
        match kind:
            case "program":
                query["package"], _, query["program"] = text.partition("/")
            case "collection":
                raise UsageError("messages are of a package, program, advertisement or client, not of a collection")
            case _:
                query[kind] = text
    rows: list[Any] = []
    while len(rows) < limit:
        page = rest.get("/status/messages", limit=min(PAGE, limit - len(rows)), before=rows[-1]["id"] if rows else None, **query)
        rows += page
        if not page:
            break
    return rows


def counts_in_words(counts: Mapping[str, Any]) -> str:
    """How many clients stand where, in one line."""
    parts = [f"{count} {state}" for state, count in counts["states"].items()]
    if counts["no_word_yet"]:
        parts.append(f"{counts['no_word_yet']} without any word yet")
    return counted(counts["clients"], "client") + (f": {', '.join(parts)}" if parts else "")


def _past(text: str | None) -> str | None:
    """An instant as the API takes it; a duration is so long ago."""
    if text is None:
        return None
    now = datetime.now(UTC)
    at = local_instant_of(text, now=now)
    return (now - (at - now) if is_duration(text) else at).astimezone(UTC).isoformat()


def _show_package(output: Output, seen: Mapping[str, Any]) -> None:
    output.give(f"{seen['package']} {seen['name']}, {seen['state']}, source version {seen['source_version']}")
    for program in seen["programs"]:
        _show_program(output, program)
    _give_jobs(output, seen["jobs"])


def _show_program(output: Output, seen: Mapping[str, Any]) -> None:
    disabled = "" if seen["is_enabled"] else " (disabled)"
    output.give(f"{seen['package']}/{seen['program']} {seen['name']}{disabled}: {counts_in_words(seen['counts'])}")


def _show_advertisement(output: Output, seen: Mapping[str, Any]) -> None:
    _give_advertisement(output, seen)
    _give_jobs(output, seen["jobs"])


def _show_collection(output: Output, seen: Mapping[str, Any]) -> None:
    output.give(f"{seen['collection']} {seen['name']}, {counted(seen['members'], 'member')}")
    for advertisement in seen["advertisements"]:
        _give_advertisement(output, advertisement)


def _show_client(output: Output, seen: Mapping[str, Any]) -> None:
    output.give(f"{seen['client']} {seen['name']}, {seen['state']}, last seen {moment(seen['last_seen_at'])}")
    _give_jobs(output, seen["jobs"])


def _show_messages(output: Output, rows: list[Mapping[str, Any]]) -> None:
    output.give_table(
        ("when", "client", "point", "message", "severity", "package", "program", "advertisement", "user", "exit code", "text"),
        (
            (
                moment(row["at"]),
                row["client_name"],
                row["point"],
                _with_name(row, "status"),
                row["severity"],
                _with_name(row, "package"),
                _with_name(row, "program"),
                _with_name(row, "advertisement"),
                row["user"],
                row["exit_code"],
                row["text"],
            )
            for row in rows
        ),
        empty="no messages yet",
    )


def _with_name(row: Mapping[str, Any], what: str) -> str | None:
    """What an answer names by id or number, with its name beside it; None where it names nothing."""
    return None if row[what] is None else f"{row[what]} {row[f'{what}_name']}".rstrip()


def waiting_lines(seen: Mapping[str, Any]) -> list[str]:
    """What an advertisement waits for before any client hears of it, at most one line."""
    packages = ", ".join(seen["waits_for_content_of"])
    return [f"waiting for content: {packages} is on no distribution point yet"] if packages else []


def _give_advertisement(output: Output, seen: Mapping[str, Any]) -> None:
    paused = " (paused)" if seen["is_paused"] else ""
    output.give(f"{seen['advertisement']} {seen['name']}{paused}: {counts_in_words(seen['counts'])}")
    for line in (*waiting_lines(seen), *seen["warnings"]):
        output.give(f"  {line}")


def _give_jobs(output: Output, jobs: list[Mapping[str, Any]]) -> None:
    if not jobs:
        return
    output.give("")
    output.give_table(
        ("client", "program", "state", "source version", "user", "exit code", "when", "text"),
        (
            (
                job["client_name"],
                f"{job['package']}/{job['program']} {job['program_name']}",
                job["state"] or "no word yet",
                job["source_version"] or None,
                job["user"],
                job["exit_code"],
                moment(job["at"]),
                job["text"] if job["message"] or not job["state"] else f"{job['text']} (no message is kept that says so)".strip(),
            )
            for job in jobs
        ),
        empty="",
    )


_SHOWN: Mapping[str, Callable[[Output, Any], None]] = {
    "package": _show_package,
    "program": _show_program,
    "advertisement": _show_advertisement,
    "collection": _show_collection,
    "client": _show_client,
    "messages": _show_messages,
}
