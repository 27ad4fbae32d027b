"""The turn of ageing: what clients said and were asked and strangers were told is forgotten in time, a batch at a time.

The states of jobs, what ever succeeded and the audit do not age: only the messages behind them do.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from purveyor.site_server.database import refusals, requests, upward
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.settings import SiteSettings

ROWS_A_TURN = 2000
REQUESTS_A_TURN = 10
"""Each may have as many answers as there are clients."""


class Aged(NamedTuple):
    """How much a turn forgot; `is_more` when it may not have been all."""

    messages: int
    refusals: int
    requests: int
    is_more: bool


def turn(*, database: Database, settings: SiteSettings, now: datetime, limit: int = ROWS_A_TURN) -> Aged:
    """Forgets at most `limit` rows of each kind. Errors: UnavailableError when the database cannot be used."""
    messages_before = now - timedelta(seconds=settings.status_history_seconds)
    refusals_before = now - timedelta(seconds=settings.refusal_lifetime_seconds)
    with database.write() as tx:
        messages = upward.drop_old_messages(tx, before=messages_before, limit=limit)
        refused = refusals.drop_old(tx, before=refusals_before, limit=limit)
        asked = requests.drop_old(tx, before=messages_before, limit=REQUESTS_A_TURN)
    return Aged(messages, refused, asked, limit in (messages, refused) or asked == REQUESTS_A_TURN)
