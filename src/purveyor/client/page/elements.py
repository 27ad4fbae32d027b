"""HTML as values: elements with attributes and children, written out with everything escaped.

Nothing that comes from a site or a person can become markup, since text has no other way into a page than through `written`. An
element or attribute that could run code or reach another server is not known here at all. Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

_PLAIN = (
    "a article aside bdi body button caption code dd details div dl dt footer form h1 h2 h3 head header html label li main nav"
    " option p section select span strong summary table tbody td th thead time title tr ul"
)
_KNOWN = (
    "action aria-current aria-describedby aria-label aria-labelledby autocomplete charset class content datetime disabled for"
    " href id lang max method min name rel required role scope selected tabindex type value"
)
VOID = frozenset({"br", "input", "link", "meta"})
ELEMENTS = VOID | frozenset(_PLAIN.split())
"""What a page may be made of: nothing that runs, embeds or draws from elsewhere."""
ATTRIBUTES = frozenset(_KNOWN.split())
OWN_PATHS = frozenset({"action", "href"})
"""Attributes that lead somewhere: to this page alone."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Control characters, halves of characters, and those that turn the reading direction of what stands around them.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `attributes` in the order in which they are written."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple["Node", ...]


Node: TypeAlias = "Element | str | Iterable[Node] | None"
"""What stands in an element: elements, text, nothing, or several of these."""


def tag(name: str, /, *children: Node, **attributes: str | int | bool | None) -> Element:
    """An element. `class_` is written `class`, `aria_label` `aria-label`; true is the bare name, false and None are left out.

    Errors: ValueError for an element, an attribute or a target that no page of ours has: a bug.
    """
    if name not in ELEMENTS or (name in VOID and children):
        raise ValueError(f"<{name}> is no element of a page, or holds nothing")
    given = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if attribute not in ATTRIBUTES:
            raise ValueError(f"{attribute} is no attribute of a page")
        if value is None or value is False:
            continue
        text = "" if value is True else str(value)
        if attribute in OWN_PATHS and not re.match(r"/(?![/\\])|#", text):
            raise ValueError(f"{text!r} leads away from the page")
        given.append((attribute, text))
    return Element(name, tuple(given), children)


def written(node: Node) -> str:
    """The HTML of a node."""
    pieces: list[str] = []
    _write(node, pieces)
    return "".join(pieces)


def document(root: Element) -> bytes:
    """A whole page."""
    return f"<!doctype html>\n{written(root)}\n".encode()


def shown(text: str) -> str:
    """The text as a page can show it: what no reader could see, or what would turn the text around it, is marked as such."""
    return _UNSHOWN.sub(REPLACEMENT, text)


def _write(node: Node, pieces: list[str]) -> None:
    match node:
        case None:
            return
        case str():
            pieces.append(escape(shown(node), quote=True))
        case Element(name=name, attributes=attributes, children=children):
            pieces.append(f"<{name}")
            pieces += [f' {attribute}="{escape(shown(value), quote=True)}"' for attribute, value in attributes]
            pieces.append(">")
            for child in children:
                _write(child, pieces)
            if name not in VOID:
                pieces.append(f"</{name}>")
        case _:
            for one in node:
                _write(one, pieces)
