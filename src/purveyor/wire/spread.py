"""Each client's own place in a stretch of time, so that a fleet does not do the same at once. Pure; no randomness."""

from hashlib import sha256

_BITS = 53


def share_of(client: str, name: str) -> float:
    """The share of a client in what is spread under a name: always the same, and even over a fleet.

    Units: 0 ≤ share < 1.
    """
    digest = sha256(f"purveyor spread\n{name}\n{client}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / (1 << _BITS)
