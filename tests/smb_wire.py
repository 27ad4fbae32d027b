"""What clients asked of a share, as it went over the wire: captured by tshark on the server's port, decrypted, decoded.

Nothing of Purveyor is asked: a counter of ours could be wrong with what it counts.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARTING_SECONDS = 20.0
SUCCESS = 0
ABSENT = frozenset({0xC0000034, 0xC000003A, 0xC000000F})
"""STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_NO_SUCH_FILE."""
_OPEN, _SEARCH = "5", "14"
_REQUESTS = f"smb2.cmd == {_OPEN} || smb2.cmd == {_SEARCH}"
_HANDLE = "GUID handle"
_SEALED = "smb2.header.transform.signature && !smb2.cmd"


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One request for a file, and what the server answered to it.

    It opens or makes the file (SMB2 CREATE), or searches a folder for its name (SMB2 QUERY_DIRECTORY), as the article's did.
    """

    frame: int
    share: str
    path: str
    is_search: bool
    status: int

    def __str__(self) -> str:
        return f"{self.frame:>6}  {self.share}  {self.path}  0x{self.status:08x}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a capture holds. `sealed` counts packets that could not be decrypted: what is in them is not known."""

    requests: list[FileRequest]
    unanswered: list[str]
    sealed: int

    @property
    def absent(self) -> list[FileRequest]:
        """Requests for files that were not there."""
        return [one for one in self.requests if one.status in ABSENT]

    def naming(self, text: str) -> list[FileRequest]:
        """Requests whose path holds a text."""
        return [one for one in self.requests if text in one.path]


@contextmanager
def capturing(port: int, file: Path) -> Iterator[None]:
    """Captures everything that goes to and from a loopback port into a file."""
    told = file.with_suffix(".log")
    with told.open("wb") as log:
        words = ["tshark", "-q", "-i", "lo", "-B", "128", "-f", f"tcp port {port}", "-w", str(file)]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while "Capturing" not in told.read_text() or not file.exists():
            assert process.poll() is None, told.read_text()
            assert time.monotonic() < deadline, "tshark did not begin"
            time.sleep(0.05)
        yield
        size = -1
        while size != file.stat().st_size:  # it writes what it saw a moment later
            size = file.stat().st_size
            time.sleep(1)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STARTING_SECONDS)


def requests_in(file: Path, *, port: int, password: str) -> Seen:
    """Every request for a file in a capture, with its answer."""
    words = ["tshark", "-r", str(file), "-d", f"tcp.port=={port},nbss", "-o", f"ntlmssp.nt_password:{password}"]
    words += ["-Y", f"{_REQUESTS} || ({_SEALED})", "-T", "json", "--no-duplicate-keys", "-J", "frame tcp smb2"]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    asked: dict[tuple[str, str, str], tuple[int, str, str, bool]] = {}
    requests: list[FileRequest] = []
    sealed = 0
    for packet in json.loads(told):
        layers = packet["_source"]["layers"]
        frame, stream = int(layers["frame"]["frame.number"]), str(layers["tcp"]["tcp.stream"])
        messages = list(_messages(layers["smb2"]))
        sealed += not messages
        for message in messages:
            header = message["SMB2 Header"]
            if header["smb2.cmd"] not in (_OPEN, _SEARCH):
                continue
            key = (stream, header["smb2.sesid"], header["smb2.msg_id"])
            if header["smb2.flags_tree"]["smb2.flags.response"] == "0":
                is_search = header["smb2.cmd"] == _SEARCH
                path = _searched(message) if is_search else _opened(message)
                asked[key] = (frame, header["smb2.tid_tree"]["smb2.tree"].rpartition("\\")[2], path, is_search)
            else:
                requests.append(FileRequest(*asked.pop(key), int(header["smb2.nt_status"], 16)))
    return Seen(sorted(requests, key=lambda one: one.frame), [path for _, _, path, _ in asked.values()], sealed)


def _opened(message: dict[str, Any]) -> str:
    request = next(value for name, value in message.items() if name.startswith("Create Request"))
    return str(request["smb2.filename"])


def _searched(message: dict[str, Any]) -> str:
    request = next(value for name, value in message.items() if name.startswith("Find Request"))
    handle = next(name for name in request if name.startswith(_HANDLE))  # tshark names the folder that it was opened as
    folder = handle.removeprefix(_HANDLE).removeprefix(" File: ")
    return f"{folder}\\{request['smb2.find.pattern']}"


def _messages(found: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON of any shape
    """The SMB messages in what tshark says of a packet, several where they went together."""
    if isinstance(found, list):
        for one in found:
            yield from _messages(one)
    elif isinstance(found, dict):
        if "smb2.cmd" in found.get("SMB2 Header", {}):
            yield found
        for one in found.values():
            yield from _messages(one)
