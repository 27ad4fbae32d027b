"""One authenticated request: who asks, and how it reads and changes the site.

A change is one transaction; when it is committed, the executive is woken so that it is published soon.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from purveyor.console.settings import ConsoleSettings
from purveyor.site_server.admin.tokens import Actor
from purveyor.site_server.site import Site

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of somebody who is known."""

    site: Site
    settings: ConsoleSettings
    actor: Actor

    @property
    def by(self) -> str:
        """Who asks, as the audit names them."""
        return self.actor.name

    def now(self) -> datetime:
        """The site's clock."""
        return self.site.clock()

    def read(self, ask: Callable[[Connection], T]) -> T:
        """The answer to a question, asked of the database as it is at one moment."""
        with self.site.database.read() as tx:
            return ask(tx)

    def change(self, act: Callable[[Connection], T]) -> T:
        """What comes of a change: all of it or none. Errors: RefusedError when the database is an older copy."""
        with self.site.changing() as tx:
            outcome = act(tx)
        self.site.poke()
        return outcome
