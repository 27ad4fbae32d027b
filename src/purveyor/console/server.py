"""The whole HTTP side of a site as one ASGI application, and the server that carries it.

The paths that clients poll (`/cap`, `/dp`) go straight to their bare applications; only `/api` passes through the framework.
"""

import asyncio
import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from purveyor.console.application import rest_application
from purveyor.console.connections import Connection
from purveyor.console.doorway import Doorway
from purveyor.console.oversight import Oversight
from purveyor.console.settings import ConsoleSettings
from purveyor.site_server.executive import Executive
from purveyor.site_server.site import Site
from purveyor.transport.http.serving import Application

BACKLOG = 2048


class SiteApplication:
    """Gives each request to the part of the site that its path names."""

    def __init__(self, *, rest: ASGIApp, cap: Application, dp: Application, oversight: Oversight, requests: Counter[str]) -> None:
        self._parts: dict[str, Application] = {"cap": cap, "dp": dp}
        self._rest, self._requests = rest, requests
        self._single: dict[str, ASGIApp] = {"/healthz": oversight.health, "/metrics": oversight.metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        name, slash, _ = path[1:].partition("/")
        part = self._parts.get(name)
        if part is not None and slash:
            self._requests[name] += 1
            scope["root_path"] = "/" + name
            await part(scope, receive, send)
        elif path in self._single:
            await self._single[path](scope, receive, send)
        else:
            self._requests["rest"] += 1
            await self._rest(scope, receive, send)


def site_application(
    site: Site, executive: Executive, *, cap: Application, dp: Application, settings: ConsoleSettings
) -> SiteApplication:
    """The ASGI application of a site: REST API, CAP, DP, health and metrics."""
    requests: Counter[str] = Counter()
    return SiteApplication(
        rest=rest_application(site, settings), cap=cap, dp=dp, oversight=Oversight(site, executive, requests), requests=requests
    )


class RunningServer:
    """An HTTP or HTTPS server in a thread of its own. It listens from the start, and serves until it is stopped."""

    def __init__(
        self, application: ASGIApp, address: socket.socket, *, stop_seconds: int, chain: tuple[Path, Path] | None = None
    ) -> None:
        """Starts to serve at an address that is `bound`; over HTTPS where it is given the files of a certificate and its key.

        Errors: OSError when the address cannot be listened on, or the two cannot be used.
        """
        self._shown = None if chain is None else tls_of(chain)
        self._socket = address
        self._socket.listen(BACKLOG)
        config = uvicorn.Config(
            application,
            http=Connection,
            access_log=False,
            log_config=None,
            log_level=logging.ERROR,  # its warnings are words of strangers' requests, and name nobody
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=stop_seconds,
            ssl_context_factory=None if chain is None else lambda *_: self._door(chain),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http")
        self._thread.start()

    @property
    def url(self) -> str:
        """The address under which this machine reaches it."""
        host, port = self._socket.getsockname()[:2]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
        scheme = "http" if self._shown is None else "https"
        return f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"

    @property
    def is_serving(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def show(self, chain: tuple[Path, Path]) -> None:
        """Shows another certificate from now on. Errors: OSError when it cannot be used; nothing changes then."""
        self._shown = tls_of(chain)

    def _door(self, chain: tuple[Path, Path]) -> ssl.SSLContext:
        """What connections begin with; each goes on with what is shown at that time.

        A certificate that is loaded beside one with a key of another kind, RSA beside ECDSA, would not take its place.
        """
        tls = tls_of(chain)
        tls.sni_callback = lambda connection, *_: setattr(connection, "context", self._shown)
        return tls

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            if self._shown is not None:
                runner.get_loop().create_server = self._doorway  # type: ignore[assignment,method-assign]  # uvicorn has no way for it
            runner.run(self._server.serve(sockets=[self._socket]))

    async def _doorway(self, make: Callable[[], asyncio.Protocol], *, ssl: ssl.SSLContext, **_: object) -> Doorway:
        return Doorway(make, self._socket, ssl)

    def stop(self) -> None:
        """Ends it, once requests under way are answered or their time is up."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def bound(host: str, port: int) -> socket.socket:
    """An address that is held for a `RunningServer`: nobody else can have it, and whoever connects early is turned away.

    Errors: OSError when it is in use, or is none of this machine.
    """
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a server before it may still be ending
        if held.family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


def tls_of(chain: tuple[Path, Path]) -> ssl.SSLContext:
    """TLS as the site serves it: 1.2 or newer. Errors: OSError when the certificate and the key cannot be used."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(*chain, password=lambda: "")
    return tls
