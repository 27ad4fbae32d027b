"""A machine that came with the identity of another one becomes a client of its own, once the site has said who keeps it.

It makes a key, and asks to join by what it was: the site takes it in where the join code of its image still lets machines in,
and says why not where it does not. What it knows stays: records, receipts and cached content are of what lies on its disk, and
nothing that came with the image is run again. What the original has told or will tell is not told a second time.
"""

from purveyor.client import reports
from purveyor.client.machine.interface import Machine
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import SUCCESSES, History
from purveyor.client.state import origin, published
from purveyor.client.state.identity import Identity, change_identity, new_identity, read_identity
from purveyor.client.state.origin import Image
from purveyor.client.state.store import State
from purveyor.wire.form import from_bytes
from purveyor.wire.ids import ClientId
from purveyor.wire.jobs import JobState
from purveyor.wire.reports import Joining, StatusMessage, StatusMessages, proof_of
from purveyor.wire.reports import decode as decode_item
from purveyor.wire.starts import Start, is_said_with
from purveyor.wire.status_messages import StatusId

_SEED_BYTES = 32


def is_told(state: State) -> bool:
    """Whether the site said that another machine keeps this identity, and this machine knows that it is shared.

    It knows by itself where its state came here from another machine, and else by what a start that was never its own signed with
    its key. Somebody who stole the key of the shards can say the first alone; an identity is not given up for that.
    """
    held = published.held_entry(state)
    if held is None or held.entry is None or held.entry.keeper in ("", origin.machine_of(state)):
        return False
    if origin.image_of(state) is not None:
        return True
    public = read_identity(state).key.public_key().public_bytes_raw()
    return any(_is_of_another(state, start) and is_said_with(start, public) for start in held.entry.starts)


def _is_of_another(state: State, start: Start) -> bool:
    """Whether this state never gave that number in that start. Of a number older than all that it remembers it cannot say."""
    return origin.giver_of(state, start.sequence) not in (None, start.boot)


def rejoin(state: State, machine: Machine, was: Identity, *, incarnation: int) -> Identity:
    """Makes this machine a client of its own, and spools its request to join; all or nothing."""
    identity = new_identity(was.site, was.access_point, machine.random_bytes(_SEED_BYTES))
    now = machine.now()
    with state.transaction():
        own = _own_messages(state, origin.image_of(state))
        brought = [record for record in records.histories(state).values() if record.has_run()]
        change_identity(state, identity)
        joining = Joining(
            secret="",
            facts=machine.facts(),
            was=was.client,
            was_key=was.public_key,
            proof=proof_of(was.key, identity.client),
        )
        reports.add_item(state, identity, joining, applied=0, holding=(), incarnation=incarnation, now=now)
        text = f"the identity of client {was.client} came with the image of this machine; it joins as a client of its own"
        reports.tell(state, StatusMessage(id=StatusId.JOINED_AGAIN, at=now, text=text))
        for record in brought:
            reports.tell(state, _as_brought(record, was.client))
        for message in own:
            reports.tell(state, message)
        origin.forget_image(state)
    return identity


def _own_messages(state: State, image: Image | None) -> list[StatusMessage]:
    """What this machine itself had to tell and the site may not have, oldest first; all, where nobody knows whose it is."""
    last, first = (image.message, image.sequence) if image else (0, 0)
    rows = state.connection.execute("select content from item where sequence >= ? order by sequence", (first,)).fetchall()
    items = [decode_item(bytes(row[0])).item for row in rows]
    bodies = [item.body for item in items if item.retold is None or item.retold.sequence >= first]
    told = [message for body in bodies if isinstance(body, StatusMessages) for message in body.messages]
    rows = state.connection.execute("select content from message where id > ? order by id", (last,)).fetchall()
    return told + [from_bytes(bytes(row[0]), StatusMessage) for row in rows]


def _as_brought(record: History, was: ClientId) -> StatusMessage:
    """What the site is told of a program that the records know, but that the client which it is now never ran.

    A success counts, whenever it was: what it installed lies on the copied disk too. Without one the last run does; where that is
    a success all the same, what it installed was removed since, because nobody offered it any more.
    """
    succeeded_at, last = record.last_succeeded_at or record.first_succeeded_at, record.last_run
    if succeeded_at is not None:
        at, state, version, occurrence = succeeded_at, JobState.SUCCEEDED, record.succeeded_version, ""
    else:
        assert last is not None  # else it has not run
        state = JobState.NOT_OFFERED if last.state in SUCCESSES else last.state
        at, version, occurrence = last.ended_at, last.source_version, last.occurrence
    return StatusMessage(
        id=StatusId.CAME_WITH_IMAGE,
        at=at,
        package=record.key.package,
        program=record.key.program,
        occurrence=occurrence,
        source_version=version,
        state=state,
        text=f"its record came with the image: it was {state} as client {was}, before this machine became a client of its own",
    )
