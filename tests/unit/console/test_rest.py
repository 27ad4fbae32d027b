"""The REST API as any program meets it: who may do what, what is refused and how, what its document says."""

import json
import logging
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from purveyor.site_server.database import points, settings
from purveyor.site_server.model.points import PointKind, PointSaid, PointState
from purveyor.site_server.site import utc_now
from purveyor.wire.status_messages import StatusId
from running_site import LIMITS, RunningSite
from site_rows import add_clients

CHANGES = [
    ("POST", "/packages", {"name": "x"}),
    ("PATCH", "/packages/S0100001", {"name": "x"}),
    ("POST", "/packages/S0100001/source-versions", {"manifest": None}),
    ("DELETE", "/packages/S0100001", None),
    ("POST", "/packages/S0100001/programs", {"name": "x", "command": "x"}),
    ("PATCH", "/packages/S0100001/programs/1", {"name": "x"}),
    ("POST", "/packages/S0100001/programs/1/enable", None),
    ("POST", "/packages/S0100001/programs/1/disable", None),
    ("DELETE", "/packages/S0100001/programs/1", None),
    ("POST", "/collections", {"name": "x"}),
    ("PATCH", "/collections/x", {"name": "y"}),
    ("DELETE", "/collections/x", None),
    ("POST", "/advertisements", {"package": "S0100001", "program": "1", "collection": "x"}),
    ("PATCH", "/advertisements/S0120001", {"name": "x"}),
    ("POST", "/advertisements/S0120001/pause", None),
    ("POST", "/advertisements/S0120001/resume", None),
    ("DELETE", "/advertisements/S0120001", None),
    ("POST", "/previews", {"package": "S0100001", "program": "1", "collection": "x"}),
    ("POST", "/advertisements/S0120001/requests", {"kind": "stop"}),
    ("POST", "/requests/1/withdraw", None),
    ("POST", "/windows", {"collection": "x", "duration_seconds": 3600}),
    ("PATCH", "/windows/1", {"name": "x"}),
    ("DELETE", "/windows/1", None),
    ("POST", "/points", {"kind": "cap", "url": "http://cap2.example/cap"}),
    ("PATCH", "/points/cap1", {"weight": 1}),
    ("POST", "/points/cap1/drain", {}),
    ("POST", "/points/cap1/resume", None),
    ("POST", "/points/cap1/remove", {}),
    ("POST", "/resources/x/approve", None),
    ("POST", "/resources/x/block", {}),
    ("POST", "/resources/x/unblock", None),
    ("POST", "/resources/x/remove-clones", {}),
    ("DELETE", "/resources/x", None),
    ("POST", "/join-codes", {}),
    ("DELETE", "/join-codes/1", None),
    ("POST", "/tokens", {"name": "x"}),
    ("DELETE", "/tokens/1", None),
    ("POST", "/keys/rotations", {"roles": ["timestamp"]}),
    ("POST", "/keys/requests", {}),
    ("DELETE", "/keys/requests/open", None),
    ("POST", "/keys/answers", {"file": "{}"}),
    ("POST", "/keys/packages/" + "0" * 16 + "/remove", None),
    ("POST", "/keys/packages/" + "0" * 16 + "/restore", None),
    ("PUT", "/settings/confirm_above", {"value": 5}),
    ("POST", "/content/plan", {}),
    ("PUT", "/content/files/" + "0" * 64, {}),
    ("PUT", "/content/manifests/" + "0" * 64, {}),
]


def test_every_change_is_listed_above(running_site: RunningSite) -> None:
    _, document = running_site.ask("GET", "/openapi.json")
    stated = {(method.upper(), path) for path, item in document["paths"].items() for method in item if method != "get"}
    assert len(stated) == len(CHANGES)


def test_who_is_not_known_gets_401_whatever_is_asked_and_sent(running_site: RunningSite) -> None:
    _, document = running_site.ask("GET", "/openapi.json")
    operations = [(method, path) for path, item in document["paths"].items() for method in item]
    assert len(operations) > len(CHANGES)
    for method, path in [
        *operations,
        ("get", "/api/v1/nothing"),
        ("delete", "/api/v1/packages"),
        ("get", "/api/v1/packages?x=1"),
    ]:
        for sent in ({}, {"Authorization": "Bearer wrong"}):
            for body in (None, b"{", b"\xff" * (LIMITS.json_limit_bytes + 1)):
                response = running_site.http.request(method.upper(), running_site.url + path, body=body, headers=sent)
                assert (response.status, response.json()["kind"]) == (401, "not-allowed"), (method, path, sent)
                assert response.headers["WWW-Authenticate"] == "Bearer"


