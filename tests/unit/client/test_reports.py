"""Reports: gathered durably, sent until acknowledged, bounded, and nothing lost when a CAP discards."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from purveyor.client import reports
from purveyor.lab.power import PowerCut
from purveyor.lab.transport import MemoryBoxes
from purveyor.wire import envelope
from purveyor.wire import reports as wire_reports
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import UnavailableError
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Item, Leaving, Retold, StatusMessage, StatusMessages
from purveyor.wire.settings import AgentSettings
from purveyor.wire.shards import ClientState, Entry
from purveyor.wire.status_messages import StatusId
from small_client import SmallClient
from small_site import SmallSite, fixed_keys

HOUR = timedelta(hours=1)


@pytest.fixture
def client() -> SmallClient:
    """A client that has joined a site."""
    return SmallClient(SmallSite())


def settings_of(client: SmallClient, **changes: object) -> AgentSettings:
    """The settings that its site publishes, with some changed."""
    return client.site.settings_of(**changes)


def message(client: SmallClient, text: str = "", *, state: JobState | None = None) -> StatusMessage:
    """A status message of now."""
    return StatusMessage(id=StatusId.JOB_WAITING, at=client.site.clock.now(), text=text, state=state)


def tell(client: SmallClient, *texts: str, state: JobState | None = None) -> None:
    """Tells messages with these texts."""
    for text in texts:
        reports.tell(client.state, message(client, text, state=state))


def gather(client: SmallClient, **changes: object) -> None:
    """Gathers what was told."""
    reports.gather(
        client.state, client.identity, settings_of(client, **changes), applied=3, holding=(), now=client.site.clock.now()
    )


def send(client: SmallClient, *, names: Sequence[str] | None = None) -> int:
    """Sends what is due."""
    due = reports.due_items(client.state, settings_of(client), client.site.clock.now())
    mark = len(client.site.boxes.requests)
    given = names if names is not None else [f"{mark + place:032x}" for place in range(len(due))]
    return reports.send(
        client.state,
        client.identity,
        settings_of(client),
        points=[client.point_for(client.site.boxes.url)],
        random_name=given,
        now=client.site.clock.now(),
    )


def arrived(boxes: MemoryBoxes) -> list[Item]:
    """The items that lie in the up boxes, opened as the site does."""
    keys = fixed_keys().sealing
    items = []
    for path, stored in boxes.files.items():
        box = path.partition("/")[0]
        if box in {up.name for up in UP_BOXES}:
            items.append(wire_reports.decode(envelope.opened(envelope.split(stored.content), box=box, keys=keys)).item)
    return items


def texts_of(items: Sequence[Item]) -> list[str]:
    """The texts of all status messages in these items, in order of the items' numbers."""
    bodies = [item.body for item in sorted(items, key=lambda item: item.sequence)]
    return [message.text for body in bodies if isinstance(body, StatusMessages) for message in body.messages]


def sequences(client: SmallClient) -> list[int]:
    """The numbers of the items that are kept."""
    return [row[0] for row in client.connection.execute("select sequence from item order by sequence")]


# --- gathering ---


def test_what_was_told_arrives_in_order(client: SmallClient) -> None:
    tell(client, "one", "two")
    gather(client)
    tell(client, "three")
    gather(client)
    assert send(client) == 2
    assert texts_of(arrived(client.site.boxes)) == ["one", "two", "three"]


def test_items_are_numbered_without_gaps_and_say_what_is_still_kept(client: SmallClient) -> None:
    for text in ("one", "two", "three"):
        tell(client, text)
        gather(client)
    reports.acknowledge(client.state, 1)
    tell(client, "four")
    gather(client)
    send(client)
    items = sorted(arrived(client.site.boxes), key=lambda item: item.sequence)
    assert [(item.sequence, item.oldest_kept) for item in items] == [(2, 1), (3, 1), (4, 2)]
    assert {item.applied for item in items} == {3}


