"""Join codes: what is written is read back, in any case; what is damaged is rejected."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.wire import join_code
from purveyor.wire.errors import RejectedError
from purveyor.wire.join_code import JoinCode
from wire_values import sites

secrets = st.binary(min_size=join_code.SECRET_BYTES, max_size=join_code.SECRET_BYTES).map(join_code.secret_of)
pins = st.just("") | st.binary(min_size=32, max_size=32).map(lambda digest: base64.b64encode(digest).decode())
codes = st.builds(JoinCode, sites, st.integers(1, 10**6), st.binary(min_size=32, max_size=32), secrets, pins)


@given(codes)
def test_a_code_reads_back_in_any_case(code: JoinCode) -> None:
    written = join_code.write(code)
    assert join_code.read(f" {written.lower()}\n") == code
    assert written.replace("-", "").isalnum()
    assert written.count("-") == (4 if code.pin else 3), "a site without a certificate makes codes that older agents read"


@given(st.text() | st.builds("-".join, st.lists(st.text("AZ27=- é"), min_size=4, max_size=5)))
def test_any_text_is_a_code_or_is_rejected(text: str) -> None:
    try:
        code = join_code.read(text)
    except RejectedError:
        return
    assert len(code.root_sha256) == 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-30],
        lambda text: text.replace("-", "", 1),
        lambda text: text.replace("-1-", "-x-"),
        lambda text: text.replace("-1-", "-²-"),
        lambda text: "?" + text[1:],
        lambda text: text.rpartition("-")[0] + "-",
        lambda text: text[:8] + "1" + text[9:],
    ],
)
def test_a_damaged_code_is_rejected(spoil) -> None:  # noqa: ANN001 - one of the lambdas above
    written = join_code.write(JoinCode(join_code.site_code("S01"), 1, bytes(32), "ABCDEFGHIJKLMNOP"))
    with pytest.raises(RejectedError):
        join_code.read(spoil(written))


def test_an_error_does_not_show_the_secret() -> None:
    with pytest.raises(RejectedError) as caught:
        join_code.read("S01-1-DAMAGED1-TOPSECRETTOPSECR")
    assert "TOPSECRET" not in str(caught.value)


def test_a_site_stores_no_secret() -> None:
    secret = join_code.secret_of(bytes(10))
    assert secret not in join_code.secret_digest(secret)
    assert join_code.secret_digest(secret.lower()) == join_code.secret_digest(secret)
    assert join_code.secret_digest(secret) != join_code.secret_digest(join_code.secret_of(bytes(9) + b"\1"))
