"""Which content the metadata names: what a mirror has to bring, and what it may keep."""

from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urljoin

from purveyor.mirror.metadata import Target
from purveyor.wire import offers, package_info
from purveyor.wire.boxes import cap_folder, dp_folder
from purveyor.wire.errors import RejectedError
from purveyor.wire.settings import AgentSettings


class Named(NamedTuple):
    """`offered`: manifests that offers say lie on the source's DP. `packages`: those of every manifest that is named."""

    offered: frozenset[str]
    packages: dict[str, tuple[str, ...]]


def content_named(targets: Iterable[Target], read: Callable[[Target], bytes], points: frozenset[str]) -> Named:
    """What all packages and offers name. `points` are the ids of the source's DP; none: whichever DP an offer names is meant.

    A file in words that are not known here names nothing, and is served all the same: clients may know them.
    """
    packages: dict[str, tuple[str, ...]] = {}
    offered: set[str] = set()
    for target in targets:
        try:
            if target.name.endswith(".pkg"):
                info = package_info.decode(read(target))
                if info.manifest:
                    packages[info.manifest] = (*packages.get(info.manifest, ()), str(info.id))
            elif target.name.endswith(".ofr"):
                places = offers.decode(read(target)).places
                offered |= {place.manifest for place in places if not points or points & set(place.points)}
        except RejectedError:
            continue
    return Named(frozenset(offered), packages | dict.fromkeys(offered - packages.keys(), ()))


def points_at(settings: AgentSettings, cap_url: str, dp_url: str) -> frozenset[str]:
    """The ids of the DPs that the settings know by this address, seen from this CAP."""
    return frozenset(
        point.id for point in settings.distribution_points if dp_url.rstrip("/") in _addresses(point.url, cap_url, settings)
    )


def _addresses(url: str, cap_url: str, settings: AgentSettings) -> set[str]:
    """What a point's URL may mean, seen from a CAP over HTTP or in a folder."""
    if not url.startswith("."):
        return {url.rstrip("/")}
    folder = cap_url.rstrip("/").removesuffix(f"/{cap_folder(settings.site)}")
    return {urljoin(cap_url.rstrip("/") + "/", url).rstrip("/"), f"{folder}/{dp_folder(settings.site)}"}
