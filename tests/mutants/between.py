"""Agents and sites that break a rule of what lies between them: links, mirrors, points, clocks, graces, and what is told.

The rules are those of the protocol, sections 3 to 10; a comment at each group names its own.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from journeys import between, faults
from mutants.mutant import Mutant
from purveyor.client import reports
from purveyor.client.content import held, plan
from purveyor.client.content.cache import READY
from purveyor.client.content.fetch import Sources
from purveyor.client.content.held import Content
from purveyor.client.policy import conclude
from purveyor.client.policy import poll as policy_poll
from purveyor.client.policy.walk import Walk
from purveyor.client.programs.memory.history import Started
from purveyor.client.programs.removing import leaving
from purveyor.client.programs.wanted import due, standing
from purveyor.client.state.store import State
from purveyor.client.trust import Trusted
from purveyor.site_server.admin import advertisements
from purveyor.site_server.model.sequence import Advance
from purveyor.site_server.publish import content as site_content
from purveyor.site_server.publish import retirement, turn
from purveyor.site_server.receive import numbering
from purveyor.wire.causes import Cause
from purveyor.wire.errors import UnavailableError

Patch = pytest.MonkeyPatch


# --- publishing: the order of files, and how long they stay (section 3) ---


def _publish_the_timestamp_first(patch: Patch) -> None:
    """What leads to files lies there before the files do."""
    original = turn.write_rank
    patch.setattr(turn, "write_rank", lambda path: -original(path))


def _take_files_away_at_once(patch: Patch) -> None:
    """A file leaves the access point with the metadata that named it."""
    patch.setattr(turn, "unnamed_grace", lambda _settings: timedelta(0))


def _take_content_away_at_once(patch: Patch) -> None:
    """Superseded content leaves the points while clients still read of it."""
    patch.setattr(site_content, "is_grace_over", lambda *_given: True)


# --- a poll: what is newer, what is verified (section 5) ---


def _accept_rollback(patch: Patch) -> None:
    """Whatever is signed is believed, however old: every walk begins with nothing but the root."""

    def forgetful(state: State) -> Trusted:
        return Trusted(policy_poll.published.trusted_contents(state)["root"], {})

    patch.setattr(policy_poll, "load_trusted", forgetful)
    patch.setattr(policy_poll, "version_in", lambda _content: 2**62)
    patch.setattr(conclude, "is_shard_acceptable", lambda _shard, **_known: True)


def _run_what_is_not_verified(patch: Patch) -> None:
    """Content is taken as it comes."""

    def fetch_files(disk: held.Disk, files: list[plan.Stored], sources: Sources) -> None:
        point = sources.current()
        assert point is not None
        for stored in files:
            place = plan.place_of_file(stored.sha256)
            for piece in point.read_from(stored.path, offset=0, limit_bytes=stored.size_bytes):
                disk.append(place, piece)
            disk.sync(place)

    patch.setattr(held, "fetch_files", fetch_files)
    patch.setattr(held, "digest_of", lambda _pieces: AnyDigest())


class AnyDigest(str):
    """Equals every digest."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = str.__hash__


def _run_without_content(patch: Patch) -> None:
    """A download that finds no room counts as done."""
    original = Content.fetch

    def fetch(cache: Content, *arguments: object, **options: object) -> object:
        fetched = original(cache, *arguments, **options)  # type: ignore[arg-type]
        return READY if fetched.cause is Cause.CONTENT_SPACE else fetched

    patch.setattr(Content, "fetch", fetch)
    original_lay_out = Content.lay_out

    def lay_out(cache: Content, *arguments: str) -> None:
        with suppress(UnavailableError):
            original_lay_out(cache, *arguments)

    patch.setattr(Content, "lay_out", lay_out)


def _let_one_collection_stop_all(patch: Patch) -> None:
    """Q245170: offers that cannot be read hold up those of every other collection."""
    original = Walk.offers_of

    def offers_of(walk: Walk, collections: Collection[str]) -> object:
        found = original(walk, collections)  # type: ignore[arg-type]
        if len(found) < len(list(collections)):
            raise UnavailableError("not all offers can be read")
        return found

    patch.setattr(Walk, "offers_of", offers_of)


