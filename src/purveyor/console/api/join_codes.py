"""Join codes over REST. The whole code is put together here: its secret, and the root of trust that a machine starts from."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Answer, Asked, Done, Number
from purveyor.site_server.admin import join_codes, points
from purveyor.site_server.admin.join_codes import JoinCodeView
from purveyor.wire.join_code import SECRET_BYTES, JoinCode, write

router = APIRouter(prefix="/join-codes", tags=["join codes"], responses=ANSWERS)

LONGEST_SECONDS = 366 * 86_400


class JoinCodeRequest(Asked):
    """A join code to make. `uses`: null is any number of machines."""

    uses: Annotated[int, Field(ge=1, le=10_000_000)] | None = 1
    expires_in_seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS)] | None = 7 * 86_400
    needs_approval: bool = False


class JoinCodeMade(Answer):
    """A join code that was made. `code` is shown this once."""

    id: int
    code: str
    expires_at: datetime | None
    uses: int | None
    needs_approval: bool


@router.get("", summary="List join codes")
def listed(visit: Reader) -> list[JoinCodeView]:
    """All join codes without their secrets, oldest first."""
    return list(visit.read(lambda tx: join_codes.listed(tx, visit.now())))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Make a join code")
def create(visit: Administrator, asked: JoinCodeRequest) -> JoinCodeMade:
    """The code, this once."""
    site, now = visit.site, visit.now()
    version, digest = site.root_for_joining()
    expires_at = None if asked.expires_in_seconds is None else now + timedelta(seconds=asked.expires_in_seconds)
    random = secrets.token_bytes(SECRET_BYTES)
    made = visit.change(
        lambda tx: join_codes.create(
            tx, uses=asked.uses, expires_at=expires_at, needs_approval=asked.needs_approval, random=random, by=visit.by, now=now
        )
    )
    code = write(JoinCode(site.code, version, digest, made.secret, visit.read(points.joining_pin)))
    return JoinCodeMade(id=made.id, code=code, expires_at=made.expires_at, uses=made.uses, needs_approval=made.needs_approval)


@router.delete("/{number}", summary="Revoke a join code")
def revoke(visit: Administrator, number: Number) -> Done:
    """Nobody joins with it any more; who joined stays."""
    visit.change(lambda tx: join_codes.revoke(tx, number, by=visit.by, now=visit.now()))
    return Done(id=str(number))
