"""The branch of a story: an access point and a distribution point that a mirror fills, and its passes."""

from purveyor.content.shelf_store import ShelfStore
from purveyor.lab.fleet import Fleet
from purveyor.lab.power import Power
from purveyor.lab.transport import MemoryBoxes
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.memory import pin_of_code
from purveyor.mirror.turn import Outcome, turn
from purveyor.transport.pace import Pace
from purveyor.wire import join_code

NAME = "the mirror"


class Branch:
    """Both points of a branch, and the real mirror, which is given the site's own points as its source."""

    def __init__(self, fleet: Fleet, *, cap: MemoryBoxes, dp: MemoryBoxes, code: str) -> None:
        self._fleet = fleet
        self._cap = cap
        self._dp = dp
        cap.power = dp.power = Power()  # not of the site's machine
        self._pin = pin_of_code(join_code.read(code))
        self.is_stopped = False
        """Whether it makes no passes."""

    def mirror(self) -> Outcome | None:
        """One pass, unless it is stopped. What goes wrong in it is told by its outcome, and the next one goes on there."""
        if self.is_stopped:
            return None
        shelf = self._dp.shelf()
        ends = Ends(
            source=self._fleet.cap.point(NAME),
            target=self._cap.shelf(),
            store=Store(source=self._fleet.dp.point(NAME), shelf=shelf, place=ShelfStore(shelf, name=self._dp.url)),
            pin=self._pin,
            pace=Pace(pause=lambda _: None),
            is_carrying=True,
        )
        return turn(ends, self._fleet.clock.now())
