"""How a person's word for something becomes a part of a path: as it is where that is safe, else by looking it up."""

from typing import Any

from purveyor.cli.rest import Rest, segment
from purveyor.wire.errors import RefusedError

PAGE = 1000


def named(rest: Rest, listing: str, text: str, *, key: str = "id", **query: object) -> str:
    """The part of a path for an id or name. A name that a path cannot carry is looked up in the listing.

    Errors: RefusedError when there is no such name.
    """
    if text and "/" not in text and text not in (".", ".."):
        return segment(text)
    for row in rest.get(listing, **query):
        if row["name"] == text:
            return segment(str(row[key]))
    raise RefusedError(f"there is nothing called {text!r}")


def pages(rest: Rest, listing: str, **query: object) -> list[Any]:
    """All rows of a listing that comes in pages of ids."""
    rows: list[Any] = []
    while True:
        page = rest.get(listing, limit=PAGE, after=rows[-1]["id"] if rows else "", **query)
        rows += page
        if len(page) < PAGE:
            return rows
