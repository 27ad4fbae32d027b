"""The one door to buckets: the S3 library is loaded when a shelf on S3 is asked for, and not before. No client comes here."""

import importlib
from collections.abc import Callable

from purveyor.transport.interface import Shelf
from purveyor.transport.s3.address import S3Address
from purveyor.transport.s3.credentials import Credentials
from purveyor.wire.errors import RefusedError


def open_s3_shelf(address: S3Address, credentials: Callable[[], Credentials]) -> Shelf:
    """A shelf below a prefix of a bucket; connected at its first use. `credentials` is asked then, and after a key was refused.

    Errors: RefusedError when the extra `s3` is not installed.
    """
    try:
        module = importlib.import_module("purveyor.transport.s3.shelf")
    except ModuleNotFoundError as error:
        raise RefusedError(f"{address.url} needs the S3 library: install purveyor[s3]") from error
    shelf: Shelf = module.S3Shelf(address, credentials)
    return shelf
