"""Where what clients were told last is not what the restored rows say, of settings and points: for people to say again. Pure.

It is compared, not taken over: what is published of a point leaves out where the site pushes to, and as whom.
"""

import shlex
from collections.abc import Collection, Iterator, Sequence

import msgspec

from purveyor.recovery.decisions import Decision, Kind
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.model.settings import SiteSettings
from purveyor.wire.settings import DEFAULT_WEIGHT, AgentSettings, Point


def settings_that_differ(mine: SiteSettings, said: AgentSettings) -> Iterator[Decision]:
    """One decision for each setting of agents that was published last with another value."""
    told = msgspec.structs.asdict(said)
    for name, value in msgspec.structs.asdict(mine).items():
        if name in told and told[name] != value:
            text = f"was {_word(told[name])} when last published, is {_word(value)} now"
            yield Decision(Kind.SETTING, name, f"{text}: `purveyor settings set {name} {_word(told[name])}`")


def points_that_differ(
    kind: PointKind, mine: Sequence[Point], said: Sequence[Point], *, home: Collection[str]
) -> Iterator[Decision]:
    """One decision for each point that clients were told of otherwise. `home`: those whose pins the site announces by itself."""
    kept = {point.id: point for point in mine}
    for point in said:
        if point.id not in kept:
            text = f"{point.url} was told to clients and is not known to the restored site: `{_adding(kind, point)}`"
            text += "; where the site pushed to (--push-to, --credentials) is not published"
            yield Decision(Kind.POINT, point.id, text, point.url)
            continue
        commands = list(_changing(kept[point.id], point, with_pins=point.id not in home))
        if commands:
            text = f"{kept[point.id].url} was told to clients in another form"
            yield Decision(Kind.POINT, point.id, f"{text}: {', '.join(f'`{command}`' for command in commands)}")
    told = {point.id for point in said}
    for point in mine:
        if point.id not in told:
            text = (
                f"{point.url} was told to no client any more and is told again: if it is gone, `purveyor point drain {point.id}`"
            )
            yield Decision(Kind.POINT, point.id, text)


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else shlex.quote(str(value))


def _adding(kind: PointKind, said: Point) -> str:
    words = ["purveyor", "point", "add", kind.value, said.url, *_named("--network", said.networks), *_named("--pin", said.pins)]
    return shlex.join([*words, *(["--weight", str(said.weight)] if said.weight != DEFAULT_WEIGHT else [])])


def _changing(mine: Point, said: Point, *, with_pins: bool) -> Iterator[str]:
    """The commands that make of a point what clients were told of it."""
    given: list[str] = []
    if said.url != mine.url:
        given += ["--url", said.url]
    if said.networks != mine.networks:
        given += _named("--network", said.networks or ("",))
    if said.weight != mine.weight:
        given += ["--weight", str(said.weight)]
    if with_pins and said.pins != mine.pins:
        given += _named("--pin", said.pins or ("",))
    if given:
        yield shlex.join(["purveyor", "point", "edit", said.id, *given])
    if said.is_draining != mine.is_draining:
        yield shlex.join(["purveyor", "point", "drain" if said.is_draining else "resume", said.id])


def _named(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
