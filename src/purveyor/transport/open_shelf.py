"""The one place that chooses a shelf by its address: a folder of this machine, a share, or a bucket. Opens nothing itself.

Libraries of shares and buckets are loaded when such an address is asked for, and not before.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import url2pathname

from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.interface import Shelf
from purveyor.transport.open_point import no_credentials
from purveyor.transport.s3.address import s3_address
from purveyor.transport.s3.credentials import Credentials as BucketCredentials
from purveyor.transport.s3.opening import open_s3_shelf
from purveyor.transport.smb.address import Credentials, address_of, is_share
from purveyor.wire.errors import RejectedError, UnavailableError


def no_bucket_credentials() -> BucketCredentials:
    """Where none were given. Errors: UnavailableError, always."""
    raise UnavailableError("no file with the key of the bucket was given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What opening a shelf needs beside its address: as whom, and where a bucket's server is."""

    share_credentials: Callable[[], Credentials] = no_credentials
    bucket_credentials: Callable[[], BucketCredentials] = no_bucket_credentials
    endpoint: str = ""
    region: str = ""


def shelf_at(url: str, doors: Doors) -> Shelf:
    r"""The shelf at `smb://…` or `\\…`, `s3://…`, `file://…`, or in a folder. Errors: RejectedError for any other address."""
    if is_share(url):
        return _share_shelf(url, doors.share_credentials)
    scheme, path = _scheme_and_path(url)
    match scheme:
        case "":
            return FolderShelf(url)
        case "file":
            return FolderShelf(url2pathname(path))
        case "s3":
            return open_s3_shelf(s3_address(url, endpoint=doors.endpoint, region=doors.region), doors.bucket_credentials)
        case other:
            raise RejectedError(
                f"nothing can be written to {other}://…: a folder, smb://SERVER/SHARE or s3://BUCKET/PREFIX can be"
            )


def is_bucket(url: str) -> bool:
    """Whether this is the address of a bucket."""
    return url.startswith("s3://")


def folder_in(url: str) -> str:
    """The folder of this machine that an address means; empty for shares and buckets. Errors: RejectedError when it is none."""
    if is_share(url) or is_bucket(url):
        return ""
    scheme, path = _scheme_and_path(url)
    return url2pathname(path) if scheme == "file" else url


def _scheme_and_path(url: str) -> tuple[str, str]:
    """The scheme of an address and what follows the host; the folder itself, without a scheme, where it is one."""
    if "://" not in url:
        return "", url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RejectedError(f"the address {url[:80]!r} cannot be read: {error}") from error
    return parts.scheme, parts.path


def _share_shelf(url: str, credentials: Callable[[], Credentials]) -> Shelf:
    address = address_of(url)
    sessions = importlib.import_module("purveyor.transport.smb.session")
    shares = importlib.import_module("purveyor.transport.smb.share")
    shelves = importlib.import_module("purveyor.transport.smb.shelf")
    share = shares.SmbShare(address, sessions.session_with(address, credentials))
    shelf: Shelf = shelves.SmbShelf(share, owner=f"mirror-{os.getpid()}")
    return shelf
