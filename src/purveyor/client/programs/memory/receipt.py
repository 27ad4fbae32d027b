"""A receipt: what is needed to remove a program from this machine, long after its package is gone from the site.

Pure. Written when a program succeeds that can be uninstalled or detected; removed by a successful uninstall and by nothing else.
"""

import msgspec

from purveyor.wire.form import Instant
from purveyor.wire.package_info import DetectionRule, Program, ProgramKey, Reporting, Uninstall

FOLDER = "receipts"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one program left behind. The files that its uninstall command needs lie in `folder_of(key)`."""

    key: ProgramKey
    site: str
    program_name: str
    source_version: int
    written_at: Instant
    uninstall: Uninstall | None = None
    detection: DetectionRule | None = None
    success_codes: tuple[int, ...] = (0,)
    restart_codes: tuple[int, ...] = ()
    retry_codes: tuple[int, ...] = ()
    reporting: Reporting | None = None


def folder_of(key: ProgramKey) -> str:
    """Where the kept files of a program lie in the state folder."""
    return f"{FOLDER}/{key.package}/{key.program}"


def is_wanted(program: Program) -> bool:
    """Whether a program leaves a receipt: it can be uninstalled, or detected."""
    return program.uninstall is not None or program.detection is not None


def uninstall_program(receipt: Receipt) -> Program:
    """The uninstall command of a receipt, as a program that can be run. It has no content but the kept files.

    Errors: ValueError when the receipt has no uninstall command: a bug of who asks.
    """
    if receipt.uninstall is None:
        raise ValueError(f"the receipt of {receipt.key} has no uninstall command")
    return Program(
        number=receipt.key.program,
        name=receipt.program_name,
        command=receipt.uninstall.command,
        max_run_seconds=receipt.uninstall.max_run_seconds,
        success_codes=receipt.success_codes,
        restart_codes=receipt.restart_codes,
        retry_codes=receipt.retry_codes,
        reporting=receipt.reporting,
    )
