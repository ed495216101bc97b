"""The table of who is signed in to the pages."""

from sqlalchemy import Column, ForeignKey, String, Table

from shipmark.storage.columns import Id, Instant, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("token_id", Id, ForeignKey("tokens.id"), nullable=False),
    Column("form_token", String, nullable=False),
    Column("signed_in_at", Instant, nullable=False),
    Column("renewed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)
