"""The tables in a Windows Installer package: its streams by their real names, its strings, and the table Property.

The compound file is opened by olefile, fenced in: what its header claims is held against the size of the file first, its
directory is walked before it is read, and no stream is taken that is larger than a limit.
Source: [MS-CFB]; the layout of tables as Wine and msitools read it (there is no specification of Microsoft's).
"""

import struct
from array import array
from typing import BinaryIO

import olefile

from purveyor.package_formats.bounded import exactly, length_of
from purveyor.wire.errors import RejectedError

FILE_LIMIT = 2**31
DIRECTORY_LIMIT = 4 * 2**20
MINIFAT_LIMIT = 16 * 2**20
STREAM_LIMIT = 64 * 2**20
STRING_COUNT_LIMIT = 2**20
STRING_LIMIT = 2**16
PROPERTY_LIMIT = 20_000

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SECTOR_SHIFTS = (9, 12)
_END_OF_CHAIN, _FREE = 0xFFFFFFFE, 0xFFFFFFFF
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
_PAIRS, _SINGLES, _TABLE_MARK = 0x3800, 0x4800, 0x4840
_LONG_REFERENCES = 0x8000
_CODE_PAGES = frozenset([437, 850, 852, 866, 874, 932, 936, 949, 950, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258])
_UTF8 = 65001


class _FencedFile(olefile.OleFileIO):  # type: ignore[misc]  # olefile has no types
    """olefile, with its directory measured before it is loaded, and its table of sectors grown without being copied each time."""

    def loadfat_sect(self, sect: "bytes | array[int]") -> int:
        """Adds the sectors that are named there to the table of sectors. Shape: the last name that was looked at."""
        names = sect if isinstance(sect, array) else self.sect2array(sect)
        name = _FREE
        for name in names:
            if name in (_END_OF_CHAIN, _FREE):
                break
            self.fat.extend(self.sect2array(self.getsect(name)))
        return name

    def loaddirectory(self, sect: int) -> None:
        """Loads the directory. Errors: RejectedError when it is longer than any real one."""
        place, left = sect, DIRECTORY_LIMIT // self.sectorsize
        while place != _END_OF_CHAIN and 0 <= place < len(self.fat):
            place, left = self.fat[place] & 0xFFFFFFFF, left - 1
            if left < 0:
                raise RejectedError("its directory is longer than that of any real package")
        super().loaddirectory(sect)


def properties(file: BinaryIO) -> dict[str, str]:
    """The table Property: what the package is called, and how it behaves.

    Errors: RejectedError: no Windows Installer package that can be believed.
    """
    _check_header(file)
    try:
        with _FencedFile(file) as compound:
            if compound.root is None or compound.root.size > STREAM_LIMIT:
                raise RejectedError("this is no Windows Installer package that can be read")
            names = {real_name(path[0]): path[0] for path in compound.listdir() if len(path) == 1}
            pool, text, table = (_stream(compound, names, f"!{name}") for name in ("_StringPool", "_StringData", "Property"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise RejectedError(f"the compound file is damaged: {error}") from error
    return table_of_pairs(pool, text, table)


def real_name(stored: str) -> str:
    """The name of a stream as people write it: two letters are packed into one, and `!` marks a table."""
    name = ""
    for character in stored[:100]:
        code = ord(character)
        if _PAIRS <= code < _SINGLES:
            name += _ALPHABET[(code - _PAIRS) & 0x3F] + _ALPHABET[(code - _PAIRS) >> 6]
        elif _SINGLES <= code < _TABLE_MARK:
            name += _ALPHABET[code - _SINGLES]
        else:
            name += "!" if code == _TABLE_MARK else character
    return name


def table_of_pairs(pool: bytes, text: bytes, table: bytes) -> dict[str, str]:
    """A table of two columns of strings, the first one its key. Columns are stored one after the other.

    Errors: RejectedError: a string that is not there, or too many of them.
    """
    if len(pool) < 4:
        raise RejectedError("its pool of strings is empty")
    code_page, flags = struct.unpack_from("<HH", pool)
    places = string_places(pool[4:], len(text))
    width = 3 if flags & _LONG_REFERENCES else 2
    count, rest = divmod(len(table), 2 * width)
    if rest or count > PROPERTY_LIMIT:
        raise RejectedError("its table of properties is damaged, or too long")
    numbers = [int.from_bytes(table[at : at + width], "little") for at in range(0, len(table), width)]

    def string(number: int) -> str:
        if number >= len(places):
            raise RejectedError("its table of properties names a string that is not there")
        start, end = places[number]
        return text[start : min(end, start + STRING_LIMIT)].decode(_codec(code_page), errors="replace")

    return {string(key): string(value) for key, value in zip(numbers[:count], numbers[count:], strict=True)}


def string_places(pool: bytes, text_bytes: int) -> list[tuple[int, int]]:
    """Where each string of the pool begins and ends; number 0 is the empty one.

    Errors: RejectedError: more strings than any real package has, or one beyond the text.
    """
    places = [(0, 0)]
    entries = iter(struct.iter_unpack("<HH", pool[: len(pool) // 4 * 4]))
    start = 0
    for lower, references in entries:
        if len(places) > STRING_COUNT_LIMIT:
            raise RejectedError(f"it has more than {STRING_COUNT_LIMIT} strings")
        length = lower
        if lower == 0 and references != 0:  # longer than 65,535 bytes: this entry holds the upper half of its length
            length = (references << 16) + next(entries, (0, 0))[0]
        if start + length > text_bytes:
            raise RejectedError("one of its strings lies beyond their text")
        places.append((start, start + length))
        start += length
    return places


def _codec(code_page: int) -> str:
    if code_page == _UTF8:
        return "utf-8"
    return f"cp{code_page}" if code_page in _CODE_PAGES else "cp1252"


def _check_header(file: BinaryIO) -> None:
    """What a header claims can be true of a file of this size, so that reading on cannot take without end."""
    total = length_of(file)
    if total > FILE_LIMIT:
        raise RejectedError(f"the file has {total} bytes, more than the {FILE_LIMIT} that are read")
    header = exactly(file, 512, "its header") if total >= 512 else b""
    file.seek(0)
    if not header.startswith(_MAGIC):
        raise RejectedError("this is no Windows Installer package: it is no compound file")
    shift, mini_shift = struct.unpack_from("<HH", header, 30)
    fat_sectors = struct.unpack_from("<I", header, 44)[0]
    mini_cutoff, _, minifat_sectors, _, difat_sectors = struct.unpack_from("<IIIII", header, 56)
    if shift not in _SECTOR_SHIFTS or mini_shift != 6 or mini_cutoff != 4096:
        raise RejectedError("the compound file has sectors of a size that no package has")
    sector = 1 << shift
    plausible = 2 * (total // sector) // (sector // 4) + 16
    if fat_sectors > plausible or difat_sectors > plausible or minifat_sectors * sector > MINIFAT_LIMIT:
        raise RejectedError("the compound file claims to be larger than it is")


def _stream(compound: olefile.OleFileIO, names: dict[str, str], name: str) -> bytes:
    if name not in names:
        raise RejectedError(f"this is no Windows Installer package: it has no table {name.removeprefix('!')}")
    path = [names[name]]
    if compound.get_size(path) > STREAM_LIMIT:
        raise RejectedError(f"its table {name.removeprefix('!')} is larger than {STREAM_LIMIT} bytes")
    content: bytes = compound.openstream(path).read()
    return content