def test_a_message_is_told_with_what_it_tells_about_or_not_at_all(client: SmallClient) -> None:
    with pytest.raises(sqlite3.Error), client.state.transaction() as tx:  # noqa: PT012 - the second statement undoes the first
        reports.tell(client.state, message(client, "never"))
        tx.execute("a mistake")
    gather(client)
    assert reports.pending_count(client.state) == 0


def test_an_item_holds_at_most_so_many_messages(client: SmallClient) -> None:
    tell(client, *(str(number) for number in range(wire_reports.MESSAGES_PER_ITEM + 1)))
    gather(client)
    send(client)
    assert sorted(len(item.body.messages) for item in arrived(client.site.boxes) if isinstance(item.body, StatusMessages)) == [
        1,
        100,
    ]


def test_the_longest_messages_still_fit(client: SmallClient) -> None:
    tell(client, *("\0" * wire_reports.TEXT_LIMIT for _ in range(wire_reports.MESSAGES_PER_ITEM)))
    gather(client)
    send(client)
    assert len(texts_of(arrived(client.site.boxes))) == wire_reports.MESSAGES_PER_ITEM


def test_a_text_that_is_no_unicode_stops_nothing(client: SmallClient) -> None:
    tell(client, "\udcff of a program's output")
    gather(client)
    send(client)
    assert texts_of(arrived(client.site.boxes)) == ["? of a program's output"]


def test_a_message_longer_than_the_limit_is_cut_and_stops_nothing(client: SmallClient) -> None:
    tell(client, "x" * 1_000_000, "after it")
    gather(client)
    send(client)
    first, second = texts_of(arrived(client.site.boxes))
    assert (len(first) <= wire_reports.TEXT_LIMIT, second) == (True, "after it")


# --- sending again ---


