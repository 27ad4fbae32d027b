"""`purveyor package …`."""

from pathlib import Path
from typing import Any

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, counted, moment, size
from purveyor.cli.rest import Rest, rest_of, segment
from purveyor.cli.upload import taken_in_at_site
from purveyor.wire.errors import RefusedError


def add(call: Call) -> int:
    """Adds a package, with its source where there is one."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    asked = {"name": options.name, "version": options.version, "publisher": options.publisher}
    if options.source is not None:
        source = Path(options.source).absolute()
        asked |= {"manifest": taken_in_at_site(rest, output, source), "source": str(source)}
    twins = _twins_of(rest, options.name, options.version)  # before: who hears of a failure behind it adds it once more
    added = rest.post("/packages", asked)
    output.give_result(added, added["id"])
    if twins:
        output.say(f"note: {twins} has this name and version too; was it added twice? purveyor package delete {added['id']}")
    return 0


def _twins_of(rest: Rest, name: str, version: str) -> str:
    """Packages that look the same to people: a command that was said again after a failure makes a second one."""
    return ", ".join(row["id"] for row in rest.get("/packages") if (row["name"], row["version"]) == (name, version))


def update(call: Call) -> int:
    """Takes in a new source version."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    path = f"/packages/{segment(options.package)}"
    recorded = "" if options.source else rest.get(path)["source"]
    if not options.source and not recorded:
        raise UsageError(f"{options.package} has no source on record: name one")
    source = Path(options.source or recorded).absolute()
    asked = {"manifest": taken_in_at_site(rest, output, source), "source": str(source), "version": options.version}
    updated = rest.post(f"{path}/source-versions", asked)
    output.give_result(updated, str(updated["source_version"]), updated["note"])
    return 0


def show_all(call: Call) -> int:
    """Lists packages."""
    rows, output = rest_of(call).get("/packages", include_deleted=call.arguments.all), call.output
    output.give_list(
        rows,
        ("id", "name", "version", "state", "source version", "size", "programs", "advertisements"),
        (
            (
                row["id"],
                row["name"],
                row["version"],
                row["state"],
                row["source_version"],
                size(row["size_bytes"]),
                row["programs"],
                row["advertisements"],
            )
            for row in rows
        ),
        empty="there are no packages; add one with: purveyor package add SOURCE --name N",
    )
    return 0


def show(call: Call) -> int:
    """Shows a package and its programs."""
    output, rest = call.output, rest_of(call)
    path = f"/packages/{segment(call.arguments.package)}"
    package = rest.get(path)
    if output.is_json:
        output.give_json(package)
        return 0
    output.give_fields(
        (
            ("id", package["id"]),
            ("name", package["name"]),
            ("version", package["version"]),
            ("publisher", package["publisher"]),
            ("source", package["source"]),
            ("state", f"{package['state']} since {moment(package['state_since'])}"),
            ("source version", package["source_version"]),
            ("size", size(package["size_bytes"])),
            ("waits for", package["waits_for"]),
            ("deleted by", package["deleted_by"]),
            ("replaced by", package["replaced_by"]),
        )
    )
    programs = rest.get(f"{path}/programs")
    if programs:
        output.give("")
        output.give_table(
            ("program", "name", "command", "enabled"),
            ((row["number"], row["name"], row["shell_line"] or row["argv"], row["is_enabled"]) for row in programs),
            empty="",
        )
    return 0


def edit(call: Call) -> int:
    """Changes what a package is called."""
    options = call.arguments
    asked = {name: value for name in ("name", "version", "publisher") if (value := getattr(options, name)) is not None}
    if not asked:
        raise UsageError("say what to change: --name, --version or --publisher")
    changed = rest_of(call).patch(f"/packages/{segment(options.package)}", asked)
    call.output.done(changed, f"package {changed['id']} is called {changed['name']}")
    return 0


