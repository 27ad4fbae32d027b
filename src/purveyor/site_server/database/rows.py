"""The type of a row as a statement over whole tables gives it: its columns are attributes, and typed only where they are read."""

from typing import Any

from sqlalchemy import Row

AnyRow = Row[*tuple[Any, ...]]
