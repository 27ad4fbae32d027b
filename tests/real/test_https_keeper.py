"""What a running site does about its certificate: shows what clients know, announces what comes, and goes on when it cannot."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from purveyor.cli import site_certificate
from purveyor.cli.main import carry_out
from purveyor.cli.output import Output
from purveyor.cli.site_certificate import HttpsKeeper
from purveyor.site_server import certificates
from purveyor.site_server.admin import https_pins
from purveyor.site_server.admin.points import joining_pin
from purveyor.site_server.certificates import Chain, Held
from purveyor.site_server.database import points
from purveyor.site_server.executive import Executive
from purveyor.site_server.site import Site, create_site, open_site, opened_site, utc_now
from purveyor.wire.errors import RefusedError, UnavailableError
from site_rows import add_clients


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site that does not run."""
    create_site(tmp_path / "site", code="S01", now=utc_now())
    opened = open_site(tmp_path / "site")
    yield opened
    opened.database.dispose()


def folder_of(site: Site) -> Path:
    assert site.folder is not None
    return site.folder


def held(site: Site) -> Held:
    of = certificates.held(folder_of(site))
    assert of is not None
    return of


def test_a_key_counts_as_announced_when_clients_can_read_of_it_and_not_before(site: Site) -> None:
    made = certificates.make(folder_of(site), (), utc_now())
    shown: list[Chain] = []
    keeper = HttpsKeeper(site, folder_of(site))
    for _ in range(2):
        keeper.look(shown.append)
        assert held(site).announced_snapshot == 0, "the settings that name it wait"
    executive = Executive(site)
    while executive.turn():
        pass
    keeper.look(shown.append)
    assert held(site).announced_snapshot > 0 and held(site).announced_at is not None
    with site.database.read() as tx:
        assert [one.said.pins for one in points.all_points(tx)] == [made.pins, made.pins]
        assert joining_pin(tx) == made.pin
    assert shown == []


def test_a_certificate_that_ends_soon_is_signed_anew_with_its_key_and_shown(site: Site) -> None:
    made = certificates.make(folder_of(site), (), utc_now() - certificates.LIFETIME + timedelta(days=140))
    shown: list[Chain] = []
    keeper = HttpsKeeper(site, folder_of(site))
    keeper.look(shown.append)
    assert shown == []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(certificates, "RENEWED_BEFORE", timedelta(days=141))
        keeper.look(shown.append)
    chain = certificates.chain_of(folder_of(site), made)
    assert shown == [chain] and certificates.pin_at(chain.certificate) == made.pin
    assert certificates.ends(chain.certificate) > utc_now() + timedelta(days=390)


def test_a_restored_site_whose_clients_look_for_https_says_so_before_it_runs_and_when_it_does(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    HttpsKeeper(site, folder_of(site))
    assert caplog.records == []
    with site.database.write() as tx:
        for one in points.all_points(tx):
            points.set_said(tx, one.id, msgspec.structs.replace(one.said, url=f"https://site.example/{one.kind}"))
    backup = said("site", "backup", str(tmp_path / "backups"), "--site-dir", str(folder_of(site)), "--json")["backup"]
    again = tmp_path / "again"
    said("site", "restore", backup, str(again), "--json")
    decided = said("site", "restored", "--site-dir", str(again), "--json")["decisions"]
    assert ["--https" in one["text"] for one in decided if one["about"] == "https"] == [True]
    with opened_site(again) as restored:
        HttpsKeeper(restored, again)
    assert [one.levelno for one in caplog.records if "2 of the site's own points" in one.message] == [logging.WARNING]
    certificates.make(again, (), utc_now())
    said("site", "restore", backup, str(again), "--replace", "--json")
    assert "https" not in [one["about"] for one in said("site", "restored", "--site-dir", str(again), "--json")["decisions"]]


def said(*words: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """What a command printed that succeeded."""
    out = io.StringIO()
    output = Output(stdout=out, stderr=io.StringIO(), stdin=io.StringIO())
    assert carry_out(words, environment={}, output=output) == 0
    return json.loads(out.getvalue())


def test_files_with_a_key_that_clients_do_not_know_are_not_shown_and_told_once(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    chains = []
    for folder in (own, other):
        folder.mkdir()
        chains.append(certificates.chain_of(folder, certificates.make(folder, (), utc_now())))
    used = chains[0]
    before = [path.read_bytes() for path in used]
    certificates.use(folder_of(site), *used, next_pin="", is_pinned=True, now=utc_now())
    shown: list[Chain] = []
    keeper = HttpsKeeper(site, folder_of(site))
    for path, content in zip(used, chains[1], strict=True):
        path.write_bytes(content.read_bytes())
    for _ in range(3):
        keeper.look(shown.append)
    assert shown == []
    assert [record.levelno for record in caplog.records if "another key than clients know" in record.message] == [logging.ERROR]
    with pytest.raises(RefusedError, match="another key than clients know"):
        HttpsKeeper(site, folder_of(site))
    for path, old in zip(used, before, strict=True):
        path.unlink()
        path.write_bytes(old)
    keeper.look(shown.append)
    assert shown == [used], "the same key again, in other files"


def test_a_database_that_is_away_ends_no_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificates.make(folder_of(site), (), utc_now())
    shown: list[Chain] = []
    keeper = HttpsKeeper(site, folder_of(site))

    def away(*_: object, **__: object) -> bool:
        raise UnavailableError("the database cannot be reached")

    monkeypatch.setattr(https_pins, "announce", away)
    keeper.look(shown.append)
    assert held(site) == made


def test_a_key_is_taken_into_use_early_only_where_somebody_insists(site: Site) -> None:
    made, now = certificates.make(folder_of(site), (), utc_now()), utc_now()
    with site.database.write() as tx:
        add_clients(tx, 1)
    refuse = site_certificate._refuse_early
    for of in (made, None):
        with pytest.raises(RefusedError, match="1 of 1 member"):
            refuse(site, of, is_forced=False, now=now)
        refuse(site, of, is_forced=True, now=now)
    certificates.note_announced(folder_of(site), made, 1, now)
    with pytest.raises(RefusedError, match="1 of 1 member"):
        refuse(site, held(site), is_forced=False, now=now + certificates.ANNOUNCED_FOR - timedelta(seconds=1))
    refuse(site, held(site), is_forced=False, now=now + certificates.ANNOUNCED_FOR)


def test_a_certificate_without_its_key_is_told_as_that(site: Site) -> None:
    made = certificates.make(folder_of(site), (), utc_now())
    certificates.chain_of(folder_of(site), made).key.unlink()
    with pytest.raises(RefusedError, match="cannot be used as a certificate and its key"):
        HttpsKeeper(site, folder_of(site))
