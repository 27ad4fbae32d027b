"""Every function that reads bytes or texts of others is in the table of `tests/fuzz`, or is said not to need it, and why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import purveyor
from fuzz.parsers import PARSERS

SOURCE = Path(purveyor.__path__[0])

DECODERS = frozenset(
    (
        "from_bytes", "json.loads", "msgspec.json.decode", "msgspec.convert", "tomllib.loads", "Metadata.from_dict",
        "Metadata.from_bytes", "struct.unpack_from", "struct.iter_unpack", "form.iter_unpack", "_INDEX.iter_unpack",
        "_INTRODUCTION.unpack", "tarfile.open", "parse_qsl", "urlsplit", "datetime.fromisoformat", "base64.b32decode",
    )
)  # fmt: skip
"""Calls that make a value of bytes or text."""
READERS = ("read_", "parse_", "decode", "split", "opened", "unsealed", "inflated")
"""What functions of the folders below are called that read what others wrote."""
READING_FOLDERS = ("wire/", "package_formats/", "transport/")

OWN_DATABASE = "a row of this program's own database, written there by the same struct"
OWN_FILE = "a file that this program wrote in a folder of its own, and reads as nothing when it is damaged"
THROUGH = "reads nothing itself: reached through a row of the table"
A_PATH = "reads a file by its name and returns its bytes, which others judge"
OWN: dict[str, str] = {
    "cli/courier.py:_sender": "the site's own root, which its own server answers",
    "cli/demo.py:asked": "what our own command prints",
    "cli/rest.py:rest_of": "the address of a site as its own administrator gives it in the environment",
    "client/asking.py:_is_unchanged_over_http": "an address of the plan that the agent itself left",
    "client/machine/notices.py:_numbers": OWN_FILE,
    "client/machine/programs.py:_read_json": OWN_FILE,
    "client/machine/programs.py:_time": OWN_FILE,
    "cli/output.py:moment": "a time that the site of this user shows, which its administrators trust",
    "client/points/": OWN_DATABASE,
    "client/points/addresses.py:server_of": "an address of signed settings, which `settings` has judged",
    "client/page/remote.py:__init__": "the address of the page as the user of the command types it",
    "client/page/server.py:_request": "tried over real sockets, with the limits of the page, in test_client_page",
    "client/programs/": OWN_DATABASE,
    "client/rejoining.py:": OWN_DATABASE,
    "client/reports.py:": OWN_DATABASE,
    "client/state/": OWN_DATABASE,
    "client/trying.py:_hear": OWN_DATABASE,
    "client/trust.py:rhythm": THROUGH,
    "courier/packed.py:_pack": "an archive that it writes",
    "courier/packed.py:unpacked": THROUGH,
    "courier/sending.py:_receipt": THROUGH,
    "recovery/": "a backup that the site's own administrator names: damaged and made by others in test_backups",
    "recovery/restore.py:_read_numbers": "a file beside the backups, written with them; damaged, it counts as none",
    "site_server/admin/": OWN_DATABASE,
    "site_server/custody/judging.py:": THROUGH,
    "site_server/certificates.py:held": "a file that the site wrote in its own folder; a damaged one is refused in words",
    "site_server/claim.py:_mark_in": THROUGH,
    "site_server/database/": OWN_DATABASE,
    "site_server/model/settings.py:with_value": "a value of the REST API, of a type that was judged there",
    "site_server/publish/": "metadata that this site signed, from its own database",
    "wire/reports.py:item_in": "bytes that `unsealed` has judged in another process",
    "site_server/site.py:written_in": "the settings of a site in the folder of its own administrator",
    "transport/folder/confined.py:read_at_most": A_PATH,
    "transport/open_shelf.py:_scheme_and_path": THROUGH,
    "transport/s3/credentials.py:read_credentials": A_PATH,
    "wire/manifest.py:decode": THROUGH,
}
"""Shape: functions, or files or folders of them, by what their name begins with → why no hostile bytes reach them alone."""


def readers() -> Iterator[str]:
    """The functions that read what others may have written, as `file:function`."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("lab/"):
            continue
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and (_decodes(function) or _is_called_a_reader(name, function)):
                yield f"{name}:{function.name}"


def tried() -> frozenset[str]:
    return frozenset(read for parser in PARSERS.values() for read in parser.reads)


def test_every_reader_is_tried_with_hostile_bytes_or_needs_no_such_test() -> None:
    missing = [name for name in readers() if name not in tried() and not name.startswith(tuple(OWN))]
    assert missing == []


def test_what_is_said_to_need_no_such_test_is_there() -> None:
    found = list(readers())
    assert [prefix for prefix in OWN if not any(name.startswith(prefix) for name in found)] == []


def _decodes(function: ast.FunctionDef) -> bool:
    called = {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    return bool({name.partition("[")[0] + name.partition("]")[2] if "[" in name else name for name in called} & DECODERS)


def _is_called_a_reader(name: str, function: ast.FunctionDef) -> bool:
    """Whether it is one by its name and by what it takes: bytes, a text or a file."""
    if not name.startswith(READING_FOLDERS) or not function.name.startswith(READERS):
        return False
    first = function.args.args[0] if function.args.args else None
    kind = "" if first is None or first.annotation is None else ast.unparse(first.annotation)
    return kind in ("bytes", "str", "BinaryIO", "int", "Path", "Envelope")
