"""Uninstalls, from the receipts: because the site or a person wants it, or a program comes that replaces another.

Those that follow from a program not being offered any more are concluded in `leaving`.
Needs neither the site nor the package: the receipt has the command and the files that it needs. Never removes a receipt itself:
that follows a successful uninstall.
"""

from datetime import datetime
from functools import partial
from typing import NamedTuple

from purveyor.client.machine.interface import Disk
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.launch.launching import launch
from purveyor.client.programs.launch.preparing import files_below
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import NOT_STARTED, Event, Job, Kind, advanced, changed, is_allowed
from purveyor.client.programs.memory.receipt import Receipt, folder_of, uninstall_program
from purveyor.wire.jobs import JobState
from purveyor.wire.package_info import Program, ProgramKey

ATTEMPT_LIMIT = 3
"""How many times the site's wish to uninstall is tried on one receipt."""


def plan_removals(bench: Bench, policy: Policy) -> None:
    """Makes an uninstall job for every receipt of a package that the site removes, and takes up those that failed."""
    if not policy.is_fresh:
        return
    for package in sorted(policy.removals):
        for receipt in records.receipts(bench.state, package):
            if receipt.uninstall is not None:
                plan_of(bench, receipt, is_asked_for=False)


def plan_uninstall(bench: Bench, receipt: Receipt) -> Job:
    """The uninstall job for a receipt, because a person asks for it now; one that failed before is taken up again."""
    return plan_of(bench, receipt, is_asked_for=True)


class Clearing(NamedTuple):
    """What has to be uninstalled before a program runs that replaces it. Both empty: nothing stands in the way.

    Shape: `waiting` are the uninstalls that are still to come, or to be tried again; `failed` those that are given up.
    """

    waiting: tuple[Job, ...]
    failed: tuple[Job, ...]


def plan_superseded(bench: Bench, program: Program) -> Clearing:
    """Makes the uninstalls of what a program replaces, where they come first; called right before the program would start.

    The uninstalls run like all others, from their receipts, before anything else does. When one has failed for good, the program
    that replaces it fails too.
    """
    waiting: list[Job] = []
    failed: list[Job] = []
    for superseded in program.supersedes:
        receipt = records.receipt_of(bench.state, ProgramKey(*superseded.key)) if superseded.is_uninstalled else None
        if receipt is None or receipt.uninstall is None:
            continue
        job = plan_of(bench, receipt, is_asked_for=False)
        may_be_tried = is_allowed(job.state, Event.RUN_AGAIN) and job.attempts < ATTEMPT_LIMIT
        (waiting if job.is_open or may_be_tried else failed).append(job)
    return Clearing(tuple(waiting), tuple(failed))


def launch_next_uninstall(bench: Bench) -> bool:
    """Launches the uninstall that is next, if one is due. True when one was started. The newest receipt goes first."""
    by_key = {job.key: job for job in records.open_jobs(bench.state) if job.kind is Kind.UNINSTALL and job.state in NOT_STARTED}
    if not by_key:
        return False
    for receipt in records.receipts(bench.state):
        job = by_key.pop(receipt.key, None)
        if job is None or not bench.may_try(job):
            continue
        if job.state is not JobState.READY:
            job = advanced(job, Event.CONTENT_HELD)
        lay_out = partial(_lay_out, bench.machine.disk, receipt)
        after = launch(bench, job, uninstall_program(receipt), site=receipt.site, lay_out=lay_out, answers=())
        if after.attempts > job.attempts:
            return True
    for job in by_key.values():  # its receipt is gone: there is nothing left to uninstall
        records.drop_job(bench.state, job)
    return False


def next_due(bench: Bench, policy: Policy) -> datetime | None:
    """When the next uninstall can be tried."""
    waiting = [job for job in records.open_jobs(bench.state) if job.kind is Kind.UNINSTALL and job.state in NOT_STARTED]
    for package in policy.removals if policy.is_fresh else ():
        for receipt in records.receipts(bench.state, package):
            job = records.job_of(bench.state, receipt.key, occurrence_of(receipt))
            if job is not None and not job.is_open and is_allowed(job.state, Event.RUN_AGAIN) and job.attempts < ATTEMPT_LIMIT:
                waiting.append(job)
    return min((job.next_try_at or bench.now for job in waiting), default=None)


def occurrence_of(receipt: Receipt) -> str:
    """What the uninstall of one receipt is known by."""
    return f"uninstall@{receipt.written_at:%Y-%m-%dT%H:%M:%SZ}"


def plan_of(bench: Bench, receipt: Receipt, *, is_asked_for: bool) -> Job:
    """The uninstall job for a receipt, made where there is none; one that failed is taken up again as far as its tries go."""
    occurrence = occurrence_of(receipt)
    job = records.job_of(bench.state, receipt.key, occurrence)
    if job is None:
        job = Job(
            key=receipt.key,
            occurrence=occurrence,
            kind=Kind.UNINSTALL,
            source_version=receipt.source_version,
            is_by_hand=is_asked_for,
        )
        with bench.state.transaction():
            return bench.save(job)
    if job.is_open:
        is_waiting = is_asked_for and job.state in NOT_STARTED
        return bench.save(changed(job, next_try_at=None, problem="")) if is_waiting else job
    is_due = job.attempts < ATTEMPT_LIMIT and bench.may_try(job)
    if is_allowed(job.state, Event.RUN_AGAIN) and (is_asked_for or is_due):
        with bench.state.transaction():
            return bench.save(advanced(job, Event.RUN_AGAIN, next_try_at=None, problem=""))
    return job


def _lay_out(disk: Disk, receipt: Receipt, folder: str) -> None:
    kept = folder_of(receipt.key)
    for path in files_below(disk, kept):
        disk.place(f"{kept}/{path}", f"{folder}/{path}", is_executable=True)
    disk.make_folder(folder)
