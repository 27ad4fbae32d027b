"""The command line is what its help says, and its documentation is its help."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from purveyor.cli.arguments.tree import command_tree
from purveyor.cli.document import commands, document
from purveyor.cli.main import command_named

COMMANDS = {parser.prog: parser for parser in commands(command_tree())}
HELP_SECONDS = 0.3
LIGHT = (
    "fastapi",
    "sqlalchemy",
    "urllib3",
    "tuf",
    "cryptography",
    "msgspec",
    "purveyor.site_server",
    "purveyor.client",
    "purveyor.console",
)


def test_the_documentation_of_the_command_line_is_up_to_date() -> None:
    written = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == document(), "make it anew: python -m purveyor.cli.document > docs/cli.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_its_exit_codes(command: str) -> None:
    text = COMMANDS[command].format_help()
    example = text.partition("Example")[2]
    assert f"  {command}" in example.partition("Exit codes:")[0]
    assert all(f"\n  {code}  " in text.partition("Exit codes:")[2] for code in (0, 1, 2, 3))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_function_that_carries_it_out(command: str) -> None:
    assert callable(command_named(COMMANDS[command].get_default("run")))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_can_be_read(command: str) -> None:
    """An example that the parser itself refuses would be a lie."""
    for line in COMMANDS[command].format_help().partition("Example")[2].splitlines()[1:]:
        if line.startswith("  purveyor ") and not line.startswith("  purveyor cap"):
            words = shlex.split(line.strip())[1:]
            assert command_tree(words).parse_args(words).run == COMMANDS[command].get_default("run")


def test_help_imports_nothing_heavy() -> None:
    lines = (
        "import sys",
        "from purveyor.cli.main import main",
        "sys.argv[1:] = ['--help']",
        "main()",
        "sys.stderr.write(' '.join(sys.modules))",
    )
    ended = subprocess.run([sys.executable, "-c", "; ".join(lines)], capture_output=True, text=True, check=True)
    loaded = set(ended.stderr.split())
    assert not [name for name in LIGHT if name in loaded]


def test_help_costs_less_than_the_third_of_a_second() -> None:
    """Processor time, which a busy machine does not change much; `bench/` measures what a person waits."""

    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "purveyor.cli", "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < HELP_SECONDS


def test_shared_options_stand_before_the_noun_or_after_the_verb() -> None:
    for words in (["--site", "http://x", "--json", "package", "list"], ["package", "list", "--json", "--site", "http://x"]):
        options = command_tree().parse_args(words)
        assert (options.site, options.is_json) == ("http://x", True)
    both = command_tree().parse_args(["--site", "http://x", "package", "list", "--site", "http://y"])
    assert both.site == "http://y"


def test_options_cannot_be_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_tree().parse_args(["package", "add", "--nam", "x"])
    capsys.readouterr()
