"""The kinds of column that both databases hold alike. Opens nothing, and knows no table."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Integer, TypeDecorator
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(time: datetime) -> int:
    """An aware time as the database holds it."""
    return (time - _EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time, held as microseconds since 1970 so that both databases order and compare it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        del dialect
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


Number = BigInteger().with_variant(Integer, "sqlite")
"""A number that counts up by itself as a primary key in both databases."""
