"""Access tokens over REST."""

import secrets

from fastapi import APIRouter, status

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Answer, Asked, Done, Name, Number
from purveyor.site_server.admin import tokens
from purveyor.site_server.admin.tokens import Role, TokenView

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=ANSWERS)


class TokenRequest(Asked):
    """A token to make."""

    name: Name
    role: Role = Role.ADMIN


class TokenMade(Answer):
    """A token that was made. `token` is shown this once."""

    id: int
    name: str
    role: Role
    token: str


@router.get("", summary="List tokens")
def listed(visit: Reader) -> list[TokenView]:
    """All tokens without their secrets, oldest first."""
    return list(visit.read(tokens.listed))


@router.post("", status_code=status.HTTP_201_CREATED, summary="Make a token")
def create(visit: Administrator, asked: TokenRequest) -> TokenMade:
    """The token, this once."""
    random = secrets.token_bytes(tokens.SECRET_BYTES)
    made = visit.change(
        lambda tx: tokens.create(tx, name=asked.name, role=asked.role, random=random, by=visit.by, now=visit.now())
    )
    return TokenMade(id=made.id, name=made.name, role=made.role, token=made.secret)


@router.delete("/{number}", summary="Revoke a token")
def revoke(visit: Administrator, number: Number) -> Done:
    """Ends a token at once."""
    visit.change(lambda tx: tokens.revoke(tx, number, by=visit.by, now=visit.now()))
    return Done(id=str(number))
