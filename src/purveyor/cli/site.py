"""`purveyor site init`, and what a running site hands to its points and its processes. Quick to import: no HTTP side is."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

from purveyor.cli.call import Call
from purveyor.client import share_credentials
from purveyor.site_server.model.points import PointSaid, Target
from purveyor.site_server.site import create_site
from purveyor.transport.interface import Point, Shelf
from purveyor.transport.open_point import Points
from purveyor.transport.open_shelf import Doors, shelf_at
from purveyor.transport.s3.credentials import read_credentials
from purveyor.transport.smb.address import Credentials
from purveyor.wire.errors import UnavailableError


def init(call: Call) -> int:
    """Makes a new site."""
    options, output = call.arguments, call.output
    folder = Path(options.dir)
    token_file = create_site(folder, code=options.code, database_url=options.database or "", now=datetime.now(UTC))
    if output.is_json:
        output.give_json({"dir": str(folder), "code": options.code.upper(), "token_file": str(token_file)})
    output.say(f"site {options.code.upper()} is made in {folder}; the token of its administrator is in {token_file}")
    output.say(f"run it: purveyor site run {folder}")
    return 0


def shelf_of(target: Target) -> Shelf:
    """The shelf of a point that the site writes to. Its file of credentials is read at each connection."""
    credentials = Path(target.credentials)
    doors = Doors(
        share_credentials=lambda: share_credentials.given_in(credentials),
        bucket_credentials=lambda: read_credentials(credentials),
        endpoint=target.endpoint,
        region=target.region,
    )
    return shelf_at(target.url, doors)


@contextmanager
def point_of(said: PointSaid) -> Iterator[Point]:
    """A point that a mirror fills, for as long as the site reads it. Its file of credentials is read at each connection."""

    def credentials() -> Credentials:
        if not said.credentials:
            raise UnavailableError(f"the site reads {said.url} as nobody: name the file that says as whom, with --credentials")
        return share_credentials.given_in(Path(said.credentials))

    points = Points(credentials, lambda _: said.pins)
    try:
        yield points.at(said.url)
    finally:
        points.close()


def stay_with_the_site() -> None:
    """Ends an opener's process with the site's, even a killed one: it knows the sealing keys. Ctrl-C is for the site alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    site = parent_process()
    if site is not None:
        threading.Thread(target=_end_after, args=(site,), name="site-watch", daemon=True).start()


def _end_after(site: BaseProcess) -> None:
    site.join()
    os._exit(0)
