"""How a command line becomes words."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.site_server.model.command_line import command_of, split, warnings_about
from purveyor.wire.errors import RefusedError
from purveyor.wire.package_info import Command


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sh install.sh", ["sh", "install.sh"]),
        ('msiexec /i "a b.msi" /qn', ["msiexec", "/i", "a b.msi", "/qn"]),
        ("  spaces \t around  ", ["spaces", "around"]),
        ("'one' \"\" ''", ["one", "", ""]),
        ("jo'in'\"ed\"", ["joined"]),
        (r"a\ b c\"d", ["a b", 'c"d']),
        (r'"\a \" \\"', [r"\a " + '" \\']),
        ("'it'\\''s'", ["it's"]),
        ("one\\\ntwo", ["onetwo"]),
        ("'a | b && c > d' \"x; y\"", ["a | b && c > d", "x; y"]),
        (r"a\|b", ["a|b"]),
        ("naïve ordner/größe", ["naïve", "ordner/größe"]),
    ],
)
def test_a_line_is_split_as_posix_says(line: str, words: list[str]) -> None:
    assert split(line) == words


@given(st.lists(st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"])), min_size=1))
def test_words_that_were_quoted_come_back(words: list[str]) -> None:
    assert split(shlex.join(words)) == words


@given(st.text(st.characters(exclude_characters="$`|&;<>()\n\r\f\v\0\x1c\x1d\x1e\x1f\x85\xa0#", exclude_categories=["Cs", "Zs"])))
def test_a_line_without_a_shells_words_is_split_as_the_standard_library_does(line: str) -> None:
    try:
        expected = shlex.split(line)
    except ValueError:
        with pytest.raises(RefusedError):
            split(line)
    else:
        assert split(line) == expected


def test_variables_stay_in_the_words_for_the_client() -> None:
    assert split('$HOME "${PURVEYOR_CONTENT}/setup"') == ["$HOME", "${PURVEYOR_CONTENT}/setup"]


@pytest.mark.parametrize("line", ["'$HOME'", r"\$HOME", r'"\$HOME"'])
def test_a_dollar_sign_that_stands_for_itself_is_doubled(line: str) -> None:
    assert split(line) == ["$$HOME"]


@pytest.mark.parametrize("line", ["echo ${}", "echo ${HOME:-x}", "echo ${HOME", "echo $$${1}"])
def test_a_brace_that_names_no_variable_is_refused(line: str) -> None:
    with pytest.raises(RefusedError, match="names no variable"):
        command_of(line)


@pytest.mark.parametrize(
    "line", ["a | b", "a && b", "a; b", "a > f", "a < f", "`a`", "$(a)", '"$(a)"', '"`a`"', "a &", "(a)", "a\nb"]
)
def test_what_only_a_shell_can_do_is_refused_with_the_way_out(line: str) -> None:
    with pytest.raises(RefusedError, match="mark the command as a shell line"):
        command_of(line)
    assert command_of(line, is_shell=True) == Command(shell_line=line)


@pytest.mark.parametrize("line", ["", "   ", '""', "'open", '"open', "a \\", "x" * 9000, "a\0b"])
def test_a_line_that_starts_nothing_is_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        command_of(line)


@pytest.mark.parametrize("words", [(), ("",), ("x",) * 501, ("a", "b\0")])
def test_words_that_start_nothing_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(RefusedError):
        command_of(words)


def test_words_are_taken_as_they_are() -> None:
    assert command_of(["a b", "|", "", "*"]) == Command(argv=("a b", "|", "", "*"))


@pytest.mark.parametrize(
    "line",
    [
        "setup --password hunter2",
        "setup /PASSWORD=abc",
        "setup DB_PASSWD=abc",
        "curl https://joe:abc@host/file",
        'setup "api-key: abc"',
        "setup --token 'abc'",
    ],
)
def test_a_line_that_looks_as_if_it_carried_a_password_gives_a_warning(line: str) -> None:
    assert any("password" in warning for warning in warnings_about(line))
    assert any("password" in warning for warning in warnings_about(line, is_shell=True))


@pytest.mark.parametrize(
    "line", ["setup --password $PW", "setup PASSWORD=$PW", "passwd -l root", "setup --token-file /etc/t", "setup --password"]
)
def test_a_password_that_is_taken_from_elsewhere_gives_none(line: str) -> None:
    assert warnings_about(line) == ()


def test_a_doubled_sign_before_a_brace_is_no_variable() -> None:
    assert command_of("echo '${HOME:-x}'") == Command(argv=("echo", "$${HOME:-x}"))


def test_a_windows_path_outside_quotes_gives_a_warning_and_one_inside_none() -> None:
    assert "backslash" in warnings_about(r"C:\Temp\setup.exe /s")[0]
    assert warnings_about(r"'C:\Temp\setup.exe' /s") == ()
    assert warnings_about(r"C:\Temp\setup.exe", is_shell=True) == ()


def test_a_pattern_that_no_shell_will_replace_gives_a_warning() -> None:
    assert "passed on as they are" in warnings_about("rm *.txt")[0]
    assert warnings_about("grep '*.txt'") == ()
