"""The way in over TLS: connections are counted from the moment they are there, not only once they have agreed on TLS.

Else whoever connects and says nothing takes every file that the site may open, those that it needs for its own work among them.
"""

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

BEGIN_SECONDS = 20.0
"""How long a client may take to agree on TLS."""
END_SECONDS = 1.0
"""How long a client may take to agree that a connection over TLS ends; a kept one agrees only when it is used again."""
_NO_FILE_SECONDS = 0.5


class Doorway:
    """Takes connections from a listening socket, and turns away who would be one too many of those that have not agreed on TLS.

    It stands where the server below has a server of asyncio.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], listening: socket.socket, tls: ssl.SSLContext) -> None:
        self._make, self._listening, self._tls = make, listening, tls
        self._agreeing: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._taking = self._loop.create_task(self._take())

    def close(self) -> None:
        """Takes no more connections, and waits for none that has not begun."""
        for task in (self._taking, *self._agreeing):
            task.cancel()

    async def wait_closed(self) -> None:
        """Waits until nothing of it runs."""
        await asyncio.wait({self._taking, *self._agreeing})

    async def _take(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listening)
            except OSError:  # gone already, or no file is left that could be opened
                await asyncio.sleep(_NO_FILE_SECONDS)
                continue
            if len(self._agreeing) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4:
                connection.close()
                continue
            agreeing = self._loop.create_task(self._agree(connection))
            self._agreeing.add(agreeing)
            agreeing.add_done_callback(self._agreeing.discard)

    async def _agree(self, connection: socket.socket) -> None:
        with suppress(OSError):  # no TLS, or too slowly
            await self._loop.connect_accepted_socket(
                self._make, connection, ssl=self._tls, ssl_handshake_timeout=BEGIN_SECONDS, ssl_shutdown_timeout=END_SECONDS
            )
