"""Join codes: one word that lets a machine join, and names the root of trust to start from.

`S01-<root version>-<SHA-256 of that root, base32>-<secret, base32>`, and where the site has a certificate of its own
`-<pin of its key, base32>`. Letters and digits only, any case.
"""

import base64
import binascii
import hashlib
from typing import NamedTuple

from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import SiteCode, site_code

SECRET_BYTES = 10


class JoinCode(NamedTuple):
    """The parts of a join code. `root_sha256` is the digest of the bytes of `<root_version>.root.json`."""

    site: SiteCode
    root_version: int
    root_sha256: bytes
    secret: str
    pin: str = ""
    """With it the CAP is read over HTTPS without a CA (`wire.pins`), until the site's signed settings say what counts."""


def write(code: JoinCode) -> str:
    """The code as a person passes it on."""
    pin = f"-{_base32(base64.b64decode(code.pin))}" if code.pin else ""
    return f"{code.site}-{code.root_version}-{_base32(code.root_sha256)}-{code.secret}{pin}"


def read(text: str) -> JoinCode:
    """The code in `text`. Errors: RejectedError."""
    parts = text.strip().upper().split("-")
    if len(parts) not in (4, 5) or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 9:
        raise RejectedError("this is no join code: four parts joined by -, or five for HTTPS, are expected, such as S01-1-…-…")
    try:
        digest, *pinned = (base64.b32decode(part + "=" * (-len(part) % 8)) for part in (parts[2], *parts[4:]))
    except (binascii.Error, ValueError) as error:
        raise RejectedError("this join code is damaged: a part of it cannot be read") from error
    if any(len(one) != hashlib.sha256().digest_size for one in (digest, *pinned)) or not parts[3]:
        raise RejectedError("this join code is damaged: a part of it is missing")
    pin = base64.b64encode(pinned[0]).decode() if pinned else ""
    return JoinCode(site_code(parts[0]), int(parts[1]), digest, parts[3], pin)


def secret_of(random: bytes) -> str:
    """The secret part made of random bytes."""
    return _base32(random)


def secret_digest(secret: str) -> str:
    """What the site stores of a secret: its SHA-256, because 80 random bits need no slow hash."""
    return hashlib.sha256(b"purveyor join " + secret.upper().encode()).hexdigest()


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=")
