"""A budget that is kept by whoever serves many at once over HTTP: what is sent is paced, and who is one too many waits outside.

All answers share one meter. So many are sent at a time that each comes faster than clients are patient for; others are told when
to ask again, as is everybody at an hour at which nothing may go.
"""

import asyncio
from math import ceil, inf

from purveyor.transport.http.answers import LONGEST_WAIT_SECONDS
from purveyor.transport.pace import Meter
from purveyor.wire.bandwidth import NOTHING

SMALLEST_SHARE_BYTES = 16 * 1024
"""No answer that has begun is to come more slowly than so much a second; one alone may."""
BUSY_SECONDS = 30
"""When to ask again who is one too many."""
SMALLEST_PIECE_BYTES = 1024
_LONGEST_SLEEP_SECONDS = 5.0


class Valve:
    """What may be sent now. `sending`: how many answers are under way."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.sending = 0

    def refused_seconds(self) -> int:
        """How long who asks now is to wait; 0: the answer may begin."""
        rate = self.meter.rate()
        if rate is None:
            return 0
        if rate == NOTHING:
            wait = self.meter.wait_seconds()
            return LONGEST_WAIT_SECONDS if wait == inf else min(LONGEST_WAIT_SECONDS, ceil(wait))
        return BUSY_SECONDS if self.sending >= max(1, rate // SMALLEST_SHARE_BYTES) else 0

    def piece_bytes(self, most: int) -> int:
        """How much to send in one go: no more than goes in a quarter of a second."""
        rate = self.meter.rate()
        return most if rate is None else min(most, max(SMALLEST_PIECE_BYTES, rate // 4))

    async def may_send(self, size_bytes: int, gone: "asyncio.Future[None]") -> bool:
        """Takes the next place in the line of what is to be sent, and waits until it is this one's turn.

        False: nothing more may be sent at this hour, or nobody is there any more.
        """
        ahead = self.meter.wait_seconds()
        self.meter.took(size_bytes)
        while self.meter.rate() != NOTHING and not gone.done():
            if ahead <= 0 or self.meter.rate() is None:
                return True
            step = min(ahead, _LONGEST_SLEEP_SECONDS)
            await asyncio.sleep(step)
            ahead -= step
        return False