def test_an_item_is_sent_again_until_it_is_acknowledged(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    assert [send(client), send(client)] == [1, 0]
    client.site.clock.advance(2 * HOUR)
    assert send(client) == 1
    reports.acknowledge(client.state, 1)
    client.site.clock.advance(30 * HOUR)
    assert send(client) == 0
    assert sequences(client) == []


def test_an_item_is_sent_later_and_later_but_daily_at_least(client: SmallClient) -> None:
    waits = [reports.resend_after(count, settings_of(client)) for count in range(1, 40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2 * HOUR, timedelta(days=1))


def test_an_item_sent_again_is_the_same_item(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    send(client)
    client.site.clock.advance(2 * HOUR)
    send(client)
    first, again = arrived(client.site.boxes)
    assert first == again


def test_nothing_is_lost_when_a_cap_takes_and_discards(client: SmallClient) -> None:
    tell(client, "one", "two")
    gather(client)
    client.site.boxes.discard()
    assert send(client) == 1
    assert arrived(client.site.boxes) == []
    client.site.boxes.mend()
    client.site.clock.advance(2 * HOUR)
    assert send(client) == 1
    assert texts_of(arrived(client.site.boxes)) == ["one", "two"]


def test_what_could_not_be_sent_is_due_at_once(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    client.site.boxes.cut()
    with pytest.raises(UnavailableError):
        send(client)
    client.site.boxes.mend()
    assert send(client) == 1


def test_a_cap_that_refuses_an_item_is_unavailable_for_now(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    with pytest.raises(UnavailableError, match="does not take item 1"):
        send(client, names=["no name of an item"])
    assert sequences(client) == [1]


def test_a_clock_set_back_does_not_keep_items_from_being_sent(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    send(client)
    due = reports.due_items(client.state, settings_of(client), client.site.clock.now() - timedelta(days=400))
    assert len(due) == 1


def test_an_acknowledgement_covers_all_before_it_and_nothing_behind(client: SmallClient) -> None:
    for text in ("one", "two", "three"):
        tell(client, text)
        gather(client)
    reports.acknowledge(client.state, 2)
    assert sequences(client) == [3]


def test_what_the_site_has_of_others_under_its_numbers_is_told_again_and_what_is_its_own_is_not(client: SmallClient) -> None:
    for text in ("one", "two", "three"):
        tell(client, text)
        gather(client)
    send(client)
    own = [hashlib.sha256(row[0]).hexdigest() for row in client.connection.execute("select content from item order by sequence")]
    now = client.site.clock.now()

    def hear(received: int, *digests: str) -> bool:
        entry = Entry(state=ClientState.MEMBER, received=received, digest=wire_reports.digest_after("", digests))
        is_again = reports.tell_again(client.state, client.identity, entry, since=None, now=now)
        reports.acknowledge(client.state, entry.received, entry.digest)
        return is_again

    assert not hear(1, own[0])
    assert sequences(client) == [2, 3]
    assert hear(2, own[0], "another's")
    assert sequences(client) == [3, 4], "what is not covered waits"
    send(client)
    again = {item.sequence: item for item in arrived(client.site.boxes)}[4]
    assert again.retold == Retold(sequence=2, digest=own[1])
    assert texts_of([again]) == ["two"]


def test_what_arrived_though_its_answer_was_lost_is_not_told_again(client: SmallClient) -> None:
    tell(client, "one")
    gather(client)
    (own,) = [hashlib.sha256(row[0]).hexdigest() for row in client.connection.execute("select content from item")]
    entry = Entry(state=ClientState.MEMBER, received=1, digest=wire_reports.digest_after("", [own]))
    assert not reports.tell_again(client.state, client.identity, entry, since=None, now=client.site.clock.now())
    assert sequences(client) == [1]


def test_a_pass_sends_a_bounded_number_of_items_oldest_first(client: SmallClient) -> None:
    for number in range(reports.ITEMS_A_PASS + 5):
        tell(client, str(number))
        gather(client)
    assert send(client) == reports.ITEMS_A_PASS
    assert send(client) == 5
    assert texts_of(arrived(client.site.boxes)) == [str(number) for number in range(reports.ITEMS_A_PASS + 5)]


# --- bounds ---


def test_a_full_spool_keeps_messages_waiting(client: SmallClient) -> None:
    for text in ("one", "two", "three"):
        tell(client, text)
        gather(client, spool_limit=2)
    assert sequences(client) == [1, 2]
    reports.acknowledge(client.state, 2)
    gather(client, spool_limit=2)
    send(client)
    assert texts_of(arrived(client.site.boxes)) == ["three"]


def test_when_too_much_waits_results_are_kept_longest_and_the_loss_is_told(client: SmallClient) -> None:
    gather(client, spool_limit=0)
    tell(client, "result", state=JobState.SUCCEEDED)
    tell(client, *(f"step {number}" for number in range(10)))
    limit = 2
    tell(client, "spool")
    for _ in range(2):
        gather(client, spool_limit=limit)
        reports.add_item(
            client.state, client.identity, Leaving(), applied=0, holding=(), incarnation=1, now=client.site.clock.now()
        )
    tell(client, "late result", state=JobState.FAILED)
    tell(client, *(f"late {number}" for number in range(10)))
    gather(client, spool_limit=limit)
    waiting = [
        reports.from_bytes(bytes(row[0]), StatusMessage)
        for row in client.connection.execute("select content from message order by id")
    ]
    assert len(waiting) <= 2 * limit
    assert "late result" in [kept.text for kept in waiting]
    assert waiting[-1].id is StatusId.REPORTS_LOST
    assert "8 status messages were dropped" in waiting[-1].text


# --- crashes ---


@pytest.mark.parametrize("step", [gather, send])
def test_a_power_cut_anywhere_loses_no_message_and_doubles_no_number(step: Callable[[SmallClient], object]) -> None:
    effect = 0
    while True:
        effect += 1
        client = SmallClient(SmallSite())
        tell(client, "one", "two")
        if step is send:
            gather(client)
        client.power.fail_at(effect)
        try:
            step(client)
        except PowerCut:
            client.restart()
        else:
            break
        gather(client)
        client.site.clock.advance(2 * HOUR)
        send(client)
        items = arrived(client.site.boxes)
        assert {item.sequence for item in items} == {1}
        assert all(texts_of([item]) == ["one", "two"] for item in items)
    assert effect > 1
