"""How the made-up organisation of the demo's year works. Nobody in it is real."""

from dataclasses import dataclass

PEOPLE = (
    "Ada Example",
    "Ben Sample",
    "Cleo Madeup",
    "Dora Placeholder",
    "Emil Invented",
    "Fay Fictional",
    "Gus Pretend",
)

CHANGES = ("Add", "Rework", "Speed up", "Simplify", "Test", "Document", "Remove the old", "Log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How a team merges and deploys its repository.

    ``merges`` are pull requests on a working day. Production gets what is merged every ``every``
    days; 0: soon after each merge. ``fails`` is the share of its deployments that go wrong.
    ``hours_open`` is how long half of the pull requests are open, when the year begins.
    """

    repository: str
    services: tuple[str, ...]
    subjects: tuple[str, ...]
    merges: float
    every: int
    fails: float
    hours_open: float
    source: str


HABITS = (
    Habit(
        repository="orchard/web",
        services=("web",),
        subjects=("the basket page", "the start page", "the search box", "the order history"),
        merges=1.3,
        every=0,
        fails=0.09,
        hours_open=14,
        source="GitHub Actions",
    ),
    Habit(
        repository="orchard/api",
        services=("api",),
        subjects=("the price cache", "the rate limiter", "order events", "the stock endpoint"),
        merges=1.3,
        every=1,
        fails=0.12,
        hours_open=22,
        source="Argo CD",
    ),
    Habit(
        repository="orchard/billing",
        services=("billing",),
        subjects=("invoice numbers", "refunds", "the tax table", "the ledger export"),
        merges=0.5,
        every=10,
        fails=0.22,
        hours_open=40,
        source="Jenkins",
    ),
    Habit(
        repository="orchard/fleet",
        services=("tracker", "dispatch"),
        subjects=("route planning", "the driver app", "map tiles", "delivery windows"),
        merges=0.8,
        every=4,
        fails=0.13,
        hours_open=26,
        source="GitHub Actions",
    ),
)
