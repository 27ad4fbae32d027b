"""The agent's page in a real browser, in front of a real agent: programs are listed, started, put off and remembered."""

import getpass
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from browsers import PATIENCE_MILLISECONDS, barriers, chromium_running
from installation import Installation

HOSTILE = "<b>Bold</b> & \"quoted\" 'name'"
PLACES = ("/", "/schedule", "/history")
TO_START, UPDATE = ("editor", "player", "viewer", "sheet"), "update"


@dataclass(frozen=True)
class Desk:
    """A client with a page. Shape: `packages` by name; each but the update leaves a mark when it was run."""

    installation: Installation
    url: str
    packages: dict[str, str]

    def mark(self, name: str) -> Path:
        """What a program leaves when it was run."""
        return Path(f"{self.installation.state('anna')}-{name}")

    def program(self, name: str) -> str:
        """A program as commands name it."""
        return f"{self.packages[name]}/1"

    def is_answering(self) -> bool:
        """Whether the page is there."""
        return self.installation.call("client", "programs", "--page", self.url).code == 0

    def listed(self) -> dict[str, Any]:
        """What the page lists, by name."""
        shown = self.installation.asked("client", "programs", "--page", self.url)
        return {one["name"]: one for one in shown["programs"]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's own Chromium."""
    with chromium_running() as found:
        yield found


@pytest.fixture(scope="module")
def desk(quick_site: Path) -> Iterator[Desk]:
    """A client whose agent runs and serves its page; one for all tests, each of which has its own programs."""
    with tempfile.TemporaryDirectory(prefix="purveyor-site-") as folder:
        installation = Installation(Path(folder))
        try:
            installation.copy(quick_site)
            installation.start()
            installation.join("anna")
            packages = _offered(installation)
            installation.run_agent("anna")
            found = Desk(installation, f"http://127.0.0.1:{_page_port(installation)}/", packages)
            installation.until("the page lists all", lambda: found.is_answering() and found.listed().keys() == packages.keys())
            yield found
        finally:
            installation.end()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A visit without scripts: nothing of the page needs any."""
    made = chromium.new_context(java_script_enabled=False, timezone_id="America/New_York", locale="de-DE")
    made.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        yield made
    finally:
        made.close()


def test_a_user_starts_one_program_puts_another_off_and_sees_what_ran(desk: Desk, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(desk.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Programs offered to you")
    editor = page.get_by_role("article", name="editor")
    expect(editor).to_contain_text(HOSTILE)
    expect(editor).to_contain_text("Can be started")

    editor.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status")).to_have_text("It will be run.")
    desk.installation.until("the editor was run", desk.mark("editor").exists)
    _look_until(desk, page, lambda: editor.get_by_text("Succeeded").count() > 0)

    update = page.get_by_role("article", name=UPDATE)
    expect(update).to_contain_text("Planned")
    update.get_by_label("Put off for").select_option("14400")
    update.get_by_role("button", name="Put off").click()
    expect(page.get_by_role("status")).to_have_text("It is put off.")
    _look_until(desk, page, lambda: update.get_by_text("Put off until").count() > 0)

    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row").filter(has_text="editor")).to_contain_text("Succeeded")
    page.get_by_role("link", name="Schedule").click()
    expect(page.get_by_role("row").filter(has_text=UPDATE)).to_have_count(1)


def test_a_run_is_planned_for_a_time_on_the_machines_clock(desk: Desk, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(desk.url)
    player = page.get_by_role("article", name="player")
    player.get_by_text("Run at another time").click()
    at = datetime.now().astimezone().replace(second=0, microsecond=0) + timedelta(days=2)
    player.get_by_label("Day and time").fill(at.strftime("%Y-%m-%dT%H:%M"))
    player.get_by_role("button", name="Plan").click()
    expect(page.get_by_role("status")).to_have_text("It is planned.")
    _look_until(desk, page, lambda: player.get_by_text("Runs", exact=True).count() > 0)
    assert datetime.fromisoformat(desk.listed()["player"]["due_at"]) == at
    assert not desk.mark("player").exists()


def test_the_page_is_used_with_the_keyboard_alone(desk: Desk, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(desk.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    button = page.get_by_role("article", name="viewer").get_by_role("button", name="Run now")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("It will be run.")
    desk.installation.until("the viewer was run", desk.mark("viewer").exists)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_any_page_keeps_people_out(desk: Desk, chromium: Browser, scheme: str) -> None:
    context = chromium.new_context(color_scheme="dark" if scheme == "dark" else "light", viewport={"width": 360, "height": 700})
    page, complaints = context.new_page(), []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "favicon" not in str(message.location):
            complaints.append(message.text)

    page.on("console", note)
    for place in PLACES:
        page.goto(desk.url.rstrip("/") + place)
        assert barriers(page) == [], place
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it fits a narrow window"
        assert page.locator("html").get_attribute("lang") == "en"
    page.goto(f"{desk.url}nothing")
    assert barriers(page) == []
    context.close()
    assert [one for one in complaints if "404" not in one] == []


def test_a_page_of_another_origin_cannot_make_the_agent_do_anything(desk: Desk, chromium: Browser) -> None:
    """A page elsewhere on this machine sends the very form, without and with a guessed token."""
    context = chromium.new_context()
    page = context.new_page()
    page.route("http://evil.test/", lambda route: route.fulfill(content_type="text/html", body=_foreign_form(desk)))
    page.goto("http://evil.test/")
    with page.expect_navigation():
        page.click("button")
    expect(page.get_by_role("alert")).to_contain_text("Another page may not ask for a change")
    assert "sheet" not in str(page.evaluate(f"fetch('{desk.url}api/programs').then(r => r.text(), e => 'refused')"))
    context.close()
    assert not desk.mark("sheet").exists()


def test_the_page_is_served_in_the_foreground_too_and_ends_when_it_is_interrupted(desk: Desk) -> None:
    state = str(desk.installation.state("anna"))
    words = [sys.executable, "-m", "purveyor.cli", "client", "page", "--state", state]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None and page.stderr is not None
        url = page.stdout.readline().strip()
        listed = desk.installation.asked("client", "programs", "--page", url)
        page.send_signal(signal.SIGINT)
        assert (page.wait(20), page.stderr.read()) == (0, "the page has ended\n")
    assert {one["name"] for one in listed["programs"]} == desk.packages.keys()


def test_commands_show_and_ask_what_the_page_does(desk: Desk) -> None:
    call, state = desk.installation, str(desk.installation.state("anna"))
    shown = call.asked("client", "programs", "--page", desk.url)
    assert (shown["user"], shown["is_whole_machine"]) == (getpass.getuser(), True)
    assert "sheet" in call.purveyor("client", "programs", "--state", state)
    refused = call.call("client", "postpone", desk.program(UPDATE), "--for", "9h", "--state", state)
    assert (refused.code, "at most" in refused.err) == (1, True)
    assert call.call("client", "postpone", desk.program("sheet"), "--for", "1h", "--page", desk.url).code == 1
    assert "no restart is pending" in call.call("client", "restart", "now", "--state", state).err
    assert call.call("client", "programs", "--page", "http://127.0.0.1:1").code == 3
    assert call.call("client", "programs", "--user", "alice", "--page", desk.url).code == 2
    call.purveyor("client", "postpone", desk.program(UPDATE), "--for", "270m", "--state", state)
    call.purveyor("client", "run-now", f"{desk.packages['sheet']}/sheet", "--page", desk.url)
    call.until("the sheet was run", desk.mark("sheet").exists)


def _offered(installation: Installation) -> dict[str, str]:
    """Programs to start, and an update that comes in three hours and may be put off by five. Shape: packages by name."""
    source = installation.folder / "source"
    source.mkdir()
    (source / "mark.sh").write_text('touch "$PURVEYOR_STATE-$1"\n')
    at = (datetime.now().astimezone() + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    packages = {}
    for name in (*TO_START, UPDATE):
        package = installation.purveyor("package", "add", str(source), "--name", f"Package of {name}", "--version", "1.0")
        installation.purveyor("program", "add", package, name, "--command", f"sh mark.sh {name}", "--description", HOSTILE)
        assigned = ("--assign", at, "--visible", "--postpone", "5h") if name == UPDATE else ()
        installation.purveyor("advertise", package, name, "--to", "All Systems", *assigned, "--yes")
        packages[name] = package
    return packages


def _page_port(installation: Installation) -> int:
    """The port that this site's agents serve their page at: one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    installation.purveyor("settings", "set", "page_port", str(port))
    return port


def _look_until(desk: Desk, page: Page, is_so) -> None:  # noqa: ANN001 - any question
    """Looks again, as a person would, until the page says something."""

    def look() -> bool:
        page.get_by_role("link", name="Look again").click()
        return bool(is_so())

    desk.installation.until("the page says it", look)


def _foreign_form(desk: Desk) -> str:
    fields = f'<input name="token" value="{"0" * 64}"><input name="program" value="{desk.program("sheet")}">'
    return f'<form method="post" action="{desk.url}run">{fields}<button>Win</button></form>'
