"""Why a program is on a client, or is not, over REST: the chain from membership to result. Read only."""

from typing import Annotated

from fastapi import APIRouter, Query

from purveyor.console.authentication import Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import PACKAGE_ID
from purveyor.site_server.admin import why
from purveyor.site_server.admin.why import WhyView
from purveyor.wire.ids import package_id

router = APIRouter(prefix="/why", tags=["why"], responses=ANSWERS)

Client = Annotated[str, Query(min_length=1, max_length=200, description="client id or name; a machine that was refused, too")]
Package = Annotated[
    str, Query(max_length=20, description="id, such as S0100001; a deleted one, too", json_schema_extra=PACKAGE_ID)
]
Program = Annotated[str, Query(max_length=200, description="number or name; empty: those that reach the client")]


@router.get("", summary="Explain why a package is on a client, or is not")
def of_client(visit: Reader, client: Client, package: Package, program: Program = "") -> WhyView:
    """Each link from membership to result with its evidence, the first one that is missing, and who acts next."""
    found = package_id(package)
    return visit.read(lambda tx: why.why(tx, client, found, program, keys=visit.site.keys, now=visit.now()))
