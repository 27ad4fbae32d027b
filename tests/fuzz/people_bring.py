"""What people bring: package files, codes, lists on sticks, requests to sign."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import seeds
from fuzz.parser import Parser, in_folder, of_text
from package_files import ar, deb, msi, rpm
from purveyor.courier import packed
from purveyor.courier.reports import deliver
from purveyor.mirror import memory
from purveyor.package_formats import bounded
from purveyor.package_formats.reading import read_definition, read_draft
from purveyor.recovery.form import read_manifest
from purveyor.site_server.custody import judging
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire import (
    bundle,
    join_code,
    signed,
    signing,
)
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from purveyor.wire.form import from_bytes, to_bytes


def drafted(name: str) -> Callable[[bytes], object]:
    """A package file of this name."""
    return lambda content: read_draft(io.BytesIO(content), name)


def of_bombs(kind: str, seed: bytes) -> Parser:
    """Compressed bytes, as the control part of a Debian package has them."""
    return Parser(
        read=lambda content: bounded.inflated(content, kind, 2**18), seeds=[seed], reads=("package_formats/bounded.py:inflated",)
    )


def judged_request(content: bytes) -> object:
    """A signing request with what it would change."""
    request = signing.decode_request(content)
    judging.footing_of(request)
    judging.changes_in(request)
    return request


def judged_answer(content: bytes) -> object:
    """An answer, held against its request."""
    answer = signing.decode_answer(content)
    judging.check_answer(seeds.signing_request(), answer)
    return answer


def unpacked(content: bytes) -> object:
    """What of a packed bundle is laid out."""

    def read(folder: Path) -> object:
        with packed.unpacked(folder / "a.tar") as place:
            return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))

    return in_folder("a.tar", read)(content)


def delivered(folder: Path) -> object:
    """What a stick of reports puts into a site's boxes."""
    cap = folder / "CAP_S01"
    FolderShelf(cap).make_boxes()
    return deliver(folder, FolderPoint(cap)).items


def remembered(content: bytes) -> object:
    """What a mirror remembers beside its boxes."""
    with TemporaryDirectory() as folder:
        shelf = FolderShelf(Path(folder))
        shelf.replace(memory.MEMORY, content)
        shelf.replace(memory.PIN, content)
        memory.recalled(shelf)
        return memory.pinned(shelf, None)


CODE = join_code.JoinCode(seeds.SITE, 3, bytes(32), "JBSWY3DPEHPK3PXP")
MIRRORED = {"tags": {"a": "b"}, "generations": [1], "site": "S01", "root_version": 1, "root_sha256": seeds.SHA}
"""Both of a mirror's marks in one: each reader passes over what is the other's."""

FROM_PEOPLE: Mapping[str, Parser] = {
    "debian package": Parser(
        read=drafted("a.deb"),
        seeds=[deb(), deb(kind=".gz"), deb(kind=".zst"), deb(kind="")],
        reads=(
            "package_formats/reading.py:read_draft",
            "package_formats/deb.py:read_deb",
            "package_formats/deb.py:control_fields",
        ),
    ),
    "control archive": Parser(
        read=lambda archive: read_draft(io.BytesIO(ar(("debian-binary", b"2.0\n"), ("control.tar", archive))), "a.deb"),
        seeds=[seeds.CONTROL_ARCHIVE],
        reads=("package_formats/deb.py:_member_named_control",),
    ),
    "rpm package": Parser(
        read=drafted("a.rpm"),
        seeds=[rpm()],
        reads=(
            "package_formats/rpm.py:read_rpm",
            "package_formats/rpm_header.py:_header",
            "package_formats/rpm_header.py:numbers",
        ),
    ),
    "msi package": Parser(
        read=drafted("a.msi"),
        seeds=[msi()],
        reads=(
            "package_formats/msi.py:read_msi",
            "package_formats/msi_tables.py:_check_header",
            "package_formats/msi_tables.py:table_of_pairs",
            "package_formats/msi_tables.py:string_places",
        ),
    ),
    "package definition": Parser(
        read=read_definition,
        seeds=[seeds.DEFINITION_2, seeds.DEFINITION_1, b"\xff\xfe" + seeds.DEFINITION_2.decode().encode("utf-16-le")],
        reads=(
            "package_formats/reading.py:read_definition",
            "package_formats/ini.py:profile_of",
            "package_formats/ini.py:text_of",
        ),
    ),
    **{f"{kind} bytes": of_bombs(kind, seed) for kind, seed in seeds.COMPRESSED.items()},
    "join code": Parser(
        read=of_text(join_code.read),
        seeds=[join_code.write(CODE).encode()],
        write=lambda code: join_code.write(code).encode(),  # type: ignore[arg-type]  # of this parser
        reads=("wire/join_code.py:read",),
    ),
    "signing request": Parser(
        read=judged_request,
        seeds=[to_bytes(seeds.signing_request())],
        is_json=True,
        reads=("wire/signing.py:decode_request", "site_server/custody/judging.py:_fields"),
    ),
    "signing answer": Parser(
        read=judged_answer,
        seeds=[to_bytes(seeds.signing_answer())],
        is_json=True,
        write=to_bytes,
        reads=("wire/signing.py:decode_answer", "site_server/custody/judging.py:check_answer"),
    ),
    "bundle": Parser(
        read=lambda content: (bundle.unverified(content), bundle.verified(content, (seeds.SNAPSHOT_PUBLIC,)))[1],
        seeds=[to_bytes(seeds.BUNDLE)],
        seal=lambda payload: signed.sign("bundle", payload, seeds.SNAPSHOT_KEY),
        write=lambda said: bundle.sign(said, seeds.SNAPSHOT_KEY),  # type: ignore[arg-type]  # of this parser
        reads=("wire/bundle.py:unverified", "wire/bundle.py:verified"),
    ),
    "packed bundle": Parser(
        read=unpacked,
        seeds=[seeds.packed_bundle()],
        errors=(RejectedError, UnavailableError),
        reads=("courier/packed.py:_unpack",),
    ),
    "manifest of a backup": Parser(
        read=read_manifest,
        seeds=[to_bytes(seeds.BACKUP)],
        is_json=True,
        write=to_bytes,
        reads=("recovery/form.py:read_manifest",),
    ),
    "receipt": Parser(
        read=lambda content: from_bytes(content, bundle.Receipt),
        seeds=[to_bytes(seeds.RECEIPT)],
        is_json=True,
        write=to_bytes,
        reads=("wire/form.py:from_bytes",),
    ),
    "stick of reports": Parser(
        read=in_folder(bundle.REPORTS, delivered),
        seeds=[to_bytes(seeds.REPORTS)],
        is_json=True,
        reads=("courier/reports.py:deliver",),
    ),
    "marks of a mirror": Parser(
        read=remembered,
        seeds=[to_bytes(memory.pin_of_code(CODE)), to_bytes(MIRRORED)],
        is_json=True,
        errors=(RejectedError, RefusedError),
        reads=("mirror/memory.py:recalled", "mirror/memory.py:_readable_pin"),
    ),
}
