"""A courier who names the wrong place is told so. (Folders are what a courier carries: these tests use real ones.)"""

import io
from collections.abc import Mapping
from pathlib import Path

from purveyor.cli.main import carry_out
from purveyor.cli.output import Output


def said(*words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit code of a command, and what it told people."""
    output = Output(stdout=io.StringIO(), stderr=io.StringIO(), stdin=io.StringIO())
    code = carry_out(("courier", *words), environment=environment or {}, output=output)
    assert isinstance(output.stderr, io.StringIO)
    return code, output.stderr.getvalue()


def test_reports_of_a_folder_that_is_no_copy_are_not_said_to_be_none(tmp_path: Path) -> None:
    code, words = said("reports", "export", str(tmp_path / "mistyped"), str(tmp_path / "stick"))
    assert code == 1 and "mistyped is no copy of a CAP" in words
    assert not list(tmp_path.iterdir())


def test_the_site_is_known_by_the_environment_as_in_other_commands(tmp_path: Path) -> None:
    code, words = said("export", str(tmp_path / "stick"), environment={"PURVEYOR_SITE_DIR": str(tmp_path / "site")})
    assert code == 1 and f"{tmp_path / 'site'} holds no site" in words
    assert said("export", str(tmp_path / "stick"))[0] == 2
