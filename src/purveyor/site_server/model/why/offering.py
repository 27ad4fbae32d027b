"""The first links of the chain: what an administrator has said of package, program, client and advertisement. Pure."""

from dataclasses import replace

from purveyor.site_server.model.retirement import PackageState
from purveyor.site_server.model.why.facts import ClientFacts, Deed, OfferFacts, ProgramFacts, Rule, WhyFacts
from purveyor.site_server.model.why.link import Evidence, Found, Who, clock, missing, ok
from purveyor.site_server.model.why.waiting import waiting
from purveyor.wire.jobs import JobState
from purveyor.wire.shards import NOBODY, ClientState
from purveyor.wire.status_messages import StatusId

ENDED = frozenset({JobState.FAILED, JobState.TIMED_OUT, JobState.INTERRUPTED, JobState.REVOKED, JobState.REFUSED})
"""States of a dependency in which what needs it is not run."""
REFUSED = ClientState.REFUSED.value
REMOVED = "removed"


def package(facts: WhyFacts) -> Found:
    """Whether the package stands; of a deleted one by whom, when and what replaces it."""
    one = facts.package
    name = f"package {one.id} ({one.name})"
    if one.state is PackageState.ACTIVE:
        return ok(f"{name} stands", Evidence(text=f"source version {one.source_version}", source="package", at=one.created_at))
    says = f"{name} was retired on {clock(one.deleted_at)} by {one.deleted_by or 'somebody'}"
    if one.replaced_by:
        says += f", replaced by {one.replaced_by}" + (f" ({one.replaced_by_name})" if one.replaced_by_name else "")
    evidence = [
        Evidence(text=f"deleted by {one.deleted_by}", source="package", at=one.deleted_at),
        Evidence(text=f"its state is {one.state}", source="package", at=one.since),
    ]
    job = facts.job
    if job is not None and job.state is JobState.SUCCEEDED and one.removed_at is None:
        says += "; what it had installed stays until somebody removes it there"
        evidence.append(Evidence(text=f"it had succeeded: {job.text}", source="client: job", at=job.at))
    if one.removed_at is not None:
        evidence.append(Evidence(text="the client said that it has uninstalled it", source="holder", at=one.removed_at))
    if one.acknowledged_at is not None:
        evidence.append(Evidence(text="the client said that it has forgotten it", source="holder", at=one.acknowledged_at))
    if one.state is PackageState.REMOVING and one.is_holder and one.removed_at is None:
        return missing(says, evidence, Who.CLIENT, "it uninstalls it from its receipt, and says so")
    if one.state in (PackageState.REMOVING, PackageState.RETIRING) and one.is_holder and one.acknowledged_at is None:
        return missing(says, evidence, Who.CLIENT, "it forgets it with a coming poll, and says so")
    what_next = (
        f"ask for {one.replaced_by}, which replaces it" if one.replaced_by else "it does not come back; its id is not given again"
    )
    return missing(says, evidence, Who.NOBODY, what_next)


def program(facts: WhyFacts) -> Found:
    """Whether the program stands and is enabled."""
    one = facts.program
    name = f"program {one.key}" + (f" ({one.name})" if one.name else "")
    if one.program is None:
        return missing(
            f"package {one.key.package} has no such program",
            (),
            Who.ADMINISTRATOR,
            f"add one: purveyor program add {one.key.package}",
        )
    if one.deleted_at is not None:
        evidence = [Evidence(text="deleted", source="program", at=one.deleted_at), *_deeds(one.deed)]
        return missing(
            f"{name} was deleted on {clock(one.deleted_at)}",
            evidence,
            Who.ADMINISTRATOR,
            "advertise another program of the package",
        )
    if not one.is_enabled:
        return missing(
            f"{name} is disabled",
            _deeds(one.deed),
            Who.ADMINISTRATOR,
            f"purveyor program enable {one.key.package} {one.key.program}",
        )
    return ok(f"{name} is enabled", Evidence(text="not deleted, enabled", source="program"))


