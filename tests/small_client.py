"""A client without a machine: its state in memory, and what it concludes from a small site's boxes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from purveyor.client.policy import poll as policy_poll
from purveyor.client.policy.poll import Polled
from purveyor.client.policy_view import Policy
from purveyor.client.state import published
from purveyor.client.state.identity import store_identity
from purveyor.client.state.store import State, text_of
from purveyor.lab.power import Power
from purveyor.lab.state import LabConnection, memory_connection
from purveyor.lab.transport import MemoryBoxes
from purveyor.transport.interface import Point
from small_site import URL, SmallSite, identity_of


@dataclass
class SmallClient:
    """One client that has joined: it holds the root that its join code named, and nothing else yet."""

    site: SmallSite
    name: str = "c1"
    power: Power = field(default_factory=Power)
    others: Mapping[str, MemoryBoxes] = field(default_factory=dict)
    """Other CAPs, by URL."""

    def __post_init__(self) -> None:
        self.identity = identity_of(self.name)
        self.connection: LabConnection = memory_connection()
        self.state = State(self.connection)
        store_identity(self.state, self.identity)
        self.state.remember("access_point", URL)
        published.store_trusted(self.state, {"root": self.site.repository.versions["root", 1]})
        self.connection.before_effect = self.power.effect

    @property
    def id(self) -> str:
        """Its client id."""
        return self.identity.client

    def point_for(self, url: str) -> Point:
        """The CAP at a URL."""
        boxes = self.others.get(url, self.site.boxes)
        assert boxes.url == url, url
        return boxes.point(self.name)

    def poll(self, *, after: timedelta = timedelta(0), is_forced: bool = False) -> Polled:
        """Polls once, when so much more time has passed."""
        self.site.clock.advance(after)
        return policy_poll.poll(
            self.state, self.identity, point_for=self.point_for, now=self.site.clock.now(), is_forced=is_forced
        )

    def policy(self, *, after: timedelta = timedelta(0)) -> Policy:
        """What it concludes after a poll."""
        return self.poll(after=after).policy

    def restart(self) -> None:
        """Power is back after a cut: what was committed is there."""
        if self.connection.in_transaction:
            self.connection.rollback()
        self.power.restore()
        self.connection.before_effect = None
        self.state = State(self.connection)
        self.connection.before_effect = self.power.effect

    def hold(self, *packages: str) -> None:
        """Gives it a record of having run these packages, as `programs` would."""
        with self.state.transaction() as tx:
            for package in packages:
                tx.execute("insert or replace into history values (?, 1, ?)", (package, b"{}"))

    def cache(self, package: str) -> None:
        """Gives it a cached file of a package."""
        with self.state.transaction() as tx:
            tx.execute("insert into held_content values (?, ?, ?, 1)", ("ab" * 32, package, text_of(self.site.clock.now())))

    def contents(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything that its state holds, by table: to compare two clients."""
        tables = ("mark", "fact", "trusted", "target", "tag", "point", "deleted", "item", "message")
        return {table: sorted(map(tuple, self.connection.execute(f"select * from {table}"))) for table in tables}
