"""JSON over HTTP: the route table, the wire types and the handlers."""