def client(facts: WhyFacts) -> Found:
    """Whether the machine is a member of the site; else what it is told, and why."""
    one = facts.client
    evidence = [Evidence(text=f"state {one.state}" + (f": {one.reason}" if one.reason else ""), source="client", at=one.since)]
    if one.state == REFUSED:
        evidence = [Evidence(text=one.reason, source="refusal", at=one.since)]
        return missing(
            f"the machine {one.name} was refused: {one.reason}",
            evidence,
            Who.ADMINISTRATOR,
            "purveyor join-code create, and join with the new code",
        )
    evidence += _deeds(one.deed)
    if one.fork:
        evidence.append(Evidence(text=f"several machines used its identity: {one.fork}", source="client"))
    if one.keeper not in ("", NOBODY):
        text = f"the machine with id {one.keeper} keeps it, every other one was told to join again"
        evidence.append(Evidence(text=text, source="client"))
    if one.was:
        text = f"it came with the identity of client {one.was}: its history up to then is that of its image"
        evidence.append(Evidence(text=text, source="client"))
    if one.state == ClientState.MEMBER and (not one.fork or one.keeper):
        return ok(f"{one.name} is a member of the site", *evidence)
    says, what_next = _not_member(one)
    return missing(says, evidence, Who.ADMINISTRATOR, what_next)


def _not_member(one: ClientFacts) -> tuple[str, str]:
    because = f": {one.reason}" if one.reason else ""
    if one.keeper == NOBODY:
        return (
            f"several machines used the identity of {one.name}, and none can be told from the others: all join again",
            f"put the new clients into the collections that named {one.name}, and purveyor resource remove it",
        )
    if one.fork and not one.keeper:
        return (
            f"two machines use the identity of {one.name} (state {one.state}{because}), so what is said may be of either",
            f"let the clone join anew; purveyor resource block and unblock {one.name} settles it",
        )
    match one.state:
        case ClientState.WAITING:
            return f"{one.name} waits for approval", f"purveyor resource approve {one.name}"
        case ClientState.BLOCKED:
            return f"{one.name} is blocked{because}", f"purveyor resource unblock {one.name}"
        case _ if one.state == REMOVED:
            return (
                f"{one.name} is no client of the site any more{because}",
                "purveyor join-code create, and let the machine join again",
            )
        case _:
            return f"{one.name} is told to join again{because}", "purveyor join-code create, and let the machine join again"


def advertisement(facts: WhyFacts) -> Found:
    """Whether anything advertises the program."""
    offer = facts.offer
    if offer is None:
        key = facts.program.key
        evidence = [
            Evidence(
                text=f"{one.id} ({one.name}) to {one.collection_name} was deleted", source="advertisement", at=one.deleted_at
            )
            for one in facts.gone_offers
        ]
        says = "no advertisement offers it"
        if facts.gone_offers:
            last = facts.gone_offers[0]
            says = (
                f"its advertisement {last.id} ({last.name}) was deleted on {clock(last.deleted_at)}, and no other one offers it"
            )
        what_next = f"purveyor advertise {key.package} {key.program} --to COLLECTION"
        return missing(says, evidence, Who.ADMINISTRATOR, what_next)
    own = offer.advertisement.key == facts.program.key
    says = f"{offer.advertisement.id} ({offer.name}) " + (
        "offers it" if own else f"offers {offer.advertisement.key}, which depends on it"
    )
    evidence = [
        Evidence(text=f"to {offer.collection_name}, made by {offer.created_by}", source="advertisement", at=offer.created_at)
    ]
    evidence += [
        Evidence(
            text=f"also {one.advertisement.id} ({one.name}) to {one.collection_name}", source="advertisement", at=one.created_at
        )
        for one in facts.offers
        if one is not offer
    ]
    return ok(says, *evidence)


