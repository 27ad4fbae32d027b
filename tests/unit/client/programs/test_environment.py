"""Variables in commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.programs.launch.environment import UndefinedVariableError, expanded, expanded_command
from purveyor.wire.package_info import Command

VARIABLES = {"A": "one", "B_2": "two $A", "PURVEYOR_CONTENT": "/a b"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$A", "one"),
        ("${A}b", "oneb"),
        ("x$A-$B_2", "xone-two $A"),
        ("$$A", "$A"),
        ("$$$A", "$one"),
        ("cost: 5$", "cost: 5$"),
        ("$(date) $1 $ x", "$(date) $1 $ x"),
        ("100%", "100%"),
        ("$PURVEYOR_CONTENT/x", "/a b/x"),
    ],
)
def test_names_are_replaced_once_and_everything_else_stays(text: str, result: str) -> None:
    assert expanded(text, VARIABLES) == result


@pytest.mark.parametrize(
    ("text", "named"), [("$NOPE", "NOPE"), ("${NOPE}", "NOPE"), ("$Ab", "Ab"), ("${A", "${"), ("${A-b}", "${")]
)
def test_an_undefined_variable_is_named(text: str, named: str) -> None:
    with pytest.raises(UndefinedVariableError, match="dollar sign") as raised:
        expanded(text, VARIABLES)
    assert named in str(raised.value)


@given(st.text(max_size=50))
def test_any_text_can_be_said_with_doubled_dollar_signs(text: str) -> None:
    assert expanded(text.replace("$", "$$"), {}) == text


def test_words_stay_words_and_a_line_is_left_to_the_shell() -> None:
    assert expanded_command(Command(argv=("$PURVEYOR_CONTENT/x", "$A b")), VARIABLES).argv == ("/a b/x", "one b")
    assert expanded_command(Command(shell_line="echo $NOPE"), VARIABLES).shell_line == "echo $NOPE"
