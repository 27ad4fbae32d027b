"""The audit over REST: read only."""

from typing import Annotated

from fastapi import APIRouter, Query

from purveyor.console.authentication import Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Before, Page
from purveyor.site_server.admin import audit
from purveyor.site_server.admin.audit import AuditView

router = APIRouter(prefix="/audit", tags=["audit"], responses=ANSWERS)

Word = Annotated[str, Query(max_length=100)]


@router.get("", summary="List changes")
def listed(visit: Reader, about: Word = "", actor: Word = "", before: Before = None, limit: Page = 100) -> list[AuditView]:
    """Changes, newest first; `about` is the id of one thing, `before` the last number of the page before."""
    return list(visit.read(lambda tx: audit.listed(tx, about=about, actor=actor, before_id=before, limit=limit)))
