"""The newest restore over REST: read only."""

from fastapi import APIRouter

from purveyor.console.authentication import Reader
from purveyor.console.errors import ANSWERS
from purveyor.site_server.admin import restoration
from purveyor.site_server.admin.restoration import RestorationView

router = APIRouter(prefix="/restoration", tags=["restoration"], responses=ANSWERS)


@router.get("", summary="Show the newest restore")
def newest(visit: Reader) -> RestorationView | None:
    """When and from which backup the site was restored last, and what is left to people; null: it never was."""
    return visit.read(restoration.newest)
