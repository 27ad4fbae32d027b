"""What the client tells its site: gathered durably, sent sealed, kept until the site says that it has it.

Messages are told in the transaction of what they tell about. They become numbered, signed items; an item is sent again, later and
later, until a shard covers its number, so a point that takes and discards loses nothing.
Source: the protocol, sections 4 and 10.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

import msgspec

from purveyor.client.state import origin
from purveyor.client.state.identity import Identity, next_sequence
from purveyor.client.state.store import State, text_of, time_of
from purveyor.transport.interface import Point
from purveyor.wire import envelope, reports, starts
from purveyor.wire.errors import PurveyorError, RejectedError, UnavailableError
from purveyor.wire.form import Wire, from_bytes, to_bytes
from purveyor.wire.ids import PackageId
from purveyor.wire.moments import utc_text
from purveyor.wire.reports import Body, Item, Retold, StatusMessage, StatusMessages
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import Entry
from purveyor.wire.status_messages import StatusId

LONGEST_RESEND = timedelta(days=1)
ITEMS_A_PASS = 200
MESSAGES_BYTES = reports.SIZE_LIMIT_BYTES * 3 // 4
"""Of an item; the rest is for what else it says."""
_HEARD = "heard of items"
RETOLD_BELOW = reports.REMEMBERED_ITEMS // 2
"""What lies further below what the site has is not told again: it may not know any more that it has it."""


def tell(state: State, message: StatusMessage) -> None:
    """Puts a status message with what is to be told, in the open transaction; its text is cut to what an item may hold."""
    text = message.text[: reports.TEXT_LIMIT].encode(errors="replace").decode()
    with state.transaction() as tx:
        tx.execute("insert into message (content) values (?)", (to_bytes(msgspec.structs.replace(message, text=text)),))


def pending_count(state: State) -> int:
    """Messages and items that the site is not yet known to have."""
    return int(state.connection.execute("select (select count(*) from message) + (select count(*) from item)").fetchone()[0])


def add_item(
    state: State, identity: Identity, body: Body, *, applied: int, holding: Sequence[PackageId], incarnation: int, now: datetime
) -> int:
    """Numbers, signs and spools one item. Shape: its sequence."""
    with state.transaction() as tx:
        sequence = next_sequence(state)
        oldest = tx.execute("select coalesce(min(sequence), ?) from item", (sequence,)).fetchone()[0]
        boot = origin.boot_of(state)
        item = Item(
            client=identity.client,
            public_key=identity.public_key,
            sequence=sequence,
            oldest_kept=min(int(oldest), sequence),
            incarnation=incarnation,
            applied=applied,
            made_at=now,
            body=body,
            holding=tuple(holding),
            machine=origin.machine_of(state),
            boot=boot,
            start=starts.signature_of(boot, sequence, identity.key),
        )
        is_result = isinstance(body, StatusMessages) and any(message.state is not None for message in body.messages)
        tx.execute(
            "insert into item (sequence, box, content, is_result, made_at) values (?, ?, ?, ?, ?)",
            (sequence, reports.BOX_OF[type(body)], reports.encode(item, identity.key), int(is_result), text_of(now)),
        )
        state.raise_mark("told_applied", applied)
    return sequence


def gather(
    state: State, identity: Identity, settings: AgentSettings, *, applied: int, holding: Sequence[PackageId], now: datetime
) -> None:
    """Makes items of the messages told so far, as many as the spool may hold; the rest waits, bounded, results kept longest."""
    room = settings.spool_limit - int(state.connection.execute("select count(*) from item").fetchone()[0])
    while room > 0:
        rows = state.connection.execute(
            "select id, content from message order by id limit ?", (reports.MESSAGES_PER_ITEM,)
        ).fetchall()
        if not rows:
            return
        rows = rows[: _fitting([len(row[1]) for row in rows])]
        messages = tuple(from_bytes(bytes(row[1]), StatusMessage) for row in rows)
        with state.transaction() as tx:
            body = StatusMessages(messages=messages)
            add_item(state, identity, body, applied=applied, holding=holding, incarnation=settings.incarnation, now=now)
            tx.execute("delete from message where id <= ?", (rows[-1][0],))
        room -= 1
    bound(state, settings, now)


def send_all_again(state: State) -> None:
    """Makes everything due that no shard covers, as if it had never been sent: the site was restored, and may have lost it."""
    with state.transaction() as tx:
        tx.execute("update item set sent_at = null, send_count = 0")


def has_room(state: State, settings: AgentSettings) -> bool:
    """Whether another item may be spooled."""
    return int(state.connection.execute("select count(*) from item").fetchone()[0]) < settings.spool_limit


class _Heard(Wire):
    """What the site said last: it has everything up to `received`, one after the other `digest`."""

    received: int = 0
    digest: str = ""


def tell_again(state: State, identity: Identity, entry: Entry, *, since: datetime | None, now: datetime) -> bool:
    """Gives new numbers to items whose numbers the site has already as those of others, before they are let go of as received.

    Those are all that are held, where what the site has is not what was given here: what it has of them it knows by their first
    digests. It is so after the machine went back to an older copy of its state (`since`: when that had polled last), and where
    another machine uses this identity. True where it was so. Where the site says no digest, it is what never left.
    """
    received = entry.received
    rows = state.connection.execute(
        "select sequence, box, content, is_result, made_at from item where sequence <= ?"
        " and (sent_at is null or sequence > ?) order by sequence",
        (0 if _has_these(state, entry) else received, max(0, received - RETOLD_BELOW) if entry.digest else received),
    ).fetchall()
    next_number = int(state.connection.execute("select next_sequence from identity").fetchone()[0])
    if not rows and received < next_number:
        return False
    boot = origin.boot_of(state)
    with state.transaction() as tx:
        if received >= next_number:
            tx.execute("update identity set next_sequence = ?", (received + 1,))
            memory = f"its newest memory is of {utc_text(since)}" if since else "it remembers no poll"
            text = f"the site has reports up to number {received}, this machine remembers {next_number - 1}: {memory}"
            tell(state, StatusMessage(id=StatusId.WENT_BACK, at=now, text=text))
        for sequence, box, content, is_result, made_at in rows:
            read = reports.decode(bytes(content))
            number = next_sequence(state)
            again = msgspec.structs.replace(
                read.item,
                sequence=number,
                oldest_kept=received + 1,
                made_at=now,  # by this start of the machine: what it says of itself is of now, each message has its own time
                machine=origin.machine_of(state),
                boot=boot,
                start=starts.signature_of(boot, number, identity.key),
                retold=read.item.retold or Retold(sequence=sequence, digest=read.digest),
            )
            tx.execute("delete from item where sequence = ?", (sequence,))
            tx.execute(
                "insert into item (sequence, box, content, is_result, made_at) values (?, ?, ?, ?, ?)",
                (number, box, reports.encode(again, identity.key), is_result, made_at),
            )
    return True


def _has_these(state: State, entry: Entry) -> bool:
    """Whether what the site got under numbers up to `received`, since it was last heard, is known to be what is held here."""
    heard = _heard(state)
    rows = state.connection.execute(
        "select content from item where sequence > ? and sequence <= ? order by sequence", (heard.received, entry.received)
    )
    own = reports.digest_after(heard.digest, (hashlib.sha256(row[0]).hexdigest() for row in rows))
    return entry.digest != "" and entry.digest == own


def _heard(state: State) -> _Heard:
    stored = state.fact(_HEARD)
    try:
        return from_bytes(stored.encode(), _Heard) if stored else _Heard()
    except RejectedError:
        return _Heard()


def acknowledge(state: State, received: int, digest: str = "") -> None:
    """Lets go of the items that the site says it has.

    Numbers that it has are never given again: a state folder that was restored from an old copy would else pass for a clone.
    """
    with state.transaction() as tx:
        state.remember(_HEARD, to_bytes(_Heard(received=received, digest=digest)).decode())
        tx.execute("delete from item where sequence <= ?", (received,))
        tx.execute("update identity set next_sequence = ? where next_sequence <= ?", (received + 1, received))


def send(
    state: State,
    identity: Identity,
    settings: AgentSettings,
    *,
    points: Sequence[Point],
    random_name: Sequence[str],
    now: datetime,
    tried: Callable[[str, PurveyorError | None], None] | None = None,
) -> int:
    """Sends what is due to be sent, oldest first. Shape: how many items were taken.

    Each item goes to one of `points`: the first of them, and whenever it was not heard of afterwards, the next. A point that does
    not take an item is passed over from then on. `tried` is told of each try: the point's URL, and what was wrong.
    `random_name` gives unpredictable item names, one an item. Errors: UnavailableError when no point can take more now.
    """
    sent, left = 0, list(points)
    key = settings.sealing_keys[0]
    if not left:
        raise UnavailableError("no access point takes items")
    for item in due_items(state, settings, now)[: min(ITEMS_A_PASS, len(random_name))]:
        sealed = envelope.seal(item.content, client=identity.client, box=item.box, key=key)
        while True:
            point = left[item.send_count % len(left)]
            error = _put(point, f"{item.box}/{random_name[sent]}", sealed)
            if tried is not None:
                tried(point.url, error)
            if error is None:
                break
            left.remove(point)
            if not left:
                raise UnavailableError(f"{point.url} does not take item {item.sequence}: {error}") from error
        statement = "update item set sent_at = ?, send_count = send_count + 1 where sequence = ?"
        with state.transaction() as tx:
            tx.execute(statement, (text_of(now), item.sequence))
        sent += 1
    return sent


def _put(point: Point, path: str, sealed: bytes) -> PurveyorError | None:
    """Puts an item. Shape: why the point did not take it; None: it did."""
    try:
        point.put(path, sealed)
    except (RejectedError, UnavailableError) as error:
        return error
    return None


class DueItem(NamedTuple):
    """An item that is due to be sent, signed and not sealed, and how often it was sent before."""

    sequence: int
    box: str
    content: bytes
    send_count: int


def due_items(state: State, settings: AgentSettings, now: datetime) -> list[DueItem]:
    """Items to send now: never sent, or sent and not covered for longer than their back-off."""
    rows = state.connection.execute("select sequence, box, content, sent_at, send_count from item order by sequence").fetchall()
    due = []
    for sequence, box, content, sent_at, send_count in rows:
        last = time_of(sent_at)
        if last is None or now - last >= resend_after(send_count, settings) or now < last:
            due.append(DueItem(int(sequence), str(box), bytes(content), int(send_count)))
    return due


def resend_after(send_count: int, settings: AgentSettings) -> timedelta:
    """How long to wait for a shard to cover an item that was sent so often."""
    interval = timedelta(seconds=settings.poll_interval_seconds)
    doublings = 1 << min(send_count, 16)
    return min(max(LONGEST_RESEND, interval), interval * doublings)


def _fitting(sizes: Sequence[int]) -> int:
    """How many messages of these sizes go into one item: as many as fit, and one at least."""
    totals = accumulate(sizes)
    return max(1, sum(total <= MESSAGES_BYTES for total in totals))


def bound(state: State, settings: AgentSettings, now: datetime) -> None:
    """Drops messages that no longer fit, what is not a result first; and tells that something was lost."""
    limit = settings.spool_limit * 2
    count = int(state.connection.execute("select count(*) from message").fetchone()[0])
    if count <= limit:
        return
    rows = state.connection.execute("select id, content from message order by id").fetchall()
    decoded = [(int(row[0]), from_bytes(bytes(row[1]), StatusMessage)) for row in rows]
    by_worth = sorted(decoded, key=lambda row: (row[1].state is not None, row[0]))
    dropped = by_worth[: count - limit + 1]
    with state.transaction() as tx:
        tx.executemany("delete from message where id = ?", [(row[0],) for row in dropped])
        text = f"{len(dropped)} status messages were dropped because no access point took them for too long"
        tell(state, StatusMessage(id=StatusId.REPORTS_LOST, at=now, text=text))
