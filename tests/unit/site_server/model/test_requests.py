"""What administrators ask of single runs."""

from datetime import UTC, datetime, timedelta

import pytest

from purveyor.site_server.model.requests import LIFETIME, RequestState, check_request, silence_text, state_of
from purveyor.wire.errors import RefusedError
from purveyor.wire.offers import RequestKind

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
END = NOW + LIFETIME


@pytest.mark.parametrize(
    ("kind", "named", "only_failed", "expires_at", "why"),
    [
        (RequestKind.CANCEL, 0, True, END, "only run-again"),
        (RequestKind.STOP, 201, False, END, "too many to name"),
        (RequestKind.RUN_AGAIN, 0, False, NOW, "within the next year"),
        (RequestKind.RUN_AGAIN, 0, False, NOW + timedelta(days=400), "within the next year"),
    ],
)
def test_what_no_client_could_answer_is_refused(
    kind: RequestKind, named: int, only_failed: bool, expires_at: datetime, why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        check_request(kind, named_count=named, only_failed=only_failed, made_at=NOW, expires_at=expires_at)


def test_a_request_is_open_until_it_expires_or_is_closed() -> None:
    assert state_of(None, END, NOW) is RequestState.OPEN
    assert state_of(None, END, END) is RequestState.EXPIRED
    assert state_of(END, END, END) is RequestState.EXPIRED
    assert state_of(NOW, END, END) is RequestState.WITHDRAWN


def test_who_is_silent_is_said_since_when() -> None:
    assert silence_text(NOW) == "no answer yet, silent since 2026-12-01 09:00Z"
    assert "nothing was ever heard" in silence_text(None)
