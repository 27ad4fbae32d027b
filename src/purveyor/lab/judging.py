"""Signed metadata in the lab: the same bytes are read once and verified once, however many clients judge them how often.

All clients of a fleet hold the same metadata and judge it anew in each pass, as agents do; that was a sixth of a story. Whether a
signature holds, and what a piece of metadata says, follows from bytes alone, so it may be remembered. What is refused is not.
"""

from functools import lru_cache

from securesystemslib.signer import SSlibKey

from purveyor.client import judgement

REMEMBERED = 1000
"""Pieces of metadata, and signatures: those of a few stories."""

_verify_anew = SSlibKey._verify


@lru_cache(maxsize=REMEMBERED)
def _verify_once(keytype: str, scheme: str, public: str, signature: bytes, data: bytes) -> None:
    _verify_anew(SSlibKey("", keytype, scheme, {"public": public}), signature, data)


def _verify(key: SSlibKey, signature: bytes, data: bytes) -> None:
    _verify_once(key.keytype, key.scheme, key.keyval["public"], signature, data)


def judge_once() -> None:
    """From now on this process remembers what it has read and verified."""
    if SSlibKey._verify is not _verify:
        SSlibKey._verify = _verify  # type: ignore[assignment]  # its names of parameters differ, its kind does not
        judgement._parsed = lru_cache(maxsize=REMEMBERED)(judgement._parsed)  # type: ignore[assignment]  # it is called alike
