"""Where things may stand: SQL, clocks, the environment, broad `except`, boxes; and that importing does nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from purveyor.wire.boxes import BOXES, DOWN_BOXES, UP_BOXES
from source_tree import PACKAGE, Module, modules

SQL = re.compile(
    r"\s*(select|insert|update|delete|create|drop|alter)\b.*\b(from|into|set|table|index)\b", re.IGNORECASE | re.DOTALL
)
READS_THE_ENVIRONMENT = {
    "cli.main": "the command line's main",
    "cli.demo": "starts the roles as processes, with an environment of their own",
    "client.main": "the client's main",
    "client.sentinel": "the sentinel's own main, on the standard library alone",
    "site_server.main": "the site's main",
}
READS_A_CLOCK = {
    "cli": "people's commands: `in 7 days` from now, waiting for what was started",
    "console": "the door of the running site",
    "client.main": "the client's main",
    "client.conformance": "a main of its own",
    "client.running": "waits between passes",
    "client.sentinel": "waits",
    "client.machine": "the real machine is the clock",
    "lab.stories.commands": "people's commands: how fast stories are told",
    "site_server.site": "the one clock that a running site shares",
}
CATCHES_EVERYTHING = {
    "cli.main": "`main`",
    "console.errors": "a request",
    "site_server.executive": "a turn",
    "lab.stories.telling": "a story: what falls over in it is what it is told for",
    "site_server.rounds": "a turn at one point, in a thread of its own",
}


def strings(module: Module) -> list[ast.Constant]:
    """Text in a module that is no docstring."""
    docstrings = {id(node.value) for node in module.nodes(ast.Expr)}
    return [node for node in module.nodes(ast.Constant) if isinstance(node.value, str) and id(node) not in docstrings]


# --- SQL ---


def test_sql_of_the_site_stands_in_its_database_folder_alone() -> None:
    found = [
        module.at(node)
        for module in modules()
        if module.lies_in("site_server", "console", "cli", "content", "transport", "wire")
        and not module.lies_in("site_server.database")
        for node in strings(module)
        if isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert found == []


def test_outside_of_it_a_connection_is_all_that_is_known_of_the_database() -> None:
    found = [
        f"{module.at(node)} {alias.name}"
        for module in modules()
        if not module.lies_in("site_server.database")
        for node in module.nodes(ast.ImportFrom)
        if (node.module or "").split(".")[0] in ("sqlalchemy", "alembic", "psycopg")
        for alias in node.names
        if alias.name != "Connection"
    ]
    assert found == []


def test_statements_of_the_site_take_their_transaction_first() -> None:
    found = [
        f"{module.at(node)} {node.name}"
        for module in modules()
        if module.lies_in("site_server.database")
        and not module.lies_in("site_server.database.migrations", "site_server.database.engine")
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if "tx" in [argument.arg for argument in node.args.args + node.args.kwonlyargs] and node.args.args[0].arg != "tx"
    ]
    assert found == []


def test_the_state_of_a_client_is_opened_in_one_place() -> None:
    importing = {
        module.name for module in modules() for node in module.nodes(ast.Import) if "sqlite3" in [one.name for one in node.names]
    }
    assert importing == {"client.state.store", "lab.state", "site_server.database.engine"}


# --- clocks, the environment, errors ---


def called(node: ast.Call) -> str:
    """What is called, as it is written."""
    return ast.unparse(node.func)


def test_only_a_main_looks_at_the_environment() -> None:
    found = [
        module.at(node)
        for module in modules()
        if module.name not in READS_THE_ENVIRONMENT
        for node in module.nodes(ast.Attribute)
        if ast.unparse(node) in ("os.environ", "os.getenv", "os.environb")
    ]
    assert found == []


def test_the_clock_is_a_parameter() -> None:
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic", "time.sleep"}
    found = [
        module.at(node)
        for module in modules()
        if not module.lies_in(*READS_A_CLOCK)
        for node in module.nodes(ast.Call)
        if called(node) in clocks
    ]
    assert found == []


def test_randomness_is_a_parameter_in_the_client_and_the_wire() -> None:
    found = [
        f"{module.at(node)}"
        for module in modules()
        if module.lies_in("wire", "client", "content", "site_server.publish", "site_server.receive", "site_server.model")
        and not module.lies_in("client.machine")
        for node in module.nodes(ast.Import)
        if {"random", "secrets", "uuid"} & {alias.name for alias in node.names}
    ]
    assert found == []


def test_broad_except_stands_at_the_three_borders_alone() -> None:
    found = {
        module.name
        for module in modules()
        for node in module.nodes(ast.ExceptHandler)
        if node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
        if not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
    }
    assert found <= set(CATCHES_EVERYTHING), "and each says which border it is"


def test_every_border_that_is_listed_stands() -> None:
    names = {module.name for module in modules()}
    for listed in (CATCHES_EVERYTHING, READS_A_CLOCK):
        assert set(listed) <= names


# --- boxes ---


def test_every_box_is_written_and_read_by_a_part_that_stands() -> None:
    names = {module.name for module in modules()}
    for box in BOXES:
        assert {box.writer, box.reader} <= names


def mentioned_boxes(*places: str) -> set[str]:
    """The boxes that the text of these parts names."""
    found = set()
    for module in modules():
        if module.lies_in(*places):
            for node in strings(module):
                found |= {box.name for box in BOXES if box.name in str(node.value)}
    return found


def test_publish_names_no_up_box_and_receive_no_down_box() -> None:
    assert not mentioned_boxes("site_server.publish") & {box.name for box in UP_BOXES}
    assert not mentioned_boxes("site_server.receive") & {box.name for box in DOWN_BOXES}


def callers(method: str, *places: str, of: str) -> set[str]:
    """The modules below these places that call a method of something with this name."""
    return {
        module.name
        for module in modules()
        if module.lies_in(*places)
        for node in module.nodes(ast.Attribute)
        if node.attr == method and ast.unparse(node.value).rpartition(".")[2] == of
    }


def test_a_client_puts_items_into_boxes_in_one_place() -> None:
    assert callers("put", "client", of="point") == {"client.reports"}


def test_down_boxes_are_written_by_publish_alone() -> None:
    writers = callers("write", "site_server", "console", of="cap") | callers("replace", "site_server", "console", of="cap")
    assert writers
    assert all(name.startswith("site_server.publish.") for name in writers)


def test_up_boxes_are_read_by_receive_alone() -> None:
    knowing = {
        module.name
        for module in modules()
        if module.lies_in("site_server")
        for node in module.nodes(ast.ImportFrom)
        if "UP_BOXES" in [alias.name for alias in node.names]
    }
    assert knowing - {"site_server.site"} == {"site_server.receive.reading"}, "one makes the folders, the other reads them"


# --- importing ---

IMPORT_ALL = """
import importlib, pkgutil, sys
import purveyor

