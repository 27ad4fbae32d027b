"""Agents and sites that break one rule each. Every one of them once shipped somewhere, or nearly did.

A mutant replaces one function, and names the story that must fail under it. A story that passes under its mutant proves nothing.
"""

from datetime import datetime

import msgspec
import pytest

from journeys import faults, power_cuts
from journeys.stories import When, story_of, story_of_a_deletion
from mutants import between
from mutants.mutant import Mutant
from purveyor.client.agent import Agent
from purveyor.client.policy import conclude
from purveyor.client.policy import poll as policy_poll
from purveyor.client.policy.walk import Walk
from purveyor.client.policy_view import Policy
from purveyor.client.programs import apm
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch import families, launching
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.history import History
from purveyor.client.programs.wanted import standing
from purveyor.client.state import published
from purveyor.client.state.identity import Identity
from purveyor.client.state.store import State
from purveyor.wire import package_info
from purveyor.wire.errors import AbsentError
from purveyor.wire.package_info import IfInterrupted

Patch = pytest.MonkeyPatch


def _forget_when_not_offered(patch: Patch) -> None:
    """Q318779: what nobody offers just now is cleaned up."""
    original = apm.forget_deleted

    def forget(bench: Bench, policy: Policy, content: apm.ContentCache) -> None:
        advertised = [offer.advertisement for offer in policy.offers]
        offered = {one.key for one in advertised if not standing.silence(policy, one, bench)}
        gone = records.programs_known(bench.state) - offered if policy.is_complete else frozenset()
        original(bench, msgspec.structs.replace(policy, deleted_programs=policy.deleted_programs | gone), content)

    patch.setattr(apm, "forget_deleted", forget)


def _forget_when_pkg_missing(patch: Patch) -> None:
    """A `.pkg` that cannot be read is taken for a package that is gone."""
    patch.setattr(Walk, "judge_deletions", lambda _walk, asked: sorted(asked))


def _believe_empty_folder(patch: Patch) -> None:
    """A CAP without files is taken for a site without packages."""
    original = policy_poll._poll_at

    def poll_at(state: State, identity: Identity, point: policy_poll.Point, now: datetime) -> policy_poll._Served:
        try:
            return original(state, identity, point, now)
        except AbsentError:
            for package in published.held_package_ids(state):
                published.record_deleted(state, package, snapshot=0, at=now)
            return policy_poll._Served((), ())

    patch.setattr(policy_poll, "_poll_at", poll_at)


def _delete_by_absence_in_stale_bin(patch: Patch) -> None:
    """A bin that is held at an older version than the snapshot names is good enough for a proof."""

    def judge(walk: Walk, asked: list[apm.PackageId]) -> list[apm.PackageId]:
        proven = []
        for package in asked:
            path = package_info.path_of(package)
            held = walk.trusted._targets.get(walk.trusted.bin_of("packages", path))
            if held is not None and path not in held.targets:
                proven.append(package)
        return proven

    patch.setattr(Walk, "judge_deletions", judge)


def _rerun_after_disable(patch: Patch) -> None:
    """A disabled program starts anew when it is enabled."""
    original = apm.take_in

    def take_in(bench: Bench, policy: Policy) -> object:
        for key in policy.disabled:
            records.forget_program(bench.state, key)
        return original(bench, policy)

    patch.setattr(apm, "take_in", take_in)


def _rerun_on_new_advertisement(patch: Patch) -> None:
    """History is kept by advertisement instead of by package and program (Q257271)."""
    original = standing.outstanding

    def outstanding(found: object, history: object, **options: object) -> object:
        mine = history
        if isinstance(history, History) and history.succeeded_advertisement is not None:
            asking = {occurrence.advertisement for occurrence in found}  # type: ignore[attr-defined]
            mine = history if history.succeeded_advertisement in asking else None
        return original(found, mine, **options)  # type: ignore[arg-type]

    patch.setattr(standing, "outstanding", outstanding)


def _start_before_store(patch: Patch) -> None:
    """The program is started first, and that it was started is stored afterwards."""
    original = families.launch

    def launch(bench: Bench, *arguments: object, **options: object) -> object:
        def prepared(*given: object, **named: object) -> object:
            order = original_prepared(*given, **named)  # type: ignore[arg-type]
            if not isinstance(order, launching.Obstacle):
                bench.machine.programs.start(order)
            return order

        original_prepared = launching.prepared
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(launching, "prepared", prepared)
            return original(bench, *arguments, **options)  # type: ignore[arg-type]

    patch.setattr(families, "launch", launch)


