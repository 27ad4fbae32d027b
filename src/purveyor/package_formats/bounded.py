"""Reading bytes that somebody else wrote: never more than asked for, never less without saying so, never inflated without end.

Pure but for the stream that is handed in. Used by every reader of this folder.
"""

import io
import lzma
import zlib
from typing import BinaryIO

import zstandard

from purveyor.wire.errors import RejectedError

PIECE_BYTES = 2**16
LZMA_MEMORY_BYTES = 2**27
ZSTD_WINDOW_BYTES = 2**27


def exactly(file: BinaryIO, count: int, what: str) -> bytes:
    """So many bytes from where the stream stands. Errors: RejectedError when it ends before."""
    content = file.read(count)
    if len(content) != count:
        raise RejectedError(f"the file ends in the middle of {what}")
    return content


def length_of(file: BinaryIO) -> int:
    """How many bytes a stream has; it stands at its beginning afterwards."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length


def inflated(content: bytes, kind: str, limit: int) -> bytes:
    """What compressed bytes hold. `kind` is the ending of the name: "", ".gz", ".xz" or ".zst".

    Errors: RejectedError: not such bytes, or more than `limit` come out.
    """
    try:
        match kind:
            case "":
                whole, is_whole = content, True
            case ".gz":
                gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                whole, is_whole = gzip.decompress(content, limit + 1), gzip.eof
            case ".xz":
                xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, LZMA_MEMORY_BYTES)
                whole, is_whole = xz.decompress(content, limit + 1), xz.eof
            case ".zst":
                whole, is_whole = _unzstd(content, limit), True
            case _:
                raise RejectedError(f"it is compressed in a way that is not known here: {kind[:20]!r}")
    except (zlib.error, lzma.LZMAError, EOFError, zstandard.ZstdError, MemoryError) as error:
        raise RejectedError(f"what is compressed in it cannot be read: {error}") from error
    if len(whole) > limit:
        raise RejectedError(f"what is compressed in it is larger than {limit} bytes")
    if not is_whole:
        raise RejectedError("what is compressed in it is cut off")
    return whole


def _unzstd(content: bytes, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    with zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).stream_reader(io.BytesIO(content)) as stream:
        while size <= limit and (piece := stream.read(PIECE_BYTES)):
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)
