"""Opening items, here and in another process."""

from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

from purveyor.site_server.receive.opening import Opened, open_all, open_elsewhere
from purveyor.site_server.receive.reading import Taken
from purveyor.wire import envelope
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.jobs import JobState
from upward_items import SEALED_TO, SEALING, Machine, status

BOX = next(box for box in UP_BOXES if box.name == "statmsgs.box")
KEYS = {SEALED_TO.id: SEALING}


class Broken(Executor):
    """Processes of which one was killed: at once, or when the result is asked for."""

    def __init__(self, *, is_late: bool) -> None:
        self.is_late = is_late

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        if not self.is_late:
            raise BrokenExecutor
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


def batch() -> list[Taken]:
    """Good items and bad ones."""
    machine = Machine("pc-1")
    contents = [machine.sealed(status(state)) for state in JobState]
    contents[3] = contents[3][:-1]
    taken = [Taken(BOX, format(n, "032x"), content, envelope.split(content)) for n, content in enumerate(contents)]
    return [*taken, Taken(BOX, "f" * 32, b"noise", None, "this is no sealed item")]


def shown(opened: Opened) -> tuple[Any, ...]:
    return opened.letters, sorted((one.taken.name, one.reason) for one in opened.rejections)


def test_other_process_gives_what_this_one_gives() -> None:
    here = open_all(batch(), KEYS)
    assert (len(here.letters), len(here.rejections)) == (len(JobState) - 1, 2)
    with ThreadPoolExecutor(1) as elsewhere:
        assert shown(open_elsewhere(batch(), KEYS, elsewhere)()) == shown(here)


def test_batch_is_opened_here_when_the_other_process_was_ended() -> None:
    for is_late in (False, True):
        assert shown(open_elsewhere(batch(), KEYS, Broken(is_late=is_late))()) == shown(open_all(batch(), KEYS))


def test_item_sealed_to_a_key_that_the_site_does_not_have_is_rejected() -> None:
    opened = open_all(batch(), {})
    assert opened.letters == []
    assert "which this site does not have" in opened.rejections[0].reason
