"""Uninstalls a program once no advertisement of it reaches this machine any more, where its receipt says so: once.

It has left when a complete and fresh policy, confirmed by an access point, offers it no more, and a later poll, at least one poll
interval after, says the same (Q199263, Q316021). What is paused, disabled, replaced or needed by something that is offered has
not left, nor what is advertised and waits for content that every point has lost; what is deleted, or belongs to another site, is
not judged here. Upstream: policy; downstream: `removal`, which runs it.
"""

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch.removal import occurrence_of, plan_of
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import NOT_STARTED, Job
from purveyor.client.programs.memory.receipt import Receipt
from purveyor.client.programs.wanted.chain import program_of
from purveyor.client.programs.wanted.standing import SIGNED_AT, is_gone
from purveyor.client.state.store import State
from purveyor.wire.errors import RejectedError
from purveyor.wire.form import Instant, from_bytes, to_bytes
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import Advertisement
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.status_messages import StatusId

SERVED_AT = "served_at"
"""The fact of the last poll that an access point served."""
_FACT = "programs that have left"


class Left(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a program was not offered any more at a poll. Units: `uptime` in seconds of the start with this boot id."""

    served_at: Instant
    boot_id: str
    uptime: float
    written_at: Instant
    """Of its receipt: a later one is another install."""
    is_planned: bool = False


class Conclusions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was concluded at the last poll. Shape: by `PACKAGE/PROGRAM`."""

    served_at: Instant | None = None
    left: dict[str, Left] = {}


def plan_leaving(bench: Bench, policy: Policy) -> None:
    """Looks, once a poll, which programs have left, and makes the uninstall of those that had left at the poll before too."""
    served_at = bench.state.time(SERVED_AT)
    if not (policy.is_complete and policy.is_fresh) or served_at is None:
        return
    before = _held(bench.state)
    if before.served_at == served_at:
        return
    receipts = records.receipts_to_leave(bench.state)
    needed = _needed(policy, bench) if receipts or before.left else frozenset()
    if needed is None:
        return
    with bench.state.transaction():
        left = {}
        for receipt in receipts:
            key = ProgramKey(*receipt.key)
            earlier = before.left.get(str(key))
            if key in needed:
                if earlier is not None and earlier.is_planned:
                    _call_off(bench, receipt)
                continue
            if receipt.site != policy.settings.site or is_gone(policy, key) or key.package in policy.removals:
                continue
            now = Left(
                served_at=served_at,
                boot_id=bench.machine.boot_id(),
                uptime=bench.machine.uptime_seconds(),
                written_at=receipt.written_at,
            )
            left[str(key)] = _concluded(bench, policy, receipt, earlier, now)
        bench.state.remember(_FACT, to_bytes(Conclusions(served_at=served_at, left=left)).decode())


def _concluded(bench: Bench, policy: Policy, receipt: Receipt, earlier: Left | None, now: Left) -> Left:
    """What is to be remembered of a program that has left; its uninstall is made when that is sure."""
    if earlier is None or earlier.written_at != now.written_at or earlier.served_at > now.served_at:
        return now
    if earlier.is_planned:
        _take_up_again(bench, receipt)
        return earlier
    interval = timedelta(seconds=policy.settings.poll_interval_seconds)
    is_apart = now.served_at - earlier.served_at >= interval
    if earlier.boot_id == now.boot_id and now.uptime - earlier.uptime < interval.total_seconds():
        is_apart = False  # the clock has jumped: a poll interval has not passed
    if not is_apart or _is_under_way(bench, receipt):
        return earlier
    if records.job_of(bench.state, receipt.key, occurrence_of(receipt)) is None:
        job = plan_of(bench, receipt, is_asked_for=False)
        bench.tell(job, StatusId.NOT_OFFERED_ANY_MORE, "no advertisement of it reaches this machine any more: it is uninstalled")
    return msgspec.structs.replace(earlier, is_planned=True)


def _needed(policy: Policy, bench: Bench) -> frozenset[ProgramKey] | None:
    """The programs that are offered, whether or not they may run now, and all that they depend on; None: that cannot be told."""
    wanted = [offer.advertisement.key for offer in policy.offers if not _has_expired(offer.advertisement, bench)]
    needed = _with_dependencies(wanted, policy)
    return None if needed is None else needed | policy.waiting


def _with_dependencies(wanted: Iterable[ProgramKey], policy: Policy) -> frozenset[ProgramKey] | None:
    needed: set[ProgramKey] = set()
    waiting = list(wanted)
    while waiting:
        key = waiting.pop()
        if key in needed:
            continue
        needed.add(key)
        program = program_of(key, policy.packages)
        if program is None and key.package not in policy.packages and not is_gone(policy, key):
            return None
        if program is not None and program.depends_on is not None:
            waiting.append(ProgramKey(*program.depends_on))
    return frozenset(needed)


def _has_expired(advertisement: Advertisement, bench: Bench) -> bool:
    """Whether it has expired by this clock and by the site's own: a clock that is ahead uninstalls nothing."""
    signed_at = bench.state.time(SIGNED_AT) or bench.now
    return advertisement.expires_at is not None and advertisement.expires_at <= min(bench.now, signed_at)


def _take_up_again(bench: Bench, receipt: Receipt) -> None:
    """An uninstall whose end nobody saw, as the power failed, is tried again a few times; one that failed is not."""
    job = records.job_of(bench.state, receipt.key, occurrence_of(receipt))
    if job is not None and job.state is JobState.INTERRUPTED:
        plan_of(bench, receipt, is_asked_for=False)


def _is_under_way(bench: Bench, receipt: Receipt) -> bool:
    under_way = (JobState.RUNNING, JobState.RESTART_PENDING)
    return any(job.key == receipt.key and job.state in under_way for job in records.open_jobs(bench.state))


def _call_off(bench: Bench, receipt: Receipt) -> None:
    """It is offered again before its uninstall began."""
    job: Job | None = records.job_of(bench.state, receipt.key, occurrence_of(receipt))
    if job is not None and job.state in NOT_STARTED and not job.attempts:
        records.drop_job(bench.state, job)


def _held(state: State) -> Conclusions:
    try:
        return from_bytes(state.fact(_FACT).encode() or b"{}", Conclusions)
    except RejectedError:
        return Conclusions()