ours = sys.argv[1]
found = []
ACTS = ("socket.", "subprocess.", "sqlite3.", "os.system", "os.mkdir", "os.remove", "os.rename", "os.fork", "os.exec",
        "os.putenv", "os.chdir", "shutil.", "_thread.start_new_thread", "http.", "urllib.")

def watch(event, arguments):
    if event != "open" and not event.startswith(ACTS):
        return
    is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    is_act = event.startswith(ACTS) and event not in ("socket.gethostname", "socket.__new__")
    if is_write and str(arguments[0]).endswith((".pyc", ".pyc.tmp")) or ".pyc." in str(arguments[0]):
        return
    try:
        frame = sys._getframe(1)
    except ValueError:
        frame = None
    while frame is not None and frame.f_code.co_filename.startswith("<frozen"):
        frame = frame.f_back
    if event == "socket.bind" and frame is not None and "urllib3" in frame.f_code.co_filename:
        return  # it asks the system whether there is IPv6, at an address of this machine
    is_ours = frame is not None and frame.f_code.co_filename.startswith(ours)
    is_read = event == "open" and is_ours and not str(arguments[0]).endswith((".py", ".pyc", ".so"))
    if is_write or is_act or is_read:
        found.append(f"{event} {arguments[:2]}")

names = [module.name for module in pkgutil.walk_packages(purveyor.__path__, "purveyor.")]
sys.addaudithook(watch)
for name in names:
    if name.endswith("__main__") or ".migrations." in name:
        continue
    before = len(found)
    importlib.import_module(name)
    for act in found[before:]:
        print(name, act)
"""


def test_importing_any_module_opens_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, str(PACKAGE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


@pytest.mark.parametrize("heavy", ["sqlalchemy", "fastapi", "pydantic", "uvicorn", "alembic", "psycopg"])
def test_the_agent_runs_without_the_packages_of_the_site(heavy: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{heavy!r}] = None; import purveyor.client.main, purveyor.client.sentinel, purveyor.client.agent"
    )
    ended = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr == ""


def test_the_sentinel_runs_on_the_standard_library_alone(tmp_path: Path) -> None:
    program = (
        "import sys; import purveyor.client.sentinel;"
        " print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names) - set(before)))"
    )
    program = "import sys; before = {name.partition('.')[0] for name in sys.modules};" + program
    ended = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "['purveyor']"