# --- what a client may conclude (sections 6, 7 and 9) ---


def _believe_expired_words(patch: Patch) -> None:
    """Nobody looks at the date of what the site has signed."""
    patch.setattr(policy_poll, "signed_now", lambda _state, now: now - timedelta(days=3650))


def _take_unread_offers_for_none(patch: Patch) -> None:
    """What cannot be read is not offered."""
    original = conclude.is_offering_complete

    def is_offering_complete(entry: object, **known: object) -> bool:
        return original(entry, **(known | {"is_everything_read": True}))  # type: ignore[arg-type]

    patch.setattr(conclude, "is_offering_complete", is_offering_complete)


def _uninstall_at_the_first_poll(patch: Patch) -> None:
    """One poll that does not offer a program is enough to remove it."""
    original = leaving._concluded

    def concluded(bench: object, policy: object, receipt: object, earlier: object, now: leaving.Left) -> leaving.Left:
        before = msgspec.structs.replace(now, served_at=now.served_at - timedelta(days=1), boot_id="another")
        return original(bench, policy, receipt, earlier or before, now)  # type: ignore[arg-type]

    patch.setattr(leaving, "_concluded", concluded)


def _acknowledge_what_cannot_be_removed(patch: Patch) -> None:
    """Content that cannot be removed now is left, and counts as forgotten."""
    original = Content.forget_package

    def forget_package(cache: Content, package: object) -> None:
        try:
            original(cache, package)  # type: ignore[arg-type]
        except UnavailableError:
            return

    patch.setattr(Content, "forget_package", forget_package)


def _withdraw_without_the_holders(patch: Patch) -> None:
    """A deleted package is gone as soon as it is published to be."""
    original = retirement.next_state

    def next_state(package: object, **known: object) -> object:
        return original(package._replace(unacknowledged_count=0), **known)  # type: ignore[attr-defined]

    patch.setattr(retirement, "next_state", next_state)


# --- occurrences: run at most once (section 8) ---


def _remember_only_the_last_occurrence(patch: Patch) -> None:
    """What was started before the last one is not known any more; a clock that is set back asks for it again."""
    patch.setattr(Started, "has", lambda one, other: one.nominal == other.nominal)


def _name_occurrences_by_what_is_edited(patch: Patch) -> None:
    """When an advertisement expires is a part of the identity of its occurrences."""
    original = due._Plan.name

    def name(plan: due._Plan, assignment: object) -> str:
        return f"{original(plan, assignment)}-{plan.advertisement.expires_at}"  # type: ignore[arg-type]

    patch.setattr(due._Plan, "name", name)


def _renumber_assignments(patch: Patch) -> None:
    """Every edit gives all assignments new numbers."""
    original = advertisements.rules.numbered
    patch.setattr(advertisements.rules, "numbered", lambda said, _before, highest: original(said, (), highest))


def _run_each_version(patch: Patch) -> None:
    """Q226922: a new source version of a package asks for all its programs again."""
    original = standing.occurrences

    def occurrences(advertisement: object, *arguments: object, **options: object) -> object:
        each = msgspec.structs.replace(advertisement, each_version=True)  # type: ignore[type-var]
        return original(each, *arguments, **options)  # type: ignore[arg-type]

    patch.setattr(standing, "occurrences", occurrences)


# --- what is told: once, and never lost (sections 4 and 10) ---


def _forget_what_was_sent(patch: Patch) -> None:
    """An item that a point took is as good as stored."""
    original = reports.send

    def send(state: State, *arguments: object, **options: object) -> int:
        try:
            return original(state, *arguments, **options)  # type: ignore[arg-type]
        finally:
            with state.transaction() as tx:
                tx.execute("delete from item where sent_at is not null")

    patch.setattr(reports, "send", send)


def _tell_again_what_is_in_an_item(patch: Patch) -> None:
    """That a message is in an item now is not stored with the item: after the next pass it is in two."""
    original = reports.gather
    told: set[bytes] = set()

    def gather(state: State, *arguments: object, **options: object) -> None:
        waiting = [bytes(row[0]) for row in state.connection.execute("select content from message")]
        original(state, *arguments, **options)  # type: ignore[arg-type]
        with state.transaction() as tx:
            tx.executemany("insert into message (content) values (?)", [(one,) for one in waiting if one not in told])
        told.update(waiting)

    patch.setattr(reports, "gather", gather)


