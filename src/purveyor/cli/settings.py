"""`purveyor settings …`."""

import argparse

import msgspec

from purveyor.cli.arguments.values import duration_seconds
from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import cell
from purveyor.cli.rest import rest_of, segment
from purveyor.wire.settings import AgentSettings

_TEXTS = frozenset(field.name for field in msgspec.structs.fields(AgentSettings) if field.type is str and field.name != "site")
_FACTS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def show(call: Call) -> int:
    """Shows all settings."""
    rows, output = rest_of(call).get("/settings"), call.output
    if output.is_json:
        output.give_json(rows)
    else:
        output.give_table(
            ("setting", "value", "default"),
            ((row["name"], row["value"], row["default"] if row["value"] != row["default"] else "(same)") for row in rows),
            empty="there are no settings",
        )
    return 0


def change(call: Call) -> int:
    """Changes one setting."""
    options = call.arguments
    changed = rest_of(call).put(f"/settings/{segment(options.name)}", {"value": value_of(options.name, options.value)})
    heard = "; clients hear of it with their next poll" if changed["name"] in AgentSettings.__struct_fields__ else ""
    call.output.done(changed, f"{changed['name']} is {cell(changed['value'])}{heard}")
    return 0


def value_of(name: str, text: str) -> int | bool | str:
    """The whole number that a value means, or whether it says yes; a name that ends in `_seconds` also takes a duration.

    A budget is given on as written: the site judges it. Errors: UsageError.
    """
    if name in _TEXTS:
        return text
    if text.lower() in _FACTS:
        return _FACTS[text.lower()]
    try:
        return int(text)
    except ValueError as error:
        if not name.endswith("_seconds"):
            raise UsageError(f"{text!r} is no whole number, and neither yes nor no") from error
    try:
        return duration_seconds(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(str(error)) from error
