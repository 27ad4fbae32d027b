"""Says something to the user of a session on the real machine."""

from purveyor.client.machine.interface import Session


class RealNotices:
    """Implements `client.machine.interface.Notices`: the agent's page shows what a desktop cannot."""

    def show(self, session: Session, name: str, title: str, text: str) -> None:
        """Shows a notice; one of the same name in the same session is replaced."""

    def close(self, session: Session, name: str) -> None:
        """Takes a notice back."""
