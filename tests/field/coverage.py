"""Which field scenarios the tests of this folder cover: by the numbers of articles in the names of tests."""

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
_ARTICLE = re.compile(r"q(\d{6})")


class Scenario(NamedTuple):
    """One failure recorded in the field. `articles` are numbers such as `Q293187`; the first is how the row is known."""

    articles: tuple[str, ...]
    area: str
    invariant: str
    priority: int

    @property
    def id(self) -> str:
        """The row's name, as it is written in the table."""
        return "+".join(self.articles)


def scenarios() -> list[Scenario]:
    """All rows of `scenarios.tsv`."""
    return [
        Scenario(tuple(row["id"].split("+")), row["area"], row["invariant"], int(row["priority"]))
        for row in _rows("scenarios.tsv")
    ]


def not_applicable() -> dict[str, str]:
    """Why a row cannot apply here, by its id."""
    return {row["id"]: row["reason"] for row in _rows("not_applicable.tsv")}


def articles_tested() -> set[str]:
    """The articles that tests of this folder are named by."""
    return {
        f"Q{number}"
        for path in FOLDER.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for number in _ARTICLE.findall(node.name)
    }


def missing(wanted: Iterable[Scenario]) -> list[Scenario]:
    """Those that are neither tested nor listed as not applicable; a row of several articles is tested by any of them."""
    tested, excused = articles_tested(), not_applicable()
    return [one for one in wanted if one.id not in excused and not tested & set(one.articles)]


def table() -> str:
    """Coverage by area and priority, for people."""
    everything = scenarios()
    open_ids = {one.id for one in missing(everything)}
    counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for one in everything:
        counts[one.area, one.priority][0] += one.id not in open_ids
        counts[one.area, one.priority][1] += 1
    lines = [f"{area:14} {priority}  {done:3} of {total:3}" for (area, priority), (done, total) in sorted(counts.items())]
    covered = len(everything) - len(open_ids)
    return "\n".join(["area           priority", *lines, f"in all            {covered:3} of {len(everything):3}"])


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
