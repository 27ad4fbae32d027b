"""Who asks: the bearer token of a request, known by its digest alone. Tokens are never logged and never answered.

Two roles: `reader` may look, `admin` may also change.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from purveyor.console.errors import UnauthenticatedError
from purveyor.console.visit import Visit
from purveyor.site_server.admin import tokens
from purveyor.site_server.admin.tokens import Role
from purveyor.site_server.site import Site
from purveyor.wire.errors import NotAllowedError, RejectedError, UnavailableError

TOKEN_LIMIT_CHARACTERS = 200
USE_NOTED_EVERY = timedelta(minutes=5)

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="An access token, made with `purveyor token create`.")


def known(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Visit:
    """The visit of whoever holds the token. Errors: UnauthenticatedError; RejectedError: a parameter that nobody reads."""
    if credentials is None:
        raise UnauthenticatedError("an access token is needed: send it as `Authorization: Bearer …`")
    site: Site = request.app.state.site
    now = site.clock()
    try:
        with site.database.read() as tx:
            actor = tokens.authenticate(tx, credentials.credentials[:TOKEN_LIMIT_CHARACTERS], now)
    except NotAllowedError as error:
        raise UnauthenticatedError(str(error)) from error
    _note_use(site, actor, request.app.state.used_at, now)
    _refuse_unknown_parameters(request)
    return Visit(site=site, settings=request.app.state.settings, actor=actor)


def allowed_to_change(visit: Annotated[Visit, Depends(known)]) -> Visit:
    """The visit of somebody who may change things. Errors: NotAllowedError."""
    if not visit.actor.may_change:
        raise NotAllowedError(f"the token {visit.actor.name!r} may only read: this needs one with the role {Role.ADMIN}")
    return visit


def _refuse_unknown_parameters(request: Request) -> None:
    """Refuses what an address says behind its `?` and nobody reads: it may be misspelt, and have been meant to matter."""
    parameters = get_flat_params(request.scope["route"].dependant)
    known_ones = {parameter.alias for parameter in parameters if isinstance(parameter.field_info, Query)}
    unknown = sorted(request.query_params.keys() - known_ones)
    if unknown:
        there_are = f"there are {', '.join(sorted(known_ones))}" if known_ones else "there are none"
        raise RejectedError(f"this has no parameter {unknown[0][:80]!r}: {there_are}")


def _note_use(site: Site, actor: tokens.Actor, used_at: dict[int, datetime], now: datetime) -> None:
    """Remembers that a token is used, now and then: reading must not cost a write each time, nor fail because of one."""
    if now - used_at.get(actor.token, now - USE_NOTED_EVERY) < USE_NOTED_EVERY:
        return
    used_at[actor.token] = now
    with suppress(UnavailableError), site.database.write() as tx:
        tokens.note_use(tx, actor, now)


Reader = Annotated[Visit, Depends(known)]
Administrator = Annotated[Visit, Depends(allowed_to_change)]
