"""Where a point on S3 lies: a bucket, a prefix in it, the server's endpoint and region. Pure; opens nothing.

The address is `s3://BUCKET[/PREFIX]`. What belongs to the server is given apart, and so are credentials: an address is shown and
stored, and must be fit for that. Clients never use it: they read the same files at `public_url`.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from purveyor.transport.paths import is_plain_path
from purveyor.wire.errors import RejectedError

DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PREFIX_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Address:
    """A prefix in a bucket. `endpoint` is empty for AWS; with `is_path_style` the bucket follows the host, else precedes it."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = DEFAULT_REGION
    is_path_style: bool = True

    @property
    def url(self) -> str:
        """What it is known by."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @property
    def server_url(self) -> str:
        """The server's address, without the bucket."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    @property
    def bucket_url(self) -> str:
        """The bucket's address at its server."""
        if self.is_path_style:
            return f"{self.server_url}/{self.bucket}"
        scheme, _, host = self.server_url.partition("://")
        return f"{scheme}://{self.bucket}.{host}"

    @property
    def public_url(self) -> str:
        """The address at which clients read the point, once the bucket lets everybody read the prefix."""
        return f"{self.bucket_url}/{self.prefix}" if self.prefix else self.bucket_url


def s3_address(url: str, *, endpoint: str = "", region: str = "", is_path_style: bool | None = None) -> S3Address:
    """The address in `s3://BUCKET[/PREFIX]`, at AWS or at the server with this endpoint.

    Without a word about the style, AWS has the bucket before the host (save one with a dot in its name, which no certificate
    covers) and other servers behind it.
    Errors: RejectedError, also when an address carries a name or password: credentials are given apart.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RejectedError(f"the address of a bucket cannot be read: {error}") from error
    if "@" in parts.netloc:
        raise RejectedError("the address of a bucket must not carry a name or password: they are given in a file of their own")
    bucket, prefix = parts.netloc, parts.path.removeprefix("/").removesuffix("/")
    is_plain = url.isprintable() and not parts.query and not parts.fragment
    if not is_plain or parts.scheme != "s3" or not _is_bucket(bucket):
        raise RejectedError(f"{url[:200]!r} is no address of a bucket: s3://BUCKET[/PREFIX] is expected")
    if prefix and (len(prefix) > _PREFIX_LIMIT or not is_plain_path(prefix)):
        raise RejectedError(f"{url[:200]!r} names a prefix that cannot be one")
    if region and not _REGION.fullmatch(region):
        raise RejectedError(f"{region[:80]!r} is no region")
    checked = _checked_endpoint(endpoint) if endpoint else ""
    behind = bool(endpoint) or "." in bucket if is_path_style is None else is_path_style
    return S3Address(bucket=bucket, prefix=prefix, endpoint=checked, region=region or DEFAULT_REGION, is_path_style=behind)


def _is_bucket(name: str) -> bool:
    """Source: the bucket naming rules of Amazon S3: 3 to 63 signs, and no address of a machine."""
    if not _BUCKET.fullmatch(name):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def _checked_endpoint(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        raise RejectedError(f"the address of the S3 server cannot be read: {error}") from error
    if "@" in parts.netloc:
        raise RejectedError("the address of the S3 server must not carry a name or password")
    is_plain = endpoint.isprintable() and not parts.path.strip("/") and not parts.query and not parts.fragment
    if not is_plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise RejectedError(f"{endpoint[:200]!r} is no address of an S3 server: https://HOST[:PORT] is expected")
    return f"{parts.scheme}://{parts.netloc}"
