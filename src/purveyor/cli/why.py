"""`purveyor why`."""

from collections.abc import Mapping
from typing import Any

from purveyor.cli.call import Call
from purveyor.cli.output import Output, moment
from purveyor.cli.rest import rest_of

THERE, MISSING = 0, 1
MARKS: Mapping[str, str] = {"ok": "[ok]", "missing": "[no]", "unknown": "[??]"}


def show(call: Call) -> int:
    """Shows the chain from membership to result, and says in one sentence what it comes to."""
    options, output = call.arguments, call.output
    package, _, program = options.subject.partition("/")
    answer = rest_of(call).get("/why", client=options.client, package=package, program=program)
    if output.is_json:
        output.give_json(answer)
    else:
        for number, explanation in enumerate(answer["explanations"]):
            if number:
                output.give("")
            _give(output, explanation, is_brief=options.is_brief)
    return THERE if answer["is_there"] else MISSING


def _give(output: Output, explained: dict[str, Any], *, is_brief: bool) -> None:
    name = f"{explained['package']}/{explained['program']} {explained['package_name']}: {explained['program_name']}"
    output.give(f"{name} on {explained['client_name']}, {moment(explained['asked_at'])}")
    if not is_brief:
        width = max(len(link["name"]) for link in explained["links"])
        for link in explained["links"]:
            output.give(f"{MARKS[link['mark']]} {link['name'].ljust(width)}  {link['says']}")
            for evidence in link["evidence"]:
                output.give(f"{' ' * (width + 7)}{_evidence(evidence)}")
    output.give(explained["sentence"])


def _evidence(evidence: dict[str, Any]) -> str:
    """One fact with its time and its source."""
    at = "" if evidence["at"] is None else f"{moment(evidence['at'])} "
    return f"- {at}{' '.join(evidence['text'].split())} ({evidence['source']})"
