"""Threads in which points elsewhere have their rounds and their first look: none of them keeps the process from ending.

Whatever a server leaves unanswered is given up by its transport in time; a site that is to stop does not wait for that. A round
that is cut off there is as one that a power cut ends: the next one finds what is lacking.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from purveyor.wire.errors import PurveyorError

Given = TypeVar("Given")


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


def within(seconds: float, call: Callable[[], Given]) -> Given:
    """What a call gives in so many seconds; one that takes longer is left to end by itself.

    Errors: ours, that the call raises; TimeoutError; CancelledError where it ends otherwise, which is then on standard error.
    """
    begun: Future[Given] = Future()
    threading.Thread(target=_answer, args=(begun, call), name="look", daemon=True).start()
    return begun.result(seconds)


def _answer(begun: "Future[Given]", call: Callable[[], Given]) -> None:
    try:
        begun.set_result(call())
    except PurveyorError as error:
        begun.set_exception(error)
    finally:
        begun.cancel()
