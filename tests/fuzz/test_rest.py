"""The REST API against its own document: requests of every kind that it allows and that it forbids, by each who may ask.

Schemathesis makes them from the document that the site serves, and judges every answer: no fault, a status, headers and a body
as it says, nothing that breaks it taken, nothing that it allows refused for its form, and no answer to who is nobody.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from running_site import LIMITS, RunningSite

EXAMPLES_EACH = 2
STRANGERS_EXAMPLES = 20
"""Whoever is not known gets one answer to all that he asks."""
NEVER_SENT: tuple[object, ...] = (None, [], {})
"""Values of a query that leave nothing of themselves in an address, so that what would be wrong with them is not asked."""
IS_LONG = settings().max_examples > 100
asked = settings(
    derandomize=not IS_LONG,
    max_examples=200 if IS_LONG else EXAMPLES_EACH,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
STANDING = {"package": "S0100001", "program": "1", "collection": "Fleet", "advertisement": "S0120001", "number": 1}
"""What there is, by the names of the parts of paths."""


@pytest.fixture
def site(running_site: RunningSite) -> RunningSite:
    """A site with one of each that matters."""
    for path, body in (
        ("/packages", {"name": "Editor"}),
        ("/packages/S0100001/programs", {"name": "Install", "command": "true"}),
        ("/collections", {"name": "Fleet"}),
        ("/advertisements", {"package": "S0100001", "program": "1", "collection": "Fleet", "is_confirmed": True}),
        ("/join-codes", {}),
        ("/windows", {"collection": "Fleet", "start": "2026-12-01T22:00Z", "duration_seconds": 3600}),
    ):
        status, answer = running_site.ask("POST", path, body)
        assert status == 201, answer
    return running_site


@pytest.mark.parametrize("who", ["admin", "reader", *(["nobody", "a stranger"] if IS_LONG else ["a stranger"])])
def test_every_answer_is_one_that_the_document_describes(site: RunningSite, who: str) -> None:
    token = {"admin": site.admin, "reader": site.reader, "a stranger": "x" * 40}.get(who, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    schema = schemathesis.openapi.from_url(f"{site.url}/api/v1/openapi.json")
    found = [
        f"{operation.ok().label}: {trouble}"
        for operation in schema.get_all_operations()
        for mode in schemathesis.GenerationMode
        for trouble in troubles(operation.ok(), mode, headers, is_known=who in ("admin", "reader"))
    ]
    assert not found, "\n\n".join(found)


def troubles(operation: Any, mode: schemathesis.GenerationMode, headers: dict[str, str], *, is_known: bool) -> list[str]:  # noqa: ANN401 - schemathesis' own
    """What is wrong with the answers to some requests for one operation."""

    @settings(asked, max_examples=asked.max_examples if is_known else min(asked.max_examples, STRANGERS_EXAMPLES))
    @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
    def ask(case: Any, is_there: bool) -> None:  # noqa: ANN401 - schemathesis' own
        if is_there and mode is schemathesis.GenerationMode.POSITIVE:
            case.path_parameters = {name: STANDING.get(name, value) for name, value in case.path_parameters.items()}
        assume(not any(value in NEVER_SENT for value in (case.query or {}).values()))
        response = case.call(headers=headers, timeout=30)
        assert is_known or response.status_code == 401, response.status_code
        is_too_large = response.status_code == 413  # refused for what it is, too: the library does not count that among refusals
        refusals = [CHECKS.get_one("negative_data_rejection")] if is_too_large else []
        case.validate_response(response, headers=headers, checks=CHECKS.get_all(), excluded_checks=refusals)

    try:
        ask()
    except BaseExceptionGroup as errors:
        return [str(error) for error in errors.exceptions]
    except AssertionError as error:
        return [str(error)]
    return []


def test_a_parameter_that_nobody_reads_is_refused(site: RunningSite) -> None:
    status, answer = site.ask("GET", "/collections/Fleet/members?limitt=5")
    assert (status, answer["kind"]) == (422, "rejected")
    assert "'limitt'" in answer["error"] and "limit" in answer["error"]
    assert site.ask("GET", "/collections/Fleet/members?limitt=5", token="x" * 40)[0] == 401


def test_a_length_that_is_none_is_no_fault(site: RunningSite) -> None:
    for length in ("9" * 5000, "9" * 19, "+5", "1_0", "-1", "", "\u00b2"):
        status = status_of_raw(site, f"PUT /api/v1/content/files/{'0' * 64} HTTP/1.1", f"Content-Length: {length}")
        assert status in (400, 413, 422), length


def test_parts_of_paths_are_names_and_nothing_else(site: RunningSite) -> None:
    for path in (
        "packages/..%2f..%2fetc%2fpasswd",
        "packages/%00",
        "collections/%ff",
        "resources/%F0%9F%92%A9",
        "../../etc/passwd",
    ):
        assert status_of_raw(site, f"GET /api/v1/{path} HTTP/1.1") in (404, 409, 422), path


def status_of_raw(site: RunningSite, line: str, *headers: str) -> int:
    """The status of the answer to a request that no library would send, by an administrator."""
    host, port = urlsplit(site.url).netloc.split(":")
    head = [line, f"Host: {host}", f"Authorization: Bearer {site.admin}", "Connection: close", *headers, "", ""]
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join(head).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_a_flood_of_headers_and_a_large_body_are_no_fault(site: RunningSite) -> None:
    flood = {f"X-{number}": "x" * 20 for number in range(500)}
    assert site.http.request("GET", f"{site.url}/api/v1/packages", headers=flood).status == 431
    status, answer = site.ask("POST", "/packages", b" " * (LIMITS.json_limit_bytes + 1))
    assert (status, answer["kind"]) == (413, "rejected")
    assert site.ask("GET", "/packages")[0] == 200


def test_of_many_who_add_the_same_name_at_once_one_does(site: RunningSite) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: site.ask("POST", "/collections", {"name": "Same"})[0], range(8)))
    assert sorted(statuses) == [201, *[409] * 7]
