"""What a row of the table of parsers is, and readers of texts and files as readers of bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from purveyor.wire.errors import RejectedError


@dataclass(frozen=True, kw_only=True)
class Parser:
    """One parser. `seeds` are valid; `errors` are all that it may raise; `reads` are functions that it tries, `file:function`.

    Where `seal` is given, the seeds are JSON that is spoiled before it is signed, so that what lies behind a signature is tried
    too. `write` is the way back: what was read from a seed, written and read again, is equal.
    """

    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    reads: tuple[str, ...]
    errors: tuple[type[Exception], ...] = (RejectedError,)
    seal: Callable[[bytes], bytes] | None = None
    write: Callable[[object], bytes] | None = None
    is_json: bool = False
    found: Sequence[bytes] = ()
    """What once got through, so that it is tried in every run."""

    @property
    def files(self) -> list[bytes]:
        """The seeds as they come from outside."""
        return [seed if self.seal is None else self.seal(seed) for seed in self.seeds]


def of_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of texts as one of bytes: what is no UTF-8 becomes what Python makes of such words of a command line."""
    return lambda content: read(content.decode("utf-8", "surrogateescape"))


def in_folder(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of a file as one of bytes."""

    def reading(content: bytes) -> object:
        with TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(content)
            return read(Path(folder))

    return reading
