"""The agent's pages as elements: what is offered, what is planned, what ran. Plain forms; nothing needs a script. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from purveyor.client.page import words
from purveyor.client.page.elements import Element, Node, document, tag
from purveyor.client.page.shown import Shown, ShownProgram, ShownRestart
from purveyor.wire.jobs import JobState

PROGRAMS, SCHEDULE, HISTORY, STYLE = "/", "/schedule", "/history", "/style.css"
RUN, POSTPONE, RESTART, POSTPONE_RESTART = "/run", "/postpone", "/restart", "/postpone-restart"
_PLACES = ((PROGRAMS, "Programs"), (SCHEDULE, "Schedule"), (HISTORY, "History"))
_SPANS = (("1 hour", 3600), ("4 hours", 4 * 3600), ("8 hours", 8 * 3600), ("1 day", 86_400), ("3 days", 3 * 86_400))
_UNDER_WAY = frozenset({JobState.RUNNING, JobState.DOWNLOADING, JobState.RESTART_PENDING})
_BROKEN = frozenset({JobState.FAILED, JobState.TIMED_OUT, JobState.INTERRUPTED, JobState.REFUSED})


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page needs: what is shown, the machine's clock, and the token that its forms carry."""

    shown: Shown
    zone: tzinfo
    token: str


def programs_page(frame: Frame, said: str = "") -> bytes:
    """What is offered to the user, and what they may do about it. `said` is what became of their last wish."""
    sections = [
        ("Running now", [one for one in frame.shown.programs if one.state in _UNDER_WAY]),
        ("Planned", [one for one in frame.shown.programs if one.is_mandatory and one.state not in _UNDER_WAY]),
        ("To start when you like", [one for one in frame.shown.programs if not one.is_mandatory and one.state not in _UNDER_WAY]),
    ]
    parts: list[Node] = [
        tag("p", said, class_="notice", role="status") if said else None,
        _restart(frame.shown.restart, frame) if frame.shown.restart is not None else None,
    ]
    place = 0
    for title, programs in sections:
        if programs:
            cards = [_card(program, frame, place + number) for number, program in enumerate(programs)]
            parts.append(tag("section", tag("h2", title), cards))
            place += len(programs)
    if not place:
        parts.append(tag("p", "Nothing is offered to you on this machine at the moment."))
    return _page(frame, PROGRAMS, "Programs offered to you", parts)


def schedule_page(frame: Frame) -> bytes:
    """When programs will be run, the next first."""
    times = sorted((at, program.name, program.package_name) for program in frame.shown.programs for at in program.next_at)
    rows = [
        tag("tr", tag("td", _time(at, frame)), tag("td", _name(name)), tag("td", _name(package))) for at, name, package in times
    ]
    table = _table("Programs that run by themselves, the next first.", ("When", "Program", "Package"), rows)
    return _page(frame, SCHEDULE, "Schedule", table if rows else tag("p", "Nothing is planned."))


def history_page(frame: Frame) -> bytes:
    """What ran, the newest first."""
    rows = [
        tag(
            "tr",
            tag("td", _time(run.ended_at, frame)),
            tag("td", _name(run.name)),
            tag("td", _name(run.package_name)),
            tag("td", words.ended(run), class_=_mood(run.state)),
            tag("td", "" if run.exit_code is None else str(run.exit_code)),
        )
        for run in frame.shown.runs
    ]
    table = _table("Programs that have run, the newest first.", ("Ended", "Program", "Package", "Result", "Exit code"), rows)
    return _page(frame, HISTORY, "History", table if rows else tag("p", "Nothing has been run for you on this machine yet."))


def refusal_page(reason: str) -> bytes:
    """That something was not done, and why."""
    content = tag(
        "main",
        tag("h1", "That was not done"),
        tag("p", _sentence(reason), class_="notice bad", role="alert"),
        tag("p", tag("a", "Back to the programs", href=PROGRAMS)),
        id="content",
    )
    return _document("That was not done", content)


def _page(frame: Frame, place: str, title: str, *content: Node) -> bytes:
    links = [tag("li", tag("a", text, href=path, aria_current="page" if path == place else None)) for path, text in _PLACES]
    shown = frame.shown
    whose = "for the whole machine" if shown.is_whole_machine else f"for {shown.user}"
    polled = f"The site was last asked {words.distance(shown.polled_at, shown.at)}. " if shown.polled_at is not None else ""
    return _document(
        f"{title} - {shown.machine}",
        tag("a", "To the content", href="#content", class_="skip"),
        tag(
            "header",
            tag("p", "Software on ", tag("bdi", shown.machine), " ", tag("bdi", whose), class_="site"),
            tag("h1", title),
            tag("nav", tag("ul", links), aria_label="Pages"),
        ),
        tag("main", *content, id="content"),
        tag("footer", tag("p", polled, f"Times are those of this machine ({shown.zone}). ", tag("a", "Look again", href=place))),
    )


def _document(title: str, *body: Node) -> bytes:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="stylesheet", href=STYLE),
    )
    return document(tag("html", head, tag("body", *body), lang="en"))


