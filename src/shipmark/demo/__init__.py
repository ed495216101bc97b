"""The demo: a made-up history, told to a server of its own through the API, and what came of it."""
