"""The chain from membership to result: the table of its links, and what follows from them. Pure.

The first link that does not hold explains why a program is not there; where none is known to be missing, the first of which the
site cannot know. Upstream: `admin.why` gathers the facts; downstream: whoever asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from purveyor.site_server.model.why import offering, reaching, running
from purveyor.site_server.model.why.facts import WhyFacts
from purveyor.site_server.model.why.link import Evidence, Found, Mark, Who, unknown


class Step(NamedTuple):
    """One link of the table: its name, what it asks, and what answers."""

    name: str
    question: str
    look: Callable[[WhyFacts], Found | None]


LINKS: tuple[Step, ...] = (
    Step("package", "Does the package stand?", offering.package),
    Step("program", "Does the program stand, and is it enabled?", offering.program),
    Step("client", "Is the machine a member of the site?", offering.client),
    Step("advertisement", "Does anything advertise the program?", offering.advertisement),
    Step("membership", "Is the client a member of the collection, and by which rule?", offering.membership),
    Step("offer", "Does the advertisement hold now: not paused, not expired, available?", offering.offer),
    Step("platform", "Is the program for this platform?", offering.platform),
    Step("replaced", "Does nothing that is offered here replace it?", offering.replaced),
    Step("dependency", "Does all that it depends on stand, and has none of it failed?", offering.dependency),
    Step("content", "Is its content on a distribution point?", reaching.content),
    Step("publication", "Is it signed, and does it lie in the boxes?", reaching.publication),
    Step("contact", "Does the client speak as often as it should?", reaching.contact),
    Step("delivery", "Has the client taken it in?", reaching.delivery),
    Step("request", "Has nobody called the run off?", running.request),
    Step("audience", "Does it run by itself, and for whom?", running.audience),
    Step("schedule", "Has its time come, by the client's clock?", running.schedule),
    Step("window", "Is a maintenance window open?", running.window),
    Step("condition", "Does nothing on the machine hold it back?", running.condition),
    Step("download", "Has the client the content?", running.download),
    Step("run", "Has it run, and how did that end?", running.run),
    Step("result", "What is there now?", running.result),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the chain. `at` is the newest time among its evidence."""

    name: str
    question: str
    mark: Mark
    says: str
    evidence: tuple[Evidence, ...]
    at: datetime | None
    who: Who
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a program is on a client, or is not. `missing` names the first link that does not hold; empty: all do.

    `is_there`: its last run succeeded, and nothing was heard since of it being gone.
    """

    client: str
    client_name: str
    package: str
    package_name: str
    program: int
    program_name: str
    advertisement: str
    asked_at: datetime
    is_there: bool
    missing: str
    who: Who
    next: str
    sentence: str
    links: tuple[Link, ...]


def explained(facts: WhyFacts) -> Explanation:
    """The whole chain, and in one sentence what it comes to."""
    links = tuple(_link(step, step.look(facts)) for step in LINKS)
    by_name = {link.name: link for link in links}
    is_there = by_name["result"].mark is Mark.OK and by_name["package"].mark is Mark.OK and by_name["run"].mark is Mark.OK
    broken = next((link for link in links if link.mark is Mark.MISSING), None)
    open_link = broken or next((link for link in links if link.mark is Mark.UNKNOWN and link.next), None)
    return Explanation(
        client=facts.client.id,
        client_name=facts.client.name,
        package=facts.package.id,
        package_name=facts.package.name,
        program=facts.program.key.program,
        program_name=facts.program.name,
        advertisement="" if facts.offer is None else facts.offer.advertisement.id,
        asked_at=facts.now,
        is_there=is_there,
        missing="" if open_link is None else open_link.name,
        who=Who.NOBODY if open_link is None or is_there else open_link.who,
        next="" if open_link is None or is_there else open_link.next,
        sentence=_sentence(is_there, by_name["run"], broken, open_link),
        links=links,
    )


def _sentence(is_there: bool, ran: Link, broken: Link | None, open_link: Link | None) -> str:
    if is_there:
        aside = "" if broken is None else f" Yet {broken.says}."
        return f"It is there: {ran.says}.{aside}"
    if open_link is None:
        return "It is not there, and every link holds: its word is awaited."
    is_known = "It is not there" if open_link.mark is Mark.MISSING else "It is not known to be there"
    said = f"{is_known} because {open_link.says}"
    return (
        f"{said}; next: {open_link.who.value}: {open_link.next}." if open_link.next else f"{said}; next: {open_link.who.value}."
    )


def _link(step: Step, found: Found | None) -> Link:
    """A link as it is shown; one that cannot be looked at yet is unknown, and explains nothing."""
    found = found or unknown("not looked at: a link before it is missing", (), Who.NOBODY, "")
    times = [one.at for one in found.evidence if one.at is not None]
    return Link(
        name=step.name,
        question=step.question,
        mark=found.mark,
        says=found.says,
        evidence=found.evidence,
        at=max(times, default=None),
        who=found.who,
        next=found.next,
    )
