"""How the demo says that something is not as it should be."""


class DemoFailed(Exception):
    """The demo cannot go on, or has been given a wrong answer."""
