"""The power of one simulated machine: it counts what the machine does that lasts, and can fail right before any of it.

An effect is a write to a disk, a commit, an item put into a box, a program started. Failing before each effect in turn is
failing at every moment that can be told apart from outside, because right after one effect is right before the next.
"""


class PowerCut(BaseException):
    """The power failed here. No `except Exception` catches it, as no program catches a power cut."""


class Power:
    """Whether a machine has power, and at which effect it will fail."""

    def __init__(self) -> None:
        self.is_on = True
        self.effect_count = 0
        """Effects since the power came on or `fail_at` was last called."""
        self._fails_at: int | None = None

    def fail_at(self, effect: int | None) -> None:
        """Lets the power fail right before the n-th effect from now, the first being 1; None: not at all."""
        self.effect_count = 0
        self._fails_at = effect

    def effect(self, what: str) -> None:
        """Called right before an effect. Errors: PowerCut, now and for every effect after it until the power is back."""
        if not self.is_on:
            raise PowerCut(f"no power for: {what}")
        self.effect_count += 1
        if self.effect_count == self._fails_at:
            self.is_on = False
            raise PowerCut(f"the power failed before effect {self.effect_count}: {what}")

    def off(self) -> None:
        """Takes the power away at once."""
        self.is_on = False

    def restore(self) -> None:
        """Gives the power back; it fails no more until asked to."""
        self.is_on = True
        self.fail_at(None)
