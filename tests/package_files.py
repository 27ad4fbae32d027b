"""Package files made byte by byte, as small as they can be, for tests of their readers."""

import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Mapping

import zstandard

CONTROL = "Package: sample\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: Ann <a@example.org>\nDescription: A sample\n"


def control_archive(control: str) -> bytes:
    """The inner archive of a Debian package, with what real ones hold beside the control file."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, text in (("./md5sums", "0" * 700), ("./control", control), ("./postinst", "exit 1")):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return inner.getvalue()


def compressed(content: bytes, kind: str) -> bytes:
    """Bytes in the form that the ending of a name says."""
    match kind:
        case ".gz":
            return gzip.compress(content, mtime=0)
        case ".xz":
            return lzma.compress(content)
        case ".zst":
            return zstandard.compress(content)
        case _:
            return content


def ar(*members: tuple[str, bytes]) -> bytes:
    """An `ar` archive."""
    archive = b"!<arch>\n"
    for name, content in members:
        archive += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
        )
    return archive


def deb(control: str = CONTROL, kind: str = ".xz") -> bytes:
    """A Debian package without content."""
    inner = compressed(control_archive(control), kind)
    return ar(("debian-binary", b"2.0\n"), (f"control.tar{kind}", inner), ("data.tar.xz", b"never read"))


def rpm_header(values: Mapping[int, str | list[str] | list[int]]) -> bytes:
    """A header of an RPM package."""
    index, store = b"", b""
    for tag, value in values.items():
        if isinstance(value, str):
            kind, count, content = 6, 1, value.encode() + b"\0"
        elif value and isinstance(value[0], int):
            store += b"\0" * (-len(store) % 4)
            kind, count, content = 4, len(value), b"".join(struct.pack(">I", one) for one in value)
        else:
            kind, count, content = 8, len(value), b"".join(str(one).encode() + b"\0" for one in value)
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += content
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(values), len(store)) + index + store


RPM_VALUES: Mapping[int, str | list[str] | list[int]] = {
    1000: "sample",
    1001: "1.5",
    1002: "3.fc40",
    1004: "A sample",
    1011: "Ann",
    1022: "noarch",
    1048: [12, 0, 16_777_226],
    1049: ["bash", "/bin/sh", "rpmlib(CompressedFileNames)"],
    1050: ["4", "", "3.0.4-1"],
}


def rpm(values: Mapping[int, str | list[str] | list[int]] = RPM_VALUES, *, lead_type: int = 0) -> bytes:
    """An RPM package without content."""
    lead = struct.pack(">4sBBHH66sHH16x", b"\xed\xab\xee\xdb", 3, 0, lead_type, 1, b"sample-1.5-3", 1, 5)
    signature = rpm_header({1000: "x" * 5})
    return lead + signature + b"\0" * (-len(signature) % 8) + rpm_header(values) + b"never read"


MSI_PROPERTIES: Mapping[str, str] = {
    "ProductCode": "{01234567-89AB-CDEF-0123-456789ABCDEF}",
    "ProductName": "Fine Editor",
    "ProductVersion": "2.1.0",
    "Manufacturer": "Example",
    "ALLUSERS": "1",
}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
_STREAM_BYTES = 4096
"""Each stream is filled up to this size: shorter ones would lie in a stream of their own."""


def msi(values: Mapping[str, str] = MSI_PROPERTIES) -> bytes:
    """A Windows Installer package with nothing but its table of properties."""
    words = [word.encode() for pair in values.items() for word in pair]
    pool = struct.pack("<HH", 1252, 0) + b"".join(struct.pack("<HH", len(word), 1) for word in words)
    pairs = _STREAM_BYTES // 4
    columns = [list(range(first, 2 * len(values) + 1, 2)) + [0] * (pairs - len(values)) for first in (1, 2)]
    table = struct.pack(f"<{2 * pairs}H", *columns[0], *columns[1])
    return compound({"_StringPool": pool, "_StringData": b"".join(words), "Property": table})


def compound(tables: Mapping[str, bytes]) -> bytes:
    """A compound file with three tables as its streams. Source: [MS-CFB], version 3."""
    sectors = _STREAM_BYTES // 512
    chains = [[*range(first + 1, first + sectors), 0xFFFFFFFE] for first in (2 + sectors * place for place in range(len(tables)))]
    fat = [0xFFFFFFFD, 0xFFFFFFFE, *(name for chain in chains for name in chain)]
    entries = [_directory_entry("Root Entry", 5, child=1, start=0xFFFFFFFE)]
    for place, name in enumerate(tables):
        following = place + 2 if place + 1 < len(tables) else 0xFFFFFFFF
        entries.append(_directory_entry(_packed(name), 2, right=following, start=2 + sectors * place, size=_STREAM_BYTES))
    header = struct.pack("<8s16sHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 62, 3, 0xFFFE, 9, 6, 0, 1, 1, 0,
                         4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)  # fmt: skip
    difat = struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    return (
        header
        + difat
        + struct.pack("<128I", *fat, *[0xFFFFFFFF] * (128 - len(fat)))
        + b"".join(entries)
        + b"".join(content.ljust(_STREAM_BYTES, b"\0") for content in tables.values())
    )


def _directory_entry(
    name: str, kind: int, *, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF, start: int, size: int = 0
) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sI8s8sIQ", encoded, len(encoded) + 2, kind, 1, 0xFFFFFFFF, right, child, b"", 0, b"", b"", start, size
    )


def _packed(name: str) -> str:
    """The name of a table as it is stored: two letters in one, behind the mark of a table."""
    pairs = [name[place : place + 2] for place in range(0, len(name), 2)]
    numbers = [[_ALPHABET.index(letter) for letter in pair] for pair in pairs]
    return "\u4840" + "".join(chr(0x3800 + one[0] + (one[1] << 6) if len(one) == 2 else 0x4800 + one[0]) for one in numbers)
