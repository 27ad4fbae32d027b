"""House style that can be counted: words that say nothing, files and functions that are too long."""

import ast

import pytest

from source_tree import ROOT, Module, modules, words_of

EMPTY_WORDS = frozenset(
    [
        "manager",
        "handler",
        "processor",
        "helper",
        "helpers",
        "util",
        "utils",
        "common",
        "base",
        "misc",
        "data",
        "info",
        "do",
        "process",
        "temp",
    ]
)
ALLOWED = {
    "package_info": "the file of a package, `.pkg`, lies in `pkginfo.box`",
    "PackageInfo": "what that file holds",
    "process_bind_param": "the name that SQLAlchemy calls",
    "process_result_value": "the name that SQLAlchemy calls",
    "data_received": "the name that asyncio calls",
}
FILE_LINES = 450
FUNCTION_LINES = 70
LONG_BY_NATURE = {
    "site_server.database.migrations.versions.0001_first": "one statement for each table, written once and never changed",
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(module: Module) -> list[Definition]:
    """Functions, methods and classes of a module."""
    return [node for node in module.nodes(ast.AST) if isinstance(node, Definition)]


def test_no_name_is_made_of_words_that_say_nothing() -> None:
    found = [
        f"{module.name}: {name}"
        for module in modules()
        for name in [module.name.rpartition(".")[2], *(node.name for node in definitions(module))]
        if name not in ALLOWED and words_of(name) & EMPTY_WORDS
    ]
    assert found == []


def test_a_file_is_one_idea() -> None:
    lines = {module.name: module.text.count("\n") for module in modules() if module.name not in LONG_BY_NATURE}
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    found = [
        f"{module.at(node)} {node.name}: {lines} lines"
        for module in modules()
        if module.name not in LONG_BY_NATURE
        for node in definitions(module)
        if not isinstance(node, ast.ClassDef) and (lines := (node.end_lineno or 0) - node.lineno) > FUNCTION_LINES
    ]
    assert found == []


def test_a_module_with_code_says_what_it_is_for() -> None:
    assert [module.name for module in modules() if module.tree.body and not ast.get_docstring(module.tree)] == []


def test_every_folder_of_tests_of_a_part_has_that_part() -> None:
    for folder in (ROOT / "tests" / "unit").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert (ROOT / "src" / "purveyor" / folder.name).is_dir(), f"tests/unit/{folder.name} mirrors nothing"


@pytest.mark.parametrize("name", ["handle_request", "RequestHandler", "base", "DataStore", "tempFolder"])
def test_words_are_found_however_a_name_is_written(name: str) -> None:
    found = words_of(name) & (EMPTY_WORDS | {"handle"})
    assert found


@pytest.mark.parametrize("name", ["database", "information", "based_on", "processed", "domain", "temperature"])
def test_longer_words_are_words_of_their_own(name: str) -> None:
    assert not words_of(name) & EMPTY_WORDS
