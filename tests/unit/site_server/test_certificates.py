"""The site's own certificate and keys: what counts is said in one file, and a key comes into use only after it was announced."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from purveyor.site_server import certificates
from purveyor.site_server.certificates import Held, chain_of, held
from purveyor.wire.errors import RefusedError

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def shown(folder: Path) -> x509.Certificate:
    of = held(folder)
    assert of is not None
    return x509.load_pem_x509_certificate(chain_of(folder, of).certificate.read_bytes())


def names_in(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(one.value) for one in names}


def test_a_site_without_a_certificate_serves_http(tmp_path: Path) -> None:
    assert held(tmp_path) is None
    assert not certificates.renew(tmp_path, NOW)


def test_a_certificate_is_for_its_names_and_the_machine_itself_and_its_keys_are_the_owners_alone(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, ("site.example", "10.1.0.5"), NOW)
    assert names_in(shown(tmp_path)) == {"localhost", "127.0.0.1", "::1", "site.example", "10.1.0.5"}
    certificates.check(chain_of(tmp_path, made))
    assert certificates.pin_at(chain_of(tmp_path, made).certificate) == made.pin != made.next_pin
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "https").glob("*.key")] == [0o600, 0o600]


def test_names_are_added_and_no_key_changes(tmp_path: Path) -> None:
    first = certificates.make(tmp_path, ("one.example",), NOW)
    second = certificates.make(tmp_path, ("two.example",), NOW)
    assert second.pins == first.pins
    assert {"one.example", "two.example"} <= names_in(shown(tmp_path))


def test_names_of_machines_as_there_are(tmp_path: Path) -> None:
    certificates.make(tmp_path, ("build_01", "*.site.example", "fd00::5"), NOW)
    assert {"build_01", "*.site.example", "fd00::5"} <= names_in(shown(tmp_path))
    assert certificates.is_name("build_01") and not certificates.is_name("büro")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é.example", "a" * 64, "site.example:443", "https://site.example"])
def test_what_is_no_name_of_a_machine_makes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(RefusedError):
        certificates.make(tmp_path, (name,), NOW)
    assert held(tmp_path) is None


@pytest.mark.parametrize(("days", "is_renewed"), [(0, False), (260, False), (270, True), (400, True), (-30, True)])
def test_it_is_signed_anew_with_the_same_key_when_its_time_has_come(tmp_path: Path, days: int, is_renewed: bool) -> None:
    made = certificates.make(tmp_path, (), NOW)
    before, now = shown(tmp_path), NOW + timedelta(days=days)
    assert certificates.renew(tmp_path, now) is is_renewed
    after = shown(tmp_path)
    assert (after != before) is is_renewed and held(tmp_path) == made
    assert after.not_valid_before_utc <= now < after.not_valid_after_utc - certificates.RENEWED_BEFORE
    assert not certificates.renew(tmp_path, now)


def test_a_certificate_that_was_lost_or_damaged_is_signed_anew(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, (), NOW)
    path = chain_of(tmp_path, made).certificate
    for harm in (path.unlink, lambda: path.write_bytes(b"damaged")):
        harm()
        assert certificates.renew(tmp_path, NOW)
        certificates.check(chain_of(tmp_path, made))


def test_a_key_that_was_lost_or_damaged_is_told_with_what_to_do(tmp_path: Path) -> None:
    key = chain_of(tmp_path, certificates.make(tmp_path, (), NOW)).key
    key.write_bytes(b"no key")
    with pytest.raises(RefusedError, match="make a certificate anew"):
        certificates.renew(tmp_path, NOW + timedelta(days=390))
    key.unlink()
    with pytest.raises(RefusedError, match="make a certificate anew"):
        certificates.renew(tmp_path, NOW + timedelta(days=390))


def test_the_next_key_comes_into_use_and_the_old_one_is_destroyed(tmp_path: Path) -> None:
    first = certificates.make(tmp_path, (), NOW)
    certificates.note_announced(tmp_path, first, 7, NOW)
    second = certificates.rotate(tmp_path, NOW)
    assert second.pin == first.next_pin and second.next_pin not in first.pins
    assert (second.announced_snapshot, second.announced_at) == (0, None), "of the new next key nobody has heard"
    certificates.check(chain_of(tmp_path, second))
    assert not chain_of(tmp_path, first).key.exists()
    assert len(list((tmp_path / "https").iterdir())) == 4


def test_what_is_announced_is_noted_only_of_what_still_counts(tmp_path: Path) -> None:
    first = certificates.make(tmp_path, (), NOW)
    certificates.rotate(tmp_path, NOW)
    certificates.note_announced(tmp_path, first, 7, NOW)
    after = held(tmp_path)
    assert after is not None and after.announced_snapshot == 0


def given(folder: Path, at: datetime = NOW) -> tuple[Path, Path]:
    folder.mkdir()
    return chain_of(folder, certificates.make(folder, (), at))


def test_a_given_certificate_stays_where_it_lies_and_is_announced_with_what_follows_it(tmp_path: Path) -> None:
    certificate, key = given(tmp_path / "ca")
    next_pin = certificates.make(tmp_path, (), NOW).next_pin
    used = certificates.use(tmp_path, certificate, key, next_pin=next_pin, is_pinned=True, now=NOW)
    assert chain_of(tmp_path, used) == (certificate, key)
    assert used.pins == (certificates.pin_at(certificate), next_pin)
    assert not used.is_own and not certificates.renew(tmp_path, NOW + timedelta(days=390))
    with pytest.raises(RefusedError, match="site certificate use"):
        certificates.make(tmp_path, (), NOW)
    with pytest.raises(RefusedError, match="site certificate use"):
        certificates.rotate(tmp_path, NOW)
    certificates.note_announced(tmp_path, used, 7, NOW)
    same = certificates.use(tmp_path, certificate, key, next_pin=next_pin, is_pinned=True, now=NOW)
    assert same.announced_snapshot == 7, "nothing is to be told anew"
    assert certificates.use(tmp_path, certificate, key, next_pin="", is_pinned=False, now=NOW).pins == ()


def test_what_an_administrator_put_beside_the_keys_of_the_site_stays(tmp_path: Path) -> None:
    certificate, key = given(tmp_path / "ca")
    made = certificates.make(tmp_path, (), NOW)
    beside = [path.rename(tmp_path / "https" / name) for path, name in ((certificate, "site.pem"), (key, "site.key"))]
    certificates.rotate(tmp_path, NOW)
    used = certificates.use(tmp_path, beside[0], beside[1], next_pin="", is_pinned=True, now=NOW)
    certificates.check(chain_of(tmp_path, used))
    assert {path.name for path in (tmp_path / "https").iterdir()} == {"https.json", "site.pem", "site.key"}
    assert not chain_of(tmp_path, made).key.exists()


def test_a_link_that_leads_to_another_certificate_is_followed_there(tmp_path: Path) -> None:
    first, key = given(tmp_path / "first")
    second, _ = given(tmp_path / "second")
    link = tmp_path / "live.pem"
    link.symlink_to(first)
    used = certificates.use(tmp_path, link, key, next_pin="", is_pinned=True, now=NOW)
    link.unlink()
    link.symlink_to(second)
    assert certificates.pin_at(chain_of(tmp_path, used).certificate) == certificates.pin_at(second)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_whoever_the_folder_of_the_site_belongs_to(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    certificates.make(tmp_path, (), NOW)
    certificates.rotate(tmp_path, NOW)
    assert {path.stat().st_uid for path in [tmp_path / "https", *(tmp_path / "https").iterdir()]} == {12345}


def test_files_that_cannot_be_used_are_refused_and_change_nothing(tmp_path: Path) -> None:
    certificate, key = given(tmp_path / "ca")
    _, other_key = given(tmp_path / "other")
    made = certificates.make(tmp_path, (), NOW)
    for pair in ((certificate, other_key), (key, certificate), (tmp_path / "none", key)):
        with pytest.raises(RefusedError):
            certificates.use(tmp_path, *pair, next_pin="", is_pinned=True, now=NOW)
    with pytest.raises(RefusedError, match="expired"):
        certificates.use(tmp_path, certificate, key, next_pin="", is_pinned=True, now=NOW + timedelta(days=400))
    assert held(tmp_path) == made


def test_a_damaged_state_is_told_and_not_taken_for_none(tmp_path: Path) -> None:
    certificates.make(tmp_path, (), NOW)
    (tmp_path / "https" / "https.json").write_bytes(b"{}")
    with pytest.raises(RefusedError, match="damaged"):
        held(tmp_path)


def test_pins_that_are_not_told_are_none() -> None:
    assert Held(certificate="a", key="b", pin="c", next_pin="d", is_pinned=False).pins == ()
    assert Held(certificate="a", key="b", pin="c").pins == ("c",)