def test_only_the_description_of_the_api_needs_no_token(running_site: RunningSite) -> None:
    for path, status in (("openapi.json", 200), ("docs", 200), ("openapi.json/", 401), ("docs/x", 401), ("%64ocs", 200)):
        assert running_site.http.request("GET", f"{running_site.url}/api/v1/{path}").status == status, path


def test_what_strangers_may_read_is_made_once(running_site: RunningSite, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("openapi.json", "docs")
    first = [running_site.http.request("GET", f"{running_site.url}/api/v1/{path}").data for path in paths]
    monkeypatch.delattr("fastapi.FastAPI.openapi")
    assert [running_site.http.request("GET", f"{running_site.url}/api/v1/{path}").data for path in paths] == first


def test_what_is_no_token_is_refused_as_one_that_is_unknown(running_site: RunningSite) -> None:
    for token in ("", "wrong", "purveyor_unknown", "\u00e9".encode().decode("latin-1"), "x" * 5000):
        status, answer = running_site.ask("GET", "/packages", token=token)
        assert (status, answer["kind"]) == (401, "not-allowed")
        assert not token or token not in answer["error"]


def test_a_revoked_token_is_not_known_any_more(running_site: RunningSite) -> None:
    _, made = running_site.ask("POST", "/tokens", {"name": "short", "role": "reader"})
    assert running_site.ask("GET", "/packages", token=made["token"])[0] == 200
    running_site.ask("DELETE", f"/tokens/{made['id']}")
    assert running_site.ask("GET", "/packages", token=made["token"])[0] == 401


def test_a_reader_may_change_nothing(running_site: RunningSite) -> None:
    for method, path, body in CHANGES:
        status, answer = running_site.ask(method, path, body, token=running_site.reader)
        assert (status, answer["kind"]) == (403, "not-allowed"), path


def test_a_reader_may_read(running_site: RunningSite) -> None:
    for path in ("/packages", "/collections", "/advertisements", "/resources", "/join-codes", "/tokens", "/settings", "/audit"):
        assert running_site.ask("GET", path, token=running_site.reader)[0] == 200


def test_no_answer_and_no_log_holds_a_token(running_site: RunningSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [running_site.ask("GET", path)[1] for path in ("/tokens", "/audit", "/join-codes")]
    running_site.ask("GET", "/nothing")
    for text in (json.dumps(answers), caplog.text):
        assert running_site.admin not in text


def test_a_parameter_of_which_one_value_would_not_be_read_is_refused(running_site: RunningSite) -> None:
    status, answer = running_site.ask("GET", "/advertisements?collection=Fleet&collection=")
    assert (status, answer["kind"]) == (422, "rejected")
    assert "'collection' is given more than once" in answer["error"]
    assert running_site.ask("GET", "/status/messages?severity=warning&severity=error")[0] == 200


def test_unknown_fields_are_refused(running_site: RunningSite) -> None:
    status, answer = running_site.ask("POST", "/packages", {"name": "x", "colour": "red"})
    assert (status, answer["kind"]) == (422, "rejected")
    assert "colour" in answer["error"]
    assert running_site.ask("GET", "/packages")[1] == []


def test_unreadable_bodies_are_refused(running_site: RunningSite) -> None:
    for body in (b"{", b"[]", b"\xff\xfe", b'{"name": 1}', b'{"name": ""}', b'{"name": "x"', b"", b"[" * 10_000):
        status, answer = running_site.ask("POST", "/packages", body)
        assert (status, answer["kind"]) == (422, "rejected"), body[:20]


NO_NAMES = ("a\0b", "a\ud800b", "a\u202eb", "\ufeff", "x" * 10_000, 2**63, -(10**30), 1e400, True, ["a"], {"a": 1}, None)


def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_changed(running_site: RunningSite) -> None:
    _, document = running_site.ask("GET", "/openapi.json")
    named = [path for path, item in document["paths"].items() if _has_name(document, item.get("post", {}))]
    assert len(named) == 4
    before = running_site.ask("GET", "/audit")[1]
    for path in named:
        for value in NO_NAMES:
            status, answer = running_site.ask(
                "POST", path.removeprefix("/api/v1").replace("{package}", "S0100001"), {"name": value}
            )
            assert status in (409, 422) and answer["kind"] in ("refused", "rejected"), (path, value)
    assert running_site.ask("GET", "/audit")[1] == before


def _has_name(document: dict[str, Any], operation: dict[str, Any]) -> bool:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    return "name" in shape.get("required", ())


def test_numbers_that_no_row_has_are_rejected(running_site: RunningSite) -> None:
    _, document = running_site.ask("GET", "/openapi.json")
    numbered = [(method, path) for path, item in document["paths"].items() for method in item if path.endswith("{number}")]
    assert len(numbered) > 3
    for method, path in numbered:
        for number in (2**63, -1, 10**30):
            status, answer = running_site.ask(method.upper(), path.removeprefix("/api/v1").replace("{number}", str(number)), {})
            assert (status, answer["kind"]) == (422, "rejected"), path


def test_two_editors_at_once_keep_what_each_of_them_changed(running_site: RunningSite) -> None:
    _, made = running_site.ask("POST", "/packages", {"name": "Editor", "publisher": "nobody"})
    path = f"/packages/{made['id']}"
    _, seen = running_site.ask("GET", path)
    assert running_site.ask("PATCH", path, {"publisher": "Example"})[0] == 200
    assert running_site.ask("PATCH", path, {"name": "The Editor"})[0] == 200
    _, now = running_site.ask("GET", path)
    assert (now["name"], now["publisher"]) == ("The Editor", "Example") != (seen["name"], seen["publisher"])
    changes = [row for row in running_site.ask("GET", "/audit")[1] if row["action"] == "package.edit"]
    assert len(changes) == 2


def test_what_was_sent_is_not_repeated_in_a_refusal(running_site: RunningSite) -> None:
    _, answer = running_site.ask("POST", "/tokens", {"name": "x", "role": "hunter2-secret"})
    assert "hunter2-secret" not in answer["error"]


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_over_the_limit_is_refused(running_site: RunningSite, is_declared: bool) -> None:
    body = json.dumps({"name": "x" * LIMITS.json_limit_bytes}).encode()
    if is_declared:
        status, answer = running_site.ask("POST", "/packages", body)
    else:
        pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
        headers = {"Authorization": f"Bearer {running_site.admin}"}
        response = running_site.http.request(
            "POST", f"{running_site.url}/api/v1/packages", body=pieces, headers=headers, chunked=True
        )
        status, answer = response.status, json.loads(response.data)
    assert (status, answer["kind"]) == (413, "rejected")


def test_there_is_nothing_elsewhere(running_site: RunningSite) -> None:
    for path in ("/nothing", "/packages/", "/../x"):
        status, answer = running_site.ask("GET", path)
        assert status == 404 and answer["kind"] == "rejected"
    assert running_site.ask("PUT", "/packages", {})[0] == 405


def test_ids_that_are_none_are_rejected(running_site: RunningSite) -> None:
    for path in ("/packages/nonsense", "/advertisements/S0100001", "/packages/S0110001/retirement"):
        status, answer = running_site.ask("GET", path)
        assert (status, answer["kind"]) == (422, "rejected")


def test_what_does_not_exist_is_refused(running_site: RunningSite) -> None:
    for path in ("/packages/S010ZZZZ", "/collections/none", "/resources/none", "/status/clients/none"):
        status, answer = running_site.ask("GET", path)
        assert (status, answer["kind"]) == (409, "refused")


def test_what_needs_a_confirmation_says_so(running_site: RunningSite) -> None:
    _, added = running_site.ask("POST", "/packages", {"name": "x"})
    status, answer = running_site.ask("DELETE", f"/packages/{added['id']}")
    assert (status, answer["kind"]) == (409, "confirmation-needed")
    status, _ = running_site.ask("DELETE", f"/packages/{added['id']}?is_confirmed=true")
    assert status == 200


def test_a_fault_is_answered_with_a_number_that_the_log_has(
    running_site: RunningSite, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_site.site.database, "read", lambda: 1 / 0)
    status, answer = running_site.ask("GET", "/packages")
    assert (status, answer["kind"]) == (500, "fault")
    assert answer["error"].split()[-1] in caplog.text
    assert "ZeroDivisionError" in caplog.text and "Zero" not in answer["error"]


def test_a_hundred_thousand_members_fit_into_a_request() -> None:
    body = json.dumps({"name": "all", "members": ["0" * 32] * 100_000})
    assert len(body) < type(LIMITS)().json_limit_bytes


def test_listings_come_in_pages(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        add_clients(tx, 5)
    _, first = running_site.ask("GET", "/resources?limit=3")
    _, rest = running_site.ask("GET", f"/resources?limit=3&after={first[-1]['id']}")
    assert (len(first), len(rest)) == (3, 2)
    assert running_site.ask("GET", "/resources?limit=1001")[0] == 422


@pytest.mark.parametrize("before", ["-1", str(2**63), "9" * 400])
@pytest.mark.parametrize("path", ["/requests", "/status/messages", "/audit"])
def test_a_number_that_no_page_has_is_rejected(running_site: RunningSite, path: str, before: str) -> None:
    status, answer = running_site.ask("GET", f"{path}?before={before}")
    assert (status, answer["kind"]) == (422, "rejected")
    assert running_site.ask("GET", f"{path}?before={2**63 - 1}")[0] == 200


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"])
@pytest.mark.parametrize("field", ["available_from", "expires_at"])
def test_times_that_no_calendar_has_are_refused(running_site: RunningSite, field: str, time: str) -> None:
    package = running_site.ask("POST", "/packages", {"name": "Tool"})[1]["id"]
    running_site.ask("POST", f"/packages/{package}/programs", {"name": "install", "command": "x"})
    new = {"package": package, "program": "install", "collection": "All Systems", "is_confirmed": True}
    made = running_site.ask("POST", "/advertisements", new)[1]["id"]
    for method, path, body in (
        ("POST", "/advertisements", new | {field: time}),
        ("POST", "/previews", new | {field: time}),
        ("PATCH", f"/advertisements/{made}", {field: time, "is_confirmed": True}),
        ("POST", f"/advertisements/{made}/requests", {"kind": "stop", "is_confirmed": True, "expires_at": time}),
    ):
        status, answer = running_site.ask(method, path, body)
        assert (status, answer["kind"]) == (409, "refused"), (path, answer)


def test_times_with_an_offset_are_told_in_utc(running_site: RunningSite) -> None:
    package = running_site.ask("POST", "/packages", {"name": "Tool"})[1]["id"]
    running_site.ask("POST", f"/packages/{package}/programs", {"name": "install", "command": "x"})
    new = {"package": package, "program": "install", "collection": "All Systems", "is_confirmed": True}
    _, answer = running_site.ask("POST", "/advertisements", new | {"expires_at": "2020-01-01T00:30:00+05:30"})
    assert "it would expire at 2019-12-31 19:00Z" in answer["error"]


def test_the_document_describes_every_answer_and_who_may_ask(running_site: RunningSite) -> None:
    status, document = running_site.ask("GET", "/openapi.json", token="")
    assert status == 200
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    for operation in operations:
        success = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
        assert _schema(success), operation["summary"]
        assert {"401", "403", "409", "413", "422", "503"} <= set(operation["responses"])
        assert operation["security"] == [{"token": []}]
        assert operation["summary"] and operation["tags"]
    assert document["components"]["securitySchemes"]["token"] == {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, made with `purveyor token create`.",
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a":', "body: no JSON, at character 6: Expecting value"),
        (b'{"name": "\xff"}', "body: no JSON: it is not UTF-8, is nested too deep, or has too long a number"),
        (b"[" * 100_000, "body: no JSON: it is not UTF-8, is nested too deep, or has too long a number"),
        (b'{"name": %s}' % (b"9" * 5000), "body: no JSON: it is not UTF-8, is nested too deep, or has too long a number"),
    ],
)
def test_a_body_that_is_no_json_is_said_to_be_none(running_site: RunningSite, body: bytes, said: str) -> None:
    assert running_site.ask("POST", "/packages", body) == (422, {"error": said, "kind": "rejected"})


def test_the_page_for_people_names_every_operation_and_loads_nothing(running_site: RunningSite) -> None:
    _, document = running_site.ask("GET", "/openapi.json")
    response = running_site.http.request("GET", f"{running_site.url}/api/v1/docs")
    text = response.data.decode()
    assert response.status == 200 and response.headers["Content-Type"].startswith("text/html")
    for path, item in document["paths"].items():
        assert all(f"<code>{method.upper()} {path}</code>" in text for method in item)
    assert "<script" not in text and "http:" not in text and "https:" not in text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src" not in policy


def test_health_needs_no_token(running_site: RunningSite) -> None:
    response = running_site.http.request("GET", f"{running_site.url}/healthz")
    assert response.status == 200
    assert json.loads(response.data)["status"] == "ok"


def test_health_names_what_fails(running_site: RunningSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(running_site.executive), "_publish", lambda executive: 1 / 0)
    running_site.executive.turn()
    response = running_site.http.request("GET", f"{running_site.url}/healthz")
    answer = json.loads(response.data)
    assert (response.status, answer["status"], answer["troubles"]) == (503, "failing", ["publish"])
    assert b"Zero" not in response.data


def test_metrics_are_what_prometheus_reads(running_site: RunningSite) -> None:
    running_site.executive.turn()
    with running_site.site.database.write() as tx:
        add_clients(tx, 3, state="waiting")
    running_site.ask("GET", "/packages")
    response = running_site.http.request("GET", f"{running_site.url}/metrics")
    text = response.data.decode()
    assert response.status == 200
    assert 'purveyor_component_failures{component="publish"} 0.0' in text
    assert 'purveyor_http_requests_total{part="rest"} 1.0' in text
    assert "purveyor_files_published_total" in text
    assert 'purveyor_clients{state="waiting"} 3.0' in text


def test_a_clock_that_went_ahead_is_a_warning(running_site: RunningSite) -> None:
    assert running_site.http.request("GET", f"{running_site.url}/healthz").json()["warnings"] == []
    with running_site.site.database.write() as tx:
        settings.set_settled(tx, utc_now() - timedelta(days=400))
    running_site.executive.turn()
    warnings = running_site.http.request("GET", f"{running_site.url}/healthz").json()["warnings"]
    assert [warning[:37] for warning in warnings] == ["clock: it is ahead by 400 days, 0:00 "]


def test_own_points_that_clients_look_for_over_https_are_a_warning_over_http(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        for one in points.all_points(tx):
            points.set_said(tx, one.id, msgspec.structs.replace(one.said, url=f"https://site.example/{one.kind}"))
    (warning,) = running_site.http.request("GET", f"{running_site.url}/healthz").json()["warnings"]
    assert "2 of the site's own points" in warning and "site.example" not in warning


def test_points_that_fail_are_counted_and_not_named(running_site: RunningSite) -> None:
    troubles = [StatusId.POINT_FULL, StatusId.POINT_READ_ONLY, StatusId.POINT_FAILS, StatusId.POINT_BACK, StatusId.POINT_FOREIGN]
    with running_site.site.database.write() as tx:
        for number, trouble in enumerate(troubles):
            said = PointSaid(url=f"https://cap{number}.example", target=f"/mnt/{number}")
            points.tell(tx, points.insert_point(tx, PointKind.CAP, said, utc_now()), trouble, "said of cap2", utc_now())
        points.set_state(tx, "cap6", PointState.REMOVED, utc_now())
    (warning,) = running_site.http.request("GET", f"{running_site.url}/healthz").json()["warnings"]
    assert warning == "points: 3 of 6 failing (full 1, read-only 1, unavailable 1)"
    shown = running_site.http.request("GET", f"{running_site.url}/metrics").data.decode().splitlines()
    counted = {line for line in shown if line.startswith("purveyor_points{")}
    amounts = {"ok": 3, "full": 1, "read-only": 1, "foreign": 0, "unavailable": 1}
    assert counted == {f'purveyor_points{{state="{state}"}} {float(amount)}' for state, amount in amounts.items()}


def test_cap_and_dp_are_served_beside_it(running_site: RunningSite) -> None:
    running_site.executive.turn()
    response = running_site.http.request("GET", f"{running_site.url}/cap/clidata.box/timestamp.json")
    assert response.status == 200 and b'"timestamp"' in response.data
    assert running_site.http.request("GET", f"{running_site.url}/cap/../admin.token").status == 404
    assert running_site.http.request("GET", f"{running_site.url}/dp/manifests/{'0' * 64}").status == 404
    assert running_site.http.request("GET", f"{running_site.url}/cap").status == 404


def _schema(answer: dict[str, Any]) -> bool:
    return bool(answer.get("content", {}).get("application/json", {}).get("schema"))
