"""Access keys in files: what is read, and that nothing of it is ever shown."""

from pathlib import Path

import pytest

from purveyor.transport.s3.credentials import Credentials, credentials_in, read_credentials
from purveyor.wire.errors import RejectedError, UnavailableError

AWS = """
# written by a tool
[other]
aws_access_key_id = OTHER
aws_secret_access_key = other-secret

[default]
aws_access_key_id=KEY
aws_secret_access_key = se/cr+et=
region = eu-central-1
"""


def test_the_file_of_other_tools_is_read() -> None:
    assert credentials_in(AWS) == Credentials("KEY", "se/cr+et=")
    assert credentials_in(AWS, profile="other") == Credentials("OTHER", "other-secret")


def test_lines_as_for_an_environment_are_read() -> None:
    text = "export AWS_ACCESS_KEY_ID=KEY\nAWS_SECRET_ACCESS_KEY='secret'\nsession_token=\"token\"\n"
    assert credentials_in(text) == Credentials("KEY", "secret", "token")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the-secret",
        "access_key_id=KEY",
        "secret_access_key=the-secret",
        "access_key_id=KEY\nsecret_access_key=",
        "access_key_id=KEY\nsecret_access_key=the-secret with a gap",
        "access_key_id=KEY\nsecret_access_key=the-secret\u00fc",
        "[another]\naccess_key_id=KEY\nsecret_access_key=the-secret",
        f"access_key_id=KEY\nsecret_access_key=the-secret{'x' * 5000}",
    ],
)
def test_what_holds_no_key_is_rejected_without_repeating_any_of_it(text: str) -> None:
    with pytest.raises(RejectedError) as caught:
        credentials_in(text)
    assert "the-secret" not in str(caught.value)


def test_a_key_shows_its_id_alone() -> None:
    assert repr(Credentials("KEY", "secret", "token")) == "Credentials(access_key_id='KEY')"


def test_a_file_that_others_can_read_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(AWS)
    path.chmod(0o640)
    with pytest.raises(RejectedError, match="chmod 600"):
        read_credentials(path)
    path.chmod(0o600)
    assert read_credentials(path).access_key_id == "KEY"


def test_a_file_that_is_absent_or_far_too_large_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        read_credentials(tmp_path / "nothing")
    path = tmp_path / "key"
    path.write_bytes(b"x" * 100_000)
    path.chmod(0o600)
    with pytest.raises(RejectedError, match="too large"):
        read_credentials(path)
