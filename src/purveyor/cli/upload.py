"""A package's source goes to the site: read here, compared there, and only what the site lacks is sent."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from purveyor.cli.call import TOKEN_FILE
from purveyor.cli.output import Output, Progress, counted, size
from purveyor.cli.rest import CONNECTION_COUNT, Rest
from purveyor.client.machine.lock import LOCK_FILE
from purveyor.client.main import STATE_FILE
from purveyor.content import take_in
from purveyor.content.take_in import BATCH_SIZE, TakenIn
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import File, Manifest

ATTEMPTS = 3
_SECRET = re.compile(rf"(.*/)?({re.escape(TOKEN_FILE)}|keys/[a-z]+-[0-9a-f]{{16}}\.key)")
"""A site's first token, and its private keys."""


def taken_in_at_site(rest: Rest, output: Output, source: Path) -> str:
    """Sends a source to the site and gives the hash of its manifest, which a package can then name.

    Errors: RefusedError when the source cannot be read, is being changed, or has secrets of a site or agent in it; as `Rest`.
    """
    taken_in = _read(output, source)
    _refuse_secrets(taken_in.manifest)
    for attempt in range(1, ATTEMPTS + 1):
        _send_missing(rest, output, taken_in)
        try:
            rest.put_bytes(f"/content/manifests/{taken_in.sha256}", taken_in.content)
            break
        except RefusedError:  # what the site had when it was asked has gone since, with a package that was purged
            if attempt == ATTEMPTS:
                raise
    return taken_in.sha256


def _refuse_secrets(tree: Manifest) -> None:
    """Nothing, unless the folder of a site, of a backup or of an agent lies in the tree: whoever gets it can speak for them."""
    paths = {file.path for file in tree.files}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        is_agent = name == STATE_FILE and f"{folder}/{LOCK_FILE}".lstrip("/") in paths
        if is_agent or _SECRET.fullmatch(path):
            raise RefusedError(
                f"{path!r} in the source is a secret of a site or an agent, and would lie on every machine: name the folder that"
                " is to be distributed, and nothing above it"
            )


def _send_missing(rest: Rest, output: Output, taken_in: TakenIn) -> None:
    """Several at once: the site syncs each before it answers, and those that wait together are synced together."""
    plan = rest.post_bytes("/content/plan", taken_in.content)
    missing = {entry["sha256"] for entry in plan["missing"]}
    lacking = list({file.sha256: file for file in taken_in.manifest.files if file.sha256 in missing}.values())
    total_bytes = sum(entry["size_bytes"] for entry in plan["missing"])
    count = len(taken_in.manifest.files)
    output.say(
        f"{counted(count, 'file')}, {size(taken_in.manifest.size_bytes)}; "
        f"the site lacks {len(missing)} of them, {size(total_bytes)}"
    )
    progress = output.progress("sending", total_bytes)

    def send(file: File) -> None:
        rest.upload(f"/content/files/{file.sha256}", _counted(taken_in, file, progress), file.size_bytes)

    with ThreadPoolExecutor(CONNECTION_COUNT, thread_name_prefix="send") as pool:
        for start in range(0, len(lacking), BATCH_SIZE):
            list(pool.map(send, lacking[start : start + BATCH_SIZE]))


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
