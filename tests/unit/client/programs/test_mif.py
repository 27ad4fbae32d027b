"""Status MIFs: what is read, what is rejected, what counts as a program's own."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.programs.ending.mif import (
    BLOCK_LIMIT,
    SIZE_LIMIT_BYTES,
    TEXT_LIMIT,
    StatusMif,
    is_named,
    is_of_run,
    is_own,
    status_mif,
)
from purveyor.wire.errors import RejectedError
from purveyor.wire.package_info import Reporting


def attribute(name: str, value: str, number: int = 1) -> str:
    return (
        f'      START ATTRIBUTE\n        NAME = "{name}"\n        ID = {number}\n        ACCESS = READ-ONLY\n'
        f"        STORAGE = SPECIFIC\n        TYPE = STRING(64)\n        VALUE = {value}\n      END ATTRIBUTE\n"
    )


def group(name: str, known_class: str, *attributes: str) -> str:
    return f'  START GROUP\n    NAME = "{name}"\n    ID = 1\n    CLASS = "{known_class}"\n{"".join(attributes)}  END GROUP\n'


IDENTITY = group(
    "ComponentID",
    "DMTF|ComponentID|1.0",
    attribute("Manufacturer", '"Example"', 1),
    attribute("Product", '"Editor"', 2),
    attribute("Version", '"2.1"', 3),
    attribute("Locale", '"ENU"', 4),
    attribute("Serial Number", '""', 5),
    attribute("Installation", '"DateTime"', 6),
)


def status(value: str = '"Success"', description: str = '"all is well"') -> str:
    return group("InstallStatus", "MICROSOFT|JOBSTATUS|1.0", attribute("Status", value), attribute("Description", description, 2))


def component(*parts: str, name: str = '"WORKSTATION"') -> str:
    return f"START COMPONENT\n  NAME = {name}\n{''.join(parts)}END COMPONENT\n"


WHOLE = component(IDENTITY, status())


def test_the_file_that_setup_programs_write_is_read() -> None:
    assert status_mif(WHOLE.encode()) == StatusMif(
        is_success=True,
        description="all is well",
        manufacturer="Example",
        product="Editor",
        version="2.1",
        locale="ENU",
        installation="DateTime",
    )


def test_a_file_of_the_oldest_kind_has_the_status_alone() -> None:
    text = (
        'Start Component\nName = "Workstation"\nStart Group\nName = "InstallStatus"\nID = 1\nClass = "MICROSOFT|JOBSTATUS|1.0"\n'
        'Start Attribute\nName = "Status"\nID = 1\nType = String(16)\nValue = "FAILED"\nEnd Attribute\n'
        'Start Attribute\nName = "Description"\nID = 2\nType = String(128)\nValue = "no space"\nEnd Attribute\nEnd Group\n'
        "End Component\n"
    )
    assert status_mif(text.encode()) == StatusMif(is_success=False, description="no space")


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.replace("\n", "\r\n").encode(),
        WHOLE.replace("\n", "\r\n").encode() + b"\x1a",
        WHOLE.encode("utf-8-sig"),
        WHOLE.encode("utf-16"),
        b"\xfe\xff" + WHOLE.encode("utf-16-be"),
        WHOLE.lower().replace('"success"', '"SUCCESS"').encode(),
        ("// written by setup\n" + WHOLE.replace("ID = 1\n", "ID = 1 // the first\n")).encode(),
        ('LANGUAGE = "en|US|iso8859-1"\n' + WHOLE).encode(),
        " ".join(WHOLE.split()).encode(),
        WHOLE.replace('"all is well"', '"all " "is"\n " well"').encode(),
        WHOLE.replace('"all is well"', '"\\x61ll\\tis \\167ell\\n"').encode(),
        WHOLE.replace('START GROUP\n    NAME = "InstallStatus"', 'START GROUP\n    NAME = "Other"').encode(),
    ],
    ids=["crlf", "control-z", "utf-8 mark", "utf-16", "utf-16 big", "lower case", "comments", "language", "one line", "joined",
         "escapes", "by class"],
)  # fmt: skip
def test_it_is_read_in_each_form_in_which_it_is_found(content: bytes) -> None:
    read = status_mif(content)
    assert read.is_success
    assert read.description == "all is well"
    assert read.product.casefold() == "editor"


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ('"größer"'.encode(), "größer"),
        ('"größer"'.encode("latin-1"), "größer"),
        (rb'"said \"no\" \\ yes"', 'said "no" \\ yes'),
        (rb'"in C:\Program Files"', "in C:\\Program Files"),
        (b'"two\r\n   lines"', "two lines"),
        (b'"\\x1b[2J"', "�[2J"),
        (b'"// no comment"', "// no comment"),
        (b'"' + b"x" * 5000 + b'"', "x" * TEXT_LIMIT),
        (b'""', ""),
        (b"READ-ONLY", "READ-ONLY"),
    ],
)
def test_a_description_is_one_bounded_line_without_control_characters(value: bytes, description: str) -> None:
    assert status_mif(WHOLE.encode().replace(b'"all is well"', value)).description == description


REJECTED = {
    "nothing": "",
    "another text": "Setup has ended well.",
    "json": '{"status": "success"}',
    "no status": component(IDENTITY),
    "an unknown status": component(status('"Perhaps"')),
    "no value of the status": component(status('""')),
    "two statuses": component(status(), status('"Failed"')),
    "two values": component(status('"Success"\n        VALUE = "Failed"')),
    "an attribute twice": component(
        group("InstallStatus", "MICROSOFT|JOBSTATUS|1.0", attribute("Status", '"Success"'), attribute("Status", '"Failed"'))
    ),
    "two components": WHOLE + WHOLE,
    "a component that is not ended": WHOLE.removesuffix("END COMPONENT\n"),
    "an end too many": WHOLE + "END COMPONENT\n",
    "an end of something else": WHOLE.replace("END GROUP", "END ATTRIBUTE", 1),
    "a text that is not ended": WHOLE.replace('"all is well"', '"all is well'),
    "a quotation within a text": WHOLE.replace('"all is well"', '"it said "well" at last"'),
    "a value of two kinds": WHOLE.replace('"all is well"', '"all" READ-ONLY'),
    "a statement without a value": WHOLE.replace('VALUE = "all is well"', "VALUE ="),
    "a word alone": WHOLE.replace("ACCESS = READ-ONLY", "READ-ONLY", 1),
    "a NUL": WHOLE.replace("all is well", "all\0is well"),
    "a sign that is none": WHOLE.replace("STRING(64)", "STRING{64}", 1),
    "a status outside a component": status(),
    "another kind of part": WHOLE.replace("COMPONENT\n", "TABLE\n"),
    "too many parts": component(status(), *[group("Other", "X", "") for _ in range(BLOCK_LIMIT)]),
    "parts within parts": "START COMPONENT " + "START GROUP " * 50 + "END GROUP " * 50 + "END COMPONENT",
}


@pytest.mark.parametrize("text", REJECTED.values(), ids=REJECTED)
def test_whatever_else_there_is_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError):
        status_mif(text.encode())


def test_it_is_read_up_to_its_limit() -> None:
    padding = b" " * (SIZE_LIMIT_BYTES - len(WHOLE))
    assert status_mif(WHOLE.encode() + padding).is_success
    with pytest.raises(RejectedError, match="larger"):
        status_mif(WHOLE.encode() + padding + b" ")


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_rejected_or_read(content: bytes) -> None:
    with pytest.raises(RejectedError):
        status_mif(content)


PIECES = st.sampled_from(
    ["START ", "END ", "COMPONENT ", "GROUP ", "ATTRIBUTE ", "NAME ", "VALUE ", "= ", '"InstallStatus" ', '"Status" ',
     '"Success" ', '"', "\\", "(", ")", "// x\n", "-1 ", "\x1a", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60).map("".join))
def test_words_of_the_format_in_any_order_are_rejected_or_read(text: str) -> None:
    try:
        assert isinstance(status_mif(text.encode()), StatusMif)
    except RejectedError:
        return


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_file_with_one_damaged_byte_is_rejected_or_read(place: int, byte: int) -> None:
    content = bytearray(WHOLE.encode())
    content[place] = byte
    try:
        assert isinstance(status_mif(bytes(content)), StatusMif)
    except RejectedError:
        return


@given(st.booleans(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80), st.sampled_from(["utf-8", "utf-16"]))
def test_what_is_written_is_read_again(is_success: bool, description: str, encoding: str) -> None:
    quoted = '"' + description.replace("\\", "\\\\").replace('"', '\\"') + '"'
    read = status_mif(component(status('"Success"' if is_success else '"Failed"', quoted)).encode(encoding))
    assert read.is_success is is_success
    expected = " ".join(description.split())
    assert read.description == "".join(sign if sign.isprintable() else "�" for sign in expected)


@pytest.mark.parametrize(
    ("name", "wanted", "is_taken"),
    [
        ("editor.mif", "", True),
        ("EDITOR.MIF", "editor.mif", True),
        ("editor.mif", "Editor", True),
        ("other.mif", "editor.mif", False),
        ("editor.mif.bak", "editor.mif", False),
        ("editor.txt", "", False),
        ("editor.txt", "editor.txt", False),
        (".mif", "", True),
    ],
)
def test_a_file_is_known_by_its_name_where_one_is_told(name: str, wanted: str, is_taken: bool) -> None:
    assert is_named(name, Reporting(file_name=wanted)) is is_taken


@pytest.mark.parametrize(
    ("reporting", "is_taken"),
    [
        (Reporting(), True),
        (Reporting(manufacturer="example", product=" Editor ", version="2.1"), True),
        (Reporting(product="Editor"), True),
        (Reporting(product="Viewer"), False),
        (Reporting(manufacturer="Example", product="Editor", version="2.2"), False),
        (Reporting(manufacturer="Another", product="Editor"), False),
    ],
)
def test_a_mif_of_another_product_does_not_count(reporting: Reporting, is_taken: bool) -> None:
    assert is_own(status_mif(WHOLE.encode()), reporting) is is_taken


def test_a_mif_without_a_name_is_nobody_s_where_one_is_asked_for() -> None:
    nameless = status_mif(component(status()).encode())
    assert is_own(nameless, Reporting(file_name="editor.mif"))
    assert not is_own(nameless, Reporting(product="Editor"))


START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("written", "ended", "is_taken"),
    [
        (1, 2, True),
        (0, 2, True),
        (2, 2, True),
        (-1, 2, False),
        (3, 2, False),
        (1, None, True),
        (-1, None, False),
        # the clock was set back an hour while it ran: what it showed at any time of the run counts
        (1, -58, True),
        (-59, -58, True),
        (-30, -58, False),
    ],
)
def test_only_what_was_written_during_the_run_counts(written: int, ended: int | None, is_taken: bool) -> None:
    ended_at = None if ended is None else START + ended * MINUTE
    assert is_of_run(START + written * MINUTE, started_at=START, ended_at=ended_at) is is_taken


def test_a_file_s_clock_may_lag_by_a_tick() -> None:
    assert is_of_run(START - timedelta(milliseconds=9), started_at=START, ended_at=START + MINUTE)
    assert not is_of_run(START - timedelta(milliseconds=50), started_at=START, ended_at=START + MINUTE)
