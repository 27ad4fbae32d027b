"""`purveyor client programs` and what users ask for: from the agent's state where it can be read, else from the agent's page."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from purveyor.cli.arguments.moments import local_instant_of
from purveyor.cli.call import Call, UsageError
from purveyor.client.main import STATE_FILE
from purveyor.client.page import serving, words
from purveyor.client.page.desk import desk_of
from purveyor.client.page.peers import own_visitor
from purveyor.client.page.remote import PageDesk
from purveyor.client.page.server import listener_at
from purveyor.client.page.shown import Shown, ShownProgram
from purveyor.client.page.wishes import Postpone, PostponeRestart, RestartNow, RunNow, Wish
from purveyor.wire.errors import RefusedError
from purveyor.wire.moments import local_text

PAGE_URL = "http://127.0.0.1:8475"
_COLUMNS = ("program", "name", "package", "version", "state", "when", "next", "why", "can be")


class Counter(NamedTuple):
    """Where is looked and asked: the agent's own state, or its page."""

    look: Callable[[], Shown]
    ask: Callable[[Wish], str]


def programs(call: Call) -> int:
    """Lists what is offered to the user."""
    shown, output = _counter(call).look(), call.output
    if output.is_json:
        output.give_json(msgspec.to_builtins(shown))
        return 0
    output.give_table(_COLUMNS, (_row(one, shown) for one in shown.programs), empty="nothing is offered to you on this machine")
    if shown.restart is not None:
        output.say(words.restart_sentence(shown.restart, shown.at, None))
    return 0


def run_now(call: Call) -> int:
    """Asks for a run, now or at a time."""
    at = call.arguments.at
    return _asked(call, lambda now: RunNow(program=call.arguments.program, at=local_instant_of(at, now=now) if at else None))


def postpone(call: Call) -> int:
    """Puts a run off."""
    options = call.arguments
    if options.until:
        return _asked(call, lambda now: Postpone(program=options.program, until=local_instant_of(options.until, now=now)))
    return _asked(call, lambda _now: Postpone(program=options.program, seconds=options.seconds))


def restart_now(call: Call) -> int:
    """Asks for a pending restart at once."""
    return _asked(call, lambda _now: RestartNow())


def postpone_restart(call: Call) -> int:
    """Puts a pending restart off."""
    return _asked(call, lambda _now: PostponeRestart())


def page(call: Call) -> int:
    """Serves the agent's page until it is interrupted."""
    folder = Path(call.arguments.state)
    if not (folder / STATE_FILE).exists():
        raise RefusedError(f"{folder} holds no agent's state; `purveyor client join` makes one")
    output = call.output
    serving.serve(folder, listener_at(call.arguments.port), tell=lambda url: _tell_address(call, url))
    output.say("the page has ended")
    return 0


def _tell_address(call: Call, url: str) -> None:
    output = call.output
    output.give_result({"url": url}, url)
    output.stdout.flush()


def _asked(call: Call, wish: Callable[[datetime], Wish]) -> int:
    counter = _counter(call)
    said = counter.ask(wish(datetime.now().astimezone()))
    call.output.done({"said": said}, said)
    return 0


def _counter(call: Call) -> Counter:
    """The agent's state where it is named and can be read, else its page. Errors: UsageError, RefusedError."""
    options = call.arguments
    if options.state and not options.page and _is_readable(Path(options.state)):
        desk, visitor = desk_of(Path(options.state)), own_visitor(user=options.user)
        return Counter(lambda: desk.look(visitor), lambda wish: desk.ask(visitor, wish))
    if options.user:
        raise UsageError("--user is for who can read the agent's state: name it with --state DIR; the page knows who asks")
    over_page = PageDesk(options.page or call.environment.get("PURVEYOR_PAGE", "") or PAGE_URL)
    return Counter(over_page.look, over_page.ask)


def _is_readable(folder: Path) -> bool:
    """Whether the agent's state can be read and written. Errors: RefusedError when there surely is none."""
    try:
        if not (folder / STATE_FILE).exists():
            raise RefusedError(f"{folder} holds no agent's state; `purveyor client join` makes one")
    except PermissionError:
        return False
    return os.access(folder / STATE_FILE, os.R_OK | os.W_OK)


def _row(one: ShownProgram, shown: Shown) -> tuple[object, ...]:
    may = ["started"] if one.may_run_now else []
    if one.may_postpone_until is not None and one.may_postpone_until > shown.at:
        may.append(f"put off until {_moment(one.may_postpone_until)}")
    when = one.postponed_until or one.due_at
    later = [at for at in one.next_at if when is None or at > when]
    return (
        one.id,
        one.name,
        one.package_name,
        one.version,
        words.state_of(one, shown.at),
        _moment(when),
        _moment(later[0] if later else None),
        one.why,
        may,
    )


def _moment(at: datetime | None) -> str:
    """A time on this machine's clock."""
    return "-" if at is None else local_text(at, None)