def preview(call: Call) -> int:
    """Shows what deleting a package would touch."""
    _show_preview(call.output, rest_of(call), f"/packages/{segment(call.arguments.package)}")
    return 0


def delete(call: Call) -> int:
    """Deletes a package, once that is confirmed; else shows what it would touch."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    path = f"/packages/{segment(options.package)}"
    if not options.is_confirmed:
        _show_preview(output, rest, path)
        raise RefusedError(f"nothing was deleted: confirm it with --yes (running programs: {options.running})")
    deleted = rest.delete(
        path, running=options.running, uninstall=options.uninstall, replaced_by=options.replaced_by, is_confirmed=True
    )
    output.done(
        deleted,
        f"package {deleted['package']} ({deleted['name']}) is deleted; {counted(deleted['holder_count'], 'client')} to forget it",
    )
    if not output.is_json:
        output.say(f"how far that has come: purveyor package retirement {deleted['package']}")
    return 0


def retirement(call: Call) -> int:
    """Shows how far a deletion has come."""
    seen, output = rest_of(call).get(f"/packages/{segment(call.arguments.package)}/retirement"), call.output
    if output.is_json:
        output.give_json(seen)
        return 0
    output.give(retirement_in_words(seen))
    output.give_fields(
        (
            ("state", seen["state"]),
            ("waits for", seen["waits_for"]),
            ("deleted", f"{moment(seen['deleted_at'])} by {seen['deleted_by']}"),
            ("replaced by", seen["replaced_by"]),
            ("uninstalled", seen["removed"] or None),
            ("retired", moment(seen["retired_at"]) if seen["retired_at"] else None),
            ("withdrawn", moment(seen["withdrawn_at"]) if seen["withdrawn_at"] else None),
            ("purged", moment(seen["purged_at"]) if seen["purged_at"] else None),
            ("archived", moment(seen["archived_at"]) if seen["archived_at"] else None),
            ("copies left", seen["copies_left"] or None),
        )
    )
    if seen["silent"]:
        output.give("")
        output.give_table(
            ("awaited of", "last seen"), ((row["name"], moment(row["last_seen_at"])) for row in seen["silent"]), empty=""
        )
    return 0


def retirement_in_words(seen: dict[str, Any]) -> str:
    """The one line of a retirement: who held it, who acknowledged, of whom that is awaited, what was freed.

    Nobody is called silent for that: a client says it with its next poll.
    """
    times = [row["last_seen_at"] for row in seen["silent"] if row["last_seen_at"]]
    since = f" (seen last {moment(min(times))} or later)" if times else ""
    return (
        f"{seen['package']} ({seen['name']}): {seen['held']} held it, {seen['acknowledged']} acknowledged, "
        f"awaited of {seen['silent_count']}{since}, {seen['freed_bytes']} bytes freed"
    )


def _show_preview(output: Output, rest: Rest, path: str) -> None:
    seen = rest.get(f"{path}/deletion-preview")
    if output.is_json:
        output.give_json(seen)
    else:
        _give_preview(output, seen)


def _give_preview(output: Output, seen: dict[str, Any]) -> None:
    output.give(f"Deleting {seen['package']} ({seen['name']}) would touch:")
    output.give_fields(
        (
            ("clients that hold it or were offered it", str(seen["holder_count"])),
            ("clients that wait for it", str(seen["pending_count"])),
            ("clients that run it now", str(seen["running_count"])),
            ("advertisements", _names(seen["advertisements"])),
            ("collections", _names(seen["collections"])),
            ("programs that depend on it", _names(seen["dependents"])),
            ("programs that replace it", _names(seen["superseded_by"])),
            ("programs that run again without it", _names(seen["supersedes"])),
            ("can be uninstalled", seen["can_uninstall"]),
            ("waits for", seen["waits_for"]),
        )
    )


def _names(references: list[dict[str, str]]) -> list[str]:
    return [f"{one['id']} {one['name']}" for one in references]
