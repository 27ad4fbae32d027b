"""Whether a machine is of a platform that a program names: `linux`, `linux/debian`, `linux/debian/12@x86_64`. Pure.

Source: Q321580: the answer depends on the platform alone.
"""

from collections.abc import Iterable

_SAME_ARCHITECTURE = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def is_of_platforms(named: Iterable[str], platform: str, architecture: str = "") -> bool:
    """Whether one of the named platforms is the machine's, or leads to it; any machine is where none is named.

    An architecture that is named must be the machine's, by whichever of its names.
    """
    platforms = list(named)
    return not platforms or any(_is_of(one, platform, architecture) for one in platforms)


def _is_of(named: str, platform: str, architecture: str) -> bool:
    path, _, wanted = named.strip().casefold().partition("@")
    here = f"{platform.strip().casefold()}/"
    return here.startswith(f"{path.rstrip('/')}/") and (not wanted or _architecture(wanted) == _architecture(architecture))


def _architecture(text: str) -> str:
    name = text.strip().casefold()
    return _SAME_ARCHITECTURE.get(name, name)
