"""The description of the REST API as one page for people: made of the OpenAPI document, without scripts or other servers."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#8882;padding:.1em .3em}table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
    ":root{color-scheme:light dark}"
)


def page(document: Mapping[str, Any], address: str) -> str:
    """The page. `address` is where the document itself stands."""
    facts = document["info"]
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in facts["description"].split("\n\n"))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(facts['title'])} REST API</title>"
        f"<style>{_STYLE}</style><h1>{escape(facts['title'])} {escape(facts['version'])}: REST API</h1>{paragraphs}"
        f'<p>For programs: <a href="{escape(address)}">{escape(address)}</a></p>{"".join(_nouns(document))}</html>'
    )


def _nouns(document: Mapping[str, Any]) -> Iterator[str]:
    nouns: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            nouns.setdefault(operation["tags"][0], []).append(_operation(document, method.upper(), path, operation))
    for noun, operations in nouns.items():
        yield f"<h2>{escape(noun)}</h2>{''.join(operations)}"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    asked = [*_parameters(operation), *_fields(document, operation)]
    rows = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(what)}" for name, what in asked)
    table = f"<table>{rows}</table>" if rows else ""
    told = escape(operation.get("description", ""))
    return f"<h3><code>{method} {escape(path)}</code></h3><p>{escape(operation['summary'])}. {told}</p>{table}"


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in operation.get("parameters", ()):
        words = [f"in the {one['in']}", one.get("description", "")]
        yield one["name"], ", ".join(word for word in words if word)


def _fields(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    shape = document["components"]["schemas"].get(name, {})
    for field, about in shape.get("properties", {}).items():
        words = ["in the body", "needed" if field in shape.get("required", ()) else "", about.get("description", "")]
        yield field, ", ".join(word for word in words if word)
