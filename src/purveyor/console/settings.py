"""The limits of the door. One frozen class; nothing here is read from the environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Limits of the REST API. Units: bytes, seconds, as the names say."""

    json_limit_bytes: int = 5_000_000
    """A collection of 100,000 clients, each named by its id, fits."""
    upload_limit_bytes: int = 64 * 2**30
    """One file of a package's content."""
    body_grace_seconds: float = 60.0
    """How long a body is waited for, besides what its bytes may take."""
    slowest_bytes_per_second: int = 1024
    stop_seconds: int = 5
    """How long requests under way may go on when the site is stopped."""