def _acknowledge_before_commit(patch: Patch) -> None:
    """The agent says what it has applied before it has."""
    original = Agent._policy

    def policy(agent: Agent, identity: Identity, now: datetime, *, is_forced: bool) -> object:
        held, access_point = original(agent, identity, now, is_forced=is_forced)
        agent.state.raise_mark("applied", agent.state.mark("read_snapshot"))
        agent.state.remember("heartbeat_at", "")
        agent._report(identity, held, (), access_point, now)
        return held, access_point

    patch.setattr(Agent, "_policy", policy)


def _ignore_highest_package(patch: Patch) -> None:
    """An id that was never given counts as deleted."""
    patch.setattr(conclude, "was_given", lambda _package, _highest: True)


def _accept_older_shard(patch: Patch) -> None:
    """Any shard that verifies is believed, however old."""
    patch.setattr(conclude, "is_shard_acceptable", lambda _shard, **_known: True)


def _never_conclude_deletion(patch: Patch) -> None:
    """Q293187 as it was: nothing is ever forgotten."""
    patch.setattr(Walk, "judge_deletions", lambda _walk, _asked: [])


def _forget_the_neighbours(patch: Patch) -> None:
    """One deletion takes all records with it."""

    def forget(state: State, _package: str) -> None:
        with state.transaction() as tx:
            for table in ("job", "history", "held_content"):
                tx.execute(f"delete from {table}")

    patch.setattr(records, "forget_package", forget)


def _forget_the_receipt(patch: Patch) -> None:
    """With the package goes what is needed to uninstall it."""
    original = records.forget_package

    def forget(state: State, package: apm.PackageId) -> None:
        original(state, package)
        for receipt in records.receipts(state, package):
            records.drop_receipt(state, receipt.key)

    patch.setattr(records, "forget_package", forget)


def _forget_what_runs(patch: Patch) -> None:
    """A deleted package is forgotten, and acknowledged, while its program still runs."""
    patch.setattr("purveyor.client.programs.removing.deletion._are_ended", lambda *_given: True)


MUTANTS: dict[str, Mutant] = {
    "forget_when_not_offered": Mutant(
        _forget_when_not_offered, lambda: story_of("paused", "advertisement", When.AFTER), "has forgotten"
    ),
    "forget_when_not_offered, a dependency": Mutant(
        _forget_when_not_offered, lambda: story_of("a dependency only", "advertisement", When.AFTER), "subject.exe /q'\\): [2-9]"
    ),
    "forget_when_not_offered, left": Mutant(
        _forget_when_not_offered, lambda: story_of("left the collection", "collection", When.DURING), "has forgotten"
    ),
    "forget_when_pkg_missing": Mutant(_forget_when_pkg_missing, faults.story_of_a_damaged_package_file, "has forgotten"),
    "believe_empty_folder": Mutant(
        _believe_empty_folder, lambda: story_of("empty folder", "package, running finishes", When.DURING), "has forgotten"
    ),
    "delete_by_absence_in_stale_bin": Mutant(_delete_by_absence_in_stale_bin, faults.story_of_damaged_bins, "never ran"),
    "rerun_after_disable": Mutant(_rerun_after_disable, lambda: story_of("disabled", "program", When.AFTER), "has forgotten"),
    "rerun_on_new_advertisement": Mutant(
        _rerun_on_new_advertisement, lambda: story_of("a dependency only", "advertisement", When.AFTER), "subject.exe /q'\\): 2"
    ),
    "start_before_store": Mutant(
        _start_before_store,
        lambda: power_cuts.story_of_client_power_cuts(IfInterrupted.LEAVE, is_detectable=False, first=25),
        "it was started twice",
    ),
    "acknowledge_before_commit": Mutant(
        _acknowledge_before_commit,
        lambda: power_cuts.story_of_an_acknowledgement_cut_off(first=8),
        "it acknowledged before it had forgotten",
    ),
    "ignore_highest_package": Mutant(_ignore_highest_package, faults.story_of_offers_before_packages, "never ran"),
    "accept_older_shard": Mutant(_accept_older_shard, faults.story_of_an_older_shard_on_the_day, "did not run on its day"),
    "never_conclude_deletion": Mutant(_never_conclude_deletion, story_of_a_deletion, "still holds"),
    "forget_the_neighbours": Mutant(
        _forget_the_neighbours, story_of_a_deletion, "the history of another package was touched|has forgotten the neighbour"
    ),
    "forget_the_receipt": Mutant(_forget_the_receipt, faults.story_of_a_receipt, "has lost the receipt"),
    "forget_what_runs": Mutant(
        _forget_what_runs,
        lambda: faults.story_of_a_run_under_way(faults.RunningChoice.FINISH),
        "what still runs is counted as forgotten",
    ),
    **between.MUTANTS,
}
