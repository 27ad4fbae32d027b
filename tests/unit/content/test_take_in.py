"""Taking a source in, from the real file system: it is the file system's corners that matter here."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from purveyor.content import source as source_module
from purveyor.content.take_in import Progress, TakenIn, take_in
from purveyor.wire.errors import RefusedError
from purveyor.wire.manifest import decode, hash_of

NOBODY = 65534


def write(path: Path, content: bytes = b"content", *, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refusal(source: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        take_in(source, pause=lambda seconds: None)
    return str(caught.value)


def bytes_of(taken: TakenIn) -> dict[str, bytes]:
    return {file.path: b"".join(taken.open(file)) for file in taken.manifest.files}


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user for whom the rights of files count; who already is one stays so."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that others than its owner can reach, unlike the usual one of a test."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_folder_becomes_its_tree(tmp_path: Path) -> None:
    write(tmp_path / "b/run.sh", b"#!/bin/sh\n", mode=0o755)
    write(tmp_path / "a.txt", b"")
    (tmp_path / "b/link").symlink_to("../a.txt")
    (tmp_path / "empty/inner").mkdir(parents=True)
    taken = take_in(tmp_path)
    assert [(file.path, file.is_executable, file.size_bytes) for file in taken.manifest.files] == [
        ("a.txt", False, 0),
        ("b/run.sh", True, 10),
    ]
    assert [(link.path, link.target) for link in taken.manifest.links] == [("b/link", "../a.txt")]
    assert taken.manifest.folders == ("empty/inner",)
    assert bytes_of(taken) == {"a.txt": b"", "b/run.sh": b"#!/bin/sh\n"}


def test_bytes_of_the_manifest_are_its_name_and_can_be_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a")
    taken = take_in(tmp_path)
    assert taken.sha256 == hash_of(taken.content)
    assert decode(taken.content) == taken.manifest


def test_equal_trees_are_equal_bytes(tmp_path: Path) -> None:
    for folder, names, time in (("one", "abc", 1), ("two", "cba", 2_000_000_000)):
        for name in names:
            os.utime(write(tmp_path / folder / name / "f", name.encode(), mode=0o600 if time == 1 else 0o664), (time, time))
    assert take_in(tmp_path / "one").content == take_in(tmp_path / "two").content


@pytest.mark.parametrize("change", ["content", "mode", "name", "link", "folder"])
def test_each_difference_that_matters_gives_another_hash(tmp_path: Path, change: str) -> None:
    file = write(tmp_path / "a")
    before = take_in(tmp_path).sha256
    match change:
        case "content":
            file.write_bytes(b"contenT")
        case "mode":
            file.chmod(0o744)
        case "name":
            file.rename(tmp_path / "b")
        case "link":
            (tmp_path / "l").symlink_to("a")
        case "folder":
            (tmp_path / "empty").mkdir()
    assert take_in(tmp_path).sha256 != before


def test_single_file_is_a_tree_of_one(tmp_path: Path) -> None:
    write(tmp_path / "setup 1.sh", b"#!", mode=0o755)
    write(tmp_path / "not this")
    taken = take_in(tmp_path / "setup 1.sh")
    assert [(file.path, file.is_executable) for file in taken.manifest.files] == [("setup 1.sh", True)]
    assert bytes_of(taken) == {"setup 1.sh": b"#!"}


def test_source_named_by_a_link_is_what_the_link_names(tmp_path: Path) -> None:
    write(tmp_path / "v2/a")
    (tmp_path / "current").symlink_to("v2")
    (tmp_path / "latest.deb").symlink_to("v2/a")
    assert take_in(tmp_path / "current").sha256 == take_in(tmp_path / "v2").sha256
    assert bytes_of(take_in(tmp_path / "latest.deb")) == {"latest.deb": b"content"}


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quote'\"`",
        "new\nline",
        "100%",
        "%2e%2e",
        "ünï\N{SNOWMAN}",
        "-rf",
        "a\\b",
        "x" * 255,
        "é" * 127,
        "~",
        "$(id)",
        "\x01\x7f",
    ],
)
def test_unusual_names_are_kept(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / name, name.encode())
    assert bytes_of(take_in(tmp_path)) == {f"{name}/{name}": name.encode()}


def test_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as stream:
        stream.truncate(50 * 2**20)
    taken = take_in(tmp_path)
    assert max(len(piece) for piece in taken.open(taken.manifest.files[0])) <= 2**20
    assert taken.manifest.size_bytes == 50 * 2**20


def test_two_hard_links_are_two_files_of_one_digest(tmp_path: Path) -> None:
    os.link(write(tmp_path / "a"), tmp_path / "b")
    first, second = take_in(tmp_path).manifest.files
    assert first.sha256 == second.sha256


# --- what is refused ---


def test_missing_source_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none")
    assert "null byte" in refusal(Path("a\0b"))


def test_empty_source_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "only/folders").mkdir(parents=True)
    assert "holds no files; leave the source out for a package without content" in refusal(tmp_path)


def test_root_of_the_file_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("/")
    assert "root of a file system" in refusal(Path("/"))
    assert "root of a file system" in refusal(tmp_path / "root")


def test_device_as_a_source_is_refused() -> None:
    assert "a device" in refusal(Path("/dev/null"))


def test_pipes_and_sockets_are_refused_by_name_without_waiting_for_them(tmp_path: Path) -> None:
    write(tmp_path / "a")
    os.mkfifo(tmp_path / "queue")
    assert "'queue' is a pipe" in refusal(tmp_path)
    (tmp_path / "queue").unlink()
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("talk")
    finally:
        os.chdir(here)
    assert "'talk' is a socket" in refusal(tmp_path)


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "inner/../../outside", "inner/../.."])
def test_links_out_of_the_tree_are_refused_by_name(tmp_path: Path, target: str) -> None:
    write(tmp_path / "source/inner/a")
    (tmp_path / "source/way out").symlink_to(target)
    assert "'way out'" in refusal(tmp_path / "source")


def test_link_that_leads_out_through_another_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "source/p/q/a")
    (tmp_path / "source/p/q/up").symlink_to("../..")
    (tmp_path / "source/p/q/out").symlink_to("up/../secret")
    assert "'p/q/out'" in refusal(tmp_path / "source")


def test_links_in_a_loop_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "file")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "loop" in refusal(tmp_path)
    (tmp_path / "self").symlink_to("self")
    assert "cannot be read" in refusal(tmp_path / "self")


def test_link_to_a_folder_is_kept_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "lib/a")
    (tmp_path / "lib/again").symlink_to(".")
    (tmp_path / "lib64").symlink_to("lib")
    taken = take_in(tmp_path)
    assert [file.path for file in taken.manifest.files] == ["lib/a"]
    assert [(link.path, link.target) for link in taken.manifest.links] == [("lib/again", "."), ("lib64", "lib")]


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / os.fsdecode(b"l\xe4ngst")).write_bytes(b"")
    message = refusal(tmp_path)
    assert "not UTF-8" in message
    assert "ngst" in message
    message.encode()


def test_link_target_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "l").symlink_to(os.fsdecode(b"\xff"))
    assert "'l'" in refusal(tmp_path)


def test_names_that_differ_only_by_case_or_composition_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one/Setup")
    write(tmp_path / "one/setup")
    message = refusal(tmp_path / "one")
    assert "differ only by case" in message
    assert "'Setup'" in message
    assert "'setup'" in message
    write(tmp_path / "two/\N{LATIN SMALL LETTER A WITH DIAERESIS}")
    write(tmp_path / "two/a\N{COMBINING DIAERESIS}")
    assert "composed" in refusal(tmp_path / "two")


def test_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    opened = [here]
    for _ in range(16):
        os.mkdir("d" * 200, dir_fd=opened[-1])
        opened.append(os.open("d" * 200, os.O_RDONLY, dir_fd=opened[-1]))
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=opened[-1]))
    for descriptor in opened:
        os.close(descriptor)
    assert "longer than 3000 bytes" in refusal(tmp_path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "ENTRY_LIMIT", 3)
    for name in "abc":
        write(tmp_path / name)
    take_in(tmp_path)
    write(tmp_path / "d")
    assert "more than 3 files" in refusal(tmp_path)


def test_unreadable_file_is_refused_by_name(public_folder: Path) -> None:
    write(public_folder / "a")
    write(public_folder / "secret key", mode=0o000)
    with without_rights():
        assert "'secret key' cannot be read: Permission denied" in refusal(public_folder)


def test_unreadable_folder_is_refused_by_name(public_folder: Path) -> None:
    write(public_folder / "a")
    write(public_folder / "closed/b")
    (public_folder / "closed").chmod(0o000)
    with without_rights():
        assert "'closed' cannot be read: Permission denied" in refusal(public_folder)
    (public_folder / "closed").chmod(0o755)


# --- a source that does not keep still (Q207416) ---


def test_file_that_changes_once_is_read_again(tmp_path: Path) -> None:
    file = write(tmp_path / "log", b"one")
    pauses: list[float] = []

    def grow_once(progress: Progress) -> None:
        if not pauses and file.read_bytes() == b"one":
            file.write_bytes(b"one two")

    taken = take_in(tmp_path, on_progress=grow_once, pause=pauses.append)
    assert bytes_of(taken) == {"log": b"one two"}
    assert len(pauses) == 1


def test_file_that_never_keeps_still_is_refused_by_name_after_three_more_attempts(tmp_path: Path) -> None:
    write(tmp_path / "quiet")
    file = write(tmp_path / "busy log", b"x")
    pauses: list[float] = []

    def grow(progress: Progress) -> None:
        with open(file, "ab") as stream:
            stream.write(b"x")

    with pytest.raises(RefusedError, match="'busy log' changes while it is read"):
        take_in(tmp_path, on_progress=grow, pause=pauses.append)
    assert pauses == [1.0, 2.0, 3.0]


def test_file_that_appears_while_others_are_read_belongs_to_the_tree(tmp_path: Path) -> None:
    write(tmp_path / "a")

    def add(progress: Progress) -> None:
        if not (tmp_path / "late").exists():
            write(tmp_path / "late/b")

    assert [file.path for file in take_in(tmp_path, on_progress=add, pause=lambda seconds: None).manifest.files] == [
        "a",
        "late/b",
    ]


def test_file_that_vanishes_while_others_are_read_does_not(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")

    def drop(progress: Progress) -> None:
        if progress.file_count == 2:
            (tmp_path / "a").unlink(missing_ok=True)

    assert [file.path for file in take_in(tmp_path, on_progress=drop, pause=lambda seconds: None).manifest.files] == ["b"]


def test_source_that_vanishes_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "source/a")

    def drop(progress: Progress) -> None:
        file.unlink(missing_ok=True)
        (tmp_path / "source").rmdir() if (tmp_path / "source").exists() else None

    with pytest.raises(RefusedError, match="vanished"):
        take_in(tmp_path / "source", on_progress=drop, pause=lambda seconds: None)


@pytest.mark.parametrize("now", [b"contenT", b"cont", b"content and more", None])
def test_file_that_changed_before_it_is_sent_is_refused_by_name_and_never_sent_whole(tmp_path: Path, now: bytes | None) -> None:
    file = write(tmp_path / "a b")
    status = file.stat()
    taken = take_in(tmp_path)
    if now is None:
        file.unlink()
    else:
        file.write_bytes(now)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    sent: list[bytes] = []
    with pytest.raises(RefusedError, match="'a b' changed"):
        sent.extend(taken.open(taken.manifest.files[0]))
    assert sum(len(piece) for piece in sent) < len(b"content")


def test_file_replaced_by_a_pipe_does_not_hang(tmp_path: Path) -> None:
    file = write(tmp_path / "a")
    taken = take_in(tmp_path)
    file.unlink()
    os.mkfifo(file)
    outcome: list[BaseException] = []

    def read() -> None:
        try:
            list(taken.open(taken.manifest.files[0]))
        except RefusedError as error:
            outcome.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout=10)
    assert outcome


def test_progress_ends_with_everything_read(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / f"{number}", b"x" * number)
    seen: list[Progress] = []
    take_in(tmp_path, on_progress=seen.append)
    assert seen[-1] == Progress(file_count=20, total_file_count=20, read_bytes=190, total_bytes=190)
    assert [step.read_bytes for step in seen] == sorted(step.read_bytes for step in seen)
