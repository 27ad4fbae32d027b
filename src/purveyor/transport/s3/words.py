"""What an S3 server's refusal means, in a sentence for people. Pure; repeats nothing that was sent, and nothing long that came.

Servers answer with a code in XML, or with a bare status where an answer has no body. Source: Amazon S3's list of error codes.
"""

import re

from purveyor.wire.errors import BusyError, FullError, ReadOnlyError, UnavailableError

_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS = re.compile(r"(?:status code:|returned) (\d{3})\b")
_REGION = re.compile(r"<(?:Region|BucketRegion)>([a-z0-9-]{1,40})</")
_WRONG_KEY = "the server does not know this access key"
_OTHER_REGION = "the bucket lies in another region, or at another endpoint"
_FULL = "there is no more room"
_BUSY = "the server has too much to do now"
_EXPIRED = "the session of this access key has ended"
_MAY_NOT = "this access key may not do that (it needs the rights to get, put, delete and list objects)"

SENTENCES = {
    "SignatureDoesNotMatch": "the secret is not the one of this access key",
    "InvalidAccessKeyId": _WRONG_KEY,
    "InvalidClientTokenId": _WRONG_KEY,
    "AccessDenied": _MAY_NOT,
    "AllAccessDisabled": "the bucket is closed",
    "AccountProblem": "the server refuses this account",
    "NoSuchBucket": "there is no such bucket",
    "PermanentRedirect": _OTHER_REGION,
    "TemporaryRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "RequestTimeTooSkewed": "the clock of this machine and that of the server are too far apart",
    "RequestExpired": "the clock of this machine and that of the server are too far apart",
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": "the server failed",
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "EntityTooLarge": "the file is larger than the server takes",
    "InvalidObjectState": "the file lies in an archive from which it cannot be read",
}
"""By code of the server."""
STATUSES = {
    301: _OTHER_REGION,
    307: _OTHER_REGION,
    401: _WRONG_KEY,
    403: "the server refuses this access key (a wrong secret, or no right to do that)",
    429: _BUSY,
    500: "the server failed",
    503: _BUSY,
    507: _FULL,
}
"""By status, where a server sends no code."""
KEY_PROBLEMS = frozenset({"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidClientTokenId", "ExpiredToken", "InvalidToken"})
"""Codes after which another access key may do."""
NEVER_TAKEN = frozenset({"EntityTooLarge"})
"""Codes of what will never be taken, however often it is tried."""
_MAY_NOT_CHANGE = frozenset({"AccessDenied", "AllAccessDisabled"})


def code_in(text: str) -> str:
    """The server's code in the text of an error, or ""."""
    found = _CODE.search(text)
    return found[1] if found else ""


def unavailable(text: str, what: str, *, is_change: bool) -> UnavailableError:
    """The error that says, behind `what`, why it failed: full, busy, or closed to changes are told from all else."""
    why = sentence(text)
    if why == _FULL:
        return FullError(f"{what}: {why}")
    if why == _BUSY:
        return BusyError(f"{what}: {why}")
    if is_change and code_in(text) in _MAY_NOT_CHANGE:
        return ReadOnlyError(f"{what}: {why}")
    return UnavailableError(f"{what}: {why}")


def sentence(text: str) -> str:
    """Why it failed, from the text of an error: known words, or the bare code or status."""
    code = code_in(text)
    if code:
        region = _REGION.search(text)
        words = SENTENCES.get(code, f"the server answers {code}")
        return f"{words}: its region is {region[1]}" if region and words == _OTHER_REGION else words
    status = _STATUS.search(text)
    if status:
        return STATUSES.get(int(status[1]), f"the server answers {status[1]}")
    if "kind: Timeout" in text or "TimedOut" in text:
        return "the server does not answer in time"
    if re.search(r"certificate|UnknownIssuer|InvalidCertificate", text):
        return "the server's certificate is not trusted"
    return "the server cannot be reached"
