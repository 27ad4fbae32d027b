"""What an advertisement waits for before any client hears of it: content on a point, and packages that are there. Pure.

Source: Q301385; the protocol, 3.6.
"""

from typing import NamedTuple

from purveyor.site_server.model.dependencies import Dependencies, needed_by
from purveyor.wire.ids import PackageId
from purveyor.wire.package_info import ProgramKey

WAITING = "waiting for content"
"""How status begins to say it."""


class Readiness(NamedTuple):
    """What stands in the way of being offered.

    Shape: `without_content` are packages of which no source version lies on a distribution point; `gone` are deleted ones.
    """

    dependencies: Dependencies
    without_content: frozenset[PackageId]
    gone: frozenset[PackageId]

    def awaited(self, key: ProgramKey) -> tuple[PackageId, ...]:
        """The packages whose content a program waits for, its own or of what it depends on, by id."""
        return tuple(sorted(self._packages(key) & self.without_content))

    def lacked(self, key: ProgramKey) -> tuple[PackageId, ...]:
        """The packages that a program depends on and that were deleted, by id: it is offered to nobody."""
        return tuple(sorted(self._packages(key) & self.gone - {key.package}))

    def _packages(self, key: ProgramKey) -> frozenset[PackageId]:
        return frozenset(one.package for one in needed_by(self.dependencies, [key]))


def waiting_text(awaited: tuple[PackageId, ...]) -> str:
    """What is said of an advertisement that waits; empty where it waits for nothing."""
    return f"{WAITING}: {', '.join(awaited)} is on no distribution point yet" if awaited else ""


def lacking_text(lacked: tuple[PackageId, ...]) -> str:
    """What is said of an advertisement that needs what is gone; empty where it needs nothing such."""
    return f"it is offered to nobody: it depends on {', '.join(lacked)}, which was deleted" if lacked else ""
