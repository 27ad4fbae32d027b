"""What the accepted items of a batch amount to: rows and marks, gathered first and written at once. Pure.

An item is stored as received even when its client is blocked; only what a client says that is not blocked is believed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, assert_never

from purveyor.site_server.database.clients import REMOVED
from purveyor.site_server.database.holders import OpenHolding
from purveyor.site_server.database.upward import Discovered, KnownClient, Progressed, StoredItem
from purveyor.site_server.model.retirement import PackageState, has_forgotten, has_removed
from purveyor.site_server.receive import discovery, status
from purveyor.site_server.receive.numbering import Numbered
from purveyor.site_server.receive.opening import Letter
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import PackageId
from purveyor.wire.reports import Discovery, Facts, Item, Joining, Leaving, Returning, StatusMessages, Summary, Unread
from purveyor.wire.shards import ClientState

GONE = frozenset({REMOVED, ClientState.REJOIN.value})
"""States of clients that are to join again. What they sent before that is history all the same."""
BELIEVED = frozenset({ClientState.MEMBER.value, ClientState.WAITING.value, *GONE})
HOLDING_STORED = 1000
DIGEST_LIMIT = 64


class Spoken(NamedTuple):
    """What a client said it has applied and still holds, with one item."""

    client: int
    applied: int
    holding: frozenset[PackageId]


class Acknowledged(NamedTuple):
    """Holdings (package, client) that are over. Whoever has forgotten a package has also removed it."""

    removed: list[tuple[PackageId, int]]
    forgotten: list[tuple[PackageId, int]]


@dataclass(slots=True)
class Effects:
    """All that a batch changes, by table. `incarnation`: of this site."""

    incarnation: int
    items: list[StoredItem] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What clients answered to requests."""
    discovered: dict[int, Discovered] = field(default_factory=dict)
    named: set[tuple[PackageId, int]] = field(default_factory=set)
    """Packages that discovery records name: (package, client)."""
    spoken: list[Spoken] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    progressed: list[Progressed] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)
    """Clients to be told that more was received."""

    def add(self, client: KnownClient, numbered: Numbered, now: datetime, *, told_before: Collection[int] = frozenset()) -> None:
        """Adds what one client's items amount to. Those of the sequences `told_before` count, and say nothing new."""
        if not numbered.accepted:
            return
        is_believed = client.state in BELIEVED
        for letter in numbered.accepted:
            first = status.plain(letter.item.retold.digest, DIGEST_LIMIT) if letter.item.retold is not None else ""
            self.items.append(StoredItem(client.number, letter.item.sequence, letter.digest, first))
            if is_believed and letter.item.sequence not in told_before:
                self._believe(client, letter, now)
        if numbered.advance.lost > 0:
            self.messages.append(status.loss_row(numbered.advance, client=client.number, told_by=numbered.told_by, now=now))
        if numbered.advance.received != client.received:
            self.advanced.append(client.number)
        self.progressed.append(_progressed(client, numbered, is_believed=is_believed))

    def _believe(self, client: KnownClient, letter: Letter, now: datetime) -> None:
        item = letter.item
        self.spoken.append(Spoken(client.number, item.applied, discovery.packages_named(item.holding)))
        if client.state in GONE and not isinstance(item.body, StatusMessages):
            return
        match item.body:
            case StatusMessages(messages=messages):
                rows = status.told(messages, client=client.number, sequence=item.sequence, now=now)
                self.messages += rows.messages
                self.jobs += rows.jobs
                self.answers += rows.answers
            case Discovery(facts=facts, packages=packages, absent_requests=absent, absent_by_point=by_point):
                ahead = status.clock_row(item.made_at, client=client.number, sequence=item.sequence, now=now)
                twin = status.elsewhere_row(
                    item.incarnation, self.incarnation, client=client.number, sequence=item.sequence, now=now
                )
                self.messages += [row for row in (ahead, twin) if row is not None]
                self._discover(client, item, facts, max(0, min(absent, status.COUNT_LIMIT)), by_point)
                self.named.update((package, client.number) for package in discovery.packages_named(packages))
            case Joining(facts=facts) | Returning(facts=facts):
                self._discover(client, item, facts, None)
            case Summary(programs=programs):
                self.jobs += status.summed_up(programs, client=client.number, sequence=item.sequence, now=now)
            case Leaving():
                if item.sequence > client.last_sequence:
                    self.left.add(client.number)
            case Unread(reason=reason):
                self.messages.append(status.unread_row(reason, client=client.number, sequence=item.sequence, now=now))
            case other:
                assert_never(other)

    def _discover(
        self,
        client: KnownClient,
        item: Item,
        facts: Facts,
        absent_requests: int | None,
        by_point: Mapping[str, int] | None = None,
    ) -> None:
        known = self.discovered.get(client.number)
        if item.sequence <= max(client.discovered_sequence, known.sequence if known else 0):
            return
        if absent_requests is None and known is not None:
            absent_requests, by_point = known.absent_requests, known.absent_by_point
        machine = discovery.machine_of(facts)
        self.discovered[client.number] = Discovered(
            client.number, item.sequence, machine.name, machine.facts, absent_requests, by_point or {}
        )


def acknowledged(spoken: Iterable[Spoken], holdings: Sequence[OpenHolding]) -> Acknowledged:
    """Which of these open holdings are over by what their clients said."""
    by_client: dict[int, list[Spoken]] = {}
    for one in spoken:
        by_client.setdefault(one.client, []).append(one)
    over = Acknowledged([], [])
    for holding in holdings:
        said = by_client.get(holding.client, [])
        place = (holding.package, holding.client)
        if any(_has_forgotten(one, holding) for one in said):
            over.forgotten.append(place)
        if not holding.is_removed and any(_has_removed(one, holding) for one in said):
            over.removed.append(place)
    return over


def _has_removed(one: Spoken, holding: OpenHolding) -> bool:
    return holding.state is PackageState.REMOVING and has_removed(
        applied=one.applied, is_held=holding.package in one.holding, removing_snapshot=holding.removing_snapshot
    )


def _has_forgotten(one: Spoken, holding: OpenHolding) -> bool:
    return holding.state is not PackageState.REMOVING and has_forgotten(
        applied=one.applied, is_held=holding.package in one.holding, retired_snapshot=holding.retired_snapshot
    )


def _progressed(client: KnownClient, numbered: Numbered, *, is_believed: bool) -> Progressed:
    items = [letter.item for letter in numbered.accepted]
    newest = items[-1]
    holding: str | None = None
    if is_believed and newest.sequence > client.last_sequence:
        holding = to_bytes(sorted(discovery.packages_named(newest.holding))[:HOLDING_STORED]).decode()
    return Progressed(
        number=client.number,
        received=numbered.advance.received,
        received_digest=numbered.digest,
        lost=numbered.advance.lost,
        last_sequence=max(client.last_sequence, newest.sequence),
        applied=max(item.applied for item in items) if is_believed else 0,
        holding=holding,
    )
