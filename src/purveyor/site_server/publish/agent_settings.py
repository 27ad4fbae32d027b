"""What every agent is told: the site's settings, its points, and where shards are found."""

import msgspec

from purveyor.site_server.database.publication import Generation
from purveyor.site_server.model.settings import SiteSettings
from purveyor.wire.ids import SiteCode
from purveyor.wire.settings import AgentSettings, Point, SealingKey, Shards


def compile_settings(
    *,
    code: SiteCode,
    incarnation: int,
    settings: SiteSettings,
    generation: Generation,
    lookup_key: str,
    sealing_keys: tuple[SealingKey, ...],
    access_points: tuple[Point, ...],
    distribution_points: tuple[Point, ...],
) -> AgentSettings:
    """The agents' settings. `lookup_key` is the public half of the key that signs the shards of this generation."""
    values = msgspec.structs.asdict(settings)
    agents_own = {name: value for name, value in values.items() if name in AgentSettings.__struct_fields__}
    return AgentSettings(
        site=code,
        incarnation=incarnation,
        shards=Shards(generation=generation.generation, bits=generation.bits, keys=(lookup_key,)),
        sealing_keys=sealing_keys,
        access_points=access_points,
        distribution_points=distribution_points,
        **agents_own,
    )
