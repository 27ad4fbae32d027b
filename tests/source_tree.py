"""The code base as data: its modules, parsed once, for tests of the code base about itself."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "purveyor"


@dataclass(frozen=True)
class Module:
    """One source file. Shape: `name` is relative to the package, with dots: `site_server.publish.turn`."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    def lies_in(self, *places: str) -> bool:
        """Whether this is one of these modules or lies below one."""
        return any(self.name == place or self.name.startswith(f"{place}.") for place in places)

    def nodes(self, kind: type[Node]) -> Iterator[Node]:
        """All nodes of a kind."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kind))

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Where a node stands, for people."""
        return f"{self.path.relative_to(ROOT)}:{node.lineno}"


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        text = path.read_text()
        found.append(Module(path, name, text, ast.parse(text)))
    return tuple(found)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository; without version control, every file that no tool made."""
    asked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0:
        return tuple(path for name in asked.stdout.split("\0") if name and (path := ROOT / name).is_file())
    made = {".venv", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "dist", "build"}
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.parts))


def words_of(name: str) -> set[str]:
    """The words that a name is made of, in lower case."""
    words = []
    for part in name.split("_"):
        start = 0
        for place in range(1, len(part)):
            if part[place].isupper() and not part[place - 1].isupper():
                words.append(part[start:place])
                start = place
        words.append(part[start:])
    return {word.lower() for word in words if word}
