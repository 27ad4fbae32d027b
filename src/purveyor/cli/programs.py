"""`purveyor program …`."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output, duration, size
from purveyor.cli.references import named
from purveyor.cli.rest import Rest, rest_of, segment

_PLAIN = (
    "description",
    "working_directory",
    "success_codes",
    "restart_codes",
    "retry_codes",
    "depends_on",
    "if_interrupted",
    "after_run",
    "run_as",
    "runs_for",
)
_CONDITIONS = ("logon", "needs_mains", "needs_unmetered")
_REPLACED_AND_GONE = "+uninstall"


def add(call: Call) -> int:
    """Adds a program."""
    options, output = call.arguments, call.output
    asked = {"name": options.name, "is_enabled": not options.disabled} | definition_of(options)
    added = rest_of(call).post(f"{_listing(options)}", asked)
    if output.is_json:
        output.give_json(added)
    else:
        output.give(str(added["number"]))
        _warn(output, added)
    return 0


def edit(call: Call) -> int:
    """Changes a program."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    parts = (
        ("depends_on", options.no_depends_on),
        ("uninstall", options.no_uninstall),
        ("detection", options.no_detection),
        ("reporting", options.no_mif),
    )
    asked = definition_of(options)
    if options.name is not None:
        asked["name"] = options.name
    if options.no_platform:
        asked["platforms"] = []
    if options.no_supersedes:
        asked["supersedes"] = []
    without = [part for part, is_taken in parts if is_taken]
    if without:
        asked["without"] = without
    if not set(asked) - {"is_shell"}:
        raise UsageError("say what to change; `purveyor program edit --help` shows what can be")
    changed = rest.patch(_path(rest, options), asked)
    output.done(changed, f"program {changed['package']}/{changed['number']} ({changed['name']}) is changed")
    _warn(output, changed)
    return 0


def show_all(call: Call) -> int:
    """Lists the programs of a package."""
    rows, output = rest_of(call).get(_listing(call.arguments)), call.output
    output.give_list(
        rows,
        ("number", "name", "command", "max run", "platforms", "logon", "depends on", "replaces", "enabled"),
        (
            (
                row["number"],
                row["name"],
                _command_text(row),
                duration(row["max_run_seconds"]),
                row["platforms"] or "all",
                row["conditions"]["logon"],
                row["depends_on"],
                _superseded_texts(row),
                row["is_enabled"],
            )
            for row in rows
        ),
        empty="this package has no programs; add one with: purveyor program add PACKAGE NAME --command …",
    )
    return 0


def show(call: Call) -> int:
    """Shows a program."""
    output, rest = call.output, rest_of(call)
    seen = rest.get(_path(rest, call.arguments))
    if output.is_json:
        output.give_json(seen)
        return 0
    output.give_fields(_fields(seen))
    _warn(output, seen)
    return 0


def _fields(seen: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    uninstall, conditions = seen["uninstall"], seen["conditions"]
    return (
        ("program", f"{seen['package']}/{seen['number']}"),
        ("name", seen["name"]),
        ("description", seen["description"]),
        ("command", _command_text(seen)),
        ("run by", "the machine's shell" if seen["shell_line"] else "itself, without a shell"),
        ("working directory", seen["working_directory"]),
        ("max run", duration(seen["max_run_seconds"])),
        ("success codes", seen["success_codes"]),
        ("restart codes", seen["restart_codes"]),
        ("retry codes", seen["retry_codes"]),
        ("if interrupted", seen["if_interrupted"]),
        ("after a success", seen["after_run"]),
        ("status MIF", {name: text for name, text in (seen["reporting"] or {}).items() if text}),
        ("platforms", seen["platforms"] or "all"),
        ("logged on", conditions["logon"]),
        ("needs mains", conditions["needs_mains"] or None),
        ("needs an unmetered network", conditions["needs_unmetered"] or None),
        ("needs free space", size(conditions["min_free_bytes"]) if conditions["min_free_bytes"] else None),
        ("run as", seen["run_as"]),
        ("runs for", seen["runs_for"] if conditions["logon"] == "user" else None),
        ("depends on", seen["depends_on"]),
        ("replaces", _superseded_texts(seen)),
        ("enabled", seen["is_enabled"]),
        ("uninstall", _command_text(uninstall) if uninstall else None),
        ("uninstall files", uninstall["files"] if uninstall else None),
        ("uninstalled when not offered", uninstall["when_not_offered"] if uninstall else None),
        ("detection", seen["detection"]),
    )


def enable(call: Call) -> int:
    """Offers a disabled program again."""
    return _decide(call, "enable", "enabled")


def disable(call: Call) -> int:
    """Offers a program to nobody for now."""
    return _decide(call, "disable", "disabled")


def delete(call: Call) -> int:
    """Deletes a program."""
    rest = rest_of(call)
    deleted = rest.delete(_path(rest, call.arguments), is_confirmed=call.arguments.is_confirmed)
    call.output.done(deleted, f"program {deleted['id']} is deleted")
    return 0


def definition_of(options: Namespace) -> dict[str, Any]:
    """What options say of a program, as the API takes it; what is not given is left out.

    Errors: UsageError when options contradict each other.
    """
    asked: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(options, name)) is not None}
    if options.argv is not None:
        if options.shell or not options.argv:
            raise UsageError("--argv needs words after it, and no --shell: a shell line is one text")
        asked["command"] = options.argv
    elif options.command is not None:
        asked |= {"command": options.command, "is_shell": options.shell}
    if options.max_run is not None:
        asked["max_run_seconds"] = options.max_run
    if options.platform is not None:
        asked["platforms"] = options.platform
    if options.supersedes is not None:
        asked["supersedes"] = [_superseded(text) for text in options.supersedes]
    parts = {
        "conditions": _conditions(options),
        "reporting": _reporting(options),
        "uninstall": _uninstall(options),
        "detection": _detection(options),
    }
    return asked | {name: part for name, part in parts.items() if part}


