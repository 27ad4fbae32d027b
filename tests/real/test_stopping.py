"""How a server over HTTPS stops: what is being answered is answered, and nobody who keeps a connection is waited for."""

import asyncio
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from purveyor.console.server import RunningServer, bound
from purveyor.site_server import certificates

LONG_SECONDS = 60
"""What the server grants requests under way, and so much longer than it may take here."""


def test_a_kept_connection_holds_up_no_stop_and_an_answer_under_way_comes_whole(tmp_path: Path) -> None:
    begun, released = threading.Event(), threading.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["path"] == "/slow":
            begun.set()
            await asyncio.to_thread(released.wait, LONG_SECONDS)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"whole"})

    made = certificates.make(tmp_path, (), datetime.now(UTC))
    chain = certificates.chain_of(tmp_path, made)
    server = RunningServer(answer, bound("127.0.0.1", 0), stop_seconds=LONG_SECONDS, chain=chain)
    stopping = threading.Thread(target=server.stop)
    with connected(server.url) as kept, connected(server.url) as slow:
        assert asked(kept, "/").endswith(b"whole")
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: site\r\n\r\n")
        assert begun.wait(LONG_SECONDS)
        stopping.start()
        released.set()
        assert slow.makefile("rb").read().endswith(b"whole")
        stopping.join(LONG_SECONDS / 3)
        is_stopped = not stopping.is_alive()
    stopping.join()
    assert is_stopped, "it waited for a client that keeps its connection"


def connected(url: str) -> ssl.SSLSocket:
    """A connection to a server, whatever its certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    place = urlsplit(url)
    return tls.wrap_socket(socket.create_connection((str(place.hostname), int(place.port or 0)), LONG_SECONDS))


def asked(connection: ssl.SSLSocket, path: str) -> bytes:
    """The answer to a request, whose length is known here."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: site\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"whole"):
        answer += connection.recv(1000)
    return answer
