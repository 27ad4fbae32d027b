"""When a person must say once more that it is meant: what reaches many machines, or all. Pure."""

from typing import NamedTuple

from purveyor.wire.errors import ConfirmationNeededError


class Reach(NamedTuple):
    """How far something reaches. `is_all_systems`: it reaches every machine, those that will come included."""

    client_count: int
    is_all_systems: bool = False

    def __str__(self) -> str:
        counted = "1 client" if self.client_count == 1 else f"{self.client_count} clients"
        return f"All Systems, {counted} now and all that will join" if self.is_all_systems else counted


def needs_confirmation(reach: Reach, confirm_above: int) -> bool:
    """Whether this reaches so far that it wants confirming."""
    return reach.is_all_systems or reach.client_count > confirm_above


def confirm_reach(what: str, reach: Reach, *, confirm_above: int, is_confirmed: bool) -> None:
    """Nothing when it may be done.

    Errors: ConfirmationNeededError, which says how far it reaches.
    """
    if not is_confirmed and needs_confirmation(reach, confirm_above):
        raise ConfirmationNeededError(f"{what} reaches {reach}: confirm it if that is meant")
