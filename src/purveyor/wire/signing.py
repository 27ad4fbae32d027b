"""What goes to a machine that holds keys of a site, and what comes back: a request with all that is to be judged, an answer.

A request carries what stands and what is to follow, whole, and the files of which it speaks: whoever signs sees by themselves
what changes, and need not believe the summary. Neither file ever holds a private key.
"""

import hashlib
from typing import Literal

from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, Wire, from_bytes, to_bytes
from purveyor.wire.ids import SiteCode

REQUEST_LIMIT_BYTES = 64 * 2**20
ANSWER_LIMIT_BYTES = 4 * 2**20


class RoleToSign(Wire):
    """A role's metadata. `signers` are raw public halves in hexadecimal, all of which are to sign."""

    name: str
    standing: str
    """The signed metadata as it stands: JSON."""
    draft: str
    """What is to be signed: the JSON of its signed part."""
    signers: tuple[str, ...]


class SigningRequest(Wire):
    """All that waits for signatures of keys which are not on the server.

    Shape: `summary` is for people alone; `files` by SHA-256, those that the standing and the drafted metadata name where they
    differ.
    """

    kind: Literal["signing request"]
    site: SiteCode
    number: int
    made_at: Instant
    summary: tuple[str, ...]
    roles: tuple[RoleToSign, ...]
    new_keys: dict[str, str] = {}
    """Public halves of keys that are to count from then on, by role."""
    files: dict[str, str] = {}


class SigningAnswer(Wire):
    """Signatures over a request. Shape: by role, then by public half of the key; both in hexadecimal."""

    kind: Literal["signing answer"]
    site: SiteCode
    number: int
    digest: str
    """Of the request, so that an answer is to exactly one."""
    signatures: dict[str, dict[str, str]]


def digest_of(request: SigningRequest) -> str:
    """What tells a request from every other, however its file is laid out. What only people read is left out."""
    return hashlib.sha256(to_bytes([request.site, request.number, request.roles, request.new_keys])).hexdigest()


def decode_request(content: bytes) -> SigningRequest:
    """The request in a file. Errors: RejectedError."""
    if len(content) > REQUEST_LIMIT_BYTES:
        raise RejectedError(f"{len(content)} bytes are more than a signing request may have")
    return from_bytes(content, SigningRequest)


def decode_answer(content: bytes) -> SigningAnswer:
    """The answer in a file. Errors: RejectedError."""
    if len(content) > ANSWER_LIMIT_BYTES:
        raise RejectedError(f"{len(content)} bytes are more than an answer may have")
    return from_bytes(content, SigningAnswer)
