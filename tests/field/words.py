"""What a site has been told by its clients, as an administrator reads it."""

from purveyor.lab.fleet import Fleet
from purveyor.site_server.admin import status
from purveyor.wire.status_messages import StatusId


def told(fleet: Fleet, status_id: StatusId) -> list[str]:
    """The texts of all messages of this kind that the site has, the newest first."""
    return [message.text for message in fleet.admin.ask(status.messages, limit=1000) if message.status == status_id]
