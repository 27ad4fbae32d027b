"""`purveyor site run`: here a site's parts, its HTTP side and its executive come together."""

import errno
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

from purveyor.cli.call import SITE_URL_FILE, Call
from purveyor.cli.site import point_of, shelf_of, stay_with_the_site
from purveyor.cli.site_certificate import HttpsKeeper, names_of
from purveyor.client_access_point.application import application as cap_application
from purveyor.console.server import RunningServer, bound, site_application
from purveyor.console.settings import ConsoleSettings
from purveyor.distribution_point.application import application as dp_application
from purveyor.site_server import certificates
from purveyor.site_server.executive import Executive
from purveyor.site_server.publish.older import refuse_older_database
from purveyor.site_server.site import Site, no_site_in, open_site, running_alone
from purveyor.site_server.threads import Threads
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.errors import RefusedError, UnavailableError

OPENERS = 1
_LOOK_SECONDS = 1.0
POINT_STOP_SECONDS = 5.0
"""How long a site that stops waits for what it has begun at points elsewhere."""
_OTHERWISE = {
    errno.EADDRINUSE: "end what listens there, or name another port with --listen",
    errno.EACCES: "name a port above 1023 with --listen, or run it as root",
}
_LOG_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(call: Call) -> int:
    """Runs a site until SIGINT or SIGTERM."""
    folder = Path(call.arguments.dir)
    if not folder.is_dir():
        raise no_site_in(folder)
    logging.basicConfig(level=logging.WARNING, format=_LOG_FORM, stream=sys.stderr)  # libraries tell of each of their requests
    logging.getLogger("purveyor").setLevel(logging.INFO)
    stop = threading.Event()
    with _stopped_by_signals(stop), running_alone(folder):
        site = open_site(folder, open_shelf=shelf_of, open_point=point_of)
        try:
            with site.database.read() as tx:
                refuse_older_database(tx, site.cap)
            with _address(call) as address:  # before anything is written that others see
                if call.arguments.https and certificates.held(folder) is None:
                    certificates.make(folder, names_of(call.arguments.listen[0]), datetime.now(UTC))
                return _serve(call, site, folder, stop, address)
        finally:
            site.database.dispose()


def _address(call: Call) -> socket.socket:
    try:
        return bound(*call.arguments.listen)
    except OSError as error:
        raise _not_listened(call, error) from error


def _not_listened(call: Call, error: OSError) -> UnavailableError:
    host, port = call.arguments.listen
    remedy = _OTHERWISE.get(error.errno or 0, "name another address with --listen")
    return UnavailableError(f"{host}:{port} cannot be listened on: {error.strerror}; {remedy}")


def _serve(call: Call, site: Site, folder: Path, stop: threading.Event, address: socket.socket) -> int:
    begin = get_context("spawn")
    with ProcessPoolExecutor(OPENERS, begin, initializer=stay_with_the_site) as openers:  # begun when there is much to open
        executive = Executive(site, openers=openers, pushers=Threads())
        try:
            return _serve_with(call, site, folder, stop, executive, address)
        finally:
            for name in executive.rounds.end(POINT_STOP_SECONDS):
                call.output.say(f"{name} does not answer: what was begun there is left as it is, and found at the next start")


def _serve_with(call: Call, site: Site, folder: Path, stop: threading.Event, executive: Executive, address: socket.socket) -> int:
    https = HttpsKeeper(site, folder)
    executive.turn()  # so that whoever can reach the site finds its boxes filled
    settings = ConsoleSettings()
    application = site_application(
        site,
        executive,
        cap=cap_application(folder / cap_folder(site.code)),
        dp=dp_application(folder / dp_folder(site.code), executive.rounds.served),
        settings=settings,
    )
    try:
        server = RunningServer(application, address, stop_seconds=settings.stop_seconds, chain=https.chain)
    except ssl.SSLError as error:
        raise RefusedError(f"the certificate of {folder} cannot be used: {error.reason}") from error
    except OSError as error:
        raise _not_listened(call, error) from error
    turning = threading.Thread(target=executive.run, args=(stop,), name="executive")
    turning.start()
    try:
        with _address_written(folder / SITE_URL_FILE, server.url):
            call.output.say(f"site {site.code} runs at {server.url}; Ctrl-C stops it")
            while not stop.wait(_LOOK_SECONDS) and server.is_serving and turning.is_alive():
                https.look(server.show)
    finally:
        is_asked = stop.is_set()
        stop.set()
        site.poke()
        server.stop()
        turning.join()
    call.output.say(f"site {site.code} has stopped")
    return 0 if is_asked else 3


@contextmanager
def _address_written(path: Path, url: str) -> Iterator[None]:
    """The site's address in its folder, for as long as it runs."""
    aside = path.with_suffix(".new")
    try:
        aside.write_text(url + "\n", encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop`, and nothing is torn apart in the middle."""

    def set_stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    kept = {number: signal.signal(number, set_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
