"""By which keys a mirror knows the HTTPS servers that it reads: as the site's signed settings say; to begin, as it was told.

The rule is that of clients: what is read is judged by signatures, so it is read from any server once pins are known, and what is
sent goes to a pinned key alone. Source: docs/adr/0012.
"""

from purveyor.client.points.addresses import named_pins
from purveyor.wire.settings import AgentSettings


class Pinning:
    """The pins of one mirror's servers. `given` were typed; `from_code` is the pin of a join code, empty where it has none."""

    def __init__(self, *, given: tuple[str, ...] = (), from_code: str = "") -> None:
        self._given = given
        self._from_code = tuple(filter(None, [from_code]))
        self._settings: AgentSettings | None = None
        self._source_url = ""

    def learn(self, settings: AgentSettings, source_url: str) -> None:
        """The settings that are served now, as the CAP at this address shows them."""
        self._settings, self._source_url = settings, source_url

    def unnamed(self, url: str) -> tuple[str, ...]:
        """The pins that were typed, where signed settings name others for the server of this address, and none of these."""
        named = () if self._settings is None else named_pins(self._settings, url, {self._source_url})
        return self._given if named and not set(named) & set(self._given) else ()

    def pins_of(self, url: str) -> tuple[str, ...]:
        """The pins that count at an address now; none: CAs decide. The settings' come first, then those that were typed."""
        if self._settings is None:
            return self._given or self._from_code
        return named_pins(self._settings, url, {self._source_url}) or self._given
