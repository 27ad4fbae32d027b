"""An agent whose policy and content come from a bucket of an S3 server, over HTTP without a key; it reports to the site's CAP."""

import json
from pathlib import Path

from installation import Installation
from s3_server import Bucket


def test_an_agent_reads_policy_and_content_from_a_bucket_reports_to_the_site_and_forgets_what_was_deleted(
    installation: Installation, bucket: Bucket
) -> None:
    public = _points_in(installation, bucket)
    installation.join("anna")
    kept, deleted = (_advertised(installation, name) for name in ("Kept", "Deleted"))
    polled: list[str] = []

    def passed() -> bool:
        ended = installation.call("client", "run", "--once", "--json", "--state", str(installation.state("anna")))
        assert ended.code == 0, ended
        polled.append(json.loads(ended.out)["access_point"])
        return True

    def has_run_both() -> bool:
        jobs = [job for package in (kept, deleted) for job in installation.jobs_of(package)]
        return passed() and [job["state"] for job in jobs] == ["succeeded"] * 2

    installation.until("both ran", has_run_both)
    installation.purveyor("package", "delete", deleted, "--yes")
    installation.until(
        "it forgot it", lambda: passed() and installation.asked("package", "retirement", deleted)["acknowledged"] == 1
    )

    assert polled[-1] == f"{public}/CAP_S01", "the site's own CAP weighs nothing: what it is there for is items"
    assert Path(f"{installation.state('anna')}-runs").read_text().split() == [kept, deleted]
    (client,) = installation.asked("resource", "list")
    assert client["absent_requests"] == 0
    assert installation.asked("point", "show", "cap2")["problem"] == ""


def _points_in(installation: Installation, bucket: Bucket) -> str:
    """A CAP and the only DP in a bucket, for everybody to read; the address below which they lie."""
    secret = installation.folder / "s3.credentials"
    secret.touch(0o600)
    key = bucket.credentials
    secret.write_text(f"[default]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={key.secret_access_key}\n")
    for name, folder in (("cap1", "cap"), ("dp1", "dp")):
        installation.purveyor("point", "edit", name, "--url", f"{installation.url}/{folder}", "--weight", "0")
    public = f"{bucket.endpoint}/{bucket.name}/s"
    where = ("--credentials", str(secret), "--endpoint", bucket.endpoint)
    for kind, folder in (("cap", "CAP_S01"), ("dp", "DP_S01")):
        installation.purveyor("point", "add", kind, f"{public}/{folder}", "--push-to", f"s3://{bucket.name}/s/{folder}", *where)
    bucket.open_to_everybody(installation.purveyor("cap", "s3-policy", f"s3://{bucket.name}/s"))
    installation.purveyor("point", "remove", "dp1", "--force")
    installation.until("the bucket is filled", lambda: installation.asked("point", "show", "cap2")["behind"] == 0)
    return public


def _advertised(installation: Installation, name: str) -> str:
    source = installation.folder / name
    source.mkdir()
    (source / "install.sh").write_text('echo "$PURVEYOR_PACKAGE" >> "$PURVEYOR_STATE-runs"\n')
    package = installation.purveyor("package", "add", str(source), "--name", name)
    installation.purveyor("program", "add", package, "install", "--command", "sh install.sh")
    installation.purveyor("advertise", package, "install", "--to", "All Systems", "--assign", "asap", "--yes")
    return package
