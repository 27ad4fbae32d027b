"""The three errors, told apart by who must act. Anything else that is raised is a bug.

They rise to one of three borders: the executive (a turn), the HTTP server (a request), a role's `main`.
"""

from datetime import datetime


class PurveyorError(Exception):
    """Something expected went wrong; its text is what a person is shown."""


class RejectedError(PurveyorError):
    """What the other side sent may not be believed or read: set it aside, report, go on."""


class UnavailableError(PurveyorError):
    """Something is not there now: leave all as it was, try at the next turn, with back-off."""


class AbsentError(UnavailableError):
    """A point answered that it has no such file. Every such answer is counted: the count is to stay zero."""


class ToComeError(UnavailableError):
    """A point says that content is yet to come there: it shows an empty manifest."""


class DeniedError(UnavailableError):
    """A point answered that this file is not for us. Object stores say so of an absent one to whoever may not list it."""


class BusyError(UnavailableError):
    """A point has too much to do now, and serves again later: it is not broken.

    Units: `wait_seconds` is how long it asks to be left alone; 0 where it did not say.
    """

    def __init__(self, text: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.wait_seconds = wait_seconds


class FullError(UnavailableError):
    """A place has no room left for what is to be written there: somebody has to make room, or give more."""


class ReadOnlyError(UnavailableError):
    """A place can be read and not be changed: write-protected, or whoever writes there may not."""


class HeldBackError(UnavailableError):
    """A budget of bandwidth allows no more now; nobody was asked. `until`: when it allows more; None: it never will."""

    def __init__(self, text: str, *, until: datetime | None) -> None:
        super().__init__(text)
        self.until = until


class RefusedError(PurveyorError):
    """A person asked for what may not be done: says what, and what to try; nothing was changed."""


class ForeignError(RefusedError):
    """A place holds the boxes, the content or the files of somebody else: nothing is written there or taken away."""


class ConfirmationNeededError(RefusedError):
    """What was asked reaches far: the text says how far. The same call with a confirmation does it."""


class NotAllowedError(PurveyorError):
    """Who asks may not do this: no token, an unknown or revoked one, or one without the right."""
