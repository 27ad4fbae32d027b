"""The middle links: from what is decided at the site to what the client has: content, publication, contact, delivery. Pure."""

from datetime import datetime, timedelta

from purveyor.site_server.model.why.facts import ContentFacts, PointFacts, WhyFacts
from purveyor.site_server.model.why.link import Evidence, Found, Who, clock, missing, ok, span, unknown
from purveyor.wire.jobs import JobState
from purveyor.wire.status_messages import StatusId

FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.TIMED_OUT, JobState.INTERRUPTED})
"""States of a run that is over: what the client does not know since then explains none of it."""
BEGUN = FINAL | {JobState.RUNNING, JobState.RESTART_PENDING}


def content(facts: WhyFacts) -> Found:
    """Whether the content of the program, and of all that it depends on, lies on a distribution point."""
    needed = [one for one in facts.contents if one.manifest]
    if not needed:
        return ok("it needs no content")
    evidence = [each for one in needed for each in _copies(one)]
    for one in needed:
        if one.served_version is not None:
            continue
        copies = [copy for copy in one.copies if copy.state == "waiting"]
        name = f"the content of {one.package} ({one.name})"
        if not copies:
            return missing(f"{name} is on no distribution point yet", evidence, Who.SITE, "the site copies it to its points")
        worst = max(copies, key=lambda copy: copy.failures)
        says = f"{name} is on no distribution point: it waits for {worst.point} since {clock(one.taken_in_at)}"
        if not worst.problem:
            return missing(says, evidence, Who.SITE, "the site copies it to its points")
        what_next = f"mend {worst.point}; the site tries again by itself"
        return missing(f"{says} ({worst.failures} tries failed, the last: {worst.problem})", evidence, Who.POINT, what_next)
    behind = [one for one in needed if one.served_version is not None and one.served_version < one.source_version]
    if behind:
        one = behind[0]
        says = (
            f"version {one.served_version} of {one.package} is on a point; of {one.source_version} clients hear when it is on one"
        )
        return ok(says, *evidence)
    return ok(
        "on " + ", ".join(sorted({copy.point for one in needed for copy in one.copies if copy.state == "verified"})), *evidence
    )


def _copies(one: ContentFacts) -> list[Evidence]:
    found = []
    for copy in one.copies:
        text = f"{one.package} version {one.source_version} on {copy.point}: {copy.state}"
        if copy.problem:
            text += f", {copy.failures} tries failed, the last: {copy.problem}"
        found.append(Evidence(text=text, source="content copy", at=copy.since))
    return found or [
        Evidence(text=f"{one.package} version {one.source_version}: on no point", source="content copy", at=one.taken_in_at)
    ]


def publication(facts: WhyFacts) -> Found:
    """Whether what clients are to know is signed and lies in the boxes."""
    told = facts.publication
    evidence = [
        Evidence(text=f"{one.what}: revision {one.wanted} is wanted, {one.published} is published", source="wanted")
        for one in told.unpublished
    ]
    waiting = next((one for one in told.unpublished if one.role in told.keys_away), None)
    if waiting is not None:
        says = f"revision {waiting.wanted} of {waiting.what} waits to be signed by {waiting.role!r}, whose key is away"
        return missing(says, evidence, Who.ADMINISTRATOR, f"bring the key of {waiting.role!r}, or sign where it is")
    if told.unpublished:
        first = told.unpublished[0]
        says = f"revision {first.wanted} of {first.what} is not published yet ({first.published} is)"
        return missing(says, evidence, Who.SITE, "it is published with the site's next turn; is the site server running?")
    if told.unwritten:
        evidence.append(Evidence(text=f"{told.unwritten} signed files are not in the box yet", source="down file"))
        what_next = "the site writes them with its next turn; can it write into its access point?"
        return missing("what is signed does not lie in the boxes yet", evidence, Who.SITE, what_next)
    if told.is_shard_behind and facts.heard_of_offer_at is None:
        evidence.append(Evidence(text="its shard is to be written anew", source="shard"))
        return missing(
            "the lookup shard of this client is not written yet", evidence, Who.SITE, "the site writes it with a coming turn"
        )
    said = "" if told.published_at is None else f" since {clock(told.published_at)}"
    evidence.append(Evidence(text=f"snapshot {told.snapshot} is out", source="role"))
    if told.published_at is not None:
        evidence.append(Evidence(text="the offers of the collection were written", source="down file", at=told.published_at))
    return ok(f"published{said}", *evidence)


