"""The three errors, told apart by who must act. Anything else that is raised is a bug.

They rise to one of three borders: the executive (a turn), the HTTP server (a request), a role's `main`.
"""


class PurveyorError(Exception):
    """Something expected went wrong; its text is what a person is shown."""


class RejectedError(PurveyorError):
    """What the other side sent may not be believed or read: set it aside, report, go on."""


class UnavailableError(PurveyorError):
    """Something is not there now: leave all as it was, try at the next turn, with back-off."""


class AbsentError(UnavailableError):
    """A point answered that it has no such file. Every such answer is counted: the count is to stay zero."""


class DeniedError(UnavailableError):
    """A point answered that this file is not for us. Object stores say so of an absent one to whoever may not list it."""


class RefusedError(PurveyorError):
    """A person asked for what may not be done: says what, and what to try; nothing was changed."""


class ConfirmationNeededError(RefusedError):
    """What was asked reaches far: the text says how far. The same call with a confirmation does it."""


class NotAllowedError(PurveyorError):
    """Who asks may not do this: no token, an unknown or revoked one, or one without the right."""
