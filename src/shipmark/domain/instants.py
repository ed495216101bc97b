"""Which instants can be true. Clocks go wrong, and some senders write a zero for none."""

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""Clocks differ, but not by more."""


def is_possible(at: datetime, told_at: datetime) -> bool:
    """Whether what was told then can have happened at an instant."""
    return EARLIEST <= at <= told_at + AHEAD
