"""Asks whether the files of a plan are still those that were seen: a process of a moment, so that the sentinel stays small.

Started as `python -I -S asking.py POLLS`, with the polls as JSON: `[{"url": …, "tag": …}, …]`. Ends with 0 when every file is
surely unchanged, with 1 when one changed or nothing can be told of it. Imports the standard library alone. Reads no file's bytes.
"""

import http.client
import json
import os
import sys
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

ANSWER_SECONDS = 30.0
_CHANGED = "changed "
"""What a tag begins with that is a time of change, from a server without entity tags."""


def is_unchanged(url: str, tag: str) -> bool:
    """Whether a file is surely the one of its tag. Errors: none; what cannot be told is not unchanged."""
    if not tag:
        return False
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            return _is_unchanged_over_http(url, tag)
        seen = os.stat(unquote(parts.path) if parts.scheme == "file" else url, follow_symlinks=False)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return tag == f"{seen.st_mtime_ns:x}-{seen.st_size:x}-{seen.st_ino:x}"


def polls_in(content: str) -> list[tuple[str, str]]:
    """The addresses and tags in a plan's polls; none where they cannot be read."""
    try:
        return [(str(poll["url"]), str(poll["tag"])) for poll in json.loads(content)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def main(words: Sequence[str]) -> int:
    """Asks for all files. Exit codes: 0 all are unchanged, 1 something is new or cannot be told."""
    polls = polls_in(words[0]) if words else []
    return 0 if polls and all(is_unchanged(url, tag) for url, tag in polls) else 1


def _is_unchanged_over_http(url: str, tag: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
    wanted = {"If-Modified-Since": tag.removeprefix(_CHANGED)} if tag.startswith(_CHANGED) else {"If-None-Match": tag}
    headers = {**wanted, "Accept-Encoding": "identity", "User-Agent": "purveyor"}
    try:
        connection.request("GET", parts.path or "/", headers=headers)
        return connection.getresponse().status == 304
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
