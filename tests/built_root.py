"""A file system with the files that a system writes about who is logged on, built for a test."""

import struct
from collections.abc import Sequence
from pathlib import Path

from purveyor.client.machine.system_commands import Answer
from purveyor.wire.errors import UnavailableError

UPTIME_TICKS = 100
"""When leaders of sessions began: a second after the machine's start."""


class Root:
    """A root folder under construction."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: str | bytes) -> None:
        """A file of the system."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def runs(self, pid: int, *, started_ticks: int = UPTIME_TICKS, state: str = "S") -> None:
        """A process, as its `stat` shows it, with a name that is made to mislead."""
        fields = [state, "1", str(pid), str(pid), *["0"] * 15, str(started_ticks), *["0"] * 20]
        self.write(f"proc/{pid}/stat", f"{pid} (a) S (b)) {' '.join(fields)}\n")

    def logs_on(self, name: str, user: str, leader: int = 0, **fields: str) -> None:
        """A session as logind writes it; its leader runs."""
        leader = leader or 1000 + len(name) + sum(map(ord, name))
        self.runs(leader)
        self.write("run/systemd/seats/seat0", "IS_SEAT0=1\n")
        written = {
            "UID": "1000",
            "USER": user,
            "ACTIVE": "1",
            "STATE": "active",
            "REMOTE": "0",
            "TYPE": "tty",
            "CLASS": "user",
            "SCOPE": f"session-{name}.scope",
            "LEADER": str(leader),
            "REALTIME": "1767604496789012",
            "MONOTONIC": "5000000",
            **fields,
        }
        lines = [f"{key}={value}" for key, value in written.items() if value != "-"]
        self.write(f"run/systemd/sessions/{name}", "# This is private data. Do not parse.\n" + "\n".join(lines) + "\n")

    def utmp(self, *entries: tuple[int, int, str, str, int], is_long: bool = False) -> None:
        """A utmp file. Shape of an entry: kind, pid, line, user, seconds."""
        form = "=hxxi32s4s32s256shhqqq16s20sxxxx" if is_long else "=hxxi32s4s32s256shhiii16s20s"
        packed = [
            struct.pack(form, kind, pid, line.encode(), b"id", user.encode(), b"", 0, 0, 0, seconds, 0, b"", b"")
            for kind, pid, line, user, seconds in entries
        ]
        self.write("run/utmp", b"".join(packed))


class Asked:
    """Answers for commands, by their first words; what has no answer is not installed."""

    def __init__(self, **answers: str | int | None) -> None:
        self.answers = {words.replace("_", " "): answer for words, answer in answers.items()}
        self.count = 0

    def say(self, words: str, answer: str | int | None) -> None:
        """What a command answers: its output, an exit code, or None when it hangs."""
        self.answers[words] = answer

    def __call__(self, words: Sequence[str]) -> Answer:
        self.count += 1
        line = " ".join(words)
        for start in sorted(self.answers, key=len, reverse=True):
            if line == start or line.startswith(f"{start} "):
                answer = self.answers[start]
                if answer is None:
                    raise UnavailableError(f"{words[0]} cannot be asked: it did not answer in time")
                return Answer(answer, "") if isinstance(answer, int) else Answer(0, answer)
        raise UnavailableError(f"{words[0]} cannot be asked: it is not there")
