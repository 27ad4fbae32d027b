"""Files in the form that Windows' GetPrivateProfileString reads, with its oddities; the lines that it passes over are kept too.

Pure. The first section of a name counts, and in it the first entry of a name; names are compared without regard to case. What
stands after the first of a name is kept apart, so that nobody has to guess why it has no effect.
Source: GetPrivateProfileString in the Windows API reference; Wine's dlls/kernel32/profile.c for what it does not say.
"""

import codecs
from dataclasses import dataclass, field

from purveyor.package_formats.draft import Entry
from purveyor.wire.errors import RejectedError

SIZE_LIMIT = 2**20
LINE_LIMIT = 20_000
LINE_CHARACTERS = 8192
SECTION_LIMIT = 1000

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_END_OF_DOS_FILE = "\x1a"


@dataclass(slots=True)
class Section:
    """One section. Shape: `entries` by name in lower case, as `(name as written, value)`, in the order of the file."""

    name: str
    entries: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Profile:
    """A whole file. Shape: `sections` by name in lower case; `passed_over`: lines that have no effect on Windows."""

    sections: dict[str, Section] = field(default_factory=dict)
    passed_over: list[Entry] = field(default_factory=list)


def text_of(content: bytes) -> str:
    """The text of a file by its byte order mark; without one UTF-8 where it is that, else the code page of Western Europe.

    Errors: RejectedError: too large, or no text.
    """
    if len(content) > SIZE_LIMIT:
        raise RejectedError(f"the file is larger than {SIZE_LIMIT} bytes: this is no package definition file")
    for mark, codec in _MARKS:
        if content.startswith(mark):
            text = content[len(mark) :].decode(codec, errors="replace")
            break
    else:
        if content[1:2] == b"\0":
            text = content.decode("utf-16-le", errors="replace")
        else:
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError:
                text = content.decode("cp1252", errors="replace")
    text = text.partition(_END_OF_DOS_FILE)[0]
    if "\0" in text:
        raise RejectedError("the file is no text: this is no package definition file")
    return text


def profile_of(text: str) -> Profile:
    """The sections and entries of a text. Errors: RejectedError: too many lines or sections, or lines that are too long."""
    profile = Profile()
    current: Section | None = None
    name, is_repeated = "", False
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > LINE_LIMIT:
        raise RejectedError(f"the file has more than {LINE_LIMIT} lines")
    for line in (raw.strip() for raw in lines):
        if len(line) > LINE_CHARACTERS:
            raise RejectedError(f"the file has a line of more than {LINE_CHARACTERS} characters: {line[:80]!r}")
        if not line or line.startswith(";"):
            continue
        if line.startswith("[") and "]" in line:
            name = line[1 : line.rindex("]")].strip()
            is_repeated = name.casefold() in profile.sections
            current = Section(name) if is_repeated else profile.sections.setdefault(name.casefold(), Section(name))
            if len(profile.sections) > SECTION_LIMIT:
                raise RejectedError(f"the file has more than {SECTION_LIMIT} sections")
            continue
        key, separator, value = (part.strip() for part in line.partition("="))
        if current is None or is_repeated or not separator or not key or key.casefold() in current.entries:
            profile.passed_over.append(Entry(section=name, key=key, value=value))
        else:
            current.entries[key.casefold()] = (key, unquoted(value))
    return profile


def unquoted(value: str) -> str:
    """The value without the quotes around it; a command such as `"a" "b"` begins and ends with one, and keeps them all."""
    for quote in "\"'":
        if len(value) >= 2 and value[0] == value[-1] == quote and quote not in value[1:-1]:
            return value[1:-1]
    return value


def list_of(value: str) -> list[str]:
    """The parts of a value that stand between commas, without blanks and quotes around them."""
    return [part for one in value.split(",") if (part := unquoted(one.strip()).strip())]
