"""Pieces on their way into a file: counted, and refused above a limit. Pure: what becomes of them is the shelf's."""

from collections.abc import Iterable, Iterator

from purveyor.wire.errors import RejectedError


class Measured:
    """The same pieces, without empty ones. `size_bytes` tells how much has passed."""

    def __init__(self, pieces: Iterable[bytes], path: str, limit_bytes: int) -> None:
        self._pieces = pieces
        self._path = path
        self._limit_bytes = limit_bytes
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, once. Errors: RejectedError at the first byte above the limit; whatever the source raises."""
        for piece in self._pieces:
            self.size_bytes += len(piece)
            if self.size_bytes > self._limit_bytes:
                raise RejectedError(f"{self._path} is larger than the {self._limit_bytes} bytes that it may have")
            if piece:
                yield piece
