"""Use cases: one verb a module, each inside a transaction it is handed."""