def _conditions(options: Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name in _CONDITIONS if (value := getattr(options, name)) is not None}
    return given if options.min_free is None else given | {"min_free_bytes": options.min_free}


def _reporting(options: Namespace) -> dict[str, Any]:
    fields = {
        "file_name": options.mif,
        "manufacturer": options.mif_manufacturer,
        "product": options.mif_product,
        "version": options.mif_version,
    }
    return {name: text for name, text in fields.items() if text is not None}


def _superseded(text: str) -> dict[str, Any]:
    program = text.removesuffix(_REPLACED_AND_GONE)
    return {"program": program, "is_uninstalled": program != text}


def _uninstall(options: Namespace) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if options.uninstall_command is not None:
        given = {"command": options.uninstall_command, "is_shell": options.shell, "files": options.uninstall_file or []}
    elif options.uninstall_file:
        raise UsageError("--uninstall-file goes with --uninstall-command")
    if options.uninstall_when_not_offered is not None:
        given["when_not_offered"] = options.uninstall_when_not_offered
    return given


def _detection(options: Namespace) -> dict[str, Any] | None:
    if options.detect_sha256 and not options.detect_file:
        raise UsageError("--detect-sha256 goes with --detect-file")
    if (options.detect_version or options.detect_root) and not options.detect_package:
        raise UsageError("--detect-version and --detect-root go with --detect-package")
    if options.detect_file:
        return {"kind": "file", "path": options.detect_file, "sha256": options.detect_sha256.lower()}
    if options.detect_command:
        return {"kind": "command", "command": options.detect_command, "is_shell": options.shell}
    if options.detect_package:
        return {
            "kind": "os-package",
            "name": options.detect_package,
            "at_least": options.detect_version,
            "root": options.detect_root,
        }
    return None


def _decide(call: Call, verb: str, word: str) -> int:
    rest = rest_of(call)
    seen = rest.post(f"{_path(rest, call.arguments)}/{verb}")
    call.output.done(seen, f"program {seen['package']}/{seen['number']} ({seen['name']}) is {word}")
    return 0


def _listing(options: Namespace) -> str:
    return f"/packages/{segment(options.package)}/programs"


def _path(rest: Rest, options: Namespace) -> str:
    listing = _listing(options)
    return f"{listing}/{named(rest, listing, options.program, key='number')}"


def _superseded_texts(seen: Mapping[str, Any]) -> list[str]:
    return [one["program"] + (_REPLACED_AND_GONE if one["is_uninstalled"] else "") for one in seen["supersedes"]]


def _command_text(seen: Mapping[str, Any]) -> str:
    return str(seen["shell_line"] or " ".join(_quoted(word) for word in seen["argv"]))


def _quoted(word: str) -> str:
    return word if word and not any(sign in " \t\n'\"" for sign in word) else repr(word)


def _warn(output: Output, seen: dict[str, Any]) -> None:
    for warning in seen["warnings"]:
        output.say(f"warning: {warning}")
