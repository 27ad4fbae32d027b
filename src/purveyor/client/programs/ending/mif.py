"""A status MIF: the text in which setup programs say how they ended, in the format of the Desktop Management Interface.

    Start Component
      Name = "WORKSTATION"
      Start Group
        Name = "ComponentID"   Class = "DMTF|ComponentID|1.0"      Manufacturer, Product, Version, Locale, Serial Number …
      Start Group
        Name = "InstallStatus" Class = "MICROSOFT|JOBSTATUS|1.0"   Status ("Success" or "Failed"), Description

Pure and bounded: whatever is not such a text is rejected, and what counts as a program's own is a matter of times and names.
Source: DMTF, Desktop Management Interface Specification 2.0s, the MIF grammar; Q268791, Q216744.
"""

import codecs
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Reporting

SIZE_LIMIT_BYTES = 100 * 1024
BLOCK_LIMIT = 500
DEPTH_LIMIT = 5
TEXT_LIMIT = 1000
"""Characters of a value that are kept."""
ENDING = ".mif"
CLOCK_TICK = timedelta(milliseconds=10)
"""The times of files come from a clock that lags behind by up to so much."""

_TOKEN = re.compile(
    r"""\s+ | //[^\n]* |
    (?P<text>"(?:[^"\\]|\\.)*") |
    (?P<word>[A-Za-z_][A-Za-z0-9_-]*) |
    (?P<number>[+-]?[0-9]+(?:x[0-9A-Fa-f]+)?) |
    (?P<sign>[=()])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'", "?": "?"}
_STATUSES = {"success": True, "failed": False}
_SINGLE = (["word"], ["number"], ["word", "sign", "number", "sign"])
"""What a value is made of that is no text, such as `READ-ONLY`, `1` or `STRING(64)`."""
_COMPONENT_ID, _INSTALL_STATUS = ("componentid", "dmtf|componentid|"), ("installstatus", "microsoft|jobstatus|")


class StatusMif(msgspec.Struct, frozen=True, kw_only=True):
    """What a status MIF says. Fields that it does not have are empty; texts are one line, without control characters."""

    is_success: bool
    description: str = ""
    manufacturer: str = ""
    product: str = ""
    version: str = ""
    locale: str = ""
    serial_number: str = ""
    installation: str = ""


class _Token(NamedTuple):
    kind: str
    text: str


class _Block(msgspec.Struct):
    """One `Start … End`. Shape: values by lower-case key."""

    kind: str
    values: dict[str, str]
    blocks: list["_Block"]

    @property
    def name(self) -> str:
        return self.values.get("name", "").strip().casefold()


def status_mif(content: bytes) -> StatusMif:
    """What these bytes say. Errors: RejectedError: they are no status MIF, or more than one could be meant."""
    if len(content) > SIZE_LIMIT_BYTES:
        raise RejectedError(f"it is larger than {SIZE_LIMIT_BYTES} bytes")
    component = _component(_text_of(content))
    status = _group(component, _INSTALL_STATUS)
    if status is None:
        raise RejectedError("it has no group InstallStatus")
    ended = _attributes(status)
    said = ended.get("status", "").casefold()
    if said not in _STATUSES:
        raise RejectedError(f"its status is {said[:40]!r}, neither Success nor Failed")
    identity = _group(component, _COMPONENT_ID)
    names = {} if identity is None else _attributes(identity)
    return StatusMif(
        is_success=_STATUSES[said],
        description=ended.get("description", ""),
        manufacturer=names.get("manufacturer", ""),
        product=names.get("product", ""),
        version=names.get("version", ""),
        locale=names.get("locale", ""),
        serial_number=names.get("serial number", ""),
        installation=names.get("installation", ""),
    )


def is_named(file_name: str, reporting: Reporting) -> bool:
    """Whether a file may be the status MIF of a program, by its name: the ending may be left out, case does not count."""
    name = file_name.casefold()
    wanted = reporting.file_name.strip().casefold()
    return name.endswith(ENDING) and (not wanted or name in (wanted, wanted + ENDING))


def is_own(mif: StatusMif, reporting: Reporting) -> bool:
    """Whether a status MIF names the product that a program's reporting names; an empty field is not compared."""
    pairs = (
        (reporting.manufacturer, mif.manufacturer),
        (reporting.product, mif.product),
        (reporting.version, mif.version),
    )
    return all(not _plain(wanted) or _plain(wanted).casefold() == found.casefold() for wanted, found in pairs)


def is_of_run(written_at: datetime, *, started_at: datetime, ended_at: datetime | None) -> bool:
    """Whether a file was written between the start and the end of a run.

    Where the clock was set back in between, what it showed at any time of the run counts. None: nobody knows when it ended.
    """
    since = started_at - CLOCK_TICK
    if ended_at is None:
        return written_at >= since
    until = ended_at + CLOCK_TICK
    return since <= written_at <= until if since <= until else written_at >= since or written_at <= until


def _text_of(content: bytes) -> str:
    """The text in the encodings in which such files are found. Latin-1 takes whatever is not UTF-8."""
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.rstrip("\x1a\0")  # how DOS programs ended a text
    if "\0" in text:
        raise RejectedError("it is no text")
    return text


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise RejectedError(f"line {text.count(chr(10), 0, place) + 1} cannot be read")
        if found.lastgroup is not None:
            yield _Token(found.lastgroup, found[0])
        place = found.end()


def _component(text: str) -> _Block:
    """The one component of a text. A statement such as the language may stand before it."""
    root = _Block("", {}, [])
    open_blocks = [root]
    count = 0
    statement: list[_Token] = []
    tokens = [*_tokens(text), _Token("word", "end")]
    place = 0
    while place < len(tokens) - 1:
        token, following = tokens[place], tokens[place + 1]
        keyword = token.text.casefold() if token.kind == "word" else ""
        if keyword in ("start", "end") and following.kind == "word":
            _keep(open_blocks[-1], statement)
            statement = []
            kind = following.text.casefold()
            if keyword == "start":
                count += 1
                if count > BLOCK_LIMIT or len(open_blocks) > DEPTH_LIMIT:
                    raise RejectedError("it has more parts, or parts within parts, than any status MIF")
                block = _Block(kind, {}, [])
                open_blocks[-1].blocks.append(block)
                open_blocks.append(block)
            elif open_blocks.pop().kind != kind or not open_blocks:
                raise RejectedError(f"an end of {kind[:40]!r} does not belong there")
            place += 2
            continue
        if following.text == "=" and statement:
            _keep(open_blocks[-1], statement)
            statement = []
        statement.append(token)
        place += 1
    _keep(open_blocks[-1], statement)
    if len(open_blocks) > 1 or len(root.blocks) != 1 or root.blocks[0].kind != "component":
        raise RejectedError("it is not one component from its start to its end")
    return root.blocks[0]


def _keep(block: _Block, statement: list[_Token]) -> None:
    """Takes `KEY = VALUE`: texts beside each other are one, words and numbers are kept as they are."""
    if not statement:
        return
    if len(statement) < 3 or statement[0].kind not in ("word", "number") or statement[1].text != "=":
        raise RejectedError(f"{statement[0].text[:40]!r} is no statement")
    key, parts = statement[0].text.casefold(), statement[2:]
    is_text = all(part.kind == "text" for part in parts)
    if not is_text and [part.kind for part in parts] not in _SINGLE:
        raise RejectedError(f"the value of {key[:40]!r} cannot be read")
    if key in block.values:
        raise RejectedError(f"{key[:40]!r} has two values in one place")
    block.values[key] = "".join(_unescaped(part.text[1:-1]) if is_text else part.text for part in parts)


def _unescaped(text: str) -> str:
    """The text with its escapes replaced; a backslash before anything else stays, as in the paths that programs write."""

    def sign(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2]:
            return chr(int(found[2], 8))
        return _ESCAPED.get(found[3], found[0])

    return _ESCAPE.sub(sign, text)


def _group(component: _Block, known_by: tuple[str, str]) -> _Block | None:
    """The group of this name or class. Errors: RejectedError when there are several."""
    name, known_class = known_by
    found = [
        block
        for block in component.blocks
        if block.kind == "group" and (block.name == name or block.values.get("class", "").casefold().startswith(known_class))
    ]
    if len(found) > 1:
        raise RejectedError(f"it has several groups {name}")
    return found[0] if found else None


def _attributes(group: _Block) -> dict[str, str]:
    """Values by the lower-case names of their attributes. Errors: RejectedError when a name is given twice."""
    values: dict[str, str] = {}
    for block in group.blocks:
        if block.kind != "attribute" or not block.name:
            continue
        if block.name in values:
            raise RejectedError(f"the attribute {block.name[:40]!r} is given twice")
        values[block.name] = _plain(block.values.get("value", ""))
    return values


def _plain(text: str) -> str:
    """One line without control characters, bounded."""
    line = " ".join(text.split())[:TEXT_LIMIT]
    return "".join(sign if sign.isprintable() else "�" for sign in line)
