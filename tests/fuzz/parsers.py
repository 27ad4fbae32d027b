"""Every parser of bytes and texts that come from outside: one table; `tests/rules/test_parsers.py` sees that it is whole.

A row is a reader with valid examples of what it reads and all that it may raise; `test_parsers.py` spoils the examples.
"""

from collections.abc import Mapping

from fuzz.clients_say import FROM_CLIENTS
from fuzz.machines_hold import ON_CLIENTS
from fuzz.parser import Parser
from fuzz.people_bring import FROM_PEOPLE
from fuzz.site_says import FROM_THE_SITE
from fuzz.texts import TEXTS

PARSERS: Mapping[str, Parser] = {**FROM_THE_SITE, **FROM_CLIENTS, **FROM_PEOPLE, **TEXTS, **ON_CLIENTS}