def membership(facts: WhyFacts) -> Found | None:
    """Whether the client is a member of the collection, and by which rule it is or is not."""
    offer = facts.offer
    if offer is None:
        return None
    evidence = [_rule_evidence(rule, offer) for rule in offer.rules]
    name = f"{offer.collection} ({offer.collection_name})"
    if offer.is_member:
        by = next((_rule_words(rule) for rule in offer.rules if rule.holds and rule.kind != "exclude"), "its rules")
        return ok(f"a member of {name} by {by}", *evidence)
    excluding = next((rule for rule in offer.rules if rule.kind == "exclude" and rule.holds), None)
    is_chosen = any(rule.holds for rule in offer.rules if rule.kind != "exclude")
    if facts.client.state != ClientState.MEMBER:
        says = f"{facts.client.name} is no member of {name}, as only members of the site belong to collections"
    elif excluding is not None and is_chosen:
        says = f"{facts.client.name} is no member of {name}: it is excluded with {excluding.other} ({excluding.other_name})"
        what_next = f"take it out of {excluding.other_name}, or change what {offer.collection_name} excludes"
        return missing(says, evidence, Who.ADMINISTRATOR, what_next)
    else:
        says = f"{facts.client.name} is no member of {name}: no rule names it"
    return missing(says, evidence, Who.ADMINISTRATOR, f"purveyor collection edit {offer.collection} --member {facts.client.name}")


def offer(facts: WhyFacts) -> Found | None:
    """Whether the advertisement says anything now: neither paused nor expired, and available."""
    one = facts.offer
    if one is None:
        return None
    said = one.advertisement
    name = f"{said.id} ({one.name})"
    evidence = _deeds(one.deed)
    if said.is_paused:
        return missing(f"{name} is paused", evidence, Who.ADMINISTRATOR, f"purveyor advertisement resume {said.id}")
    if said.expires_at is not None and said.expires_at <= facts.now:
        evidence.append(Evidence(text="it expired", source="advertisement", at=said.expires_at))
        what_next = f"purveyor advertisement edit {said.id} with a later end"
        return missing(f"{name} expired on {clock(said.expires_at)}", evidence, Who.ADMINISTRATOR, what_next)
    if said.available_from > facts.now:
        evidence.append(Evidence(text="it begins", source="advertisement", at=said.available_from))
        what_next = f"nothing before {clock(said.available_from)}; then it goes on by itself"
        return missing(f"{name} is not available before {clock(said.available_from)}", evidence, Who.CLIENT, what_next)
    return ok(f"{name} holds", *evidence, Evidence(text="available", source="advertisement", at=said.available_from))


def platform(facts: WhyFacts) -> Found | None:
    """Whether the program is for this machine's platform."""
    one, machine = facts.program, facts.client.facts
    if one.program is None:
        return None
    name = f"{machine.platform}@{machine.architecture}" if machine.architecture else machine.platform or "an unknown platform"
    wanted = ", ".join(one.program.platforms)
    evidence = [Evidence(text=f"the machine is {name}", source="client: discovery")]
    if wanted:
        evidence.append(Evidence(text=f"the program is for {wanted}", source="program"))
    what_next = f"purveyor program edit {one.key.package} {one.key.program} --platform, or a program for {name}"
    refused = next((told for told in facts.messages if told.status == StatusId.PLATFORM_NOT_SUPPORTED), None)
    is_refused = one.job is not None and one.job.state is JobState.REFUSED
    if refused is not None and is_refused:
        evidence.append(Evidence(text=f"the client refused it: {refused.text}", source="status message", at=refused.at))
    if not one.fits:
        return missing(f"the program is for {wanted}, the machine is {name}", evidence, Who.ADMINISTRATOR, what_next)
    if is_refused:
        said = "" if refused is None else f": {refused.text}"
        return missing(f"the client refused it when it looked last{said}", evidence, Who.CLIENT, "it looks again at each poll")
    return ok("the program is for this platform", *evidence)


