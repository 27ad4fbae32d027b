"""A package's source goes to the site: read here, compared there, and only what the site lacks is sent."""

from collections.abc import Iterator
from pathlib import Path

from purveyor.cli.output import Output, Progress, counted, size
from purveyor.cli.rest import Rest
from purveyor.content import take_in
from purveyor.content.take_in import TakenIn
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import File

ATTEMPTS = 3


def taken_in_at_site(rest: Rest, output: Output, source: Path) -> str:
    """Sends a source to the site and gives the hash of its manifest, which a package can then name.

    Errors: RefusedError when the source cannot be read or is being changed; as `Rest`.
    """
    taken_in = _read(output, source)
    for attempt in range(1, ATTEMPTS + 1):
        _send_missing(rest, output, taken_in)
        try:
            rest.put_bytes(f"/content/manifests/{taken_in.sha256}", taken_in.content)
            break
        except RefusedError:  # what the site had when it was asked has gone since, with a package that was purged
            if attempt == ATTEMPTS:
                raise
    return taken_in.sha256


def _send_missing(rest: Rest, output: Output, taken_in: TakenIn) -> None:
    plan = rest.post_bytes("/content/plan", taken_in.content)
    missing = {entry["sha256"] for entry in plan["missing"]}
    total_bytes = sum(entry["size_bytes"] for entry in plan["missing"])
    count = len(taken_in.manifest.files)
    output.say(
        f"{counted(count, 'file')}, {size(taken_in.manifest.size_bytes)}; "
        f"the site lacks {len(missing)} of them, {size(total_bytes)}"
    )
    progress = output.progress("sending", total_bytes)
    for file in taken_in.manifest.files:
        if file.sha256 in missing:
            missing.discard(file.sha256)
            rest.upload(f"/content/files/{file.sha256}", _counted(taken_in, file, progress), file.size_bytes)


def _read(output: Output, source: Path) -> TakenIn:
    shown: list[Progress] = []
    seen_bytes = 0

    def advance(progress: take_in.Progress) -> None:
        nonlocal seen_bytes
        if not shown:
            shown.append(output.progress(f"reading {source.name}", progress.total_bytes))
        shown[0].advance(progress.read_bytes - seen_bytes)
        seen_bytes = progress.read_bytes

    return take_in.take_in(source, on_progress=advance)


def _counted(taken_in: TakenIn, file: File, progress: Progress) -> Iterator[bytes]:
    for piece in taken_in.open(file):
        yield piece
        progress.advance(len(piece))
