"""A real S3 server for tests: SeaweedFS on loopback ports, one for a whole session, with a bucket of its own for every test.

As a pytest plugin it gives fixtures. It takes seconds to start, so the tests that use it are run together.
"""

import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3

from leftovers import ENDS_WITH_US
from purveyor.transport.s3.address import S3Address, s3_address
from purveyor.transport.s3.credentials import Credentials
from purveyor.transport.s3.shelf import S3Shelf

STARTING_SECONDS = 30.0
REGION = "us-east-1"
OWNER = Credentials("owner-of-tests", "a-secret-of-tests-that-is-long")
SITE = Credentials("site-of-tests", "another-secret-of-tests-that-is-long")
"""A key with no more rights than a site needs: it can make no bucket."""

_GRPC_DISTANCE = 10_000
_SERVERS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket at the running server."""

    endpoint: str
    name: str
    credentials: Credentials = SITE

    def address(self, prefix: str = "") -> S3Address:
        """A prefix in it."""
        return s3_address(f"s3://{self.name}/{prefix}", endpoint=self.endpoint)

    def shelf(self, prefix: str = "") -> S3Shelf:
        """A prefix in it, in the site's hand."""
        return S3Shelf(self.address(prefix), lambda: self.credentials)

    def open_to_everybody(self, policy: str) -> None:
        """Gives the bucket a policy, as its owner does."""
        answer = signed("PUT", self.endpoint, f"/{self.name}", {"policy": ""}, policy.encode())
        assert answer.status in (200, 204), answer.data

    def uploads_under_way(self) -> bytes:
        """What large uploads the server holds that nobody has completed."""
        answer = signed("GET", self.endpoint, f"/{self.name}", {"uploads": ""})
        assert answer.status == 200, answer.data
        return answer.data


def signed(method: str, endpoint: str, path: str, query: dict[str, str], body: bytes = b"") -> urllib3.BaseHTTPResponse:
    """The answer to a request of the owner, for what shelves never do. Source: AWS Signature Version 4."""
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": endpoint.partition("//")[2], "x-amz-content-sha256": digest, "x-amz-date": at}
    names = ";".join(sorted(headers))
    asked = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    lines = [method, quote(path), asked, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest]
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    key = b"AWS4" + OWNER.secret_access_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={OWNER.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    address = f"{endpoint}{quote(path)}" + (f"?{asked}" if asked else "")
    return urllib3.request(method, address, body=body, headers=headers, retries=False, timeout=10)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of a running server. One that does not start, its ports taken meanwhile, is given up for another, twice."""
    with ExitStack() as opened:
        logs: list[str] = []
        for _ in range(3):
            with suppress(NotStartedError):
                endpoint = opened.enter_context(_server(logs))
                break
        else:
            raise AssertionError("weed did not start: " + "\n".join(logs))
        yield endpoint


class NotStartedError(Exception):
    """A server has ended, or not answered in time."""


@contextmanager
def _server(logs: list[str]) -> Iterator[str]:
    program = Path(sys.executable).parent / "weed"
    assert program.exists(), "these tests need SeaweedFS: make setup"
    with tempfile.TemporaryDirectory(prefix="purveyor-s3-", ignore_cleanup_errors=True) as own:
        folder = Path(own)
        (folder / "kept").mkdir()
        (folder / "rights.json").write_text(json.dumps(_rights()))
        ports = dict(zip((*_SERVERS, "iceberg", "lance"), _free_ports(len(_SERVERS) + 2), strict=True))
        words = [
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={folder / 'kept'}",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=128",
            "-volume.max=1000",
            "-volume.index=memory",
            "-filer",
            "-s3",
            f"-s3.config={folder / 'rights.json'}",
            f"-s3.port.iceberg={ports['iceberg']}",
            f"-s3.port.lance={ports['lance']}",
            *(f"-{name}.port={ports[name]}" for name in _SERVERS),
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*ENDS_WITH_US, str(program), *words],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": own, "TMPDIR": own, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
                cwd=own,
            )
        try:
            endpoint = f"http://127.0.0.1:{ports['s3']}"
            if not _has_started(endpoint, process):
                logs.append((folder / "log").read_text()[-3000:])
                raise NotStartedError
            yield endpoint
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STARTING_SECONDS)
            for port in (opened for first in ports.values() for opened in (first, first + _GRPC_DISTANCE)):
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # where it lies is no setting
                    left.unlink(missing_ok=True)


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """An empty bucket that nobody else has and only its site may read."""
    made = Bucket(s3_server, f"test-{secrets.token_hex(8)}")
    answer = signed("PUT", made.endpoint, f"/{made.name}", {})
    assert answer.status == 200, answer.data
    return made


def with_key(bucket: Bucket, key: str, secret: str) -> Bucket:
    """The same bucket with another access key."""
    return replace(bucket, credentials=Credentials(key, secret))


def _rights() -> dict[str, object]:
    def identity(name: str, said: Credentials, actions: list[str]) -> dict[str, object]:
        key = {"accessKey": said.access_key_id, "secretKey": said.secret_access_key}
        return {"name": name, "credentials": [key], "actions": actions}

    may = ["Read", "Write", "List"]
    return {"identities": [identity("owner", OWNER, ["Admin", *may]), identity("site", SITE, may)]}


def _free_ports(count: int) -> list[int]:
    """Ports that are free together with those that the server opens ten thousand above them.

    All lie below those that Linux gives to outgoing connections, one of which could take a port before the server does.
    """
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = 11_000 + secrets.randbelow(11_000)
            with suppress(OSError):
                first = held.enter_context(socket.create_server(("127.0.0.1", port)))
                held.enter_context(socket.create_server(("127.0.0.1", port + _GRPC_DISTANCE)))
                found.append(first.getsockname()[1])
    return found


def _has_started(endpoint: str, process: "subprocess.Popen[bytes]") -> bool:
    """Waits until a bucket can be made and written."""
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib3.exceptions.HTTPError):
            steps = [signed("PUT", endpoint, "/started", {}), signed("PUT", endpoint, "/started/it", {}, b"works")]
            if all(step.status == 200 for step in steps):
                return True
        time.sleep(0.1)
    return False
