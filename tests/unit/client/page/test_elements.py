"""Pages as values: whatever text goes in, text comes out, and nothing else."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.page.elements import document, shown, tag, written

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "\u202etxt.exe",
    "a\0b\x1b[31m",
    "\ud800",
    "]]><!--",
)
texts = st.one_of(st.sampled_from(HOSTILE), st.text(), st.text(alphabet="<>&\"'=/ !-abc\n"))


class Seen(HTMLParser):
    """What a reader of HTML finds: the elements with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment came out: {data}")


@given(texts)
def test_text_comes_out_as_text_and_nothing_else(text: str) -> None:
    seen = Seen(written(tag("p", text)))
    assert (seen.elements, seen.text) == ([("p", {})], shown(text))


@given(texts, texts)
def test_an_attribute_holds_its_value_and_ends_where_it_ends(text: str, other: str) -> None:
    seen = Seen(written(tag("input", type="hidden", name=text, value=other)))
    assert seen.elements == [("input", {"type": "hidden", "name": shown(text), "value": shown(other)})]
    assert seen.text == ""


@given(texts)
def test_a_page_is_always_text_that_can_be_sent(text: str) -> None:
    content = document(tag("html", tag("title", text), lang="en")).decode()
    assert content.startswith("<!doctype html>\n<html")
    assert "\0" not in content


@pytest.mark.parametrize("name", ["script", "style", "iframe", "object", "svg", "img", "base", "math", "P", ""])
def test_what_could_run_or_embed_is_no_element_of_a_page(name: str) -> None:
    with pytest.raises(ValueError, match="no element"):
        tag(name)


@pytest.mark.parametrize("name", ["onclick", "style", "src", "srcdoc", "formaction", "target", "ping"])
def test_what_could_run_or_reach_out_is_no_attribute_of_a_page(name: str) -> None:
    with pytest.raises(ValueError, match="no attribute"):
        tag("p", **{name: "x"})


@pytest.mark.parametrize(
    "target", ["//other.example/", "http://other.example/", "javascript:alert(1)", "", "x", "/\\other", "data:,"]
)
def test_a_link_leads_to_this_page_alone(target: str) -> None:
    with pytest.raises(ValueError, match="leads away"):
        tag("a", "there", href=target)


def test_flags_are_bare_and_what_is_not_so_is_left_out() -> None:
    assert written(tag("input", type="text", required=True, disabled=False, id=None)) == '<input type="text" required="">'


def test_children_may_be_nested_in_lists_and_may_be_nothing() -> None:
    assert written(tag("ul", None, [tag("li", "a"), [tag("li", "b")]])) == "<ul><li>a</li><li>b</li></ul>"


def test_what_turns_the_direction_of_reading_is_shown_as_such() -> None:
    assert "\u202e" not in written(tag("p", "harmless\u202efdp.exe"))


def test_right_to_left_text_itself_is_kept() -> None:
    assert written("שלום") == "שלום"
