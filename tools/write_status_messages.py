"""Writes `docs/status-messages.md` to the standard output: the numbers of status messages, from the code that uses them."""

import re
from pathlib import Path

from purveyor.wire import status_messages
from purveyor.wire.causes import MEANINGS as MEANINGS_OF_CAUSES
from purveyor.wire.causes import Cause
from purveyor.wire.status_messages import MEANINGS, StatusId, severity_of

INTRODUCTION = """# Status messages

What clients tell their site, step by step. A number never changes its meaning. Numbers up to 10099 are those of SMS 2.0, with the
article that describes them; ours start at 10100. `purveyor status messages ID` shows those of a package, client or advertisement.

This page is written from the code: `make docs`.

| number | name | severity | what it means | article |
| --- | --- | --- | --- | --- |
"""

CAUSES = """
## Causes

Where a job waits, its agent says for what in one word, with every message that tells the job's state. A word never changes its
meaning either.
`purveyor why` goes by it; the text of a message is for people. A site keeps words of newer agents that it does not know.

| cause | what the job waits for |
| --- | --- |
"""


def articles() -> dict[str, str]:
    """The field article beside each name in the source, where there is one."""
    source = Path(status_messages.__file__).read_text()
    return dict(re.findall(r"^    ([A-Z_]+) = \d+  # (Q\d+)$", source, re.MULTILINE))


def page() -> str:
    """The page as it is to be."""
    known = articles()
    rows = [
        f"| {status.value} | `{status.name}` | {severity_of(status).value} | {MEANINGS[status]} | {known.get(status.name, '')} |"
        for status in sorted(StatusId)
    ]
    causes = [f"| `{cause}` | {MEANINGS_OF_CAUSES[cause]} |" for cause in Cause]
    return INTRODUCTION + "\n".join(rows) + "\n" + CAUSES + "\n".join(causes) + "\n"


if __name__ == "__main__":
    print(page(), end="")
