"""Who asks: the bearer token of a request, known by its digest alone. Tokens are never logged and never answered.

The door stands in front of everything that reads a request: whoever is not known gets 401, whatever the path, the method and the
body are. Two roles: `reader` may look, `admin` may also change.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, get_args, get_origin

import anyio.to_thread
from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from purveyor.console.errors import UnauthenticatedError, answer_to
from purveyor.console.settings import ConsoleSettings
from purveyor.console.visit import Visit
from purveyor.site_server.admin import tokens
from purveyor.site_server.admin.tokens import Role
from purveyor.site_server.site import Site
from purveyor.wire.errors import NotAllowedError, PurveyorError, RejectedError, UnavailableError

TOKEN_LIMIT_CHARACTERS = 200
USE_NOTED_EVERY = timedelta(minutes=5)

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="An access token, made with `purveyor token create`.")


class Door:
    """Lets nobody into the API who is not known, before a byte of the body is read; pages that are `free` are for everybody."""

    def __init__(self, app: ASGIApp, *, site: Site, settings: ConsoleSettings, prefix: str, free: frozenset[str]) -> None:
        self._app, self._site, self._settings, self._prefix, self._free = app, site, settings, prefix, free
        self._used_at: dict[int, datetime] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope["path"].startswith(self._prefix) and scope["path"] not in self._free:
            try:
                credentials = await _bearer(Request(scope))
                presented = None if credentials is None else credentials.credentials[:TOKEN_LIMIT_CHARACTERS]
                actor = await anyio.to_thread.run_sync(self._known, presented)
            except PurveyorError as error:
                await answer_to(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["visit"] = Visit(site=self._site, settings=self._settings, actor=actor)
        await self._app(scope, receive, send)

    def _known(self, presented: str | None) -> tokens.Actor:
        """Who holds the token. Errors: UnauthenticatedError."""
        if presented is None:
            raise UnauthenticatedError("an access token is needed: send it as `Authorization: Bearer …`")
        now = self._site.clock()
        try:
            with self._site.database.read() as tx:
                actor = tokens.authenticate(tx, presented, now)
        except NotAllowedError as error:
            raise UnauthenticatedError(str(error)) from error
        self._note_use(actor, now)
        return actor

    def _note_use(self, actor: tokens.Actor, now: datetime) -> None:
        """Remembers that a token is used, now and then: reading must not cost a write each time, nor fail because of one."""
        if abs(now - self._used_at.get(actor.token, now - USE_NOTED_EVERY)) < USE_NOTED_EVERY:
            return
        self._used_at[actor.token] = now
        with suppress(UnavailableError), self._site.database.write() as tx:
            tokens.note_use(tx, actor, now)


async def known(request: Request, _: Annotated[object, Depends(_bearer)]) -> Visit:
    """The visit of whoever came through the door. Errors: RejectedError: a parameter that nobody reads."""
    _refuse_unread_parameters(request)
    visit: Visit = request.state.visit
    return visit


def allowed_to_change(visit: Annotated[Visit, Depends(known)]) -> Visit:
    """The visit of somebody who may change things. Errors: NotAllowedError."""
    if not visit.actor.may_change:
        raise NotAllowedError(f"the token {visit.actor.name!r} may only read: this needs one with the role {Role.ADMIN}")
    return visit


def _refuse_unread_parameters(request: Request) -> None:
    """Refuses what an address says behind its `?` and nobody reads: it may be misspelt, and have been meant to matter.

    So may one of which only the last value would be read.
    """
    parameters = get_flat_params(request.scope["route"].dependant)
    known_ones = {one.alias: one.field_info.annotation for one in parameters if isinstance(one.field_info, Query)}
    unknown = sorted(request.query_params.keys() - known_ones)
    if unknown:
        there_are = f"there are {', '.join(sorted(known_ones))}" if known_ones else "there are none"
        raise RejectedError(f"this has no parameter {unknown[0][:80]!r}: {there_are}")
    for name, annotation in known_ones.items():
        takes_several = any(get_origin(part) is list for part in (annotation, *get_args(annotation)))
        if not takes_several and len(request.query_params.getlist(name)) > 1:
            raise RejectedError(f"the parameter {name!r} is given more than once: it has one value")


Reader = Annotated[Visit, Depends(known)]
Administrator = Annotated[Visit, Depends(allowed_to_change)]
