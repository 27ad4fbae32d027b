"""Asks whether the files of a plan are still those that were seen: a process of a moment, so that the sentinel stays small.

Started as `python -I -S asking.py POLLS`, with the polls as JSON: `[{"url": …, "tag": …, "certificate": …}, …]`. Ends with 0
when every file is surely unchanged, with 1 when one changed or nothing can be told of it. Imports the standard library alone.
Reads no file's bytes.
"""

import hashlib
import http.client
import json
import os
import ssl
import sys
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

ANSWER_SECONDS = 30.0
_CHANGED = "changed "
"""What a tag begins with that is a time of change, from a server without entity tags."""


def is_unchanged(url: str, tag: str, certificate: str = "") -> bool:
    """Whether a file is surely the one of its tag. Errors: none; what cannot be told is not unchanged.

    `certificate` is the SHA-256 of the one that its HTTPS server has to show, whoever made it; empty: the system's CAs decide.
    """
    if not tag:
        return False
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https"):
            return _is_unchanged_over_http(url, tag, certificate)
        seen = os.stat(unquote(parts.path) if parts.scheme == "file" else url, follow_symlinks=False)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return tag == f"{seen.st_mtime_ns:x}-{seen.st_size:x}-{seen.st_ino:x}"


def polls_in(content: str) -> list[tuple[str, str, str]]:
    """The addresses, tags and certificates in a plan's polls; none where they cannot be read."""
    try:
        return [(str(poll["url"]), str(poll["tag"]), str(poll.get("certificate", ""))) for poll in json.loads(content)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def main(words: Sequence[str]) -> int:
    """Asks for all files. Exit codes: 0 all are unchanged, 1 something is new or cannot be told."""
    polls = polls_in(words[0]) if words else []
    return 0 if polls and all(is_unchanged(*poll) for poll in polls) else 1


def _is_unchanged_over_http(url: str, tag: str, certificate: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    if parts.scheme == "https":
        return _is_unchanged_over_https(parts.hostname, parts.port, parts.path, tag, certificate)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
    try:
        return _is_not_modified(connection, parts.path, tag)
    finally:
        connection.close()


def _is_unchanged_over_https(host: str, port: int | None, path: str, tag: str, certificate: str) -> bool:
    trust = ssl.create_default_context()
    if certificate:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=trust)
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True) or b""
        if certificate and hashlib.sha256(shown).hexdigest() != certificate:
            return False
        return _is_not_modified(connection, path, tag)
    finally:
        connection.close()


def _is_not_modified(connection: http.client.HTTPConnection, path: str, tag: str) -> bool:
    wanted = {"If-Modified-Since": tag.removeprefix(_CHANGED)} if tag.startswith(_CHANGED) else {"If-None-Match": tag}
    headers = {**wanted, "Accept-Encoding": "identity", "User-Agent": "purveyor"}
    connection.request("GET", path or "/", headers=headers)
    return connection.getresponse().status == 304


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
