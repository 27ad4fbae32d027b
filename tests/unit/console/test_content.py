"""Content over REST: only what is what it says it is, and whole, is ever stored."""

import hashlib
import json
import socket
from urllib.parse import urlsplit

from purveyor.wire.manifest import SIZE_LIMIT_BYTES, File, Manifest, encode
from running_site import LIMITS, RunningSite

BYTES = b"echo hello\n"
DIGEST = hashlib.sha256(BYTES).hexdigest()
MANIFEST = encode(Manifest(files=(File(path="install.sh", sha256=DIGEST, size_bytes=len(BYTES)),)))
HASH = hashlib.sha256(MANIFEST).hexdigest()


def stored(running_site: RunningSite) -> list[str]:
    """Everything below the site's store, half done things included."""
    folder = running_site.site.store.folder
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_content_is_planned_sent_and_then_named_by_a_package(running_site: RunningSite) -> None:
    status, plan = running_site.ask("POST", "/content/plan", MANIFEST)
    assert (status, plan) == (200, {"manifest": HASH, "missing": [{"sha256": DIGEST, "size_bytes": len(BYTES)}]})
    assert running_site.ask("PUT", f"/content/files/{DIGEST}", BYTES) == (200, {"sha256": DIGEST, "size_bytes": len(BYTES)})
    assert running_site.ask("PUT", f"/content/manifests/{HASH}", MANIFEST)[0] == 200
    status, added = running_site.ask("POST", "/packages", {"name": "Hello", "manifest": HASH})
    assert status == 201
    assert running_site.ask("GET", f"/packages/{added['id']}")[1]["manifest"] == HASH
    assert running_site.ask("POST", "/content/plan", MANIFEST)[1]["missing"] == []


def test_sending_twice_changes_nothing(running_site: RunningSite) -> None:
    for _ in range(2):
        assert running_site.ask("PUT", f"/content/files/{DIGEST}", BYTES)[0] == 200
        assert running_site.ask("PUT", f"/content/manifests/{HASH}", MANIFEST)[0] == 200
    assert stored(running_site) == sorted([DIGEST, HASH])


def test_other_bytes_than_promised_are_rejected_and_leave_nothing(running_site: RunningSite) -> None:
    status, answer = running_site.ask("PUT", f"/content/files/{DIGEST}", BYTES + b"!")
    assert (status, answer["kind"]) == (422, "rejected")
    status, answer = running_site.ask("PUT", f"/content/manifests/{DIGEST}", MANIFEST)
    assert (status, answer["kind"]) == (422, "rejected")
    assert stored(running_site) == []


def test_a_manifest_whose_files_were_not_sent_is_refused(running_site: RunningSite) -> None:
    status, answer = running_site.ask("PUT", f"/content/manifests/{HASH}", MANIFEST)
    assert (status, answer["kind"]) == (409, "refused")
    status, answer = running_site.ask("POST", "/packages", {"name": "Hello", "manifest": HASH})
    assert (status, answer["kind"]) == (409, "refused")


def test_a_manifest_that_no_client_could_hold_is_rejected(running_site: RunningSite) -> None:
    for path in ("../out", "/abs", "a//b", ""):
        content = encode(Manifest(files=(File(path=path, sha256=DIGEST, size_bytes=1),)))
        for method, place in (("POST", "/content/plan"), ("PUT", f"/content/manifests/{hashlib.sha256(content).hexdigest()}")):
            status, answer = running_site.ask(method, place, content)
            assert (status, answer["kind"]) == (422, "rejected")
    assert running_site.ask("POST", "/content/plan", b"{")[0] == 422


def test_names_that_are_no_digest_are_rejected(running_site: RunningSite) -> None:
    for name in ("x", "0" * 63, "G" * 64, DIGEST.upper()):
        assert running_site.ask("PUT", f"/content/files/{name}", BYTES)[0] == 422
    assert running_site.ask("PUT", f"/content/files/..%2f{DIGEST}", BYTES)[0] == 404
    assert stored(running_site) == []


def test_a_tree_with_a_file_over_the_limit_is_refused_before_any_of_it_is_sent(running_site: RunningSite) -> None:
    large = File(path="disk.iso", sha256=DIGEST, size_bytes=LIMITS.upload_limit_bytes + 1)
    status, answer = running_site.ask("POST", "/content/plan", encode(Manifest(files=(large,))))
    assert (status, f"{LIMITS.upload_limit_bytes} bytes at most" in answer["error"]) == (422, True)


def test_a_file_over_the_limit_is_rejected_declared_or_not(running_site: RunningSite) -> None:
    content = b"z" * (LIMITS.upload_limit_bytes + 1)
    path = f"/content/files/{hashlib.sha256(content).hexdigest()}"
    assert running_site.ask("PUT", path, content)[0] == 422
    pieces = (content[start : start + 9_000] for start in range(0, len(content), 9_000))
    response = running_site.http.request(
        "PUT",
        f"{running_site.url}/api/v1{path}",
        body=pieces,
        headers={"Authorization": f"Bearer {running_site.admin}"},
        chunked=True,
    )
    assert (response.status, json.loads(response.data)["kind"]) == (422, "rejected")
    assert stored(running_site) == []


def test_content_may_be_larger_than_other_requests(running_site: RunningSite) -> None:
    assert LIMITS.json_limit_bytes < SIZE_LIMIT_BYTES
    files = tuple(File(path=f"f{number:05}", sha256=DIGEST, size_bytes=len(BYTES)) for number in range(3000))
    content = encode(Manifest(files=files))
    assert len(content) > LIMITS.json_limit_bytes
    assert running_site.ask("POST", "/content/plan", content)[0] == 200


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(running_site: RunningSite) -> None:
    place = urlsplit(running_site.url)
    assert place.hostname and place.port
    head = (
        f"PUT /api/v1/content/files/{DIGEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running_site.admin}\r\n"
        f"Content-Length: {len(BYTES)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + BYTES[:4])
    assert running_site.ask("PUT", f"/content/files/{DIGEST}", BYTES)[0] == 200
    assert running_site.ask("GET", "/packages")[0] == 200
    assert DIGEST in stored(running_site)


def test_who_may_not_change_sends_nothing(running_site: RunningSite) -> None:
    for token, expected in (("", 401), (running_site.reader, 403)):
        assert running_site.ask("PUT", f"/content/files/{DIGEST}", BYTES, token=token)[0] == expected
    assert stored(running_site) == []