def contact(facts: WhyFacts) -> Found | None:
    """Whether the client speaks as often as it should."""
    one, rhythm = facts.client, facts.rhythm
    if not one.number:
        return None
    usual = rhythm.heartbeat_seconds
    evidence = [
        Evidence(
            text=f"last item is number {one.last_sequence}; all up to {one.received} are here",
            source="client",
            at=one.last_seen_at,
        ),
        Evidence(text=f"it is to speak every {span(usual)} at least", source="setting heartbeat_interval_seconds"),
    ]
    if one.longest_gap_seconds is not None:
        evidence.append(Evidence(text=f"its longest pause of late was {span(one.longest_gap_seconds)}", source="upward items"))
    if facts.messages:
        last = facts.messages[0]
        evidence.append(
            Evidence(
                text=f"last heard of this: {_meaning(last.status)}: {last.text}", source="status message", at=last.arrived_at
            )
        )
    if one.last_seen_at is None:
        says = f"nothing was ever heard of {one.name} since it joined on {clock(one.since)}"
        return missing(says, evidence, Who.MACHINE, "see that its agent runs (purveyor client run) and reaches its access point")
    silence = (facts.now - one.last_seen_at).total_seconds()
    if silence <= rhythm.patience_seconds:
        return ok(f"heard of {span(silence)} ago", *evidence)
    longer = span(silence - usual)
    says = f"{one.name} is silent since {clock(one.last_seen_at)}: for {span(silence)}, {longer} longer than usual"
    evidence += points_of(facts, is_cap=True)
    access_points = [point for point in facts.points if point.is_cap]
    if access_points and all(point.failures for point in access_points):
        names = "; ".join(f"{point.id} ({point.url}): {point.problem}" for point in access_points)
        what_next = "mend these points; clients speak again as soon as one answers"
        return missing(f"{says}, and no access point answers the site either: {names}", evidence, Who.POINT, what_next)
    if not facts.is_alone_silent:
        evidence.append(Evidence(text=f"no other client has spoken for {span(rhythm.patience_seconds)}", source="client"))
        names = ", ".join(f"{point.id} ({point.url})" for point in access_points) or "any access point"
        what_next = f"see that clients reach {names}; if they do, that they are on"
        return missing(f"{says}, and so is every other client: no access point answers them", evidence, Who.POINT, what_next)
    return missing(says, evidence, Who.MACHINE, "see that it is on, that its agent runs, and that it reaches its access point")


def points_of(facts: WhyFacts, *, is_cap: bool) -> list[Evidence]:
    """What the site knows of the CAPs or of the DPs that clients are told of."""
    return [
        Evidence(
            text=f"{point.id} ({point.url})"
            + (": it drains" if point.is_draining else "")
            + (f": {point.failures} turns failed, the last: {point.problem}" if point.failures else "")
            + (f": it {gives_nothing(point)}" if point.is_closed else ""),
            source="point",
            at=point.tried_at,
        )
        for point in facts.points
        if point.is_cap is is_cap
    ]


def gives_nothing(point: PointFacts) -> str:
    """What is said of a point that is closed by its budget, and until when."""
    until = "" if point.opens_at is None else f" until {clock(point.opens_at)}"
    return f"gives nothing{until} by its budget"


