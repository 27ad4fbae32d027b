"""Threads in which points elsewhere have their rounds: one for each round, and none that keeps the process from ending.

Whatever a server leaves unanswered is given up by its transport in time; a site that is to stop does not wait for that. A round
that is cut off there is as one that a power cut ends: the next one finds what is lacking.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future


class Threads:
    """Begins each call in a thread of its own."""

    def submit(self, call: Callable[[], bool]) -> "Future[bool]":
        """A call that is under way; its future has what it gives, or False when it raises, which is then on standard error."""
        begun: Future[bool] = Future()
        threading.Thread(target=_carry_out, args=(begun, call), name="point", daemon=True).start()
        return begun


def _carry_out(begun: "Future[bool]", call: Callable[[], bool]) -> None:
    outcome = False
    try:
        outcome = call()
    finally:
        begun.set_result(outcome)
