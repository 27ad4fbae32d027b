"""Stories made from seeds: whatever happens to a fleet, the promise is kept. `tell(seed)` tells one."""

from purveyor.lab.stories.telling import Told, tell

__all__ = ["Told", "tell"]
