"""Payloads with something wrong somewhere."""

import copy
from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(), below, max_size=2),
    max_leaves=4,
)
TEXT = st.sampled_from(
    ["", "0" * 40, "refs/heads/", "http://[", "\ud800", "9999-12-31T23:59:59-23:59"]
)


@st.composite
def mutated(draw: st.DrawFn, payloads: list[Any]) -> Any:
    """One of the payloads, in which up to three values are others, or missing."""
    payload = copy.deepcopy(draw(st.sampled_from(payloads)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(payload)) or [()]))
        if not path:
            return draw(JSON)
        holder = payload
        for step in path[:-1]:
            holder = holder[step]
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(JSON | TEXT)
    return payload


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, below in steps:
            yield (*above, step)
            yield from _paths(below, (*above, step))
