"""Bytes that nobody honest sends, made from those that somebody does: cut, doubled, overwritten, spliced, blown up, nested.

A strategy gives `(seed) → bytes` or, where the seed is JSON, changes one place of its tree and writes it again: so that what lies
behind a signature and a first reading is reached too.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

DEEP = 3000
"""Deeper than Python's stack."""
LONG = 70_000
"""Longer than any name, number or line that is taken."""

TOKENS: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "\ufeff\u202e\u0130".encode(),
    b"\r\n",
    b"\\",
    b'"',
    b"%00",
    b"../",
    b"/",
    b"-1",
    b"0",
    b"99999999999999999999999",
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"\\ud800"',
    b'"\\u0000"',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"=" * 300,
    b";" * 300,
    b"A" * LONG,
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
)
"""What is put into bytes."""

VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**400,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "\0",
    "..",
    "../../etc/passwd",
    "a\nb",
    "\ud800",
    "\u017f",
    "²",
    "\u202e",
    "http://[",
    "A" * LONG,
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01T00:00:00+14:00",
    "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2",
    [],
    {},
    [[]],
    {"": None},
    [0] * 2000,
)
"""What is put into trees of JSON."""


@st.composite
def spoiled(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after one to four things were done to it."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 8) | st.integers(0, 4000)))
        match draw(st.sampled_from(("put", "cut", "end", "double", "splice", "flip", "many"))):
            case "put":
                content = content[:start] + draw(st.sampled_from(TOKENS) | st.binary(max_size=6)) + content[end:]
            case "cut":
                content = content[:start] + content[end:]
            case "end":
                content = content[:start]
            case "double":
                content = content[:end] + content[start:]
            case "many":
                content = content[:start] + content[start:end] * draw(st.integers(2, 60)) + content[end:]
            case "splice":
                other = draw(st.sampled_from(seeds))
                content = content[:start] + other[draw(st.integers(0, len(other))) :]
            case "flip" if start < len(content):
                flipped = content[start] ^ (1 << draw(st.integers(0, 7)))
                content = content[:start] + bytes([flipped]) + content[start + 1 :]
    return content


@st.composite
def spoiled_json(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, each of which is JSON, with one to three places of its tree changed."""
    tree = json.loads(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(_places(tree)))
        match draw(st.sampled_from(("value", "value", "leave out", "add", "nest", "again"))):
            case "leave out":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(("", "\0", "unknown", "kind")))] = deepcopy(draw(st.sampled_from(VALUES)))
            case "again" if isinstance(holder, list):
                holder.extend(deepcopy(holder[key]) for _ in range(draw(st.sampled_from((1, 2, 50)))))
            case "nest":
                holder[key] = {"a": [holder[key]]}
            case _:
                holder[key] = deepcopy(draw(st.sampled_from(VALUES)))
        if not _places(tree):
            break
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0 and text.startswith("{") and len(text) > 2:
        text = text[:-1] + "," + text[1:]  # every field stands twice
    return text.encode("utf-8", "surrogatepass")


def _places(tree: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON of any shape
    """Every place of a tree, as (what holds it, by which key)."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        found += [(here, key) for key in keys]
        waiting += [here[key] for key in keys]
    return found
