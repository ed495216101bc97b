"""SQLAlchemy Core over SQLite and PostgreSQL: the only layer that knows SQL."""
