"""The columns that tables are made of, and what they are gathered in."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    TypeDecorator,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as whole microseconds since 1970.

    One integer means the same on both databases: it compares, subtracts and sorts alike, and
    loses nothing. The views show it as a timestamp.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        del dialect  # Both databases store the same integer.
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


# SQLite gives out row ids only to a column declared INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

# Compared by code point, as Python and SQLite do, so that ties and prefixes fall alike everywhere.
ByCodePoint = String().with_variant(String(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def row_id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def reference(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)


def sha_prefix(of: str, name: str) -> Column[str]:
    """The first seven characters of a SHA: what every commit is looked up by."""
    return Column(name, ByCodePoint, Computed(f"substr({of}, 1, 7)", persisted=True))