def replaced(facts: WhyFacts) -> Found:
    """Whether another program that is offered to this client replaces it."""
    if not facts.replaced_by:
        return ok("nothing that is offered here replaces it")
    evidence = [
        Evidence(text=f"{one.key} ({one.name}) replaces it, offered by {one.advertisement}", source="program, advertisement")
        for one in facts.replaced_by
    ]
    first = facts.replaced_by[0]
    says = f"{first.key} ({first.name}) replaces it and is offered to this client"
    return missing(says, evidence, Who.NOBODY, f"it is replaced as intended; ask for {first.key}")


def dependency(facts: WhyFacts) -> Found:
    """Whether everything that the program depends on can run here, and has not failed."""
    if facts.is_chain_round:
        says = f"{facts.program.key} depends on itself, by way of {', '.join(str(one.key) for one in facts.chain)}"
        return missing(says, (), Who.ADMINISTRATOR, "take one of these dependencies away")
    evidence = [_member_evidence(one) for one in facts.chain]
    for one in facts.chain:
        broken = _broken(one)
        if broken is not None:
            says, what_next = broken
            return missing(says, evidence, Who.ADMINISTRATOR, what_next)
    found = waiting(facts, "dependency")
    if found is not None:
        return replace(found, evidence=(*found.evidence, *evidence))
    if not facts.chain:
        return ok("it depends on nothing")
    job = facts.job
    if job is not None and job.told_by is StatusId.DEPENDENCY_FAILED:
        evidence.append(Evidence(text=job.text, source="client: job", at=job.at))
        advertised = facts.offer.advertisement.id if facts.offer else "ADVERTISEMENT"
        what_next = f"mend it, then purveyor job run-again {advertised} --client {facts.client.name}"
        return missing(f"what it depends on failed: {job.text}", evidence, Who.ADMINISTRATOR, what_next)
    return ok("what it depends on stands", *evidence)


def _broken(one: ProgramFacts) -> tuple[str, str] | None:
    """Why a program on which others depend keeps them from running, and what to do; None: it does not."""
    name = f"the program {one.key}" + (f" ({one.name})" if one.name else "") + ", on which it depends,"
    if not one.stands:
        return f"{name} does not exist any more", "let it depend on another program, or on none"
    if not one.is_enabled:
        return f"{name} is disabled", f"purveyor program enable {one.key.package} {one.key.program}"
    if not one.fits:
        return f"{name} is not for this machine's platform", f"widen the platforms of {one.key}"
    if one.job is not None and one.job.state in ENDED and one.job.succeeded_version is None:
        return f"{name} ended as {one.job.state.value}: {one.job.text}", f"mend {one.key}, then run again what depends on it"
    return None


def _member_evidence(one: ProgramFacts) -> Evidence:
    if one.job is None:
        return Evidence(text=f"{one.key} ({one.name}): no word of it from this client", source="job")
    return Evidence(
        text=f"{one.key} ({one.name}): {one.job.state.value} {one.job.text}".rstrip(), source="client: job", at=one.job.at
    )


def _deeds(deed: Deed | None) -> list[Evidence]:
    return [] if deed is None else [Evidence(text=f"{deed.action} by {deed.by}", source="audit", at=deed.at)]


def _rule_words(rule: Rule) -> str:
    match rule.kind:
        case "all":
            return "being a member of the site"
        case "direct":
            return "its direct rule"
        case _:
            return f"the rule that {rule.kind}s {rule.other} ({rule.other_name})"


def _rule_evidence(rule: Rule, offer: OfferFacts) -> Evidence:
    source = f"rules of {offer.collection}"
    match rule.kind:
        case "all":
            return Evidence(text="all members of the site belong to it", source=source)
        case "direct":
            return Evidence(text="named directly" if rule.holds else "not named directly", source=source)
        case _:
            is_in = "is" if rule.holds else "is not"
            return Evidence(text=f"{rule.kind}s {rule.other} ({rule.other_name}), of which it {is_in} a member", source=source)
