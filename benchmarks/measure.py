"""Measuring fairly: everything in turn, round after round, and the median of each."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured")


class BenchmarkFailed(Exception):
    """Something was refused or came out wrong: then there is no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Several measurements of one thing, in the unit of whoever measured."""

    median: float
    least: float
    most: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """What several measurements come to."""
    return Spread(median=median(values), least=min(values), most=max(values), count=len(values))


def seconds(run: Callable[[], object]) -> float:
    """How many seconds something takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def interleaved(
    rounds: int, subjects: Mapping[str, Callable[[], Measured]]
) -> dict[str, list[Measured]]:
    """Each subject once a round, so that whatever else the machine does hits all alike.

    Every round begins with another one: none always runs in the wake of the same neighbour.
    """
    names = list(subjects)
    found: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(subjects[name]())
    return found


def require(fact: object, otherwise: str) -> None:
    """Raises BenchmarkFailed unless it is so."""
    if not fact:
        raise BenchmarkFailed(otherwise)
