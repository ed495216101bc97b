"""The composition root: settings become a database, a writer, a worker and an application."""
