"""HTTPS and pins over real TLS servers: who may be read, who is sent anything, and that a change of keys loses nobody."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.types import Receive, Scope, Send

from installation import Installation
from purveyor.cli.call import Access
from purveyor.cli.rest import Rest
from purveyor.client.asking import is_unchanged
from purveyor.client_access_point.application import application as cap_application
from purveyor.console.server import RunningServer, bound
from purveyor.site_server import certificates
from purveyor.site_server.certificates import Chain
from purveyor.transport.folder.shelf import FolderShelf
from purveyor.transport.http.pinned import PinnedPool, Seen, UnpinnedError
from purveyor.transport.http.point import HttpPoint
from purveyor.wire.errors import AbsentError, UnavailableError
from purveyor.wire.pins import pin_of_certificate, pin_of_key

PATH = "clidata.box/timestamp.json"
ITEM = f"ddr.box/{'0' * 32}"
OTHER = pin_of_key(b"another key")


@dataclass
class Served:
    """A CAP over HTTPS, and what was asked of it."""

    folder: Path
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(str(scope.get("method")))
        if str(scope.get("path")).startswith("/cap/"):
            scope["root_path"] = "/cap"
        await cap_application(self.folder)(scope, receive, send)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    shelf = FolderShelf(tmp_path / "CAP_S01")
    shelf.make_boxes()
    shelf.write(PATH, b"signed")
    return Served(tmp_path / "CAP_S01")


@contextmanager
def serving(served: Served, chain: Chain, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningServer]:
    server = RunningServer(served, bound(host, port), stop_seconds=1, chain=chain)
    try:
        yield server
    finally:
        server.stop()


def made(folder: Path, *, at: datetime | None = None, names: tuple[str, ...] = ()) -> tuple[Chain, str]:
    """A certificate as a site makes it, at a time. Shape: with it the pin of its key."""
    folder.mkdir(exist_ok=True)
    of = certificates.make(folder, names, at or datetime.now(UTC))
    return certificates.chain_of(folder, of), of.pin


def shown_at(url: str) -> str:
    """The pin of the key that a server shows to whoever comes."""
    place = urlsplit(url)
    shown = ssl.get_server_certificate((str(place.hostname), int(place.port or 0)))
    return pin_of_certificate(ssl.PEM_cert_to_DER_cert(shown))


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=5000), timedelta(days=-5000)])
def test_a_pinned_key_is_enough_whatever_name_and_time_the_certificate_has(
    served: Served, tmp_path: Path, age: timedelta
) -> None:
    chain, pin = made(tmp_path / "site", at=datetime.now(UTC) - age)
    with serving(served, chain, host="127.0.0.2") as server:  # which the certificate does not name
        point = HttpPoint(server.url, pins=lambda: (OTHER, pin))
        answer = point.read(PATH, limit_bytes=100)
        assert answer is not None and answer.content == b"signed"
        point.put(ITEM, b"sealed")
        assert (served.folder / ITEM).exists()
        assert not point.unpinned
        assert is_unchanged(f"{server.url}/{PATH}", answer.tag, point.certificate)
        point.close()


def test_another_key_is_read_from_and_nothing_is_sent_to_it_though_a_ca_vouches_for_it(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    vouching = ssl.create_default_context(cafile=str(chain.certificate))
    pins = [OTHER]
    with serving(served, chain) as server:
        point = HttpPoint(server.url, tls=vouching, pins=lambda: pins)
        answer = point.read(PATH, limit_bytes=100)
        assert answer is not None and answer.content == b"signed"
        with pytest.raises(UnavailableError, match="not one of those that the site has named"):
            point.put(ITEM, b"sealed")
        assert served.asked == ["GET"], "no byte of an upload left this machine"
        assert point.unpinned == pin and not point.certificate
        pins[:] = [OTHER, pin]  # as signed settings teach it, between two requests of one pass
        point.put(ITEM, b"sealed")
        assert served.asked == ["GET", "PUT"] and not point.unpinned
        pins[:] = [OTHER]
        with pytest.raises(UnavailableError, match="not one of those"):
            point.put(f"ddr.box/{'1' * 32}", b"sealed")
        assert served.asked == ["GET", "PUT"], "a kept connection is judged at each upload"
        point.close()


def test_without_pins_the_cas_decide_on_what_is_sent_and_keep_nobody_from_reading(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    trust = ssl.create_default_context(cafile=str(chain.certificate))
    with serving(served, chain) as server, serving(served, chain, host="127.0.0.2") as misnamed:
        for stranger in (HttpPoint(server.url), HttpPoint(misnamed.url, tls=trust)):
            with pytest.raises(UnavailableError, match="no CA of this system knows its certificate"):
                stranger.put(ITEM, b"sealed")
            answer = stranger.read(PATH, limit_bytes=100)
            assert answer is not None and answer.content == b"signed"
            with pytest.raises(UnavailableError, match="no CA of this system knows its certificate"):
                stranger.put(ITEM, b"sealed")
            assert stranger.unpinned == pin and not stranger.certificate
            stranger.close()
        assert served.asked == ["GET", "GET"]
        vouched = HttpPoint(server.url, tls=trust)
        vouched.put(ITEM, b"sealed")
        assert served.asked[2:] == ["PUT"] and not vouched.unpinned and not vouched.certificate
        vouched.close()


def test_a_ca_is_not_enough_once_pins_are_known_even_over_a_kept_connection(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    pins: list[str] = []
    with serving(served, chain) as server:
        point = HttpPoint(server.url, tls=ssl.create_default_context(cafile=str(chain.certificate)), pins=lambda: pins)
        assert point.read(PATH, limit_bytes=100)
        pins[:] = [OTHER]
        with pytest.raises(UnavailableError, match="not one of those that the site has named"):
            point.put(ITEM, b"sealed")
        assert served.asked == ["GET"] and point.unpinned == pin
        point.close()


def test_pins_that_are_withdrawn_leave_no_unchecked_connection_that_takes_uploads(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    pins = [pin]
    with serving(served, chain) as server:
        point = HttpPoint(server.url, pins=lambda: pins)
        assert point.read(PATH, limit_bytes=100)
        pins.clear()
        for _ in range(2):
            with pytest.raises(UnavailableError, match="no CA of this system knows its certificate"):
                point.put(ITEM, b"sealed")
        assert served.asked == ["GET"]
        point.close()


def test_a_connection_that_was_begun_for_pins_and_begins_anew_without_them_asks_the_cas(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    pins = [pin]
    with serving(served, chain) as server:
        place = urlsplit(server.url)
        pool = PinnedPool(lambda: pins, Seen(), str(place.hostname), place.port)
        connection = pool._new_conn()
        connection.request("GET", f"/cap/{PATH}")
        connection.getresponse().read()
        connection.close()
        pins.clear()
        with pytest.raises(UnpinnedError):
            connection.request("PUT", f"/cap/{ITEM}", b"sealed")
        connection.close()
        assert served.asked == ["GET"]


@pytest.mark.parametrize("is_exact", [True, False])
def test_the_command_line_reads_content_at_a_site_that_no_ca_of_the_system_knows(
    served: Served, tmp_path: Path, is_exact: bool
) -> None:
    chain, _ = made(tmp_path / "site")
    with serving(served, chain) as server:
        rest = Rest(Access(f"{server.url}/cap", "token", certificate=str(chain.certificate), is_exact=is_exact))
        with pytest.raises(AbsentError):
            rest.distribution_point().read("manifests/none", limit_bytes=100)
        assert served.asked == ["GET"]


def test_the_command_line_tells_its_token_to_the_certificate_in_the_site_s_folder_and_to_no_other(
    served: Served, tmp_path: Path
) -> None:
    chain, _ = made(tmp_path / "site")
    other, _ = made(tmp_path / "other")
    with serving(served, other) as server:
        for is_exact in (True, False):
            with pytest.raises(UnavailableError, match="cannot be reached"):
                Rest(Access(server.url, "token", certificate=str(chain.certificate), is_exact=is_exact)).get("/site")
        with pytest.raises(UnavailableError, match="cannot be reached"):
            Rest(Access(server.url, "token")).get("/site")
    assert served.asked == []


def test_who_only_asks_takes_the_certificate_that_was_seen_and_no_other(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    with serving(served, chain) as server:
        point = HttpPoint(server.url, pins=lambda: (pin,))
        answer = point.read(PATH, limit_bytes=100)
        assert answer is not None
        url = f"{server.url}/{PATH}"
        assert is_unchanged(url, answer.tag, point.certificate)
        assert not is_unchanged(url, '"another"', point.certificate)
        asked = len(served.asked)
        assert not is_unchanged(url, answer.tag, "0" * 64)
        assert not is_unchanged(url, answer.tag), "no CA vouches for it"
        assert len(served.asked) == asked, "nobody was told what is held here"
        point.close()


def test_a_running_server_shows_another_certificate_to_whoever_comes_next(served: Served, tmp_path: Path) -> None:
    first, pin = made(tmp_path / "one")
    second, next_pin = made(tmp_path / "two")
    with serving(served, first) as server:
        kept = HttpPoint(server.url, pins=lambda: (pin,))
        assert kept.read(PATH, limit_bytes=100)
        with pytest.raises(OSError, match=r"(?i)key"):
            server.show(Chain(second.certificate, first.key))
        assert shown_at(server.url) == pin, "what cannot be used changes nothing"
        server.show(second)
        assert shown_at(server.url) == next_pin
        assert kept.read(PATH, limit_bytes=100), "who is connected stays so"
        kept.close()


def test_a_certificate_with_a_key_of_another_kind_takes_the_place_of_the_one_before(served: Served, tmp_path: Path) -> None:
    own, pin = made(tmp_path / "own")
    given, given_pin = made_with_rsa(tmp_path / "given")
    with serving(served, own) as server:
        for chain, expected in ((given, given_pin), (own, pin)):
            server.show(chain)
            assert shown_at(server.url) == expected, "to a client that can do both kinds"


def made_with_rsa(folder: Path) -> tuple[Chain, str]:
    """A certificate from elsewhere, with an RSA key as most have. Shape: with it the pin of its key."""
    folder.mkdir()
    key = rsa.generate_private_key(65537, 2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.example")]), datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    given = Chain(folder / "site.pem", folder / "site.key")
    given.certificate.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    given.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return given, certificates.pin_at(given.certificate)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused_on_both_sides(served: Served, tmp_path: Path) -> None:
    chain, pin = made(tmp_path / "site")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with serving(served, chain) as server:
        place = urlsplit(server.url)
        with socket.create_connection((str(place.hostname), int(place.port or 0)), 10) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain)
    with old_server(chain) as url, pytest.raises(UnavailableError, match=r"(?i)ssl|tls"):
        HttpPoint(url, pins=lambda: (pin,)).read(PATH, limit_bytes=100)


@contextmanager
def old_server(chain: Chain) -> Iterator[str]:
    """A server that can do TLS 1.1 and nothing newer."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.load_cert_chain(*chain)
    tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    def answer() -> None:
        plain, _ = listener.accept()
        with plain, pytest.raises((ssl.SSLError, OSError)):
            tls.wrap_socket(plain, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_change_of_keys_loses_nobody_and_a_man_in_the_middle_gets_nothing(installation: Installation, tmp_path: Path) -> None:
    site = installation
    site.purveyor("site", "certificate", "make", "--name", "site.example")
    site.kill()
    site.start()
    assert site.url.startswith("https://")
    site.until("the pins are published", lambda: bool(listed(site)["announced_at"]))
    site.join("anna", "ben")
    until_heard(site, "anna", "ben")
    first = listed(site)

    site.purveyor("site", "certificate", "rotate")
    site.until("the next key is shown", lambda: shown_at(site.url) == first["next_pin"])
    assert sent_by(site, "anna") >= 1, "it knew the key before it came into use"
    site.until("anna alone has heard of the third key", lambda: bool(site.pass_of("anna")) and listed(site)["unheard"] == 1)
    early = site.call("site", "certificate", "rotate")
    assert early.code == 1 and "1 of 2 members" in early.err, early
    second = listed(site)
    site.purveyor("site", "certificate", "rotate", "--force")
    site.until("the third key is shown", lambda: shown_at(site.url) == second["next_pin"])
    assert shown_at(site.url) not in (first["pin"], first["next_pin"]), "ben was off, and knows only those"
    assert sent_by(site, "ben") >= 1, "he read what is signed, learned the new pins from it, and then reported"
    until_heard(site, "anna", "ben")

    site.kill()
    chain, _ = made(tmp_path / "stranger")
    boxes = Served(site.site / "CAP_S01")
    with serving(boxes, chain, port=int(urlsplit(f"https://{site.listen}").port or 0)):
        site.until("anna has something to tell", lambda: bool(site.pass_of("anna")) and "GET" in boxes.asked)
        passed = json.loads(site.call("client", "run", "--once", "--json", "--state", str(site.state("anna"))).out)
        assert passed["access_point"] and passed["sent"] == 0, passed
        assert any(one["status"] == 10140 for one in passed["problems"])
        checked = site.call("client", "check", "--state", str(site.state("anna")))
        assert checked.code == 2 and "which the site has not named" in checked.out
        assert "PUT" not in boxes.asked
    site.start()
    assert sent_by(site, "anna") >= 1
    site.until("it is told", lambda: "10140" in site.purveyor("status", "messages", "--json"))


def test_a_site_that_goes_from_http_to_https_keeps_its_clients(installation: Installation) -> None:
    site = installation
    site.join("anna")
    site.purveyor("site", "certificate", "make")
    site.kill()
    site.start()
    assert "1 member know an http:// address alone" in (site.folder / "site.log").read_text()
    site.kill()
    (site.site / "https").rename(site.folder / "https")

    site.start()
    place = f"https://{site.listen}"
    site.purveyor("point", "edit", "cap1", "--url", f"{place}/cap")
    site.purveyor("point", "edit", "dp1", "--url", f"{place}/dp")
    site.until("anna has heard", lambda: place in passed_by(site, "anna"))
    site.kill()
    (site.folder / "https").rename(site.site / "https")
    site.start()
    site.until("the pins are published", lambda: bool(listed(site)["announced_at"]))

    def is_told() -> bool:
        passed = json.loads(passed_by(site, "anna"))
        return bool(passed["access_point"] == f"{place}/cap" and passed["sent"] >= 1)

    site.until("anna reports where the site is now", is_told)


def passed_by(site: Installation, name: str) -> str:
    """What one pass of a client says of itself, as JSON."""
    return site.call("client", "run", "--once", "--json", "--state", str(site.state(name))).out


def listed(site: Installation) -> dict[str, object]:
    return dict(site.asked("site", "certificate", "list"))


def sent_by(site: Installation, name: str) -> int:
    """Reports that a CAP took in one pass."""
    ended = site.call("client", "run", "--once", "--json", "--state", str(site.state(name)))
    assert ended.code == 0, ended
    return int(json.loads(ended.out)["sent"])


def until_heard(site: Installation, *names: str) -> None:
    """Lets clients make passes until the site has heard that all of them know the next key."""
    site.until("all have heard", lambda: bool([site.pass_of(name) for name in names]) and listed(site)["unheard"] == 0)
