"""`purveyor settings …`."""

import argparse
from difflib import get_close_matches

from purveyor.cli.arguments.values import duration_seconds
from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import cell
from purveyor.cli.rest import rest_of, segment
from purveyor.wire.errors import RefusedError
from purveyor.wire.settings import AgentSettings

_FACTS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def show(call: Call) -> int:
    """Shows all settings."""
    rows, output = rest_of(call).get("/settings"), call.output
    output.give_list(
        rows,
        ("setting", "value", "default"),
        ((row["name"], row["value"], row["default"] if row["value"] != row["default"] else "(same)") for row in rows),
        empty="there are no settings",
    )
    return 0


def change(call: Call) -> int:
    """Changes one setting."""
    options, rest = call.arguments, rest_of(call)
    defaults = {row["name"]: row["default"] for row in rest.get("/settings")}
    if options.name not in defaults:
        like = get_close_matches(options.name, defaults, n=1)
        raise RefusedError(f"there is no setting {options.name!r}" + (f"; is {like[0]} meant?" if like else ""))
    value = value_of(options.name, options.value, defaults[options.name])
    changed = rest.put(f"/settings/{segment(options.name)}", {"value": value})
    heard = "; clients hear of it with their next poll" if changed["name"] in AgentSettings.__struct_fields__ else ""
    call.output.done(changed, f"{changed['name']} is {cell(changed['value'])}{heard}")
    return 0


def value_of(name: str, text: str, default: int | bool | str) -> int | bool | str:
    """What a person's words mean for a setting with such a default; the site judges the value.

    A text is taken as written; a name that ends in `_seconds` also takes a duration. Errors: UsageError.
    """
    if isinstance(default, str):
        return text
    if isinstance(default, bool) and text.lower() in _FACTS:
        return _FACTS[text.lower()]
    if isinstance(default, bool):
        raise UsageError(f"{text!r} is neither yes nor no")
    if text.isascii() and text.isdigit():
        return int(text)
    if not name.endswith("_seconds"):
        raise UsageError(f"{text!r} is no whole number")
    try:
        return duration_seconds(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(str(error)) from error
