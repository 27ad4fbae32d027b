"""A branch by command line: a mirror of a running site over HTTP, a client that knows nothing else, and a courier's stick."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from http_servers import serving
from installation import Installation, live_on
from purveyor.client_access_point.application import application as cap_application
from purveyor.content.shelf_store import ShelfStore
from purveyor.distribution_point.application import application as dp_application
from purveyor.mirror.content import Store
from purveyor.mirror.copying import Ends
from purveyor.mirror.turn import turn
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.folder.shelf import FolderShelf

LATER = timedelta(days=40)


def test_a_client_of_a_mirror_joins_runs_and_forgets_and_the_files_leave_the_mirror_s_disk(installation: Installation) -> None:
    cap, dp = installation.folder / "branch" / "CAP_S01", installation.folder / "branch" / "DP_S01"
    code = installation.purveyor("join-code", "create")
    words = ("cap", "mirror", f"{installation.url}/cap", str(cap), "--dp", f"{installation.url}/dp", str(dp), "--up")

    def mirror(*more: str) -> None:
        installation.purveyor(*words, *more)

    installation.until("the site has published", lambda: installation.call(*words, "--code", code).code == 0)
    source = installation.folder / "source"
    source.mkdir()
    (source / "in.sh").write_text('echo once >> "$PURVEYOR_STATE-runs"\n')
    with _served(cap, dp) as url:
        joined = installation.call(
            "client", "join", f"{url}/cap", "--code", code, "--state", str(installation.state("anna")), "--wait", "1s"
        )
        assert joined.code in (0, 3), joined
        installation.until("anna is a member", lambda: _is_member(installation, mirror))
        package = installation.purveyor("package", "add", str(source), "--name", "Counter")
        installation.purveyor("program", "add", package, "count", "--command", "sh in.sh")
        installation.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
        runs = Path(f"{installation.state('anna')}-runs")

        def turned() -> None:
            mirror()
            assert installation.pass_of("anna").code == 0

        def has_run() -> bool:
            turned()
            return runs.exists()

        installation.until("anna ran it", has_run)
        installation.purveyor("package", "delete", package, "--yes")

        def has_forgotten() -> bool:
            turned()
            return bool(installation.asked("package", "retirement", package)["acknowledged"])

        installation.until("anna forgot it", has_forgotten)
        mirror()
        mirror()
    assert runs.read_text() == "once\n"
    rows = installation.asked("resource", "list")
    clients = rows["items"] if isinstance(rows, dict) else rows
    assert [client["absent_requests"] for client in clients] == [0]

    assert _files_of(package, cap), "the grace is not over"
    installation.end()
    live_on(installation.site, LATER)
    shelf = FolderShelf(dp)
    store = Store(source=FolderPoint(installation.site / "DP_S01"), shelf=shelf, place=ShelfStore(shelf, name=str(dp)))
    outcome = turn(Ends(source=FolderPoint(installation.site / "CAP_S01"), target=FolderShelf(cap), store=store), _later())
    assert outcome.is_whole, outcome.problems
    assert _files_of(package, cap) == []
    assert [path for path in dp.rglob("*") if path.is_file() and path.parts[-2] != "_mirror"] == []


def test_a_courier_brings_a_package_to_an_island_and_its_reports_back(installation: Installation) -> None:
    cap, dp = installation.folder / "island" / "CAP_S01", installation.folder / "island" / "DP_S01"
    code = installation.purveyor("join-code", "create")
    trips = iter(range(1, 1000))

    def bring(*more: str) -> None:
        trip = next(trips)
        stick = installation.folder / (f"stick-{trip}.tar" if trip % 2 else f"stick-{trip}")
        installation.purveyor("courier", "export", str(stick), "--site-dir", str(installation.site), *more)
        installation.purveyor("courier", "import", str(stick), str(cap), "--dp", str(dp), "--code", code, "--up")

    def bring_back() -> None:
        stick = installation.folder / f"back-{next(trips)}"
        installation.purveyor("courier", "reports", "export", str(cap), str(stick))
        installation.purveyor("courier", "reports", "import", str(stick), f"{installation.url}/cap")

    def turned() -> None:
        bring("--since", str(cap / "_mirror" / "receipt.json"))
        assert installation.pass_of("anna").code == 0
        bring_back()

    installation.until("the site has published", (installation.site / "CAP_S01" / "clidata.box" / "timestamp.json").exists)
    bring()
    state = installation.state("anna")
    joined = installation.call("client", "join", str(cap), "--code", code, "--state", str(state), "--wait", "1s")
    assert joined.code in (0, 3), joined
    bring_back()
    source, elsewhere = installation.folder / "source", installation.folder / "elsewhere"
    source.mkdir()
    (source / "count.sh").write_text('echo once >> "$PURVEYOR_STATE-runs"')
    elsewhere.mkdir()
    installation.purveyor("point", "add", "dp", f"file://{elsewhere}", "--push-to", str(elsewhere))
    installation.purveyor("point", "drain", "dp1")  # new content comes to dp2 alone: a stick has it all the same
    package = installation.purveyor("package", "add", str(source), "--name", "Counter")
    installation.purveyor("program", "add", package, "count", "--command", "sh count.sh")
    installation.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
    runs = Path(f"{state}-runs")

    def has_run() -> bool:
        turned()
        return runs.exists()

    installation.until("anna ran it", has_run)

    def is_reported() -> bool:
        turned()
        return [job["state"] for job in installation.jobs_of(package)] == ["succeeded"]

    installation.until("the site knows it", is_reported)
    assert runs.read_text() == "once\n"


def test_a_second_mirror_in_one_folder_and_one_without_a_root_are_refused(installation: Installation) -> None:
    cap = installation.folder / "branch"
    refused = installation.call("cap", "mirror", f"{installation.url}/cap", str(cap))

    assert refused.code == 1
    assert "begin with --code" in refused.err
    own = installation.call(
        "cap",
        "mirror",
        f"{installation.url}/cap",
        str(installation.site / "CAP_S01"),
        "--code",
        installation.purveyor("join-code", "create"),
    )
    assert own.code == 1
    assert "folder of its own" in own.err
    taken = installation.folder / "taken"
    taken.mkdir()
    (taken / "install.sh").write_text("somebody's")
    words = ("cap", "mirror", f"{installation.url}/cap", "--up", "--code", installation.purveyor("join-code", "create"))
    beside = installation.call(*words, str(taken))
    assert (beside.code, "'install.sh' lies there" in beside.err) == (1, True)
    beside = installation.call(*words, str(cap), "--dp", f"{installation.url}/dp", str(taken))
    assert (beside.code, "'install.sh' lies there" in beside.err) == (1, True)
    assert [path.name for path in taken.iterdir()] == ["install.sh"], "nothing was written beside it"


def test_what_a_mirror_did_is_json_for_programs_and_a_source_that_is_gone_is_said(installation: Installation) -> None:
    cap = installation.folder / "branch"
    code = installation.purveyor("join-code", "create")
    words = ("cap", "mirror", f"{installation.url}/cap", str(cap), "--code", code, "--json")
    installation.until("the site has published", lambda: installation.call(*words).code == 0)
    answer = json.loads(installation.purveyor(*words))
    assert answer["whole"]
    assert answer["problems"] == []
    installation.kill()
    gone = installation.call("cap", "mirror", "http://127.0.0.1:9/cap", str(cap), "--json")
    assert gone.code == 3
    assert "cannot be reached" in json.loads(gone.out)["problems"][0]
    installation.start()


def _is_member(installation: Installation, mirror: object) -> bool:
    assert callable(mirror)
    mirror()
    return installation.pass_of("anna").code == 0


@contextlib.contextmanager
def _served(cap: Path, dp: Path) -> Iterator[str]:
    application = Starlette(routes=[Mount("/cap", cap_application(cap)), Mount("/dp", dp_application(dp))])
    with serving(application) as url:
        yield url


def _later() -> datetime:
    return datetime.now(UTC) + LATER


def _files_of(package: str, cap: Path) -> list[Path]:
    return [path for path in cap.rglob("*") if package in path.name]
