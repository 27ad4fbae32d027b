"""Forgets exactly what was deleted, and nothing else: the only place where jobs, histories and cached content end for good.

Acts only on what policy has proven (protocol, section 6) and only while its metadata is fresh. A run that is under way ends
first, as the retirement note says; the receipt stays.
"""

from purveyor.client.content.held import ContentCache
from purveyor.client.policy_view import Policy
from purveyor.client.programs.bench import Bench
from purveyor.client.programs.memory import records
from purveyor.client.programs.memory.job import NOT_STARTED, Event, Job, Kind, advanced
from purveyor.wire.errors import UnavailableError
from purveyor.wire.ids import PackageId
from purveyor.wire.jobs import JobState
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import ProgramKey
from purveyor.wire.reports import StatusMessage
from purveyor.wire.status_messages import StatusId


def forget_deleted(bench: Bench, policy: Policy, content: ContentCache) -> None:
    """Forgets every package and program that is proven deleted and of which something is still held."""
    if not policy.is_fresh or not (policy.deleted_packages or policy.deleted_programs):
        return
    for package in sorted(policy.deleted_packages & records.packages_known(bench.state)):
        jobs = [job for job in _own_jobs(bench) if job.key.package == package]
        if not _are_ended(bench, policy, jobs):
            continue
        try:
            content.forget_package(package)
        except UnavailableError as error:
            bench.note(f"the content of {package} cannot be removed now: {error}")
            continue
        with bench.state.transaction():
            records.forget_package(bench.state, package)
            _tell(bench, package, None)
    for package in policy.deleted_packages & records.packages_uninstalled(bench.state) - records.packages_known(bench.state):
        records.forget_package(bench.state, package)  # uninstalled after it was forgotten: nothing new to tell
    for key in sorted(policy.deleted_programs & records.programs_known(bench.state)):
        jobs = [job for job in _own_jobs(bench) if job.key == key]
        if _are_ended(bench, policy, jobs):
            with bench.state.transaction():
                records.forget_program(bench.state, key)
                _tell(bench, key.package, key)


def _own_jobs(bench: Bench) -> list[Job]:
    return [job for job in records.open_jobs(bench.state) if job.kind is Kind.RUN]


def _are_ended(bench: Bench, policy: Policy, jobs: list[Job]) -> bool:
    """Whether nothing runs any more. What has not begun is revoked; what runs finishes, is asked to end, or is ended."""
    running = [job for job in jobs if job.state is JobState.RUNNING]
    if not running:
        return True
    with bench.state.transaction():
        for job in jobs:
            if job.state in NOT_STARTED:
                bench.save(advanced(job, Event.REVOKE, text="its package or program was deleted"))
    for job in running:
        match policy.running_choices.get(job.key.package, RunningChoice.FINISH):
            case RunningChoice.FINISH:
                pass
            case RunningChoice.ASK:
                bench.machine.programs.stop(job.run, is_forced=False)
            case RunningChoice.STOP:
                bench.machine.programs.stop(job.run, is_forced=True)
    return False


def _tell(bench: Bench, package: PackageId, key: ProgramKey | None) -> None:
    bench.tell_message(
        StatusMessage(
            id=StatusId.PACKAGE_FORGOTTEN if key is None else StatusId.PROGRAM_FORGOTTEN,
            at=bench.now,
            package=package,
            program=None if key is None else key.program,
            state=None if key is None else JobState.REVOKED,
            text="deleted at the site: its jobs, its history and its content are gone from this machine",
        )
    )
