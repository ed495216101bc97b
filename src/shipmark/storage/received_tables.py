"""The tables of what was received from where and when, for whoever looks for what is missing."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from shipmark.storage.columns import ByCodePoint, Id, Instant, metadata

# When something of a kind was last received about a repository, by each way it may come.
received = Table(
    "received",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("via", String, primary_key=True),
    Column("at", Instant, nullable=False),
)

# How much a forge may still be asked, as it last told.
forge_budgets = Table(
    "forge_budgets",
    metadata,
    Column("source", ByCodePoint, primary_key=True),
    Column("remaining", BigInteger, nullable=False),
    Column("most", BigInteger),
    Column("resets_at", Instant),
    Column("told_at", Instant, nullable=False),
)

# How many webhooks were refused because they were not signed with the secret. A row a forge, and
# a write a minute at most: anyone may send what is refused.
webhook_refusals = Table(
    "webhook_refusals",
    metadata,
    Column("forge", ByCodePoint, primary_key=True),
    Column("refused", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
)