def _card(program: ShownProgram, frame: Frame, number: int) -> Element:
    heading = f"program-{number}"
    by = " ".join(part for part in (program.package_name, program.version) if part)
    return tag(
        "article",
        tag("h3", _name(program.name), id=heading),
        tag("p", _name(by), tag("span", " by ", _name(program.publisher)) if program.publisher else None, class_="by"),
        tag("p", _name(program.description)) if program.description else None,
        tag("dl", _facts(program, frame)),
        _actions(program, frame, heading, number),
        class_="card",
        aria_labelledby=heading,
    )


def _facts(program: ShownProgram, frame: Frame) -> list[Node]:
    now = frame.shown.at
    state = words.state_of(program, now)
    last, is_last = program.last_run, program.state is None
    mood = _mood(last.state if is_last and last is not None else program.state)
    rows: list[tuple[str, Node]] = [("State", tag("span", state, class_=f"state {mood}".strip()))]
    if program.postponed_until is not None and program.state is JobState.POSTPONED:
        rows.append(("Put off until", _time(program.postponed_until, frame)))
    elif program.due_at is not None and program.state is not JobState.RUNNING and program.due_at > now:
        rows.append(("Runs", _time(program.due_at, frame)))
    later = [at for at in program.next_at if program.due_at is None or at > program.due_at][:2]
    if later:
        rows.append(("Then", [[tag("br") if place else None, _time(at, frame)] for place, at in enumerate(later)]))
    if program.why:
        rows.append(("Why", _name(program.why)))
    if last is not None:
        rows.append(("Last run", [None if is_last else f"{words.ended(last)}, ", _time(last.ended_at, frame)]))
    return [[tag("dt", name), tag("dd", value)] for name, value in rows]


def _actions(program: ShownProgram, frame: Frame, heading: str, number: int) -> Element | None:
    forms: list[Node] = []
    if program.may_run_now:
        forms.append(
            _form(
                RUN, frame, tag("button", "Run now", type="submit", class_="first", aria_describedby=heading), program=program.id
            )
        )
    until = program.may_postpone_until
    if until is not None and until > frame.shown.at:
        forms.append(_postpone_form(program, until, frame, heading, number))
    later = _later_form(program, frame, heading, number) if program.may_run_now else None
    return tag("div", tag("div", forms, class_="actions"), later) if forms else None


def _postpone_form(program: ShownProgram, until: datetime, frame: Frame, heading: str, number: int) -> Element:
    left = (until - frame.shown.at).total_seconds()
    choices = [tag("option", text, value=seconds) for text, seconds in _SPANS if seconds <= left]
    last = tag("option", f"as long as possible, until {words.day_and_time(until, frame.zone)}", value="limit")
    field = f"postpone-{number}"
    return _form(
        POSTPONE,
        frame,
        tag("div", tag("label", "Put off for", for_=field), tag("select", choices, last, id=field, name="for")),
        tag("button", "Put off", type="submit", aria_describedby=heading),
        program=program.id,
    )


def _later_form(program: ShownProgram, frame: Frame, heading: str, number: int) -> Element:
    field = f"at-{number}"
    soonest = frame.shown.at.astimezone(frame.zone) + timedelta(minutes=1)
    entry = tag("input", type="datetime-local", id=field, name="at", required=True, min=f"{soonest:%Y-%m-%dT%H:%M}")
    return tag(
        "details",
        tag("summary", "Run at another time"),
        _form(
            RUN,
            frame,
            tag("div", tag("label", "Day and time", for_=field), entry),
            tag("button", "Plan", type="submit", aria_describedby=heading),
            program=program.id,
        ),
    )


def _restart(restart: ShownRestart, frame: Frame) -> Element:
    forms: list[Node] = []
    if restart.may_restart_now:
        forms.append(_form(RESTART, frame, tag("button", "Restart now", type="submit", class_="first")))
    if restart.may_postpone:
        span = words.span(restart.postpone_seconds)
        left = restart.postponements_left
        button = tag("button", f"Put off by {span}", type="submit")
        forms.append(_form(POSTPONE_RESTART, frame, button))
        forms.append(tag("p", f"It can be put off {left} more time{'s' if left > 1 else ''}.", class_="quiet"))
    return tag(
        "section",
        tag("h2", "Restart"),
        tag("p", _name(words.restart_sentence(restart, frame.shown.at, frame.zone))),
        tag("div", forms, class_="actions") if forms else None,
        class_="notice",
    )


def _form(path: str, frame: Frame, *parts: Node, **hidden: str) -> Element:
    fields = [tag("input", type="hidden", name=name, value=value) for name, value in {"token": frame.token, **hidden}.items()]
    return tag("form", fields, *parts, method="post", action=path, autocomplete="off")


def _table(caption: str, columns: Sequence[str], rows: Sequence[Node]) -> Element:
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in columns]))
    return tag("div", tag("table", tag("caption", caption), head, tag("tbody", rows)), class_="scroll", tabindex=0, role="region",
               aria_label=caption)  # fmt: skip


def _time(at: datetime, frame: Frame) -> Element:
    text = f"{words.day_and_time(at, frame.zone)} ({words.distance(at, frame.shown.at)})"
    return tag("time", text, datetime=at.isoformat(timespec="seconds"))


def _name(text: str) -> Element:
    """What somebody else wrote, kept from turning the words around it."""
    return tag("bdi", text)


def _mood(state: JobState | None) -> str:
    if state is JobState.SUCCEEDED:
        return "succeeded"
    return "failed" if state in _BROKEN else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
