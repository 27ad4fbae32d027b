"""The content of a pass: what came, what is yet to come, and why. One that cannot come now holds up no publication.

    what fits comes → what does not is promised by an empty manifest → the publication → what nothing names leaves → tried again

Content that does not fit, is damaged or absent at the source holds up no other content either; a source that is gone, and an hour
without budget, are asked for nothing more in the pass.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from purveyor.mirror import content
from purveyor.mirror.content import Elsewhere, Store
from purveyor.mirror.intake import Intake
from purveyor.mirror.memory import Memory
from purveyor.wire.errors import (
    AbsentError,
    FullError,
    HeldBackError,
    PurveyorError,
    RejectedError,
    ToComeError,
    UnavailableError,
)
from purveyor.wire.moments import utc_text

AGAIN_AFTER = timedelta(hours=6)
"""When content is asked for again that filled a place which does not say how much fits."""
_TOLD = 10


class Bringing:
    """Content on its way to one DP in one pass. `noted` is called after each that came."""

    def __init__(
        self, store: Store, source: Intake, *, memory: Memory, elsewhere: Elsewhere, now: datetime, noted: Callable[[], None]
    ) -> None:
        self._store = store
        self._source = source
        self._memory = memory
        self._elsewhere = elsewhere
        self._now = now
        self._noted = noted
        self._ended: UnavailableError | None = None
        self.file_count = 0
        self.lacking: dict[str, PurveyorError] = {}
        """Manifests that are yet to come, and why they did not."""

    @property
    def held_back(self) -> HeldBackError | None:
        """That content waits for another hour of the budget; None: for nothing."""
        return self._ended if isinstance(self._ended, HeldBackError) else None

    @property
    def is_short(self) -> bool:
        """Whether content lacks room."""
        return any(isinstance(error, FullError) for error in self.lacking.values())

    @property
    def is_coming(self) -> bool:
        """Whether there is content that lacks no room, of which a part may be here."""
        return any(not isinstance(error, FullError) for error in self.lacking.values())

    def problems(self) -> list[str]:
        """Why content did not come, in words; waiting for an hour of the budget is no problem."""
        told = dict.fromkeys(str(error) for error in self.lacking.values() if not isinstance(error, HeldBackError))
        more = [f"and {len(told) - _TOLD} more contents did not come"] if len(told) > _TOLD else []
        return [*list(told)[:_TOLD], *more]

    def bring(self, wanted: Iterable[str]) -> None:
        """Brings what is not here, as far as it comes. Errors: UnavailableError where it cannot be said what is yet to come."""
        self.lacking = {}
        for sha256 in sorted(wanted):
            if sha256 in self._memory.checked and self._store.place.has_manifest(sha256):
                continue
            error = self._ended or self._failure(sha256)
            if error is None:
                continue
            self.lacking[sha256] = error
            if isinstance(error, UnavailableError) and not isinstance(error, FullError | AbsentError | ToComeError):
                self._ended = error

    def promise(self) -> None:
        """Says of everything that is yet to come that it is. Errors: UnavailableError."""
        for sha256 in self.lacking:
            if not content.is_here(sha256, self._store.place):
                content.promise(sha256, self._store.shelf)

    def _failure(self, sha256: str) -> PurveyorError | None:
        """Brings one manifest; why it did not come, or nothing."""
        full_at = self._memory.full.get(sha256)
        if full_at is not None and full_at <= self._now < full_at + AGAIN_AFTER:
            return FullError(f"the content {sha256} filled the disk at {utc_text(full_at)}: asked for again later")
        try:
            wanted = content.coming(sha256, self._source, self._store, self._elsewhere)
            content.check_room(wanted, self._store)
            self._fetch(sha256, wanted)
        except (RejectedError, UnavailableError) as error:
            return error
        self._memory.checked[sha256] = self._now
        self._memory.full.pop(sha256, None)
        self._noted()
        return None

    def _fetch(self, sha256: str, wanted: content.Coming) -> None:
        try:
            content.fetch(wanted, self._source, self._store, self._elsewhere)
        except FullError:
            self._memory.full[sha256] = self._now
            raise
        self.file_count += len(wanted.lacking)
