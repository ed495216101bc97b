"""What Alembic runs to apply migrations over the connection it is given."""

from alembic import context

from shipmark.storage.columns import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
