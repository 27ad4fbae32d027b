"""Private keys in a folder: each file for its owner alone, known by what is in it, gone when it is destroyed."""

from pathlib import Path

import pytest

from purveyor.site_server.keys import (
    ROLES,
    KeyName,
    Keyring,
    id_of,
    make_keys,
    open_keyring,
    path_in,
    read_key,
    save_keys,
    write_key,
)
from purveyor.wire.errors import RefusedError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The keys of a new site."""
    save_keys(make_keys(), tmp_path / "keys")
    return tmp_path / "keys"


def test_every_role_has_a_file_that_its_owner_alone_can_read(folder: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {name.role for name in open_keyring(folder).names()} == set(ROLES)


def test_a_new_key_lies_beside_the_old_one_until_that_is_destroyed(folder: Path) -> None:
    keyring = open_keyring(folder)
    [old] = [name for name in keyring.names() if name.role == "packages"]
    public = keyring.make("packages")
    assert len(open_keyring(folder).names()) == len(ROLES) + 1
    keyring.forget([old, KeyName("packages", "0" * 16)])
    [new] = [name for name in open_keyring(folder).names() if name.role == "packages"]
    key = keyring.find(new)
    assert keyring.find(old) is None
    assert key is not None and key.public_key().public_bytes_raw() == public
    assert path_in(folder, new).stat().st_mode & 0o777 == 0o600


def test_a_keyring_never_shows_a_private_half(folder: Path) -> None:
    keyring = open_keyring(folder)
    private = [key.private_bytes_raw().hex() for name in keyring.names() if (key := keyring.find(name))]
    assert not any(one in repr(keyring) for one in private)


def test_a_key_under_a_passphrase_is_read_with_it_alone(tmp_path: Path) -> None:
    key = make_keys().signing["root"]
    write_key(tmp_path / "root.key", key, b"correct horse")
    assert id_of(read_key(tmp_path / "root.key", b"correct horse")) == id_of(key)
    for passphrase, why in ((None, "--passphrase-file"), (b"wrong", "passphrase is another one")):
        with pytest.raises(RefusedError, match=why):
            read_key(tmp_path / "root.key", passphrase)
    with pytest.raises(RefusedError, match="cannot be written"):
        write_key(tmp_path / "root.key", key)


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused_by_name(folder: Path, content: bytes) -> None:
    (folder / "root-x.key").write_bytes(content)
    with pytest.raises(RefusedError, match=r"root-x\.key"):
        open_keyring(folder)


def test_a_key_of_the_wrong_kind_and_a_folder_that_opens_nothing_are_refused(folder: Path) -> None:
    for path in folder.glob("sealing-*"):
        path.rename(folder / "root-swapped.key")
    with pytest.raises(RefusedError, match="the kind that its name says"):
        open_keyring(folder)
    (folder / "root-swapped.key").unlink()
    with pytest.raises(RefusedError, match="holds no sealing key"):
        open_keyring(folder)


def test_keys_in_memory_touch_no_disk() -> None:
    keyring = Keyring()
    keyring.make("sealing")
    keyring.reload()
    assert len(keyring.sealing) == 1
