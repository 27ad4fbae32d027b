"""Serves the agent's page, for whoever starts it: a person in the foreground, or the sentinel when somebody connects.

Started as `python -m purveyor.client.page.serving STATE_FOLDER FD` with a listening socket; it ends after a minute in which
nobody came, and whoever holds the socket too starts it again when somebody does.
"""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from purveyor.client.page.answers import Page
from purveyor.client.page.desk import desk_of
from purveyor.client.page.peers import RealPeers
from purveyor.client.page.server import PageServer


def serve(folder: Path, listener: socket.socket, *, tell: Callable[[str], None]) -> None:
    """Serves the page of a state folder until it is interrupted; `tell` is given its address first."""
    with PageServer(listener, Page(desk_of(folder)), peers=RealPeers()) as server:
        tell(server.url)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def main(folder: Path, descriptor: int) -> int:
    """Serves the page on a socket that listens already, until nobody comes any more. Shape: the exit code."""
    listener = socket.socket(fileno=descriptor)
    with PageServer(listener, Page(desk_of(folder)), peers=RealPeers()) as server:
        server.serve_until_idle()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
