"""Whether a machine gives up its identity: for what another start signed with its key, and for nobody's word."""

import msgspec
import pytest

from purveyor.client import rejoining
from purveyor.client.state import origin, published
from purveyor.client.state.identity import change_identity, new_identity, next_sequence
from purveyor.client.state.published import HeldEntry
from purveyor.wire.shards import NOBODY, ClientState, Entry
from purveyor.wire.starts import Start, signature_of
from small_client import SmallClient
from small_site import SmallSite


@pytest.fixture
def client() -> SmallClient:
    """A client that gave the numbers 1 to 3 in each of its starts `one`, `two` and `three`."""
    made = SmallClient(SmallSite())
    for boot in ("one", "two", "three"):
        start(made, boot)
    return made


def start(client: SmallClient, boot: str) -> str:
    """Starts the machine, which gives three numbers then. Shape: what tells the start from others."""
    origin.notice_machine(client.state, machine="m", boot=boot)
    for _ in range(3):
        next_sequence(client.state)
    return origin.boot_of(client.state)


def said(client: SmallClient, boot: str, sequence: int) -> Start:
    """What a start says with the key of this client."""
    return Start(boot=boot, sequence=sequence, signature=signature_of(boot, sequence, client.identity.key))


def is_told(client: SmallClient, *starts: Start, keeper: str = NOBODY) -> bool:
    """Whether it joins anew once the site says who keeps its identity, and shows these."""
    entry = Entry(state=ClientState.REJOIN, keeper=keeper, starts=starts)
    held = HeldEntry(entry=entry, is_stated=True, publication=1, snapshot=1, expires_at=client.site.clock.now())
    published.store_entry(client.state, held)
    return rejoining.is_told(client.state)


def test_a_number_that_another_start_gave_ends_an_identity(client: SmallClient) -> None:
    another = said(client, "another", 8)
    assert is_told(client, another)
    assert is_told(client, said(client, origin.boot_of(client.state), 9), another)
    assert not is_told(client, another, keeper="m"), "it keeps its identity itself"


def test_a_copy_knows_that_its_original_goes_on_in_the_start_in_which_it_was_made() -> None:
    copy = SmallClient(SmallSite())
    original = start(copy, "one")
    start(copy, "two")
    assert not is_told(copy, said(copy, original, 3)), "both were one machine then"
    assert is_told(copy, said(copy, original, 4))
    assert is_told(copy, said(copy, original, 40))


def test_what_its_own_starts_signed_takes_no_identity_away(client: SmallClient) -> None:
    boots = [began.boot for began in origin.starts_of(client.state)]
    own = [said(client, boots[(number - 1) // 3], number) for number in range(1, 10)]
    assert not is_told(client, *own)
    assert not is_told(client, said(client, boots[-1], 10)), "one that went back with its memory is still in that start"


def test_what_nobody_signed_with_its_key_takes_no_identity_away(client: SmallClient) -> None:
    another = said(client, "another", 8)
    stranger = SmallClient(SmallSite(), name="stranger")
    forged = [
        said(stranger, "another", 8),
        msgspec.structs.replace(another, sequence=9),
        msgspec.structs.replace(another, boot="b"),
    ]
    hostile = [msgspec.structs.replace(another, signature=signature) for signature in (b"", b"\0" * 64, b"\xff" * 5000)]
    assert not is_told(client, *forged, *hostile)


def test_of_starts_that_it_forgot_nobody_can_tell_it_that_they_were_another_s(client: SmallClient) -> None:
    first = said(client, origin.starts_of(client.state)[0].boot, 2)
    for number in range(origin.REMEMBERED_STARTS):
        start(client, f"later {number}")
    assert len(origin.starts_of(client.state)) == origin.REMEMBERED_STARTS
    assert not is_told(client, first)


def test_a_new_identity_has_no_start_but_this_one(client: SmallClient) -> None:
    identity = new_identity(client.identity.site, client.identity.access_point, b"k" * 32)
    change_identity(client.state, identity)
    client.identity = identity
    assert not is_told(client, said(client, origin.boot_of(client.state), 1))
    assert is_told(client, said(client, "another", 1))
