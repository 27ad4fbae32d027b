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
