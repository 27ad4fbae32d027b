"""The repository about itself: reasons beside dependencies and rules, pages that tell the truth, no trace of its origin."""

import re
import tomllib

import pytest

from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.settings_meanings import MEANINGS as MEANINGS_OF_SETTINGS
from purveyor.wire.status_messages import MEANINGS, StatusId
from source_tree import ROOT, modules, tracked_files
from write_settings import page as settings_page
from write_status_messages import page

PYPROJECT = (ROOT / "pyproject.toml").read_text()
SETTINGS = tomllib.loads(PYPROJECT)
OWN_WORDS = tuple("".join(parts) for parts in (("TO", "DO"), ("FIX", "ME"), ("XX", "X:")))
REGISTRIES = ("py" + "pi.org", "python" + "hosted", "npm" + "js.", "deb." + "debian.org", "crates" + ".io")
SAYS_WHY = re.compile(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]) *(-+|#) +\S")
BUILD_PATHS = ("/wo" + "rk/", "/op" + "t/py" + "pi", "/home/" + "runner")


def text_of(name: str) -> str:
    """A file of the repository."""
    return (ROOT / name).read_text()


def dependencies() -> list[str]:
    """Everything that the project asks for."""
    project = SETTINGS["project"]
    extras = [one for group in project["optional-dependencies"].values() for one in group]
    return [*project["dependencies"], *extras, *SETTINGS["dependency-groups"]["dev"]]


@pytest.mark.parametrize("dependency", dependencies())
def test_every_dependency_has_a_reason_beside_it(dependency: str) -> None:
    [line] = [line for line in PYPROJECT.splitlines() if line.strip().startswith(f'"{dependency}"')]
    assert re.search(r'",\s+# \S+', line), f"why {dependency}?"


@pytest.mark.parametrize("dependency", dependencies())
def test_every_dependency_is_locked_with_hashes(dependency: str) -> None:
    match = re.match(r"[A-Za-z0-9._-]+", dependency)
    assert match is not None
    name = match.group().lower()
    locked = re.search(
        rf"^{re.escape(name)}(\[\w+\])?==\S+.*\\\n    --hash=sha256:[0-9a-f]{{64}}", text_of("requirements.lock"), re.MULTILINE
    )
    assert locked, f"`make lock` was not run since {name} came in"


def test_every_import_rule_has_a_reason_above_its_name() -> None:
    contracts = SETTINGS["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        assert re.search(rf'id = "{contract["id"]}"\n# \w', PYPROJECT), contract["id"]


def test_every_rule_that_is_switched_off_has_a_reason() -> None:
    for rule in SETTINGS["tool"]["ruff"]["lint"]["ignore"]:
        assert re.search(rf'"{rule}",\s+# \S', PYPROJECT), rule


def test_every_exception_to_a_rule_in_the_code_says_why() -> None:
    bare = [
        f"{module.path.relative_to(ROOT)}:{number}: {line.strip()}"
        for module in modules()
        for number, line in enumerate(module.text.splitlines(), start=1)
        if re.search(r"# (noqa|type: ignore)", line) and not SAYS_WHY.search(line)
    ]
    assert bare == []


def test_every_status_message_has_a_meaning_and_somebody_who_tells_it() -> None:
    assert set(MEANINGS) == set(StatusId)
    code = "".join(module.text for module in modules() if module.name != "wire.status_messages")
    assert [status.name for status in StatusId if not re.search(rf"StatusId\.{status.name}\b", code)] == []


def test_the_page_of_status_messages_is_that_of_the_code() -> None:
    assert text_of("docs/status-messages.md") == page(), "`make docs` writes it anew"


def test_the_page_of_settings_is_that_of_the_code() -> None:
    assert set(MEANINGS_OF_SETTINGS) == set(SiteSettings.__struct_fields__)
    assert text_of("docs/settings.md") == settings_page(), "`make docs` writes it anew"


def test_the_changelog_says_what_is_unreleased() -> None:
    assert re.search(r"^## \[Unreleased\]\n\n### (Added|Changed|Fixed)\n\n- ", text_of("CHANGELOG.md"), re.MULTILINE)


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "Makefile", ".ci/run", "requirements.lock"]
)
def test_what_a_newcomer_looks_for_is_there(name: str) -> None:
    assert text_of(name).strip()


def test_nothing_in_the_repository_names_a_registry_or_the_machine_it_was_made_on() -> None:
    found = []
    for path in tracked_files():
        if path.suffix in (".png", ".ico", ".woff2", ".gz") or path.stat().st_size > 5_000_000:
            continue
        text = path.read_text(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in (*REGISTRIES, *BUILD_PATHS) if word in text]
    assert found == []


def test_nothing_is_left_to_do_in_the_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        if path.suffix in (".py", ".sh", ".toml") or path.name == "Makefile"
        for word in OWN_WORDS
        if word in path.read_text()
    ]
    assert found == []


def test_files_are_not_enormous() -> None:
    assert [path.name for path in tracked_files() if path.stat().st_size > 1_000_000] == []


def test_unit_tests_never_wait() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests" / "unit").rglob("*.py")
        if re.search(r"time\.sleep\(|asyncio\.sleep\(|unittest\.mock|MagicMock", path.read_text())
    ]
    assert found == []


def test_a_tests_name_is_a_sentence() -> None:
    short = [
        f"{path.name}: {name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
        if name.count("_") < 3
    ]
    assert short == []
