"""The REST API as one application: its routers, its errors, its limits, and the OpenAPI document that describes it."""

from functools import cache

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response

from purveyor import __version__
from purveyor.console.api import (
    advertisements,
    audit,
    collections,
    content,
    join_codes,
    keys,
    packages,
    points,
    previews,
    programs,
    requests,
    resources,
    restoration,
    settings,
    status,
    tokens,
    why,
    windows,
)
from purveyor.console.authentication import Door
from purveyor.console.errors import answer_errors
from purveyor.console.limits import BodyLimit, BodyPace
from purveyor.console.page import page
from purveyor.console.settings import ConsoleSettings
from purveyor.site_server.site import Site

PREFIX = "/api/v1"
ROUTERS = (
    packages,
    programs,
    collections,
    advertisements,
    previews,
    requests,
    windows,
    resources,
    join_codes,
    tokens,
    keys,
    points,
    settings,
    status,
    why,
    audit,
    restoration,
    content,
)
DOCUMENT, DOCS = f"{PREFIX}/openapi.json", f"{PREFIX}/docs"
FREE = frozenset((DOCUMENT, DOCS))
"""What needs no token: it says nothing of this site."""

_DESCRIPTION = """Everything that an administrator can do, as the command line does it.

Every request carries an access token (`Authorization: Bearer …`, made with `purveyor token create`). Errors are
`{"error": text for people, "kind": word for programs}`. Times are UTC. Unknown fields of a request are refused.

A `PATCH` changes the fields that it names and no other. Of two that name one field the later counts; the audit has both."""


def rest_application(site: Site, limits: ConsoleSettings) -> FastAPI:
    """The REST API of a site."""
    application = FastAPI(
        title="Purveyor",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in ROUTERS:
        application.include_router(part.router, prefix=PREFIX)
    application.add_middleware(BodyLimit, limit_bytes=limits.json_limit_bytes, free=PREFIX + content.PREFIX)
    application.add_middleware(
        BodyPace, grace_seconds=limits.body_grace_seconds, slowest_bytes_per_second=limits.slowest_bytes_per_second
    )
    application.add_middleware(Door, site=site, settings=limits, prefix=PREFIX, free=FREE)
    answer_errors(application)
    _show_document(application)
    return application


def _show_document(application: FastAPI) -> None:
    """Shows what the API is at `/api/v1/openapi.json`, to people at `/api/v1/docs`: to strangers too, so each is made once."""
    document = cache(lambda: JSONResponse(application.openapi()).body)
    shown = cache(lambda: page(application.openapi(), DOCUMENT))

    @application.get(DOCUMENT, include_in_schema=False)
    def openapi() -> Response:
        return Response(document(), media_type="application/json")

    @application.get(DOCS, include_in_schema=False, response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        headers = {
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(shown(), headers=headers)
