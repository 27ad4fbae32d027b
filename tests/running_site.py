"""A site with its HTTP side on a free loopback port, and the command line spoken to it in this process."""

import io
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3

from purveyor.cli.main import carry_out
from purveyor.cli.output import Output
from purveyor.cli.site import point_of, shelf_of
from purveyor.client_access_point.application import application as cap_application
from purveyor.console.server import RunningServer, bound, site_application
from purveyor.console.settings import ConsoleSettings
from purveyor.content.store import ContentStore
from purveyor.distribution_point.application import application as dp_application
from purveyor.site_server.admin import tokens
from purveyor.site_server.admin.tokens import Role
from purveyor.site_server.database.engine import Database, open_database
from purveyor.site_server.executive import Executive
from purveyor.site_server.keys import Keys, keyring_of, make_keys
from purveyor.site_server.site import LOCAL_POINT, Site, prepare_database, utc_now
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.wire.ids import site_code

LIMITS = ConsoleSettings(json_limit_bytes=200_000, upload_limit_bytes=100_000, stop_seconds=1)


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return lines[0]

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON of any shape
        """Standard output, read as JSON."""
        return json.loads(self.out)


@dataclass
class RunningSite:
    """A site that answers at `url`."""

    site: Site
    executive: Executive
    url: str
    admin: str = field(repr=False)
    reader: str = field(repr=False)
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of a request to the REST API, as the administrator unless another token is given."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.admin if token is None else token}", "Content-Type": "application/json"}
        response = self.http.request(method, f"{self.url}/api/v1{path}", body=content, headers=sent | dict(headers or {}))
        return response.status, json.loads(response.data)

    def purveyor(self, *words: str, token: str | None = None, stdin: str = "") -> Said:
        """Carries out a command against this site."""
        out, err = io.StringIO(), io.StringIO()
        environment = {"PURVEYOR_SITE": self.url, "PURVEYOR_TOKEN": self.admin if token is None else token}
        output = Output(stdout=out, stderr=err, stdin=io.StringIO(stdin))
        return Said(carry_out(words, environment=environment, output=output), out.getvalue(), err.getvalue())


class Prepared(NamedTuple):
    """A site's database that was made once, to be copied, with the keys and tokens that belong to it."""

    path: Path
    keys: Keys
    admin: str
    reader: str


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """What every running site of these tests begins with."""
    path, keys = tmp_path_factory.mktemp("prepared") / "site.db", make_keys()
    with open_database(f"sqlite:///{path}") as database:
        prepare_database(database, code=site_code("S01"), keys=keys, bin_bits=1, now=utc_now())
        return Prepared(path, keys, _token(database, Role.ADMIN), _token(database, Role.READER))


@pytest.fixture
def running_site(tmp_path: Path, prepared: Prepared) -> Iterator[RunningSite]:
    """A new site over HTTP. Its executive takes no turn by itself."""
    shutil.copy(prepared.path, tmp_path / "site.db")
    with open_database(f"sqlite:///{tmp_path / 'site.db'}") as database:
        site = Site(
            code=site_code("S01"),
            folder=None,
            database=database,
            keys=keyring_of(prepared.keys),
            cap=FolderShelf(tmp_path / "CAP_S01"),
            rejected=FolderShelf(tmp_path / "rejected"),
            store=ContentStore(tmp_path / "content"),
            points={LOCAL_POINT: ContentStore(tmp_path / "DP_S01")},
            open_shelf=shelf_of,
            open_point=point_of,
        )
        executive = Executive(site)
        application = site_application(
            site,
            executive,
            cap=cap_application(tmp_path / "CAP_S01"),
            dp=dp_application(tmp_path / "DP_S01", executive.rounds.served),
            settings=LIMITS,
        )
        server = RunningServer(application, bound("127.0.0.1", 0), stop_seconds=1)
        running = RunningSite(site, executive, server.url, prepared.admin, prepared.reader)
        try:
            yield running
        finally:
            running.http.clear()
            server.stop()


def _token(database: Database, role: Role) -> str:
    random = secrets.token_bytes(tokens.SECRET_BYTES)
    with database.write() as tx:
        return tokens.create(tx, name=f"the {role}", role=role, random=random, by="test", now=utc_now()).secret
