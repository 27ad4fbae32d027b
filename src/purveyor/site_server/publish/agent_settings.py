"""What every agent is told: the site's settings, its points, and where shards are found."""

import msgspec

from purveyor.site_server.database.publication import Generation
from purveyor.site_server.model.settings import SiteSettings
from purveyor.wire.ids import SiteCode
from purveyor.wire.settings import AgentSettings, Point, SealingKey, Shards

ACCESS_POINTS = (Point(id="cap1", url="."),)
DISTRIBUTION_POINTS = (Point(id="dp1", url="../dp"),)
"""The points that a site itself serves, as seen from its CAP: the same words hold whatever name or port clients use."""


def compile_settings(
    *,
    code: SiteCode,
    incarnation: int,
    settings: SiteSettings,
    generation: Generation,
    lookup_key: str,
    sealing_keys: tuple[SealingKey, ...],
) -> AgentSettings:
    """The agents' settings. `lookup_key` is the public half of the key that signs the shards of this generation."""
    values = msgspec.structs.asdict(settings)
    agents_own = {name: value for name, value in values.items() if name in AgentSettings.__struct_fields__}
    return AgentSettings(
        site=code,
        incarnation=incarnation,
        shards=Shards(generation=generation.generation, bits=generation.bits, keys=(lookup_key,)),
        sealing_keys=sealing_keys,
        access_points=ACCESS_POINTS,
        distribution_points=DISTRIBUTION_POINTS,
        **agents_own,
    )
