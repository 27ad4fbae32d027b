"""A CAP's or DP's folder below a prefix of a bucket, in the hand of the site that owns it. Each file lasts once it is written.

A server shows an object only when it is complete, and shows the newest to whoever asks after that; so there are no asides and
nothing to sync. Its entity tag is made of the content, so no dates need to be held apart. Clients read the bucket over plain
HTTPS (`policy.py`). There are no up boxes here: nobody without a key may write, and clients have none.
Only this module knows the S3 library; it is imported where a bucket is used, by `opening.py`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotSupportedError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from purveyor.transport.handing_over import hand_over
from purveyor.transport.interface import Listed, Stray
from purveyor.transport.paths import check_path, is_plain_path
from purveyor.transport.s3.address import S3Address
from purveyor.transport.s3.credentials import Credentials
from purveyor.transport.s3.words import KEY_PROBLEMS, NEVER_TAKEN, code_in, sentence, unavailable
from purveyor.transport.streams import Measured
from purveyor.wire.boxes import cache_control
from purveyor.wire.errors import AbsentError, RejectedError, UnavailableError

if TYPE_CHECKING:
    from obstore.store import S3Credential

PIECE_BYTES = 8 * 2**20
"""What is read, or sent as one part of a large file, in one request."""
CONNECT_SECONDS = 10
REQUEST_SECONDS = 300
RETRY_COUNT = 3
RETRY_SECONDS = 20

_READ_LIMIT_BYTES = 256 * 2**20
_PART_COUNT_LIMIT = 10_000
_PARTS_AT_ONCE = 2
_PAGE_LENGTH = 1000
_BEHIND_ALL_NAMES = "~"
"""Sorts behind every sign that a path may have."""


class S3Shelf:
    """A prefix of a bucket in its owner's hand. There is one owner at a time; a second one is noticed where both replace a file.

    `credentials` is asked at the first use and again after a key was refused. May be used by several threads.
    """

    def __init__(self, address: S3Address, credentials: Callable[[], Credentials], *, retry_count: int = RETRY_COUNT) -> None:
        self.address = address
        self._credentials = credentials
        self._retry_count = retry_count
        self._store: S3Store | None = None
        self._lock = Lock()
        self._tags: dict[str, str] = {}
        """The entity tag of each mutable file as it was last written here."""
        self._is_conditional = True

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None when there is none. Errors: RejectedError for a giant; UnavailableError."""
        seen = self._look(path)
        return None if seen is None else seen[0]

    def write(self, path: str, content: bytes) -> None:
        """Writes a file that will never change; a damaged one under that name is mended. Errors: UnavailableError."""
        self._put(path, content)

    def write_from(self, path: str, pieces: Iterable[bytes], *, limit_bytes: int) -> int:
        """Writes a file that will never change from pieces; gives its size in bytes. Errors: as `Shelf.write_from`.

        At most three parts of it are in memory: of eight MiB, or of a ten thousandth of the limit where that is more.
        """
        check_path(path)
        measured = Measured(pieces, path, limit_bytes)
        if limit_bytes <= PIECE_BYTES:
            self._put(path, b"".join(measured))
            return measured.size_bytes
        part_bytes = max(PIECE_BYTES, -(-limit_bytes // _PART_COUNT_LIMIT))
        hand_over(measured, lambda arriving: self._send(path, arriving, part_bytes))
        return measured.size_bytes

    def replace(self, path: str, content: bytes) -> None:
        """Replaces a mutable file, but not one that somebody else has replaced meanwhile, where the server can tell.

        Errors: UnavailableError, also when there is a second owner; the next call replaces what that one wrote.
        """
        known = self._tags.pop(path, "") if self._is_conditional else ""
        try:
            tag = self._put(path, content, known)
        except _UnsupportedError:
            self._is_conditional = False
            tag = self._put(path, content)
        except (_ChangedError, AbsentError) as error:
            tag = self._put_after_change(path, content, error)
        self._tags[path] = tag

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes in pieces, each asked for by itself. Errors: AbsentError, UnavailableError, also in the middle."""
        check_path(path)
        with self._working(path, "read") as store:
            seen = obstore.head(store, path)
        for start in range(0, seen["size"], PIECE_BYTES):
            end = min(start + PIECE_BYTES, seen["size"])
            with self._working(path, "read") as store:
                piece = bytes(obstore.get(store, path, options={"range": (start, end), "if_match": seen["e_tag"]}).bytes())
            yield piece

    def size_of(self, path: str) -> int | None:
        """A file's size in bytes, or None when there is none. Errors: UnavailableError."""
        check_path(path)
        try:
            with self._working(path, "read") as store:
                return obstore.head(store, path)["size"]
        except AbsentError:
            return None

    def free_bytes(self) -> None:
        """Nothing: a bucket does not say how much more fits."""

    def remove(self, path: str) -> None:
        """Removes a file; nothing happens when there is none. Errors: UnavailableError."""
        check_path(path)
        self._tags.pop(path, None)
        try:
            with self._working(path, "removed") as store:
                obstore.delete(store, path)
        except AbsentError:
            return

    def listed(self, folder: str, *, limit: int, until: datetime | None = None) -> list[Listed]:
        """Files directly below a folder's name, at most `limit`, page by page; none when there are none.

        Errors: UnavailableError. Names that no path may have are left out. What lies deeper is skipped, not paged through.
        """
        check_path(folder)
        found: list[Listed] = []
        after: str | None = ""
        while after is not None and len(found) < limit:
            after = self._list_behind(folder, after, until, found)
        return found[:limit]

    def names(self, *, limit: int) -> list[str]:
        """First parts of the names below the prefix but hidden ones, as far as one page shows them. Errors: UnavailableError."""
        with self._working("", "listed") as store:
            page = next(iter(obstore.list(store, chunk_size=_PAGE_LENGTH)), None)
        tops = dict.fromkeys(seen["path"].partition("/")[0] for seen in page or ())
        return [name for name in tops if not name.startswith(".")][:limit]

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Nothing: a bucket has no folders."""

    def strays(self, folder: str, *, usual: re.Pattern[str], limit: int) -> list[Stray]:
        """None: nothing is written aside, and there are no up boxes."""
        del folder, usual, limit
        return []

    def sweep(self, folder: str, name: str) -> bool:
        """Nothing: there are no strays."""
        del folder, name
        return False

    def close(self) -> None:
        """Lets go of the store; the next use connects anew."""
        with self._lock:
            self._store = None

    def sync(self) -> None:
        """Nothing: the server answers once a file lasts."""

    def _list_behind(self, folder: str, after: str, until: datetime | None, found: list[Listed]) -> str | None:
        """Adds a page of what lies behind `after`; gives behind what to go on, None at the end."""
        start = f"{folder}/"
        with self._working(folder, "listed") as store:
            page = next(iter(obstore.list(store, folder, offset=after or None, chunk_size=_PAGE_LENGTH)), None)
        if not page:
            return None
        for seen in page:
            name = seen["path"].removeprefix(start)
            is_name = seen["path"].startswith(start) and "/" not in name and is_plain_path(name)
            if is_name and (until is None or seen["last_modified"] < until):
                found.append(Listed(name, seen["size"]))
        last = page[-1]["path"]
        deeper, slash, _ = last.removeprefix(start).partition("/")
        return f"{start}{deeper}/{_BEHIND_ALL_NAMES}" if slash else last

    def _look(self, path: str) -> tuple[bytes, str] | None:
        """A file and its entity tag."""
        check_path(path)
        try:
            with self._working(path, "read") as store:
                answer = obstore.get(store, path)
                if answer.meta["size"] > _READ_LIMIT_BYTES:
                    raise RejectedError(f"{path} at {self.address.url} is too large to be read at once")
                return bytes(answer.bytes()), answer.meta["e_tag"] or ""
        except AbsentError:
            return None

    def _put(self, path: str, content: bytes, known: str = "") -> str:
        """Writes a file, only over the one with this entity tag where one is given; gives the new one's."""
        check_path(path)
        with self._working(path, "written") as store:
            put = obstore.put(
                store,
                path,
                content,
                attributes=_attributes(path, len(content)),
                mode={"e_tag": known} if known else "overwrite",
                use_multipart=False,
            )
        return put["e_tag"] or ""

    def _send(self, path: str, pieces: Iterator[bytes], part_bytes: int) -> None:
        """Sends a file in parts. When `pieces` fails, the parts that were sent are taken back."""
        with self._working(path, "written") as store:
            obstore.put(
                store,
                path,
                pieces,
                attributes=_attributes(path, part_bytes),
                use_multipart=True,
                chunk_size=part_bytes,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def _put_after_change(self, path: str, content: bytes, error: UnavailableError) -> str:
        """Writes over a file that is not the one that was left there: it is gone, or is ours after all, or another owner's."""
        seen = self._look(path)
        if seen is None:
            return self._put(path, content)
        if seen[0] == content:
            return seen[1]
        raise UnavailableError(
            f"somebody else has replaced {path} at {self.address.url}: two sites must not write below one prefix"
        ) from error

    @contextmanager
    def _working(self, path: str, done: str) -> Iterator[S3Store]:
        """The store to work with. Turns what the library raises into our errors; nothing that was sent is repeated."""
        place = f"{path} at {self.address.url}"
        try:
            yield self._opened()
        except FileNotFoundError as error:
            if code_in(str(error)) == "NoSuchBucket":
                raise UnavailableError(f"{place} cannot be {done}: {sentence(str(error))}") from None
            raise AbsentError(f"{self.address.url} has no {path}") from None
        except PreconditionError:
            raise _ChangedError(f"{place} cannot be {done}: it has changed meanwhile") from None
        except (BaseError, OSError, ValueError) as error:
            raise self._mapped(error, f"{place} cannot be {done}", is_change=done in ("written", "removed")) from None

    def _mapped(self, error: Exception, what: str, *, is_change: bool) -> RejectedError | UnavailableError:
        text = str(error)
        code = code_in(text)
        if code in KEY_PROBLEMS or isinstance(error, PermissionDeniedError | UnauthenticatedError):
            self._store = None
        if code in NEVER_TAKEN:
            return RejectedError(f"{what}: {sentence(text)}")
        if code == "NotImplemented" or isinstance(error, NotSupportedError):
            return _UnsupportedError(f"{what}: {sentence(text)}")
        return unavailable(text, what, is_change=is_change)

    def _opened(self) -> S3Store:
        with self._lock:
            if self._store is None:
                self._store = _connected(self.address, self._credentials(), self._retry_count)
            return self._store


class _ChangedError(UnavailableError):
    """The file is another one than was said."""


class _UnsupportedError(UnavailableError):
    """The server knows no conditions."""


def _attributes(path: str, size_bytes: int) -> dict[str, str]:
    return {"Cache-Control": cache_control(path, size_bytes), "Content-Type": "application/octet-stream"}


def _connected(address: S3Address, said: Credentials, retry_count: int) -> S3Store:
    """A store in the library's sense. Everything is said here, so that nothing is taken from the environment."""
    key: S3Credential = {
        "access_key_id": said.access_key_id,
        "secret_access_key": said.secret_access_key,
        "token": said.session_token or None,
        "expires_at": None,
    }
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        endpoint=address.server_url if address.is_path_style else address.bucket_url,
        region=address.region,
        virtual_hosted_style_request=not address.is_path_style,
        conditional_put="etag",
        disable_bulk_delete=True,
        skip_signature=False,
        unsigned_payload=False,
        credential_provider=lambda: key,
        client_options={
            "allow_http": address.server_url.startswith("http:"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
            "user_agent": "purveyor",
        },
        retry_config={
            "max_retries": retry_count,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
        },
    )
