"""The words of which stories are made: each kind of step is declared once, with its sentence, its chances and what it does.

A step is a small frozen value, so a story can be printed, replayed and shortened. Each makes sense alone: it names what it is
about, and where there is no such thing (any more, or not yet) it does nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from purveyor.lab.power import PowerCut
from purveyor.lab.stories.stage import NoSuchThingError, Stage
from purveyor.wire.errors import PurveyorError

T = TypeVar("T")
Argument = str | int

PACKAGES = ("Editor", "Archiver", "Viewer", "Player", "Scanner", "Browser", "Font pack", "Printer driver")
CLIENTS = ("pc1", "pc2", "pc3", "pc4")
COPIES = ("copy1", "copy2")
"""What machines are called that are made of the disks of others."""
PLACES = ("harbour", "hill")
"""Where else points may be; the branch has two that a mirror fills."""
BACKUPS = ("nightly", "weekly")
ADVERTISEMENTS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and for how long time goes on afterwards. `minutes` are of true time."""

    kind: str
    arguments: tuple[Argument, ...] = ()
    minutes: int = 0

    def sentence(self) -> str:
        """The step as an administrator would tell it."""
        told = KINDS[self.kind].sentence.format(*self.arguments)
        return f"{told}; {_span(self.minutes)} go by" if self.minutes else told

    def take(self, stage: Stage) -> bool:
        """Takes it, and lets the time go by. False when it could not be: nothing is there, the site refused or failed."""
        try:
            KINDS[self.kind].effect(stage, *self.arguments)
        except (NoSuchThingError, PurveyorError):
            return False
        except PowerCut:
            stage.power_failed()
            return False
        else:
            return True
        finally:
            self._wait(stage)

    def _wait(self, stage: Stage) -> None:
        if self.minutes:
            stage.go_on(self.minutes)


@dataclass(slots=True)
class Draft:
    """What a story has in hand while it is made up. `random` is the only source of chance."""

    random: Random
    client_count: int = 3
    packages: list[str] = field(default_factory=list)
    advertisements: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """The machines of which a snapshot was taken."""
    backups: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """Where points were opened."""

    def pick(self, among: Sequence[T]) -> T:
        """One of these."""
        return among[self.random.randrange(len(among))]

    def client(self) -> str:
        """A client, or a machine that was made of one before."""
        return self.pick([*CLIENTS[: self.client_count], *self.copies])

    def copy(self) -> str:
        """The name of the next machine that is made of another one's disks; of the last one when all are used."""
        self.copies = list(COPIES[: len(self.copies) + 1])
        return self.copies[-1]

    def kept_client(self) -> str:
        """A machine of which a snapshot was taken before."""
        return self.pick(self.kept or CLIENTS[:1])

    def newly_kept(self) -> str:
        """A machine of which a snapshot is taken now."""
        self.kept.append(self.client())
        return self.kept[-1]

    def new_place(self) -> str:
        """Where the next point is opened."""
        self.places.append(self.pick(PLACES))
        return self.places[-1]

    def place(self) -> tuple[str, str]:
        """A kind of point, and where one was opened before."""
        return self.pick(("access", "access", "distribution")), self.pick(self.places or PLACES[:1])

    def new_backup(self) -> str:
        """What the next backup is called; one that has the name already is replaced."""
        self.backups.append(self.pick(BACKUPS))
        return self.backups[-1]

    def backup(self) -> str:
        """A backup that was made before."""
        return self.pick(self.backups or BACKUPS[:1])

    def package(self) -> str:
        """A package that was added before."""
        return self.pick(self.packages or PACKAGES[:1])

    def advertisement(self) -> str:
        """An advertisement that was made before."""
        return self.pick(self.advertisements or ["A1"])

    def new_package(self) -> str:
        """The name of the next package; of an earlier one when all are used."""
        name = next((one for one in PACKAGES if one not in self.packages), "")
        if not name:
            return self.package()
        self.packages.append(name)
        return name

    def new_advertisement(self) -> str:
        """The name of the next advertisement."""
        if len(self.advertisements) == ADVERTISEMENTS:
            return self.advertisement()
        self.advertisements.append(f"A{len(self.advertisements) + 1}")
        return self.advertisements[-1]

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends possible."""
        return self.random.randint(low, high)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of step. `sentence` has places for the arguments; `weight` says how often it comes, against the others."""

    name: str
    sentence: str
    draw: Callable[[Draft], tuple[Argument, ...]]
    effect: Callable[..., None]
    weight: int = 2


KINDS: dict[str, Kind] = {}
"""All kinds, by name."""


def kind(
    name: str, sentence: str, draw: Callable[[Draft], tuple[Argument, ...]], *, weight: int = 2
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declares a kind of step: the function below it is what it does to a stage. What is not there, or refused, is no step."""

    def declared(effect: Callable[..., None]) -> Callable[..., None]:
        KINDS[name] = Kind(name, sentence, draw, effect, weight)
        return effect

    return declared


def _span(minutes: int) -> str:
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes / 60
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
