"""How much is measured: tiny for a test, the usual ten minutes, and everything."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of one run.

    ``rounds`` is how often each thing is measured in turn with its floors; ``seconds`` how long
    one round of load lasts, a whole number because wrk takes no other.
    """

    name: str
    rounds: int
    seconds: int
    connections: tuple[int, ...]
    lanes: tuple[int, ...]
    histories: tuple[int, ...]
    changes: int
    bulk_pulls: int
    bulk_rounds: int
    file_rows: int
    file_rounds: int
    reads: int
    shipped_by_one: int
    page: int
    merges: int
    sampled: int


TINY = Sizes(
    name="tiny",
    rounds=1,
    seconds=1,
    connections=(4,),
    lanes=(12,),
    histories=(300, 600),
    changes=2,
    bulk_pulls=300,
    bulk_rounds=1,
    file_rows=200,
    file_rounds=1,
    reads=2,
    shipped_by_one=60,
    page=3,
    merges=100,
    sampled=5,
)
USUAL = Sizes(
    name="usual",
    rounds=5,
    seconds=1,
    connections=(1, 16, 64),
    lanes=(2, 100, 10_000),
    histories=(1_000, 10_000, 100_000),
    changes=31,
    bulk_pulls=20_000,
    bulk_rounds=5,
    file_rows=20_000,
    file_rounds=3,
    reads=51,
    shipped_by_one=1_000,
    page=100,
    merges=10_000,
    sampled=20,
)
FULL = Sizes(
    name="full",
    rounds=7,
    seconds=3,
    connections=(1, 16, 64),
    lanes=(2, 100, 10_000),
    histories=(1_000, 10_000, 100_000, 1_000_000),
    changes=31,
    bulk_pulls=1_000_000,
    bulk_rounds=1,
    file_rows=1_000_000,
    file_rounds=1,
    reads=51,
    shipped_by_one=1_000,
    page=100,
    merges=100_000,
    sampled=20,
)
