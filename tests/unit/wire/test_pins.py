"""Pins: the key of every certificate is found where the standard says it lies, and nothing else passes for a pin."""

import base64
import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import pins
from purveyor.wire.errors import RejectedError

NOW = datetime(2026, 12, 1, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
KEYS: list[Key] = [
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
]


def certificate(key: Key, name: str, serial: int) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder(subject, subject, key.public_key(), serial, NOW, NOW + timedelta(days=1))
    return built.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()).public_bytes(Encoding.DER)


@given(st.sampled_from(KEYS), st.text("aé", min_size=1, max_size=32), st.integers(1, 2**150))
def test_the_pin_of_a_certificate_is_that_of_its_key(key: Key, name: str, serial: int) -> None:
    info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expected = base64.b64encode(hashlib.sha256(info).digest()).decode()
    assert pins.pin_of_certificate(certificate(key, name, serial)) == pins.pin_of_key(info) == expected


@given(st.binary(max_size=400))
def test_what_is_no_certificate_is_rejected(content: bytes) -> None:
    with pytest.raises(RejectedError):
        pins.pin_of_certificate(content)


WHOLE = certificate(KEYS[1], "site.example", 7)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_certificate_that_was_cut_or_bent_is_rejected_or_has_some_pin(at: int, sign: int) -> None:
    with pytest.raises(RejectedError):
        pins.pin_of_certificate(WHOLE[:at])
    with suppress(RejectedError):
        assert pins.is_pin(pins.pin_of_certificate(WHOLE[:at] + bytes([sign]) + WHOLE[at + 1 :]))


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["{}", "sha256/{}", "sha256//{}", 'pin-sha256="{}"', " {}\n"]))
def test_a_pin_is_read_as_people_write_it(digest: bytes, form: str) -> None:
    pin = base64.b64encode(digest).decode()
    assert pins.pin_in(form.format(pin)) == pin


@given(st.text() | st.binary(max_size=40).filter(lambda one: len(one) != 32).map(lambda one: base64.b64encode(one).decode()))
def test_any_other_text_is_no_pin(text: str) -> None:
    if not pins.is_pin(text.strip()):
        assert not pins.is_pin(text)
        with pytest.raises(RejectedError):
            pins.pin_in(text)


def test_a_pin_has_one_form() -> None:
    pin = base64.b64encode(bytes(32)).decode()
    assert pins.is_pin(pin)
    for other in (pin[:-2] + "B=", pin.rstrip("="), pin + "=", pin.replace("A", "_", 1), f" {pin}"):
        assert not pins.is_pin(other), other
