"""What commands of the system say when they are asked: with nothing to read, in one language, and for a limited time."""

import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from purveyor.client.machine.interface import LANGUAGE, SEARCH_PATH
from purveyor.wire.errors import UnavailableError

ANSWER_SECONDS = 10.0
ENVIRONMENT = {"PATH": SEARCH_PATH, "LANG": LANGUAGE}
_OUTPUT_LIMIT = 1_000_000


class Answer(NamedTuple):
    """How a command ended, and what it printed."""

    exit_code: int
    output: str


def asked(words: Sequence[str], *, seconds: float = ANSWER_SECONDS) -> Answer:
    """Asks a command of the system. Errors: UnavailableError when it is not there or does not answer in time."""
    try:
        ended = subprocess.run(
            words,
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{words[0]} cannot be asked: {error}") from error
    return Answer(ended.returncode, ended.stdout[:_OUTPUT_LIMIT].decode(errors="replace"))


def is_installed(command: str) -> bool:
    """Whether the system has a command."""
    return shutil.which(command, path=SEARCH_PATH) is not None
