"""Reading the heads of HTTP answers: tags and ranges. Pure.

A tag is an entity tag as the server wrote it or, where a server has none, the time of the last change.
"""

import re
from collections.abc import Mapping

TAG_LIMIT = 256

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{10,40}")
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)")
_CHANGED = "changed "


def tag_in(headers: Mapping[str, str]) -> str:
    """The tag that the answer carries, or "" when it has none that can be used."""
    tag = headers.get("ETag", "")
    if len(tag) <= TAG_LIMIT and _TAG.fullmatch(tag):
        return tag
    changed = headers.get("Last-Modified", "")
    return _CHANGED + changed if _DATE.fullmatch(changed) else ""


def tag_headers(tag: str) -> dict[str, str]:
    """The header that asks whether the file is still the one of this tag; none for a tag that is no HTTP server's."""
    if tag.startswith(_CHANGED) and _DATE.fullmatch(tag.removeprefix(_CHANGED)):
        return {"If-Modified-Since": tag.removeprefix(_CHANGED)}
    return {"If-None-Match": tag} if len(tag) <= TAG_LIMIT and _TAG.fullmatch(tag) else {}


def range_start(content_range: str) -> int:
    """The first byte's offset in a `Content-Range`, or -1 when it is none."""
    found = _RANGE.fullmatch(content_range.strip())
    return int(found[1]) if found else -1