def _cover_what_never_came(patch: Patch) -> None:
    """The shard says that all is received up to the highest number that came, gaps and all, and not what it was."""

    def advance(received: int, *, oldest_kept: int, stored: Collection[int]) -> Advance:
        return Advance(max([received, *stored]), 0, 0)

    patch.setattr(numbering, "advance", advance)
    patch.setattr(numbering, "digest_after", lambda *_given: "")


def _drop_results_without_a_word(patch: Patch) -> None:
    """What cannot be sent at once is not worth keeping."""
    original = reports.gather

    def gather(state: State, *arguments: object, **options: object) -> None:
        waiting = int(state.connection.execute("select count(*) from item where sent_at is not null").fetchone()[0])
        if waiting:
            with state.transaction() as tx:
                tx.execute("delete from message")
        original(state, *arguments, **options)  # type: ignore[arg-type]

    patch.setattr(reports, "gather", gather)


MUTANTS: Mapping[str, Mutant] = {
    "publish_the_timestamp_first": Mutant(
        _publish_the_timestamp_first, between.story_of_half_publications, "requests for what is not there"
    ),
    "take_files_away_at_once": Mutant(
        _take_files_away_at_once, between.story_of_a_mirror_a_day_behind, "requests for what is not there|could not run"
    ),
    "take_content_away_at_once": Mutant(
        _take_content_away_at_once, between.story_of_a_mirror_a_day_behind, "requests for what is not there|could not run"
    ),
    "accept_rollback": Mutant(_accept_rollback, between.story_of_what_was_taken_back, "ran what had been taken back"),
    "run_what_is_not_verified": Mutant(_run_what_is_not_verified, between.story_of_a_point_that_lies, "could not verify"),
    "run_without_content": Mutant(
        _run_without_content, between.story_of_a_program_that_fills_the_disk, "it ran without its content"
    ),
    "let_one_collection_stop_all": Mutant(
        _let_one_collection_stop_all, faults.story_of_a_damaged_offers_file, "waits because of another collection"
    ),
    "believe_expired_words": Mutant(
        _believe_expired_words, between.story_of_an_expired_deletion, "has forgotten by expired words"
    ),
    "take_unread_offers_for_none": Mutant(
        _take_unread_offers_for_none, between.story_of_leaving, "because offers could not be read"
    ),
    "uninstall_at_the_first_poll": Mutant(_uninstall_at_the_first_poll, between.story_of_leaving, "at the first poll"),
    "acknowledge_what_cannot_be_removed": Mutant(
        _acknowledge_what_cannot_be_removed, faults.story_of_a_read_only_disk, "forgotten content that is still there"
    ),
    "withdraw_without_the_holders": Mutant(_withdraw_without_the_holders, between.story_of_an_absent_holder, "still holds it"),
    "remember_only_the_last_occurrence": Mutant(
        _remember_only_the_last_occurrence, between.story_of_a_clock_that_goes_back, "hours that were run before ran again"
    ),
    "name_occurrences_by_what_is_edited": Mutant(
        _name_occurrences_by_what_is_edited, between.story_of_edits, "an edit made it run again"
    ),
    "renumber_assignments": Mutant(_renumber_assignments, between.story_of_edits, "an edit made it run again"),
    "run_each_version": Mutant(_run_each_version, between.story_of_edits, "an edit made it run again"),
    "forget_what_was_sent": Mutant(
        _forget_what_was_sent, between.story_of_reports_over_a_bad_link, "the site was told [0-3] times"
    ),
    "tell_again_what_is_in_an_item": Mutant(
        _tell_again_what_is_in_an_item, between.story_of_reports_over_a_bad_link, "the site was told [5-9] times"
    ),
    "cover_what_never_came": Mutant(
        _cover_what_never_came, between.story_of_reports_over_a_bad_link, "the site was told [0-3] times"
    ),
    "drop_results_without_a_word": Mutant(
        _drop_results_without_a_word, between.story_of_reports_over_a_bad_link, "the site was told [0-3] times"
    ),
}
