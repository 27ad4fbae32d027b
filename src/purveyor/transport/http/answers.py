"""Reading the heads of HTTP answers: tags, ranges, and how long to wait. Pure.

A tag is an entity tag as the server wrote it or, where a server has none, the time of the last change.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

TAG_LIMIT = 256
LONGEST_WAIT_SECONDS = 3600
"""However long a server asks to be left alone, it is asked again after so long."""

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{10,40}")
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)")
_SECONDS = re.compile(r"[0-9]{1,18}")
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


def wait_seconds(headers: Mapping[str, str]) -> int:
    """How long a server asks to be left alone (`Retry-After`), within bounds; 0 where it does not say so.

    A date counts from the server's own, so that no other clock has a say. Source: RFC 9110 10.2.3.
    """
    said = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(said):
        return min(int(said), LONGEST_WAIT_SECONDS)
    until, at = _moment(said), _moment(headers.get("Date", ""))
    if until is None or at is None:
        return 0
    return min(max(0, int((until - at).total_seconds())), LONGEST_WAIT_SECONDS)


def _moment(text: str) -> datetime | None:
    """The time in a header, aware; None: it is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


def range_start(content_range: str) -> int:
    """The first byte's offset in a `Content-Range`, or -1 when it is none."""
    found = _RANGE.fullmatch(content_range.strip())
    return int(found[1]) if found else -1