def delivery(facts: WhyFacts) -> Found | None:
    """Whether the client has taken in what was published for it."""
    told, one = facts.publication, facts.client
    if not one.number or facts.offer is None:
        return None
    job = facts.job
    evidence = [
        Evidence(
            text=f"the client has applied snapshot {one.applied}; needed is {told.needed}{_or_earlier(facts)}",
            source="client, role",
        ),
        Evidence(text=f"its items are received up to {one.received}", source="client", at=one.last_seen_at),
    ]
    evidence += [
        Evidence(text=f"{_meaning(trouble.status)}: {trouble.text}", source="status message", at=trouble.arrived_at)
        for trouble in facts.troubles
    ]
    if one.lost_items:
        evidence.append(Evidence(text=f"{one.lost_items} of its items were lost before they came here", source="client"))
    if job is not None and job.state in FINAL:
        return ok(f"its run is over; it has applied snapshot {one.applied}, the newest is {told.snapshot}", *evidence)
    received_at = _reception(facts)
    if facts.heard_of_offer_at is not None:
        evidence.append(Evidence(text="it spoke of the advertisement", source="status message", at=facts.heard_of_offer_at))
    if one.applied >= told.needed and facts.heard_of_offer_at is not None:
        return ok(f"it has applied snapshot {one.applied}, needed was {told.needed}", *evidence)
    if received_at is not None:
        return ok("it has spoken of the advertisement as it is published", *evidence)
    if one.applied >= told.needed:
        says = f"the client has applied snapshot {one.applied}, but has said nothing of {facts.offer.advertisement.id} yet"
        return unknown(says, evidence, Who.CLIENT, "it reads its lookup shard with its next poll, and speaks then")
    return _not_delivered(facts, evidence)


def _not_delivered(facts: WhyFacts, evidence: list[Evidence]) -> Found:
    told, one, poll = facts.publication, facts.client, timedelta(seconds=facts.rhythm.poll_seconds)
    says = f"the client has applied snapshot {one.applied} and needs {told.needed}"
    if told.published_at is not None and facts.now <= told.published_at + 2 * poll:
        says = f"the client had applied snapshot {one.applied} when it spoke last, on {clock(one.last_seen_at)}, and needs"
        what_next = f"it reads it with a poll before {clock(told.published_at + 2 * poll)}, if it has not yet"
        return unknown(f"{says} {told.needed}, published on {clock(told.published_at)}", evidence, Who.CLIENT, what_next)
    has_spoken = (
        one.last_seen_at is not None and told.published_at is not None and one.last_seen_at > told.published_at + 2 * poll
    )
    if has_spoken:
        if told.is_exact:
            trouble = next((one for one in facts.troubles if one.status == StatusId.POINT_WITHHOLDS), None)
            says += f", though it spoke on {clock(one.last_seen_at)}: its access point gives it nothing newer"
            if trouble is None:
                says += ", or it cannot believe what it gets"
            what_next = "see what its access point serves, and its clock (purveyor status messages)"
            return missing(says, evidence, Who.POINT, what_next)
        return unknown(f"{says} or an earlier one", evidence, Who.CLIENT, _by_heartbeat(one.last_seen_at, facts))
    says = f"nothing was heard of it since {clock(one.last_seen_at)}; if it has polled since, it has snapshot {told.snapshot}"
    return unknown(says, evidence, Who.CLIENT, _by_heartbeat(one.last_seen_at, facts))


def _reception(facts: WhyFacts) -> datetime | None:
    """When the client spoke of the advertisement as it is published now; None: it has not."""
    heard_at, published_at = facts.heard_of_offer_at, facts.publication.published_at
    return heard_at if heard_at is not None and (published_at is None or heard_at >= published_at) else None


def _by_heartbeat(last_seen_at: datetime | None, facts: WhyFacts) -> str:
    if last_seen_at is None:
        return "its first word is awaited"
    return f"its next word is due by {clock(last_seen_at + timedelta(seconds=facts.rhythm.patience_seconds))}"


def _or_earlier(facts: WhyFacts) -> str:
    return "" if facts.publication.is_exact else " or an earlier one"


def _meaning(status: int) -> str:
    try:
        return StatusId(status).name.lower().replace("_", " ")
    except ValueError:
        return f"message {status}"
