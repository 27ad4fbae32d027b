"""The story in the lab's page is true."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "lab.md"


def test_the_story_on_the_labs_page_runs_as_it_is_written() -> None:
    stories = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(stories) == 1
    exec(compile(stories[0], str(PAGE), "exec"), {})


def test_every_word_of_the_page_is_one_of_the_lab() -> None:
    sources = "".join(path.read_text() for path in (PAGE.parents[1] / "src/purveyor/lab").glob("*.py"))
    page = PAGE.read_text()
    words = set(re.findall(r"`(?:fleet|cap|machine|client)(?:\.\w+)*\.(\w+)", page)) | set(re.findall(r"\| `(\w+)\(", page))
    unknown = sorted(word for word in words if not re.search(rf"\b(?:def|class) {word}\b|self\.{word}\b|    {word}:", sources))
    assert unknown == []
