"""The pages about the command line, the benches and the code: what they name is there, and what they print can be pasted."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from purveyor.cli.arguments.tree import command_tree
from purveyor.cli.document import commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted(
    page for page in (ROOT / "docs").rglob("*.md") if page.name != "cli.md"
)
COMMANDS = {parser.prog: parser for parser in commands(command_tree())}
PAGE = pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])

_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4,}.*\n+)+")
_COMMAND = re.compile(r"^ *(?:\$ |ExecStart=|[\d*]+(?: [\d*]+){4} +\w+ +)?(purveyor [a-z].*)", re.MULTILINE)
_INLINE = re.compile(r"`(purveyor (?!(?:sealed|item) 1 )[a-z][^`\n]*)`")
"""Not the first lines of items, which begin with this word too."""
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_BENCH = re.compile(r"python -m bench\.([a-z]\w+)")
_PATH = re.compile(r"`((?:tests|src|docs|tools|bench)/[\w./-]+)`")
_REDIRECTION = re.compile(r"\d?[<>|].*")


@PAGE
def test_every_command_that_a_page_prints_can_be_pasted(page: Path) -> None:
    for words in _printed(page.read_text(encoding="utf-8")):
        command_tree(words).parse_args(words)


@PAGE
def test_every_command_and_option_that_a_page_names_is_there(page: Path) -> None:
    for words in _named(page.read_text(encoding="utf-8")):
        name = _command_of(words)
        assert name, f"there is no command {words}"
        known = COMMANDS[name].format_help() if name in COMMANDS else ""
        assert [word for word in words if word.startswith("--") and f"{word} " not in known.replace(",", " ")] == [], words


@PAGE
def test_every_file_and_bench_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [link for link in _LINK.findall(text) if not (page.parent / link).exists()] == []
    assert [path for path in _PATH.findall(text) if not (ROOT / path).exists()] == []
    assert [name for name in _BENCH.findall(text) if not (ROOT / "bench" / f"{name}.py").exists()] == []


def _printed(text: str) -> Iterator[list[str]]:
    """The words of each command in a block, without what a shell does with them."""
    for block in (*_FENCE.findall(text), *_INDENTED.findall(_FENCE.sub("", text))):
        for line in _COMMAND.findall(re.sub(r"\\\n\s*", " ", block)):
            for part in line.split(" && "):
                words = shlex.split(part, comments=True)
                ends = next((at for at, word in enumerate(words) if _REDIRECTION.fullmatch(word)), len(words))
                yield words[1:ends]


def _named(text: str) -> Iterator[list[str]]:
    for line in _INLINE.findall(text):
        yield shlex.split(line)[1:]


def _command_of(words: list[str]) -> str:
    """The command or noun with which these words begin; of `drain|remove` the last. Empty: there is none."""
    names = [""]
    for word in words:
        longer = [f"{names[-1]} {choice}".strip() for choice in word.split("|")]
        there = [name for name in longer if any(f"{known} ".startswith(f"purveyor {name} ") for known in COMMANDS)]
        if len(there) < len(longer):
            is_noun = f"purveyor {names[-1]}" not in COMMANDS
            return "" if is_noun and word != "…" and not word.startswith("-") else f"purveyor {names[-1]}"
        names.append(there[-1])
    return f"purveyor {names[-1]}"
